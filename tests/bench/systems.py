"""The systems side by side: each in a process of its own, fed the same lines, heard at the same broker."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from hub.demo.mosquitto import Mosquitto
from tests.bench.ear import Heard, Mouth
from tests.bench.heard import readings_of_hub, readings_of_lines, readings_of_thingsboard
from tests.bench.platform import answering_as_thingsboard
from tests.bench.process import NotRunningError, ended, running
from tests.bench.ward import Key, configuration

_PEERS = Path(__file__).parent / "peers"
_START_SECONDS = 60
THINGSBOARD = _PEERS / "thingsboard.py"
"""Starts the gateway; run by the peers' own Python, with its configuration's path."""
THINGSBOARD_LOGS = "TB_GW_LOGS_PATH"
"""The variable that says where the gateway puts its logs."""
QUIET_BROKER = ["set_tcp_nodelay true", "log_type none", "max_inflight_messages 100"]
"""A broker that writes a line for each packet would be measured for its log; and one window for all."""


@dataclass(frozen=True, slots=True)
class Started:
    """A system that takes lines: its process (None: the broker itself) and how lines are handed to it."""

    pid: int | None
    feed: Callable[[Sequence[bytes]], None]


@dataclass(frozen=True, slots=True)
class System:
    """A system to measure. `start` has the directory for its files and the broker's port.

    `readings` says which readings a message carries. `foreign`: not ours to mend where it fails.
    """

    name: str
    start: Callable[[Path, int], contextlib.AbstractContextManager[Started]]
    topics: Sequence[str]
    readings: Callable[[Heard], Iterable[Key]]
    foreign: bool = False


def hub() -> System:
    """The hub, through its replay socket, every reading forwarded."""

    @contextlib.contextmanager
    def start(directory: Path, port: int) -> Iterator[Started]:
        config = configuration(directory, port, radio="off")
        with (
            running(["-m", "hub", "run", "--config", str(config)], directory / "hub.log") as pid,
            _unix_socket(pid, directory / "replay.sock", directory / "hub.log") as feed,
        ):
            yield Started(pid, feed)

    return System("the hub", start, ["careport/#"], readings_of_hub)


def thingsboard(python: Path, storage: str) -> System:
    """The ThingsBoard gateway with sqlite or file storage, and the least connector that takes the lines."""

    @contextlib.contextmanager
    def start(directory: Path, port: int) -> Iterator[Started]:
        lines = directory / "lines.sock"
        config = thingsboard_configuration(directory, port, lines, {"type": storage})
        with (
            answering_as_thingsboard(port),
            running(
                [str(THINGSBOARD), str(config)],
                directory / "gateway.log",
                python=str(python),
                environment={THINGSBOARD_LOGS: str(directory)},
                directory=directory,
            ) as pid,
            _unix_socket(pid, lines, directory / "gateway.log") as feed,
        ):
            yield Started(pid, feed)

    name = f"ThingsBoard, {storage}"
    return System(name, start, ["v1/gateway/telemetry"], readings_of_thingsboard, foreign=True)


def thingsboard_configuration(
    directory: Path,
    port: int,
    lines: Path,
    storage: Mapping[str, object],
    *,
    devices: Sequence[str] = (),
    answers: bool = False,
) -> Path:
    """Write the gateway's configuration for one directory, and return its path; `storage` has its type, and
    whatever is not to be as here. `devices`: those that it knows already, as from its life before.
    `answers`: the connector says what was accepted.

    As shipped, but: no statistics, report strategy or log, which would cost it something; packs of
    1,000 (10 is shipped) and no end of a file before 1,000,000 records (10,000 is shipped, and a backlog
    that is longer loses a part), which it is the faster and the safer for.
    """
    records = {"max_read_records_count": 1000, "max_records_per_file": 1_000_000, "max_file_count": 10}
    folders = {"data_folder_path": f"{directory}/data/", "data_file_path": f"{directory}/data/"}
    settings = {
        "thingsboard": {
            "host": "127.0.0.1",
            "port": port,
            "remoteShell": False,
            "remoteConfiguration": False,
            "statistics": {"enable": False},
            "deviceFiltering": {"enable": False},
            "maxPayloadSizeBytes": 8196,
            "minPackSendDelayMS": 50,
            "minPackSizeToSend": 500,
            "handleDeviceRenaming": False,
            "syncDevicesSharedAttributesOnConnect": False,
            "security": {"accessToken": "bench"},
            "qos": 1,
            "reportStrategy": {"type": "DISABLED"},
            "checkingDeviceActivity": {"checkDeviceInactivity": False},
        },
        "storage": {**records, **folders, **storage},
        "grpc": {"enabled": False},
        "connectors": [
            {
                "name": "bench",
                "type": "careport",
                "class": "CareportConnector",
                "configuration": "careport.json",
            }
        ],
    }
    home = directory / "gateway"
    extensions = home / "extensions" / "careport"
    extensions.mkdir(parents=True)
    (extensions / "careport_connector.py").symlink_to(_PEERS / "careport_connector.py")
    connector = {"name": "bench", "id": "bench", "socket": str(lines), "answers": answers}
    (home / "careport.json").write_text(json.dumps(connector))
    known = {"connectorName": "bench", "connectorId": "bench", "deviceType": "sensor"}
    (home / "connected_devices.json").write_text(json.dumps(dict.fromkeys(devices, known)))
    (home / "logs.json").write_text(json.dumps({"version": 1, "root": {"level": "ERROR"}}))
    path = home / "tb_gateway.json"
    path.write_text(json.dumps(settings))
    return path


def reference(message: int, commit: int, gather_seconds: float) -> System:
    """The raw limit, with so many readings a message and a commit: `peers/reference.py`."""

    @contextlib.contextmanager
    def start(directory: Path, port: int) -> Iterator[Started]:
        lines, log = directory / "lines.sock", directory / "reference.log"
        arguments = [str(lines), str(directory / "reference.db"), str(port)]
        arguments += [str(commit), str(message), str(gather_seconds)]
        with (
            running([str(_PEERS / "reference.py"), *arguments], log) as pid,
            _unix_socket(pid, lines, log) as feed,
        ):
            yield Started(pid, feed)

    return System(f"raw limit, {message} a message", start, ["bench/ref"], readings_of_lines)


def bridge() -> System:
    """A mosquitto on this machine that is bridged to the broker, with persistence as it is by default: it
    saves every 30 minutes, and what is in it when it is killed is lost."""

    @contextlib.contextmanager
    def start(directory: Path, port: int) -> Iterator[Started]:
        settings = [
            *QUIET_BROKER,
            "connection central",
            f"address 127.0.0.1:{port}",
            "topic bench/bridge out 1",
            "bridge_protocol_version mqttv50",
            "cleansession false",
            "notifications false",
            "restart_timeout 1",
        ]
        with Mosquitto(directory / "bridge", settings) as local:
            assert local._process is not None
            with contextlib.closing(Mouth(local.port, "bench/bridge")) as mouth:
                yield Started(local._process.pid, mouth.publish)

    return System("mosquitto bridge", start, ["bench/bridge"], readings_of_lines)


def broker_alone() -> System:
    """Straight to the broker, nothing kept anywhere: the floor that no system can be below."""

    @contextlib.contextmanager
    def start(directory: Path, port: int) -> Iterator[Started]:
        with contextlib.closing(Mouth(port, "bench/bare")) as mouth:
            yield Started(None, mouth.publish)

    return System("the broker alone", start, ["bench/bare"], readings_of_lines)


@contextlib.contextmanager
def _unix_socket(pid: int, path: Path, log: Path) -> Iterator[Callable[[Sequence[bytes]], None]]:
    """A connection to the socket at which a system takes lines, as soon as there is one."""
    end = monotonic() + _START_SECONDS
    connection = socket.socket(socket.AF_UNIX)
    while True:
        try:
            connection.connect(str(path))
            break
        except OSError as error:
            if monotonic() > end or ended(pid):
                connection.close()
                said = log.read_text(errors="replace")[-1000:]
                raise NotRunningError(f"takes no lines at {path.name} ({error}). It said: {said}") from error
            time.sleep(0.05)
    # What a system answers there is of no interest, but must not fill the socket.
    threading.Thread(target=_drain, args=(connection,), daemon=True).start()
    try:
        yield lambda lines: connection.sendall(b"".join(lines))
    finally:
        connection.close()


def _drain(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while connection.recv(4096):
            pass


def python_version() -> str:
    """Of the Python that runs all but the broker."""
    return ".".join(map(str, sys.version_info[:3]))
