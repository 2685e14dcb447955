"""The suite's ward: residents with a cuff each, and blood pressures no two of which are alike."""

from __future__ import annotations

import itertools
import json
import struct
import threading
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from drivers.catalogue import driver
from hub.clock import now
from hub.readings import Origin, RawPayload

DRIVER = "blood_pressure"
BATCH = 20
"""Payloads that are handed over together; an alert and the worse one that follows are in the same batch."""

_HEALTHY, _ILL = 120, 84  # systolic: none, and three points
_CALM, _RACING = 51, 135  # pulse: none, and three points
_MEANS, _DIASTOLICS, _PULSES = 1000, 40, 40


@dataclass(frozen=True, slots=True)
class Payload:
    """A blood pressure as a cuff sends it. `alerts`: it raises one (the second of a pair a worse one)."""

    number: int
    resident: int
    hexadecimal: str
    received_at: datetime
    alerts: bool

    @property
    def device(self) -> str:
        """The cuff's Bluetooth address."""
        return address(self.resident)

    @property
    def raw(self) -> RawPayload:
        """The payload as the hub's own rooms name it."""
        payload = bytes.fromhex(self.hexadecimal)
        return RawPayload(self.device, DRIVER, payload, self.received_at, origin=Origin.REPLAY)

    @property
    def names(self) -> tuple[str, str]:
        """What it may be called at the other end: the hub's id of the reading, or device and bytes."""
        identity: uuid.UUID = driver(DRIVER).read(self.raw).id
        return str(identity), f"{self.device}/{self.hexadecimal}"

    @property
    def line(self) -> bytes:
        """The line for the replay socket (`drivers/recording.py`)."""
        record = {
            "device": self.device,
            "driver": DRIVER,
            "payload": self.hexadecimal,
            "received_at": self.received_at.isoformat(),
        }
        return json.dumps(record).encode() + b"\n"


def address(resident: int) -> str:
    """The cuff of a resident."""
    return f"C4:F2:17:02:{resident // 256:02X}:{resident % 256:02X}"


class Ward:
    """Makes payloads, from any thread. Each ill resident raises two alerts, one worse than the other.

    Args:
        ill: residents who raise alerts, one after the other.
        well: residents who never do.
        alert_every: a pair of alerts in so many payloads; a multiple of `BATCH`.
    """

    def __init__(self, *, ill: int = 300, well: int = 100, alert_every: int = 100) -> None:
        assert alert_every % BATCH == 0, "a pair of alerts must not be torn apart"
        self.ill, self.well = ill, well
        self._alert_every = alert_every
        self._numbers = itertools.count()
        self._ill = itertools.count()
        self._latest = now()
        self._lock = threading.Lock()

    @property
    def residents(self) -> int:
        """How many there are."""
        return self.ill + self.well

    def batch(self) -> list[Payload]:
        """The next `BATCH` payloads, received now."""
        with self._lock:
            made: list[Payload] = []
            ill: int | None = None
            while len(made) < BATCH:
                number = next(self._numbers)
                position = number % self._alert_every
                if position == 0:
                    ill = self._next_ill()
                alerts = ill is not None and position < 2
                made.append(self._payload(number, ill if alerts else None, worse=position == 1))
            return made

    def alert(self) -> list[Payload]:
        """One payload that raises an alert, received now.

        Raises:
            RuntimeError: everybody is ill already.
        """
        with self._lock:
            ill = self._next_ill()
            if ill is None:
                raise RuntimeError("the ward has nobody left who is not ill: give it more residents")
            return [self._payload(next(self._numbers), ill, worse=False)]

    def _next_ill(self) -> int | None:
        ill = next(self._ill)
        return ill if ill < self.ill else None

    def _payload(self, number: int, ill: int | None, *, worse: bool) -> Payload:
        """Flags 4 (pulse present); systolic, diastolic, mean, pulse as SFLOAT (Blood Pressure Service 1.1).

        Diastolic, mean and pulse are the digits of the number. A racing pulse takes the last one's place,
        which only makes numbers alike that are 40,000 apart.
        """
        resident = self.ill + number % self.well if ill is None else ill
        diastolic = 40 + number % _DIASTOLICS
        mean = 500 + number // _DIASTOLICS % _MEANS  # tenths
        pulse = _RACING if worse and ill is not None else _CALM + number // (_DIASTOLICS * _MEANS) % _PULSES
        systolic = _HEALTHY if ill is None else _ILL
        body = struct.pack("<BHHHH", 4, systolic, diastolic, 0xF000 | mean, pulse)
        self._latest = max(now(), self._latest + timedelta(microseconds=1))
        return Payload(number, resident, body.hex(), self._latest, ill is not None)
