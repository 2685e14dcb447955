"""The layout of a characteristic: its flags, one byte, then the fields that always follow or are announced,
and perhaps one that is repeated to the payload's end.

All fields are little-endian, as Bluetooth's characteristics are; what is big-endian in a sensor of its own
mind is taken as octets, and its driver says so.
"""

from __future__ import annotations

import calendar
import struct
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from drivers.driver import DecodeError
from hub.readings import DeviceTime

UNSIGNED_8 = "B"
UNSIGNED_16 = "H"
SIGNED_16 = "h"
SFLOAT = "H"
"""A 16-bit IEEE 11073 SFLOAT: the code that `drivers.ieee11073.sfloat` reads."""
FLOAT = "I"
"""A 32-bit IEEE 11073 FLOAT: the code that `drivers.ieee11073.float32` reads."""
TWO_OCTETS = "2s"
THREE_OCTETS = "3s"
FOUR_OCTETS = "4s"
DATE_TIME = "7s"
"""Bluetooth's Date Time (2A08): the seven octets that `date_time` reads."""

ALWAYS = 0
"""Stands where a field needs no flag to announce it."""

_Field = tuple[int, str] | tuple[int, str, str]
"""The flag that announces a field, and its format; with a third, that is its format without the flag."""
_Unpack = Callable[[bytes], tuple[Any, ...]]
_Pick = Callable[[tuple[Any, ...]], tuple[Any, ...]]

_NOT_ANNOUNCED = (None,)
_BEHIND = -1  # the place of None: behind the fields that are there
_DATE_TIME = struct.Struct("<HBBBBB")  # year, month, day, hours, minutes, seconds


class Layout:
    """The fields that follow the flags, in their order: for each the flag that announces it, and its format.

    A field with two formats is always there, in the first one where its flag is set and else in the second.
    What is `repeated` stands behind all the others as often as there is room, and is read as a tuple.
    What each combination of those flags announces is worked out once; then a payload is read in one piece.
    """

    __slots__ = ("_announcing", "_fields", "_readers", "_repeated")

    def __init__(self, first: _Field, *others: _Field, repeated: tuple[int, str] | None = None) -> None:
        self._fields = ((ALWAYS, UNSIGNED_8), first, *others)
        self._repeated = repeated
        self._announcing = 0
        for flag, *_ in (*self._fields, *([repeated] if repeated else [])):
            self._announcing |= flag
        self._readers = {
            flags: self._reader(flags) for flags in range(256) if flags & self._announcing == flags
        }

    def read(self, payload: bytes) -> tuple[Any, ...]:
        """The flags, then every field: None where the flags do not announce it.

        Raises `DecodeError` where the payload ends before a field does, or has bytes left over.
        """
        try:
            unpack, pick = self._readers[payload[0] & self._announcing]
            return pick(unpack(payload) + _NOT_ANNOUNCED)
        except (IndexError, struct.error):
            raise self._refusal(payload) from None

    def _reader(self, flags: int) -> tuple[_Unpack, _Pick]:
        """How to unpack a payload with these flags, and to pick every field from that with None behind it."""
        formats = "<"
        places: list[int] = []
        for field in self._fields:
            written = _written(field, flags)
            places.append(len(places) - places.count(_BEHIND) if written else _BEHIND)
            formats += written
        if self._repeated is None:
            return struct.Struct(formats).unpack, itemgetter(*places)
        written = _written(self._repeated, flags)
        places.append(len(places) - places.count(_BEHIND) if written else _BEHIND)
        unpack = _with_repeated(formats, written) if written else struct.Struct(formats).unpack
        return unpack, itemgetter(*places)

    def _refusal(self, payload: bytes) -> DecodeError:
        """Why the payload's length is not what its flags announce."""
        end = 0
        for field in self._fields:
            end += struct.calcsize("<" + _written(field, payload[0] if payload else 0))
            if end > len(payload):
                return DecodeError(
                    f"payload too short: {len(payload)} bytes where its flags announce {end} or more", payload
                )
        if self._repeated and (written := _written(self._repeated, payload[0])):
            size = struct.calcsize("<" + written)
            return DecodeError(
                f"payload ends within a field: {len(payload)} bytes where its flags announce {end} "
                f"and a multiple of {size}",
                payload,
            )
        return DecodeError(f"payload too long: {len(payload)} bytes where its flags announce {end}", payload)


def _written(field: _Field, flags: int) -> str:
    """The format in which a payload with these flags has this field; empty where it does not have it."""
    if field[0] == ALWAYS or flags & field[0]:
        return field[1]
    return field[2] if len(field) == 3 else ""


def _with_repeated(formats: str, repeated: str) -> _Unpack:
    """How to unpack the fields and, as one tuple behind them, what is repeated to the payload's end."""
    fields, one = struct.Struct(formats), struct.Struct("<" + repeated)

    def unpack(payload: bytes) -> tuple[Any, ...]:
        rest = payload[fields.size :]
        return (*fields.unpack(payload[: fields.size]), tuple(value for (value,) in one.iter_unpack(rest)))

    return unpack


def date_time(octets: bytes | None) -> tuple[DeviceTime | None, bool]:
    """The seven bytes of Bluetooth's Date Time (2A08; GATT Specification Supplement), and if they show that
    the sensor's clock is not set (`Flag.CLOCK_NOT_SET`).

    An impossible time (month 13, second 75, 30 February) must not lose the measurement beside it: it is
    dropped, and the clock is not set. A year, month or day of 0 means "not known": the time is kept as it was
    sent, but the clock is not set either, since such a time cannot tell one day's reading from another's.
    Where no time was sent (None) there is none, and that says nothing of the clock.
    """
    if octets is None:
        return None, False
    year, month, day, hour, minute, second = _DATE_TIME.unpack(octets)
    if not _is_possible(year, month, day, hour, minute, second):
        return None, True
    return DeviceTime(year, month, day, hour, minute, second), not (year and month and day)


def _is_possible(year: int, month: int, day: int, hour: int, minute: int, second: int) -> bool:
    """Whether the fields are in the ranges of 2A08: year 1582 to 9999, and 0 for what is not known."""
    if hour > 23 or minute > 59 or second > 59 or month > 12:
        return False
    if year and not 1582 <= year <= 9999:
        return False
    if day <= 28:
        return True
    # A month that is not known may have 31 days, a year that is not known may be a leap year.
    return day <= (calendar.monthrange(year or 2000, month)[1] if month else 31)
