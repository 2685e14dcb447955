"""What a sensor says about itself: battery (180F), device information (180A), and how its clock stands.

Pure. Sources: Battery Service 1.1, Device Information Service 1.1, GATT Specification Supplement.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

BATTERY = "2a19"
_TEXTS = {
    "2a26": "firmware",
    "2a24": "model",
    "2a29": "manufacturer",
    "2a25": "serial_number",
    "2a27": "hardware",
    "2a28": "software",
}
TO_READ = (BATTERY, *_TEXTS)
"""The characteristics that are read, what changes first."""

_LONGEST_TEXT = 64  # characters
_FULL = 100  # percent
_DAY = 24 * 3600.0  # seconds
_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class DeviceInformation:
    """What was read of a sensor; None is what it did not tell.

    `battery` is in percent. `clock_ahead` is how far its clock was before the hub's, in the home's own time,
    when it was read before it was set; negative where it was slow.
    """

    battery: int | None = None
    manufacturer: str | None = None
    model: str | None = None
    serial_number: str | None = None
    firmware: str | None = None
    hardware: str | None = None
    software: str | None = None
    clock_ahead: timedelta | None = None


def noted(known: DeviceInformation, characteristic: str, payload: bytes) -> DeviceInformation:
    """What is known with what was read of one more characteristic; the same where it told nothing."""
    if characteristic == BATTERY:
        if len(payload) != 1 or payload[0] > _FULL:
            return known
        return replace(known, battery=payload[0])
    text = payload.decode("utf-8", "replace").split("\0", 1)[0]
    text = "".join(each for each in text if each.isprintable()).strip()[:_LONGEST_TEXT].strip()
    told: dict[str, Any] = {_TEXTS[characteristic]: text}
    return replace(known, **told) if text else known


class DailyReads:
    """Which characteristics are to be read: each once a day, and again in an hour where it was in vain.

    Times are seconds of a clock that does not jump.
    """

    def __init__(self) -> None:
        self._not_before: dict[str, float] = {}

    def due(self, now: float) -> tuple[str, ...]:
        """What is to be read now, in this order."""
        return tuple(each for each in TO_READ if now >= self._not_before.get(each, now))

    def begun(self, characteristic: str, now: float) -> None:
        """It is being read: a sensor that leaves over it is not asked at each of its links."""
        self._not_before[characteristic] = now + _HOUR

    def answered(self, characteristic: str, now: float) -> None:
        """It was read, or refused."""
        self._not_before[characteristic] = now + _DAY
