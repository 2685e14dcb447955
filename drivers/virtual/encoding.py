"""What virtual sensors say, as bytes, written from the Bluetooth SIG's specifications.

Nothing here is shared with the decoders in `drivers`: bytes made by the code under test would prove nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from drivers.virtual import VirtualWardError
from drivers.virtual.clock import date_time


def sfloat(value: float, exponent: int = 0) -> bytes:
    """IEEE-11073 SFLOAT, 4 bits of exponent, 12 of mantissa (Personal Health Devices Transcoding 2.2.2)."""
    if math.isnan(value):
        return b"\xff\x07"
    if math.isinf(value):
        return b"\xfe\x07" if value > 0 else b"\x02\x08"
    mantissa = round(value * 10.0**-exponent)
    if not (-2045 <= mantissa <= 2045 and -8 <= exponent <= 7):
        raise VirtualWardError(f"{value} does not fit an SFLOAT with exponent {exponent}")
    bits = (exponent & 0xF) << 12 | (mantissa & 0xFFF)
    return bits.to_bytes(2, "little")


def float32(value: float, exponent: int = -1) -> bytes:
    """IEEE-11073 FLOAT, 8 bits of exponent, 24 of mantissa (Personal Health Devices Transcoding 2.2.1)."""
    if math.isnan(value):
        return b"\xff\xff\x7f\x00"
    if math.isinf(value):
        return b"\xfe\xff\x7f\x00" if value > 0 else b"\x02\x00\x80\x00"
    mantissa = round(value * 10.0**-exponent)
    if not (-8388605 <= mantissa <= 8388605 and -128 <= exponent <= 127):
        raise VirtualWardError(f"{value} does not fit a FLOAT with exponent {exponent}")
    bits = (exponent & 0xFF) << 24 | (mantissa & 0xFFFFFF)
    return bits.to_bytes(4, "little")


def blood_pressure(
    systolic: float,
    diastolic: float,
    mean: float | None = None,
    pulse: float | None = None,
    *,
    at: datetime | None = None,
    user: float | None = None,
    status: float | None = None,
) -> bytes:
    """A Blood Pressure Measurement (2A35) in mmHg (Blood Pressure Service 1.1.1, section 3.1).

    A mean that is not given is reckoned as diastolic plus a third of the pulse pressure; `at` is what the
    cuff's clock says.
    """
    mean = diastolic + (systolic - diastolic) / 3 if mean is None else mean
    flags = _flags(None, at, pulse, user, status)
    fields = sfloat(systolic) + sfloat(diastolic) + sfloat(mean)
    fields += b"" if at is None else date_time(at)
    fields += b"" if pulse is None else sfloat(pulse)
    fields += b"" if user is None else _unsigned(user, 1)
    fields += b"" if status is None else _unsigned(status, 2)
    return bytes([flags]) + fields


def spot_check(saturation: float, pulse: float, *, at: datetime | None = None) -> bytes:
    """A PLX Spot-Check Measurement (2A5E) in % and /min (Pulse Oximeter Service 1.0.1, section 3.1)."""
    stamp = b"" if at is None else date_time(at)
    return bytes([_flags(at)]) + sfloat(saturation) + sfloat(pulse) + stamp


def continuous(saturation: float, pulse: float) -> bytes:
    """A PLX Continuous Measurement (2A5F) in % and /min (Pulse Oximeter Service 1.0.1, section 3.2)."""
    return b"\x00" + sfloat(saturation) + sfloat(pulse)


def temperature(celsius: float) -> bytes:
    """A Temperature Measurement (2A1C), to a tenth of a Celsius (Health Thermometer Service 1.0, 3.1)."""
    return b"\x00" + float32(celsius)


def heart_rate(
    beats: float,
    *,
    contact: bool | None = None,
    beat_intervals: Sequence[float] = (),
    energy: float | None = None,
) -> bytes:
    """A Heart Rate Measurement (2A37) in /min, with intervals in seconds and energy in kJ (Heart Rate Service
    1.0, section 3.1). `contact` is whether the skin is felt; None where the strap cannot feel it."""
    wide = beats > 0xFF
    intervals = b"".join(_unsigned(seconds * 1024, 2) for seconds in beat_intervals)
    flags = _flags(wide or None, contact or None, contact is not None or None, energy, intervals or None)
    spent = b"" if energy is None else _unsigned(energy, 2)
    return bytes([flags]) + _unsigned(beats, 2 if wide else 1) + spent + intervals


def weight(kilograms: float, *, at: datetime | None = None, user: float | None = None) -> bytes:
    """A Weight Measurement (2A9D) in kg, to 5 g; nan: unsuccessful (Weight Scale Service 1.0, 3.2)."""
    fields = b"\xff\xff" if math.isnan(kilograms) else _unsigned(kilograms / 0.005, 2)
    fields += b"" if at is None else date_time(at)
    fields += b"" if user is None else _unsigned(user, 1)
    return bytes([_flags(None, at, user)]) + fields


def glucose(
    sequence: float,
    millimoles: float,
    *,
    at: datetime | None = None,
    offset_minutes: int | None = None,
    status: float | None = None,
    context_follows: bool = False,
) -> bytes:
    """A Glucose Measurement (2A18) in mmol/L, of capillary whole blood from a finger (Glucose Service 1.0.1,
    section 3.1). `at` is the base time, 2000-01-01 if not given; who reads it adds the offset."""
    flags = _flags(offset_minutes, True, True, status, context_follows or None)
    base = date_time(at or datetime(2000, 1, 1))  # noqa: DTZ001 -- a sensor's clock knows no zone
    shifted = b"" if offset_minutes is None else offset_minutes.to_bytes(2, "little", signed=True)
    annunciation = b"" if status is None else _unsigned(status, 2)
    concentration = sfloat(millimoles / 1000, exponent=-4)  # mol/L
    return bytes([flags]) + _unsigned(sequence, 2) + base + shifted + concentration + b"\x11" + annunciation


def glucose_context(sequence: float, meal: float) -> bytes:
    """A Glucose Measurement Context (2A34) that says when, beside a meal (Glucose Service 1.0.1, 3.2):
    1 before, 2 after, 3 fasting, 4 casual, 5 at bedtime."""
    return b"\x02" + _unsigned(sequence, 2) + _unsigned(meal, 1)


def _flags(*present: object) -> int:
    """One bit for each field that is present, the lowest first."""
    return sum(1 << bit for bit, field in enumerate(present) if field is not None)


def _unsigned(value: float, width: int) -> bytes:
    try:
        return round(value).to_bytes(width, "little")
    except (OverflowError, ValueError) as error:
        raise VirtualWardError(f"{value} does not fit {width} bytes") from error
