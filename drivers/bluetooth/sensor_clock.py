"""A sensor's own clock, read and set: Date Time (2A08) and Current Time (2A2B). Pure.

Both carry local time without a zone. Sources: GATT Specification Supplement (Date Time, Day of Week, Exact
Time 256, Current Time), Current Time Service 1.1.
"""

from __future__ import annotations

import struct
from datetime import datetime, timedelta

from hub.readings import DeviceTime

DATE_TIME = "2a08"
CURRENT_TIME = "2a2b"
CLOCKS = (DATE_TIME, CURRENT_TIME)
"""The characteristics that a clock is set by."""

DATA_FIELD_IGNORED = 0x80
"""The ATT error "Data Field Ignored": the clock has set itself, and left out some fields."""

_DATE_TIME = struct.Struct("<HBBBBB")  # year, month, day, hours, minutes, seconds
_CURRENT_TIME = struct.Struct("<HBBBBBBBB")  # and day of week (1 is Monday), 1/256 seconds, adjust reason
_EXTERNAL_REFERENCE = 0x02  # adjust reason: set by a clock that knows better


def encoded(characteristic: str, now: datetime) -> bytes:
    """What is written to set a clock to `now`, an aware time in the home's zone."""
    if now.tzinfo is None:
        raise ValueError("a time without a zone is no time")
    fields = (now.year, now.month, now.day, now.hour, now.minute, now.second)
    if characteristic == DATE_TIME:
        return _DATE_TIME.pack(*fields)
    fractions = now.microsecond * 256 // 1_000_000
    return _CURRENT_TIME.pack(*fields, now.isoweekday(), fractions, _EXTERNAL_REFERENCE)


def decoded(characteristic: str, payload: bytes) -> DeviceTime | None:
    """What a clock shows; None where the bytes are none of a clock's."""
    layout = _DATE_TIME if characteristic == DATE_TIME else _CURRENT_TIME
    if len(payload) != layout.size:
        return None
    return DeviceTime(*_DATE_TIME.unpack_from(payload))


def ahead(shown: DeviceTime, now: datetime) -> timedelta | None:
    """How far a clock is before `now`, in the zone of `now`, to the second; None where it shows no time."""
    try:
        at = datetime(
            shown.year, shown.month, shown.day, shown.hour, shown.minute, shown.second, tzinfo=now.tzinfo
        )
    except ValueError:  # a part that is not known (0), or that cannot be
        return None
    return at.replace(tzinfo=None) - now.replace(tzinfo=None, microsecond=0)
