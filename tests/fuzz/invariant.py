"""What must hold of every decoder, whatever bytes it is given."""

from __future__ import annotations

import math
from collections.abc import Callable

from drivers.driver import Decoded, DecodeError
from drivers.quality import PLAUSIBLE
from hub.readings import DeviceTime, Flag, Measurement, Quality, Vital, type_of_value
from tests.fuzz.special_values import SPECIAL_VALUES

Check = Callable[[bytes], bool]
"""Decodes a payload and says whether it was taken, not refused; raises `BrokenInvariantError`."""

_TYPES = {vital: type_of_value(vital) for vital in Vital}
_IMPLAUSIBLE, _UNUSABLE = Flag.IMPLAUSIBLE, Quality.UNUSABLE
_YEARS = range(10_000)


class BrokenInvariantError(AssertionError):
    """A decoder did what none may do; carries the payload."""

    def __init__(self, what: str, payload: bytes) -> None:
        super().__init__(f"{what} (payload {payload.hex() or 'empty'})")
        self.payload = payload


def checker(driver: str, characteristic: str, decode: Callable[[bytes], Decoded]) -> Check:
    """What checks that decoder; the driver and the characteristic say what is special for it."""
    must_be_absent = SPECIAL_VALUES.get((driver, characteristic))

    def check(payload: bytes) -> bool:
        try:
            decoded = decode(payload)
        except DecodeError as error:
            if error.payload != payload or not error.reason:
                raise BrokenInvariantError(
                    "the refusal does not carry payload and reason", payload
                ) from error
            return False
        except Exception as error:
            raise BrokenInvariantError(f"raises {type(error).__name__}: {error}", payload) from error
        wrong = what_is_wrong(decoded)
        if wrong is None and must_be_absent is not None:
            absent = must_be_absent(payload)
            for measurement in decoded.measurements:
                if measurement.vital in absent and measurement.value is not None:
                    wrong = f"a special value of {measurement.vital} became {measurement.value!r}"
        if wrong is not None:
            raise BrokenInvariantError(wrong, payload)
        return True

    return check


def what_is_wrong(decoded: object) -> str | None:
    """Why this is nothing that a decoder may say; None where it is."""
    if type(decoded) is not Decoded:
        return f"gives a {type(decoded).__name__}, no Decoded"
    measurements, flags, time, sequence_number, user_id, beat_intervals = decoded
    if type(measurements) is not tuple or type(flags) is not frozenset or type(beat_intervals) is not tuple:
        return "not the containers of a Decoded"
    for flag in flags:
        if type(flag) is not Flag:
            return f"{flag!r} is no flag"
    for measurement in measurements:
        if (wrong := _wrong_measurement(measurement, flags)) is not None:
            return wrong
    if time is not None and not _is_a_time(time):
        return f"{time!r} is no time"
    for number in (sequence_number, user_id):
        if number is not None and (type(number) is not int or number < 0):
            return f"{number!r} numbers nothing"
    for interval in beat_intervals:
        if type(interval) is not float or not 0 <= interval < math.inf:
            return f"an interval of {interval!r} s"
    return None


def _wrong_measurement(measurement: object, flags: frozenset[Flag]) -> str | None:
    if type(measurement) is not Measurement:
        return f"{measurement!r} is no measurement"
    vital, value = measurement.vital, measurement.value
    if (value is None) == (measurement.absent is None):
        return f"{vital}: a value and a reason for its absence, or neither"
    if value is None:
        return None
    if type(value) is not _TYPES[vital]:
        return f"{vital}: {value!r} is not of its type"
    if isinstance(value, float):
        if not math.isfinite(value):
            return f"{vital}: {value!r} is no number"
        limits = PLAUSIBLE.get(vital)
        marked = measurement.quality is _UNUSABLE and _IMPLAUSIBLE in flags
        if limits is not None and not limits[0] <= value <= limits[1] and not marked:
            return f"{vital}: {value!r} is taken for plausible"
    return None


def _is_a_time(time: object) -> bool:
    return (
        type(time) is DeviceTime
        and time.year in _YEARS
        and 0 <= time.month <= 12
        and 0 <= time.day <= 31
        and 0 <= time.hour <= 23
        and 0 <= time.minute <= 59
        and 0 <= time.second <= 59
    )
