"""The bench's ward: many residents, one cuff each, and payloads that can be told apart."""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RESIDENTS = 200
Key = tuple[str, str]
"""A reading of the bench, as a subscriber tells it from all others: the device and the payload."""

_HEALTHY = 120
_ILL = 84  # systolic, three points: raises an alert


@dataclass(frozen=True, slots=True)
class Payload:
    """A blood pressure of one resident's cuff; `key` is what the subscriber will see of it.

    `alert_of`: the pseudonym of the resident of whom it raises the alert, if it does.
    """

    device: str
    hexadecimal: str
    alert_of: str | None = None

    @property
    def key(self) -> Key:
        return self.device, self.hexadecimal

    @property
    def line(self) -> bytes:
        """The line for the replay socket, counted as received when it arrives."""
        record = {"device": self.device, "driver": "blood_pressure", "payload": self.hexadecimal}
        return json.dumps(record).encode() + b"\n"


def name_of(resident: int) -> str:
    """The pseudonym of a resident."""
    return f"R-{resident:04}"


def address(resident: int) -> str:
    """The cuff of a resident."""
    return f"C4:F2:17:01:{resident // 256:02X}:{resident % 256:02X}"


def payloads(alert_every: int = 20) -> Iterator[Payload]:
    """Payloads for ever, no two alike: first one of each resident, who is well; then of the second half of
    them, but every so many of one in the first half who has no alert yet and is to have one.

    The layout is written from the Blood Pressure Service: flags 0, systolic, diastolic and mean as
    SFLOAT in mmHg. Diastolic and mean carry the number of the payload.
    """
    raised = 0
    for number in itertools.count():
        ill = number >= RESIDENTS and number % alert_every == 0 and raised < RESIDENTS // 2
        if number < RESIDENTS:
            resident = number
        else:
            resident = raised if ill else RESIDENTS // 2 + number % (RESIDENTS // 2)
        raised += ill
        diastolic, mean = 40 + number % 40, 500 + number // 40 % 1500  # mean in tenths
        body = struct.pack("<BHHH", 0, _ILL if ill else _HEALTHY, diastolic, 0xF000 | mean)
        yield Payload(address(resident), body.hex(), name_of(resident) if ill else None)


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
        lines += ["[[residents]]", f'id = "{name_of(resident)}"']
        lines += ["[[sensors]]", f'address = "{address(resident)}"', 'driver = "blood_pressure"']
        lines += [f'resident = "{name_of(resident)}"']
    path = directory / "hub.toml"
    path.write_text("\n".join(lines) + "\n")
    return path
