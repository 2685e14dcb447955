"""Glucose meters by the Bluetooth SIG's Glucose Profile.

Sources: Glucose Service 1.0.1, sections 3.1 (Glucose Measurement 2A18), 3.2 (Glucose Measurement Context
2A34) and 3.4 (Record Access Control Point 2A52), GATT Specification Supplement.

A measurement is flags (1 byte), sequence number (2), base time (7), then as the flags announce time offset
(2, signed, minutes), concentration (SFLOAT) with type and sample location (1), and sensor status annunciation
(2). The context of the measurement with the same sequence number is flags, sequence number, then as the flags
announce extended flags (1), carbohydrate (3), meal (1), tester and health (1), exercise (3), medication (3),
HbA1c (SFLOAT).

Meters that measure ketones too send them as glucose, in a hidden scale. `glucose_and_ketone.py` says what is
known, and is the driver for such meters; this one only keeps the worst from happening with them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from drivers.driver import Decoded
from drivers.gatt import Bonding, GattDriver
from drivers.ieee11073 import Number, sfloat
from drivers.payload import (
    ALWAYS,
    DATE_TIME,
    SFLOAT,
    SIGNED_16,
    THREE_OCTETS,
    UNSIGNED_8,
    UNSIGNED_16,
    Layout,
    date_time,
)
from drivers.quality import PLAUSIBLE, StatusBit, Verdict, measurements, verdict, worst
from hub.readings import AbsentReason, DeviceTime, Flag, Quality, Vital

_MEASUREMENT = Layout(
    (ALWAYS, UNSIGNED_16),  # sequence number
    (ALWAYS, DATE_TIME),  # base time
    (0x01, SIGNED_16),  # time offset, minutes
    (0x02, SFLOAT),  # concentration
    (0x02, UNSIGNED_8),  # type in bits 0 to 3, sample location in bits 4 to 7
    (0x08, UNSIGNED_16),  # sensor status annunciation
)
_MOLES_PER_LITRE = 0x04  # in the flags: the unit of the concentration, else kg/L

_CONTEXT = Layout(
    (ALWAYS, UNSIGNED_16),  # sequence number
    (0x80, UNSIGNED_8),  # extended flags: all reserved
    (0x01, THREE_OCTETS),  # which carbohydrate, and how much
    (0x02, UNSIGNED_8),  # meal
    (0x04, UNSIGNED_8),  # tester and health
    (0x08, THREE_OCTETS),  # exercise: how long, how hard
    (0x10, THREE_OCTETS),  # which medication, and how much
    (0x40, SFLOAT),  # HbA1c
)

_MILLIGRAMS_PER_DECILITRE = 100_000  # of a kg/L
PER_MILLIMOLE_PER_LITRE = 18.0156
"""mg/dL of glucose in a mmol/L: a tenth of its molar mass, 180.156 g/mol (C6H12O6, IUPAC's atomic weights).

A meter may divide by 18 instead: then above 6 mmol/L the last digit on its display may differ from ours by
one.
"""

_OVERRUN, _UNDERRUN = 0x7FFF, -0x8000  # time offsets that stand for none

STATUS_BITS = (
    StatusBit(0, Flag.BATTERY_LOW, Quality.GOOD),
    StatusBit(1, Flag.EQUIPMENT_MALFUNCTION, Quality.UNUSABLE),
    StatusBit(2, Flag.SAMPLE_INSUFFICIENT, Quality.UNUSABLE),
    StatusBit(3, Flag.STRIP_PROBLEM, Quality.UNUSABLE),  # inserted wrongly
    StatusBit(4, Flag.STRIP_PROBLEM, Quality.UNUSABLE),  # of a type that the meter does not take
    StatusBit(5, Flag.RESULT_TOO_HIGH, Quality.GOOD),  # "HI": there is no number to be doubted
    StatusBit(6, Flag.RESULT_TOO_LOW, Quality.GOOD),  # "LO"
    StatusBit(7, Flag.TEMPERATURE_OUT_OF_RANGE, Quality.UNUSABLE),  # too hot
    StatusBit(8, Flag.TEMPERATURE_OUT_OF_RANGE, Quality.UNUSABLE),  # too cold
    StatusBit(9, Flag.READ_INTERRUPTED, Quality.UNUSABLE),
    StatusBit(10, Flag.EQUIPMENT_MALFUNCTION, Quality.UNUSABLE),
    StatusBit(11, Flag.CLOCK_NOT_SET, Quality.QUESTIONABLE),
)
"""Sensor Status Annunciation."""

_CONTROL_SOLUTION_TYPE = 10
_CONTROL_SOLUTION_LOCATION = 4
_RESERVED_TYPES = frozenset(range(11, 16))
_FLUIDS = {
    3: "venous whole blood",
    4: "venous plasma",
    5: "arterial whole blood",
    6: "arterial plasma",
    9: "interstitial fluid",
    _CONTROL_SOLUTION_TYPE: "control solution",
}
"""Types that are named with the site; the others are what a meter takes anyway, or are not told."""
_LOCATIONS = {1: "finger", 2: "alternate site", 3: "earlobe", _CONTROL_SOLUTION_LOCATION: "control solution"}

_MEALS = {
    1: frozenset({Flag.BEFORE_MEAL}),
    2: frozenset({Flag.AFTER_MEAL}),
    3: frozenset({Flag.FASTING}),
    4: frozenset({Flag.CASUAL}),
    5: frozenset({Flag.BEDTIME}),
    6: frozenset({Flag.KETONE}),  # reserved by the service; see glucose_and_ketone.py
}

# Named here, since Python 3.11 runs code each time a member is named.
_GLUCOSE, _QUESTIONABLE, _UNUSABLE = Vital.GLUCOSE, Quality.QUESTIONABLE, Quality.UNUSABLE
_TOO_HIGH, _TOO_LOW, _CLOCK_NOT_SET = Flag.RESULT_TOO_HIGH, Flag.RESULT_TOO_LOW, Flag.CLOCK_NOT_SET
_PERHAPS_KETONE = Flag.PERHAPS_KETONE
_LOWEST, _ = PLAUSIBLE[_GLUCOSE]
_LOW_OR_KETONE = frozenset({_TOO_LOW, _PERHAPS_KETONE})
_NOT_A_PATIENTS_GLUCOSE = frozenset({Flag.CONTROL_SOLUTION, _PERHAPS_KETONE})
_NO_FLAGS: frozenset[Flag] = frozenset()


def decoder_of_measurements(*, perhaps_ketone_below: float) -> Callable[[bytes], Decoded]:
    """How to decode a Glucose Measurement (2A18), where a number below this, in mmol/L, may be a ketone."""

    def decode_measurement(payload: bytes) -> Decoded:
        """Decode a Glucose Measurement (2A18). Raises `DecodeError`."""
        sent_flags, sequence_number, base, offset, concentration, sample, status = _MEASUREMENT.read(payload)
        said = _status_verdict(status or 0)
        time, clock_not_set = _time(base, offset)
        site, of_sample = _sample(sample)
        flags = said.flags | of_sample
        if clock_not_set:
            flags |= {_CLOCK_NOT_SET}
        number = _millimoles_per_litre(concentration, in_moles=bool(sent_flags & _MOLES_PER_LITRE))
        number, flags = _in_range(number, flags)
        if isinstance(number, float):
            if number < _LOWEST:
                flags |= _LOW_OR_KETONE
            elif number < perhaps_ketone_below:
                flags |= {_PERHAPS_KETONE}
        quality = _UNUSABLE if flags & _NOT_A_PATIENTS_GLUCOSE else said.quality
        if _CLOCK_NOT_SET in flags:
            quality = worst(quality, _QUESTIONABLE)
        if number == 0.0:
            number = AbsentReason.ERROR
        judged, flags = measurements([(_GLUCOSE, number, quality)], flags, site=site)
        return Decoded(judged, flags, time, sequence_number)

    return decode_measurement


def decode_context(payload: bytes) -> Decoded:
    """Decode a Glucose Measurement Context (2A34). Raises `DecodeError`.

    It has no measurements: it says of the one with its sequence number how it stood to the meals, or
    (`Flag.KETONE`) that it was no glucose.
    """
    _, sequence_number, _, _, meal, _, _, _, _ = _CONTEXT.read(payload)
    return Decoded((), _MEALS.get(meal, _NO_FLAGS), sequence_number=sequence_number)


@lru_cache(maxsize=256)
def _status_verdict(status: int) -> Verdict:
    return verdict(STATUS_BITS, status)


@lru_cache(maxsize=256)
def _sample(sample: int | None) -> tuple[str | None, frozenset[Flag]]:
    """Where the sample was taken, with its fluid where that is not blood from a capillary, and what makes of
    it no glucose of a person's."""
    if sample is None:
        return None, _NO_FLAGS
    fluid, location = sample & 0x0F, sample >> 4
    words = dict.fromkeys(word for word in (_LOCATIONS.get(location), _FLUIDS.get(fluid)) if word)
    flags = set()
    if fluid == _CONTROL_SOLUTION_TYPE or location == _CONTROL_SOLUTION_LOCATION:
        flags.add(Flag.CONTROL_SOLUTION)
    if fluid in _RESERVED_TYPES:
        flags.add(_PERHAPS_KETONE)  # nobody knows what was measured
    return ", ".join(words) or None, frozenset(flags)


def _time(base: bytes, offset: int | None) -> tuple[DeviceTime | None, bool]:
    """The time that the meter showed its user, and whether its clock is not set (see `date_time`)."""
    time, clock_not_set = date_time(base)
    if time is None or clock_not_set or not offset:
        return time, clock_not_set
    if offset in (_OVERRUN, _UNDERRUN):
        return None, True
    try:
        shown = datetime(time.year, time.month, time.day, time.hour, time.minute, time.second, 0, UTC)
        shown += timedelta(minutes=offset)
    except OverflowError:  # before the year 1 or after 9999
        return None, True
    return DeviceTime(shown.year, shown.month, shown.day, shown.hour, shown.minute, shown.second), False


def _millimoles_per_litre(concentration: int | None, *, in_moles: bool) -> Number:
    """The concentration to 0.1 mmol/L, as meters show it.

    One that is negative cannot be: some meters fill what they do not use with 0xFF, which reads as -0.1.
    """
    if concentration is None:
        return AbsentReason.ERROR  # a record of a measurement that gave no result
    number = sfloat(concentration)
    if not isinstance(number, float):
        return number
    if number < 0:
        return AbsentReason.ERROR
    if in_moles:
        return round(number * 1000, 1)
    return round(number * _MILLIGRAMS_PER_DECILITRE / PER_MILLIMOLE_PER_LITRE, 1)


def _in_range(number: Number, flags: frozenset[Flag]) -> tuple[Number, frozenset[Flag]]:
    """What the meter shows as "HI" or "LO" is no number, whatever stands in its place, and is flagged however
    it was told: by the status, or by an infinity."""
    too_high, too_low = _TOO_HIGH in flags, _TOO_LOW in flags
    if too_high and too_low:
        return AbsentReason.ERROR, flags
    if too_high or number is AbsentReason.POSITIVE_INFINITY:
        return AbsentReason.POSITIVE_INFINITY, flags | {_TOO_HIGH}
    if too_low or number is AbsentReason.NEGATIVE_INFINITY:
        return AbsentReason.NEGATIVE_INFINITY, flags | {_TOO_LOW}
    return number, flags


DRIVER = GattDriver(
    name="glucose",
    title="Glucose meter (Bluetooth Glucose Profile)",
    service="1808",
    characteristics={
        "2a18": decoder_of_measurements(perhaps_ketone_below=_LOWEST),
        "2a34": decode_context,
    },
    # Its characteristics ask for an encrypted link (Glucose Profile 1.0.1, on security).
    bonding=Bonding.FIRST,
    records="2a52",
)
