"""The clock in a virtual sensor: wrong until somebody sets it."""

from __future__ import annotations

import struct
import time
from datetime import datetime, timedelta

from drivers.virtual import VirtualWardError

FACTORY = datetime(2000, 1, 1)  # noqa: DTZ001 -- a sensor's clock knows no zone
"""What a clock says that was never set: 2000-01-01 00:00."""

_DATE_TIME = struct.Struct("<HBBBBB")
_CURRENT_TIME_LENGTH = 10


class SensorClock:
    """A clock without a zone that runs on from what it was set to: each of `set_to`, one after the other."""

    def __init__(self, says: datetime = FACTORY) -> None:
        self.set_to: list[datetime] = []
        self._adjust(says)

    def now(self) -> datetime:
        """What it says, to the second."""
        elapsed = timedelta(seconds=time.monotonic() - self._adjusted)
        return (self._said + elapsed).replace(microsecond=0)

    def set(self, says: datetime) -> None:
        """Set it, as a hub does."""
        self.set_to.append(says)
        self._adjust(says)

    def reset(self) -> None:
        """The battery was changed."""
        self._adjust(FACTORY)

    def _adjust(self, says: datetime) -> None:
        self._said, self._adjusted = says, time.monotonic()


def date_time(at: datetime) -> bytes:
    """A Date Time (2A08): year, month, day, hours, minutes, seconds (GATT Specification Supplement 3.71)."""
    return _DATE_TIME.pack(at.year, at.month, at.day, at.hour, at.minute, at.second)


def current_time(at: datetime) -> bytes:
    """A Current Time (2A2B): the date time, the day of the week (Monday is 1), 1/256 s, no reason."""
    return date_time(at) + bytes([at.isoweekday(), at.microsecond * 256 // 1_000_000, 0])


def read_date_time(written: bytes) -> datetime:
    """What a hub has written to a Date Time or a Current Time characteristic.

    Raises:
        VirtualWardError: it is neither, or no time that there is.
    """
    if len(written) not in (_DATE_TIME.size, _CURRENT_TIME_LENGTH):
        raise VirtualWardError(f"{len(written)} bytes are no time")
    try:
        at = datetime(*_DATE_TIME.unpack(written[: _DATE_TIME.size]))  # noqa: DTZ001 -- knows no zone
    except ValueError as error:
        raise VirtualWardError(f"no time that there is: {error}") from error
    if len(written) == _CURRENT_TIME_LENGTH and written[7] not in (0, at.isoweekday()):
        raise VirtualWardError(f"{at:%A} is not day {written[7]} of the week")
    return at
