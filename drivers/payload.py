"""A cursor over a payload: reads field after field and never past the end.

All fields are little-endian, as Bluetooth's characteristics are; what is big-endian in a sensor of
its own mind says so in its driver.
"""

from __future__ import annotations

import calendar
import struct

from drivers.driver import DecodeError
from drivers.ieee11073 import Number, float32, sfloat
from hub.readings import DeviceTime, Flag

_DATE_TIME = struct.Struct("<HBBBBB")  # year, month, day, hours, minutes, seconds


class Payload:
    """The bytes of one payload and how far they have been read.

    Every reading method raises `DecodeError` where the payload ends before its field does;
    `finish` raises it where bytes are left over.
    """

    __slots__ = ("_at", "_content")

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def unsigned(self, size: int) -> int:
        """An unsigned integer of `size` bytes, least significant byte first."""
        return int.from_bytes(self._take(size), "little")

    def unsigned_big_endian(self, size: int) -> int:
        """An unsigned integer of `size` bytes, most significant byte first."""
        return int.from_bytes(self._take(size), "big")

    def sfloat(self) -> Number:
        """A 16-bit IEEE 11073 SFLOAT."""
        return sfloat(int.from_bytes(self._take(2), "little"))

    def float32(self) -> Number:
        """A 32-bit IEEE 11073 FLOAT."""
        return float32(int.from_bytes(self._take(4), "little"))

    def date_time(self, flags: set[Flag]) -> DeviceTime | None:
        """The seven bytes of Bluetooth's Date Time (2A08; GATT Specification Supplement).

        An impossible time (month 13, second 75, 30 February) must not lose the measurement beside
        it: it is dropped, and `Flag.CLOCK_NOT_SET` added to `flags`. A year, month or day of 0
        means "not known": the time is kept as it was sent, but the flag is added too, since such
        a time cannot tell one day's reading from another's.
        """
        year, month, day, hour, minute, second = _DATE_TIME.unpack(self._take(7))
        time = DeviceTime(year, month, day, hour, minute, second)
        if not _is_possible(time):
            flags.add(Flag.CLOCK_NOT_SET)
            return None
        if not (time.year and time.month and time.day):
            flags.add(Flag.CLOCK_NOT_SET)
        return time

    def _take(self, size: int) -> bytes:
        at = self._at
        end = self._at = at + size
        if end > len(self._content):
            raise DecodeError(
                f"payload too short: {len(self._content)} bytes where its flags announce {end} or more",
                self._content,
            )
        return self._content[at:end]

    def finish(self) -> None:
        """Say that the payload should end here."""
        left_over = len(self._content) - self._at
        if left_over:
            raise DecodeError(
                f"payload too long: {len(self._content)} bytes where its flags announce {self._at}",
                self._content,
            )


def _is_possible(time: DeviceTime) -> bool:
    """Whether the fields are in the ranges of 2A08: year 1582 to 9999, and 0 for what is not known."""
    if time.hour > 23 or time.minute > 59 or time.second > 59 or time.month > 12:
        return False
    if time.year and not 1582 <= time.year <= 9999:
        return False
    if time.day <= 28:
        return True
    # A month that is not known may have 31 days, a year that is not known may be a leap year.
    return time.day <= (calendar.monthrange(time.year or 2000, time.month)[1] if time.month else 31)
