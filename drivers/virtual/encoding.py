"""What virtual sensors say, as bytes, written from the Bluetooth SIG's specifications.

Nothing here is shared with the decoders in `drivers`: bytes made by the code under test would prove nothing.
"""

from __future__ import annotations

import math

from drivers.virtual import VirtualWardError


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
    systolic: float, diastolic: float, mean: float | None = None, pulse: float | None = None
) -> bytes:
    """A Blood Pressure Measurement (2A35) in mmHg (Blood Pressure Service 1.1.1, section 3.1).

    A mean that is not given is reckoned as diastolic plus a third of the pulse pressure.
    """
    mean = diastolic + (systolic - diastolic) / 3 if mean is None else mean
    flags = 0b0000_0000 if pulse is None else 0b0000_0100
    pressures = sfloat(systolic) + sfloat(diastolic) + sfloat(mean)
    return bytes([flags]) + pressures + (b"" if pulse is None else sfloat(pulse))


def spot_check(saturation: float, pulse: float) -> bytes:
    """A PLX Spot-Check Measurement (2A5E) in % and /min (Pulse Oximeter Service 1.0.1, section 3.1)."""
    return b"\x00" + sfloat(saturation) + sfloat(pulse)


def continuous(saturation: float, pulse: float) -> bytes:
    """A PLX Continuous Measurement (2A5F) in % and /min (Pulse Oximeter Service 1.0.1, section 3.2)."""
    return b"\x00" + sfloat(saturation) + sfloat(pulse)


def temperature(celsius: float) -> bytes:
    """A Temperature Measurement (2A1C), to a tenth of a Celsius (Health Thermometer Service 1.0, 3.1)."""
    return b"\x00" + float32(celsius)
