"""How measurements and enumerations are written into a row: short, since each byte wears a cheap card.

A number that was given out is never given to anything else.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from math import isfinite
from operator import index

from hub.assessment.reason import AGE, REASONED, Reason
from hub.clock import ClockQuality
from hub.readings import AbsentReason, Measurement, Quality, Value, Vital, type_of_value
from hub.stretch import Stretch, StretchedVital
from hub.timekeeping.timing import TimeQuality

VITAL_NUMBERS: Mapping[Vital, int] = {
    Vital.RESPIRATION_RATE: 1,
    Vital.OXYGEN_SATURATION: 2,
    Vital.SUPPLEMENTAL_OXYGEN: 3,
    Vital.SYSTOLIC_PRESSURE: 4,
    Vital.DIASTOLIC_PRESSURE: 5,
    Vital.MEAN_ARTERIAL_PRESSURE: 6,
    Vital.PULSE_RATE: 7,
    Vital.CONSCIOUSNESS: 8,
    Vital.TEMPERATURE: 9,
    Vital.BODY_WEIGHT: 10,
    Vital.GLUCOSE: 11,
    Vital.ROOM_TEMPERATURE: 12,
    Vital.DOOR: 13,
    Vital.MOTION: 14,
    Vital.BUTTON: 15,
}
TIME_QUALITY_NUMBERS: Mapping[TimeQuality, int] = {
    TimeQuality.RECEIVED: 0,
    TimeQuality.AGREED: 1,
    TimeQuality.SENSOR: 2,
    TimeQuality.DOUBTFUL: 3,
}
CLOCK_QUALITY_NUMBERS: Mapping[ClockQuality, int] = {
    ClockQuality.SYNCHRONISED: 0,
    ClockQuality.NOT_YET: 1,
    ClockQuality.STEPPED: 2,
}
VITALS = {number: vital for vital, number in VITAL_NUMBERS.items()}
TIME_QUALITIES = {number: quality for quality, number in TIME_QUALITY_NUMBERS.items()}
CLOCK_QUALITIES = {number: quality for quality, number in CLOCK_QUALITY_NUMBERS.items()}

MOST_EVENT_BYTES = 1 << 20
"""What an event may come to: far more than any that can be sent, and little enough for the memory."""

_MILLISECOND = timedelta(milliseconds=1)
_dumps = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def number_of(value: Value) -> float | int | str:
    """A value as JSON keeps it shortest: 120 and not 120.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def value_of(vital: Vital, kept: float | str) -> Value:
    """The value that `number_of` was given. Raises `ValueError` where it is none of that vital."""
    kind: Callable[[float | str], Value] = type_of_value(vital)
    return kind(kept)


def measurements_text(measurements: Iterable[Measurement]) -> str:
    """JSON: for each measurement [vital, value], and then absent, quality, site, as far as there are any."""
    return f"[{','.join([_measurement_text(measurement) for measurement in measurements])}]"


def _measurement_text(measurement: Measurement) -> str:
    vital, value = VITAL_NUMBERS[measurement.vital], measurement.value
    if value is not None and measurement.quality is Quality.GOOD and measurement.site is None:
        return f"[{vital},{_value_text(value)}]"
    parts: list[object] = [
        vital,
        None if value is None else number_of(value),
        measurement.absent,
        None if measurement.quality is Quality.GOOD else measurement.quality,
        measurement.site,
    ]
    while parts[-1] is None:
        del parts[-1]
    return _dumps(parts)


def _value_text(value: Value) -> str:
    """As `_dumps(number_of(value))`, which writes a finite number no other way, in a sixth of the time."""
    number = number_of(value)
    if not isinstance(number, str) and isfinite(number):
        return repr(number)
    return _dumps(number)


def measurements_of(text: str) -> tuple[Measurement, ...]:
    """The measurements that `measurements_text` was given."""
    return tuple([_measurement(*parts) for parts in json.loads(text)])


@lru_cache(maxsize=1024)  # the same few values come again and again
def _measurement(
    number: int,
    value: float | str | None = None,
    absent: str | None = None,
    quality: str | None = None,
    site: str | None = None,
) -> Measurement:
    vital = VITALS[number]
    return Measurement(
        vital,
        None if value is None else value_of(vital, value),
        None if absent is None else AbsentReason(absent),
        Quality.GOOD if quality is None else Quality(quality),
        site,
    )


def observations_text(observations: Mapping[Vital, tuple[Value, int]], reading: int) -> str:
    """JSON: for each vital [vital, value, how many readings before `reading` it was said]; 0 is left out."""
    texts = [
        f"[{VITAL_NUMBERS[vital]},{_value_text(value)}{'' if source == reading else f',{reading - source}'}]"
        for vital, (value, source) in observations.items()
    ]
    return f"[{','.join(texts)}]"


def observations_of(text: str, reading: int) -> dict[Vital, tuple[Value, int]]:
    """The observations that `observations_text` was given: for each vital its value, and its reading."""
    found: dict[Vital, tuple[Value, int]] = {}
    for number, value, *before in json.loads(text):
        vital = VITALS[number]
        found[vital] = (value_of(vital, value), reading - before[0] if before else reading)
    return found


def reasons_text(reasons: Sequence[Reason]) -> str:
    """JSON: for each reason [vital, value, against, moved, whether usual, whether steady] (1 or 0), and
    then since and how old in hours, as far as there are any. Age has the number 0."""
    return _dumps([_reason_parts(reason) for reason in reasons])


def _reason_parts(reason: Reason) -> list[object]:
    parts: list[object] = [
        0 if reason.input == AGE else VITAL_NUMBERS[Vital(reason.input)],
        number_of(reason.value),
        number_of(reason.against),
        reason.moved,
        int(reason.usual),
        int(reason.steady),
        reason.since,
        reason.hours_old,
    ]
    while parts[-1] is None:
        del parts[-1]
    return parts


def reasons_of(text: str) -> tuple[Reason, ...]:
    """The reasons that `reasons_text` was given. Raises `ValueError`, `TypeError` or `LookupError` where it
    cannot be read."""
    return tuple([_reason(*parts) for parts in json.loads(text)])


def _reason(
    number: int,
    value: float | str,
    against: float | str,
    moved: float,
    usual: int,
    steady: int,
    since: str | None = None,
    hours_old: int | None = None,
) -> Reason:
    vital = None if number == 0 else VITALS[number]
    if vital is not None and vital not in REASONED:
        raise LookupError(number)
    return Reason(
        AGE if vital is None else vital.value,
        float(value) if vital is None else value_of(vital, value),
        float(against) if vital is None else value_of(vital, against),
        bool(usual),
        float(moved),
        bool(steady),
        None if since is None else str(since),
        None if hours_old is None else index(hours_old),
    )


def stretch_text(stretch: Stretch) -> str:
    """JSON: duration, samples, and for each vital [vital, lowest, median, highest, usable], and then below
    and its threshold, if it has one; times in milliseconds."""
    vitals = []
    for each in stretch.vitals:
        said: list[object] = [VITAL_NUMBERS[each.vital]]
        said += [number_of(value) for value in (each.lowest, each.median, each.highest)]
        said.append(each.usable // _MILLISECOND)
        if each.below is not None and each.threshold is not None:
            said += [each.below // _MILLISECOND, number_of(each.threshold)]
        vitals.append(said)
    return _dumps([stretch.duration // _MILLISECOND, stretch.samples, *vitals])


def stretch_of(text: str) -> Stretch:
    """The stretch that `stretch_text` was given."""
    duration, samples, *vitals = json.loads(text)
    return Stretch(duration * _MILLISECOND, index(samples), tuple([_stretched(*each) for each in vitals]))


def _stretched(
    vital: int,
    lowest: float,
    median: float,
    highest: float,
    usable: int,
    below: int | None = None,
    threshold: float | None = None,
) -> StretchedVital:
    return StretchedVital(
        VITALS[vital],
        float(lowest),
        float(median),
        float(highest),
        usable * _MILLISECOND,
        None if below is None else below * _MILLISECOND,
        None if threshold is None else float(threshold),
    )


def event_bytes(text: str) -> bytes:
    """An event as it waits on the card: as zlib (RFC 1950), a sixth of its JSON."""
    return zlib.compress(text.encode())


def event_text(kept: bytes) -> str:
    """The event that `event_bytes` was given; more than `MOST_EVENT_BYTES` are never unpacked.

    Raises:
        ValueError: it is damaged, or larger than any event.
    """
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(kept, MOST_EVENT_BYTES + 1)
    except zlib.error as error:
        raise ValueError(f"not as it was written ({error})") from error
    if len(text) > MOST_EVENT_BYTES:
        raise ValueError("larger than an event can be")
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError("not as it was written (its end is not where it was)")
    # An older hub kept text without a checksum: a letter that its card has changed takes no alert away.
    return text.decode(errors="replace")
