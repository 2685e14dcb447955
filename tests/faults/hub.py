"""The hub as a system under test: `carehub run` in a process of its own, fed through its replay socket."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from paho.mqtt.client import MQTTMessage

from hub.store.database import FILE_NAME, open_for_reading
from hub.store.queries import alerts, readings
from hub.uplink.cloudevents import Message, from_message
from hub.uplink.contract import Channel
from hub.uplink.heard import alert_heard, readings_heard
from tests.faults.patience import wait
from tests.faults.system import READING, AwayError, Heard, Place
from tests.faults.ward import DRIVER, Payload, address

_PATIENCE_SECONDS = 60.0
_ANSWER_SECONDS = 300.0  # a full card may keep a sender waiting for long
_EVERYTHING = 10_000_000


class Hub:
    """Implements `tests.faults.system.System`."""

    name = "hub"

    def __init__(self, place: Place) -> None:
        place.directory.mkdir(parents=True, exist_ok=True)
        self.database = place.data / FILE_NAME
        self._config = place.directory / "hub.toml"
        self._config.write_text(_configuration(place))
        self._control = place.directory / "control.sock"
        self._replay = place.directory / "replay.sock"
        self._log = place.directory / "hub.log"
        self._environment = {**os.environ, **place.environment}
        # Only where a test of the tests asks for other settings is the hub started in another way.
        self._module = "tests.faults.rigged_hub" if place.environment else "hub"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """All that it has logged, over its restarts."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self) -> None:
        self.launch()
        if not wait(lambda: self._serves() or not self.alive, _PATIENCE_SECONDS) or not self.alive:
            raise RuntimeError(f"the hub did not start:\n{self.log[-3000:]}")

    def launch(self) -> None:
        """Start it and do not wait."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module, "run", "--config", str(self._config)],
                stderr=log,
                env=self._environment,
            )

    def _serves(self) -> bool:
        for path in (self._control, self._replay):
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(str(path))
                except OSError:
                    return False
        return True

    def feed(self, payloads: Sequence[Payload]) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            try:
                connection.connect(str(self._replay))
            except OSError as error:
                raise AwayError(str(error)) from error
            try:
                connection.sendall(b"".join(payload.line for payload in payloads))
                connection.shutdown(socket.SHUT_WR)
                with connection.makefile("rb") as answers:
                    lines = answers.readlines()
            except ConnectionError:
                return False
        if not lines or not lines[-1].endswith(b"\n"):
            return False
        answer = json.loads(lines[-1])
        if answer != {"accepted": len(payloads), "refused": 0}:
            raise RuntimeError(f"the hub answered {answer}")
        return True

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_PATIENCE_SECONDS)

    def heard(self, message: MQTTMessage) -> Iterable[Heard]:
        return heard(message)


def heard(message: MQTTMessage) -> Iterable[Heard]:
    """What a message of the hub says. The one place that knows how readings and alerts travel."""
    channel = message.topic.rsplit("/", 1)[-1]
    if channel not in (Channel.READING, Channel.ALERT):
        return
    # paho makes the names of properties at run time, so its types do not know them.
    content_type: str | None = getattr(message.properties, "ContentType", None)
    attributes = tuple(getattr(message.properties, "UserProperty", ()))
    event = from_message(Message(bytes(message.payload), content_type, attributes))
    if channel == Channel.READING:
        for reading in readings_heard(event):
            member = (event.source, event.id, str(reading.reading))
            yield Heard(member, READING, f"{reading.device}/{reading.payload}")
    else:
        alert = alert_heard(event)
        identity = (event.source, event.id)
        yield Heard(identity, alert.change.value, str(alert.assessment.reading), str(alert.alert))


def stored(database: Path) -> tuple[set[str], set[str]]:
    """The names of the readings in a database of the hub, and of those that raised an alert in it."""
    connection = open_for_reading(database)
    try:
        by_number = {
            row.sequence: str(row.placed.reading.id) for row in readings(connection, most=_EVERYTHING)
        }
        raised = {by_number[row.reading] for row in alerts(connection, resolved=True, most=_EVERYTHING)}
    finally:
        connection.close()
    return set(by_number.values()), raised


def _configuration(place: Place) -> str:
    lines = [
        "[site]",
        'id = "faults"',
        "test_data = true",
        "[hub]",
        'id = "hub-1"',
        f'data_directory = "{place.data}"',
        f'control_socket = "{place.directory}/control.sock"',
        "[broker]",
        f'host = "{place.host}"',
        f"port = {place.port}",
        "tls = false",
        'keepalive = "10 s"',
        'reconnect_least = "200 ms"',
        'reconnect_most = "2 s"',
        "[bluetooth]",
        'radio = "off"',
        "[publish]",
        "reading = true",
        f"observation = {str(place.observations).lower()}",
        "[store]",
        'least_free = "1 MB"',  # the suite's cards are small
        "[replay]",
        f'socket = "{place.directory}/replay.sock"',
    ]
    for resident in range(place.ward.residents):
        lines += ["[[residents]]", f'id = "R-{resident:05}"']
        lines += ["[[sensors]]", f'address = "{address(resident)}"', f'driver = "{DRIVER}"']
        lines += [f'resident = "R-{resident:05}"']
    return "\n".join(lines) + "\n"
