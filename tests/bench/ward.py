"""The bench's ward: many residents, one cuff each, and payloads that can be told apart."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RESIDENTS = 200
_HEALTHY = 120
_ILL = 84  # systolic, three points: raises an alert


@dataclass(frozen=True, slots=True)
class Payload:
    """A blood pressure of one resident's cuff; `key` is what the subscriber will see of it."""

    device: str
    hexadecimal: str

    @property
    def key(self) -> tuple[str, str]:
        return self.device, self.hexadecimal

    @property
    def line(self) -> bytes:
        """The line for the replay socket, counted as received when it arrives."""
        record = {"device": self.device, "driver": "blood_pressure", "payload": self.hexadecimal}
        return json.dumps(record).encode() + b"\n"


def address(resident: int) -> str:
    """The cuff of a resident."""
    return f"C4:F2:17:01:{resident // 256:02X}:{resident % 256:02X}"


def payloads(count: int, alert_every: int | None = 20) -> Iterator[Payload]:
    """`count` payloads, no two alike; every so many raises the alert of a resident who has none yet.

    The layout is written from the Blood Pressure Service: flags 0, systolic, diastolic and mean as
    SFLOAT in mmHg. Diastolic and mean carry the number of the payload.
    """
    raised = 0
    for number in range(count):
        alerts = alert_every is not None and number % alert_every == 0 and raised < RESIDENTS // 2
        resident = raised if alerts else RESIDENTS // 2 + number % (RESIDENTS // 2)
        raised += alerts
        systolic = _ILL if alerts else _HEALTHY
        diastolic, mean = 40 + number % 40, 50 + number // 40 % 1000 / 10
        body = struct.pack("<BHHH", 0, systolic, diastolic, 0xF000 | round(mean * 10))
        yield Payload(address(resident), body.hex())


def configuration(directory: Path, port: int, *, radio: str, replay: bool = True) -> Path:
    """Write a hub.toml for the bench and return its path."""
    lines = [
        "[site]",
        'id = "bench"',
        "test_data = true",
        "[hub]",
        'id = "bench"',
        f'data_directory = "{directory}/data"',
        f'control_socket = "{directory}/control.sock"',
        "[broker]",
        'host = "127.0.0.1"',
        f"port = {port}",
        "tls = false",
        "[bluetooth]",
        f'radio = "{radio}"',
        "[publish]",
        "reading = true",
        *(["[replay]", f'socket = "{directory}/replay.sock"'] if replay else []),
    ]
    for resident in range(RESIDENTS):
        lines += ["[[residents]]", f'id = "R-{resident:04}"']
        lines += ["[[sensors]]", f'address = "{address(resident)}"', 'driver = "blood_pressure"']
        lines += [f'resident = "R-{resident:04}"']
    path = directory / "hub.toml"
    path.write_text("\n".join(lines) + "\n")
    return path
