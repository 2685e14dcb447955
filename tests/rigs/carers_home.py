"""A home with all its parts, each a process of its own: a broker, the hub, the staff page, staff, residents.

The names are made up. A kit of shared sensors is enrolled; what they tell is fed in through the replay
socket, as their bytes.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drivers.recording import line_of
from drivers.virtual import encoding
from hub.clock import now
from hub.configuration.file import Config, load
from hub.control.control_socket import ControlError, ask
from hub.demo.mosquitto import Mosquitto, free_port
from hub.readings import Origin, RawPayload
from hub.staff.rights import Role
from hub.store.database import FILE_NAME, open_for_reading
from tests.rigs.furnished_home import furnished

_PATIENCE_SECONDS = 60.0

CUFF, OXIMETER, THERMOMETER = "C4:F2:17:00:00:21", "C4:F2:17:00:00:22", "C4:F2:17:00:00:23"
"""The kit that goes from resident to resident."""
ADAS_OXIMETER = "C4:F2:17:00:00:31"
"""Ada's own."""
ADA, BERT, CLARA, DORA = "R-0001", "R-0002", "R-0003", "R-0004"

PINS: Mapping[Role, tuple[str, str]] = {
    Role.CARER: ("Cara Night", "481620"),
    Role.SENIOR: ("Sam Senior", "730251"),
    Role.MANAGER: ("Mo Manager", "926417"),
    Role.ENGINEER: ("Eli Engineer", "158304"),
}
"""Who may sign in, by role: name and PIN."""

_CONFIGURATION = """
[site]
id = "rose-house"
test_data = true

[hub]
id = "hub-1"
data_directory = "{directory}/data"
control_socket = "{directory}/control.sock"

[broker]
host = "127.0.0.1"
port = {broker}
tls = false
reconnect_least = "200 ms"
reconnect_most = "1 s"

[bluetooth]
radio = "off"
[usb]
ports = "off"
[replay]
socket = "{directory}/replay.sock"

[rounds]
settle = "10 s"
"""

_PAGE = """
[page]
address = "127.0.0.1"
port = {page}
tls = false
"""

_RESIDENTS = {
    ADA: ("Ada Marsh", "1", 1938),
    BERT: ("Bert Lamb", "2", 1941),
    CLARA: ("Clara Fields", "3", 1935),
    DORA: ("Dora Hill", "4", 1944),
}


@dataclass
class CarersHome:
    """It runs; `address` is the page's."""

    directory: Path
    config: Config
    config_path: Path
    address: str
    broker: Mosquitto | None = None
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def database(self) -> Path:
        """The hub's."""
        return self.config.hub.data_directory / FILE_NAME

    def ask(self, command: str, **arguments: object) -> dict[str, Any]:
        """Ask the daemon something."""
        return ask(self.config.hub.control_socket, command, **arguments)

    def log(self, name: str) -> str:
        """All that a process has logged."""
        return (self.directory / f"{name}.log").read_text(errors="replace")

    def start(self, name: str, *arguments: str) -> None:
        """Start `carehub` with these arguments as the process of that name."""
        with (self.directory / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "hub", *arguments, "--config", str(self.config_path)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip

    def start_hub(self) -> None:
        """Start the daemon, and return when it answers."""
        self.start("hub", "run")
        self._wait("hub", self._hub_answers)

    def start_page(self) -> None:
        """Start the staff page, and return when it answers."""
        self.start("page", "page")
        self._wait("page", self._page_answers)

    def stop(self, name: str, how: int = signal.SIGTERM) -> None:
        """End a process; by SIGKILL as a power cut would."""
        process = self.processes.pop(name)
        process.send_signal(how)
        process.wait(_PATIENCE_SECONDS)

    def stop_all(self) -> None:
        """End whatever still runs."""
        for name in list(self.processes):
            with suppress(ProcessLookupError):
                self.stop(name)

    def _wait(self, name: str, answers: Any) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not answers():
            if self.processes[name].poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} does not run:\n{self.log(name)}")
            time.sleep(0.05)

    def _hub_answers(self) -> bool:
        try:
            self.ask("status")
        except ControlError:
            return False
        return self.config.replay.socket is not None and self.config.replay.socket.exists()

    def _page_answers(self) -> bool:
        unverified = ssl.create_default_context()
        unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
        try:
            with urllib.request.urlopen(f"{self.address}/sign-in", timeout=5, context=unverified):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    def tell(self, address: str, driver: str, characteristic: str, payload: bytes) -> None:
        """A sensor tells something now; returns when the hub has committed it."""
        raw = RawPayload(address, driver, payload, now(), characteristic, Origin.VIRTUAL)
        self.tell_all([raw])

    def tell_all(self, payloads: list[RawPayload]) -> int:
        """Many, as fast as the hub takes them; how many it has committed."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_PATIENCE_SECONDS)
            connection.connect(str(self.config.replay.socket))
            connection.sendall(b"".join(line_of(raw).encode() + b"\n" for raw in payloads))
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as answers:
                said = json.loads(answers.readlines()[-1])
        return int(said["accepted"])

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Look into the hub's database."""
        connection = open_for_reading(self.database)
        try:
            return list(connection.execute(statement))
        finally:
            connection.close()

    def pass_time_to_settle(self) -> None:
        """Wait until what a sensor without a clock tells is surely of the round that is open."""
        time.sleep(self.config.rounds.settle.total_seconds() + 0.5)

    def saturation(self, percent: float, pulse: float, address: str = OXIMETER) -> None:
        """An oximeter tells of a finger."""
        payload = encoding.spot_check(saturation=percent, pulse=pulse)
        self.tell(address, "pulse_oximeter", "2a5e", payload)

    def pressure(self, systolic: float, diastolic: float, pulse: float, address: str = CUFF) -> None:
        """A cuff tells of an arm."""
        payload = encoding.blood_pressure(systolic=systolic, diastolic=diastolic, pulse=pulse)
        self.tell(address, "blood_pressure", "2a35", payload)

    def temperature(self, celsius: float, address: str = THERMOMETER) -> None:
        """A thermometer tells of an ear."""
        self.tell(address, "thermometer", "2a1c", encoding.temperature(celsius=celsius))

    def well(self, resident: str) -> None:
        """Somebody enters a whole set of somebody who is well."""
        self.ask(
            "observe", resident=resident, by="Sam Senior", consciousness="A", breathing="air",
            respiration_rate=16, oxygen_saturation=97, systolic_pressure=128, pulse_rate=72, temperature=36.7,
        )  # fmt: skip


def write_configuration(directory: Path, broker: int, port: int, more: str = "", page: str = _PAGE) -> Path:
    """The home's hub.toml; `page` is its table of that name, served at that port."""
    text = _CONFIGURATION.format(directory=directory, broker=broker) + page.format(page=port) + more
    for pseudonym, (name, room, born) in _RESIDENTS.items():
        text += f'[[residents]]\nid = "{pseudonym}"\nname = "{name}"\nroom = "{room}"\nbirth_year = {born}\n'
    for address, driver in (
        (CUFF, "blood_pressure"),
        (OXIMETER, "pulse_oximeter"),
        (THERMOMETER, "thermometer"),
    ):
        text += f'[[sensors]]\naddress = "{address}"\ndriver = "{driver}"\n'
    text += f'[[sensors]]\naddress = "{ADAS_OXIMETER}"\ndriver = "pulse_oximeter"\nresident = "{ADA}"\n'
    path = directory / "hub.toml"
    path.write_text(text)
    return path


@contextmanager
def carers_home(
    directory: Path, more: str = "", *, staffed: bool = True, page: str = _PAGE
) -> Iterator[CarersHome]:
    """It is there, with its staff, and goes at the end."""
    with Mosquitto(directory / "broker") as broker:
        port = free_port()
        path = write_configuration(directory, broker.port, port, more, page)
        with running_home(directory, path, port, staffed=staffed) as home:
            home.broker = broker
            yield home


@contextmanager
def lived_in_home(directory: Path, residents: int, days: int, rounds: int) -> Iterator[CarersHome]:
    """A home of many residents who were observed for long (`furnished_home.py`). It has no broker."""
    port = free_port()
    page = f'[page]\naddress = "127.0.0.1"\nport = {port}\ntls = false\n'
    further = page + '[store]\nkeep_readings = "400 d"\nkeep_alerts = "400 d"\n'
    furnished(directory, residents, days, rounds, further=further).connection.close()
    with running_home(directory, directory / "hub.toml", port) as home:
        yield home


@contextmanager
def running_home(directory: Path, path: Path, port: int, *, staffed: bool = True) -> Iterator[CarersHome]:
    """The hub of a configuration and its page, with one of each role who may sign in."""
    home = CarersHome(directory, load(path), path, f"http://127.0.0.1:{port}")
    try:
        home.start_hub()
        if staffed:
            add_staff(home)
        home.start_page()
        yield home
    finally:
        home.stop_all()


def add_staff(home: CarersHome) -> None:
    """One of each role, as an engineer would enter them."""
    for role, (name, pin) in PINS.items():
        entered = subprocess.run(
            [
                sys.executable, "-m", "hub", "staff", "add", name, "--role", role.value, "--by", "the rig",
                "--config", str(home.config_path),
            ],
            input=f"{pin}\n{pin}\n", capture_output=True, text=True, check=False, timeout=_PATIENCE_SECONDS,
        )  # fmt: skip
        if entered.returncode != 0:
            raise RuntimeError(f"carehub staff add: {entered.stderr}{entered.stdout}")
