"""Blood pressure cuffs by the Bluetooth SIG's Blood Pressure Profile.

Sources: Blood Pressure Service 1.1.1, Blood Pressure Profile 1.1.1, GATT Specification Supplement
(Blood Pressure Measurement 2A35, Intermediate Cuff Pressure 2A36).

Layout of both: flags (1 byte), systolic, diastolic, mean arterial pressure (SFLOAT each), then as
the flags announce time stamp (7), pulse rate (SFLOAT), user id (1), measurement status (2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from drivers.driver import Decoded, Driver
from drivers.ieee11073 import Number
from drivers.payload import Payload
from drivers.quality import StatusBit, Verdict, measurements, verdict, worst
from hub.readings import AbsentReason, DeviceTime, Flag, Measurement, Quality, Vital

_KILOPASCALS = 0x01
_TIME_STAMP = 0x02
_PULSE_RATE = 0x04
_USER_ID = 0x08
_MEASUREMENT_STATUS = 0x10

_UNKNOWN_USER = 0xFF

_KILOPASCALS_PER_MILLIMETRE = 0.133322387415  # conventional mmHg in kPa

STATUS_BITS = (
    StatusBit(0, Flag.BODY_MOVEMENT, Quality.UNUSABLE),
    StatusBit(1, Flag.CUFF_TOO_LOOSE, Quality.UNUSABLE),
    StatusBit(2, Flag.IRREGULAR_PULSE, Quality.QUESTIONABLE),
    # bits 3 and 4 are one field of two bits: see _PULSE_RATE_RANGE
    StatusBit(5, Flag.IMPROPER_POSITION, Quality.QUESTIONABLE),
)
_PULSE_RATE_RANGE = {
    1: Flag.PULSE_ABOVE_RANGE,
    2: Flag.PULSE_BELOW_RANGE,
    3: Flag.QUESTIONABLE_PULSE,  # reserved: something is the matter with the pulse
}


@dataclass(slots=True)
class _Fields:
    """The fields of a payload as they were sent, pressures in mmHg."""

    systolic: Number
    diastolic: Number
    mean: Number
    time: DeviceTime | None = None
    pulse: Number | None = None
    user_id: int | None = None
    status: int = 0


def decode_measurement(payload: bytes) -> Decoded:
    """Decode a Blood Pressure Measurement (2A35). Raises `DecodeError`."""
    flags: set[Flag] = set()
    fields = _read(payload, flags)
    status = status_verdict(fields.status)
    flags |= status.flags
    return Decoded(
        measurements=judge(
            systolic=fields.systolic,
            diastolic=fields.diastolic,
            mean=fields.mean,
            pulse=fields.pulse,
            status=status,
            flags=flags,
        ),
        flags=frozenset(flags),
        device_time=fields.time,
        user_id=fields.user_id,
    )


def decode_intermediate_cuff_pressure(payload: bytes) -> Decoded:
    """Decode an Intermediate Cuff Pressure (2A36). Raises `DecodeError`.

    What it carries is how far the cuff is inflated, for a display, and no vital sign: it has no
    measurements, only its flags, `Flag.MEASUREMENT_ONGOING` among them.
    """
    flags = {Flag.MEASUREMENT_ONGOING}
    fields = _read(payload, flags)
    flags |= status_verdict(fields.status).flags
    return Decoded(measurements=(), flags=frozenset(flags), device_time=fields.time, user_id=fields.user_id)


def _read(payload: bytes, flags: set[Flag]) -> _Fields:
    content = Payload(payload)
    present = content.unsigned(1)
    fields = _Fields(content.sfloat(), content.sfloat(), content.sfloat())
    if present & _TIME_STAMP:
        fields.time = content.date_time(flags)
    if present & _PULSE_RATE:
        fields.pulse = content.sfloat()
    if present & _USER_ID:
        fields.user_id = user_id(content.unsigned(1))
    if present & _MEASUREMENT_STATUS:
        fields.status = content.unsigned(2)
    content.finish()
    if present & _KILOPASCALS:
        fields.systolic = _millimetres_of_mercury(fields.systolic)
        fields.diastolic = _millimetres_of_mercury(fields.diastolic)
        fields.mean = _millimetres_of_mercury(fields.mean)
    return fields


def user_id(code: int) -> int | None:
    """Which of the cuff's users it was, 0 to 254; None for 255, "unknown user"."""
    return None if code == _UNKNOWN_USER else code


def _millimetres_of_mercury(kilopascals: Number) -> Number:
    """Convert, to 0.1 mmHg: a cuff's 0.1 kPa is 0.75 mmHg."""
    if isinstance(kilopascals, AbsentReason):
        return kilopascals
    return round(kilopascals / _KILOPASCALS_PER_MILLIMETRE, 1)


@lru_cache(maxsize=256)
def status_verdict(status: int) -> Verdict:
    """What the 16 bits of a Measurement Status say (reserved bits say nothing)."""
    of_bits = verdict(STATUS_BITS, status)
    range_flag = _PULSE_RATE_RANGE.get(status >> 3 & 0b11)
    if range_flag is None:
        return of_bits
    return replace(
        of_bits,
        flags=of_bits.flags | {range_flag},
        pulse_quality=worst(of_bits.pulse_quality, Quality.QUESTIONABLE),
    )


def judge(
    *,
    systolic: Number,
    diastolic: Number,
    mean: Number,
    pulse: Number | None,
    status: Verdict,
    flags: set[Flag],
) -> tuple[Measurement, ...]:
    """The measurements of one determination, in mmHg and per minute. May add to `flags`.

    A mean of exactly 0 is what cuffs send that do not work it out: it is absent as unsupported.
    A diastolic pressure that is not below the systolic makes both unusable. A systolic pressure
    alone has the shape of an inflating cuff (2A36) and is unusable, whatever brought it here: a
    recording that does not name the characteristic, or a cuff that uses the wrong one.
    """
    if mean == 0.0:
        mean = AbsentReason.UNSUPPORTED
    systolic_alone = (
        isinstance(systolic, float) and isinstance(diastolic, AbsentReason) and isinstance(mean, AbsentReason)
    )
    if systolic_alone:
        flags.add(Flag.MEASUREMENT_ONGOING)
        status = Verdict(status.flags, Quality.UNUSABLE, Quality.UNUSABLE)
    numbers = [
        (Vital.SYSTOLIC_PRESSURE, systolic, status.quality),
        (Vital.DIASTOLIC_PRESSURE, diastolic, status.quality),
        (Vital.MEAN_ARTERIAL_PRESSURE, mean, status.quality),
    ]
    if pulse is not None:
        numbers.append((Vital.PULSE_RATE, pulse, status.pulse_quality))
    contradict = isinstance(systolic, float) and isinstance(diastolic, float) and diastolic >= systolic
    return measurements(numbers, flags, contradictory=_CONTRADICTORY if contradict else frozenset())


_CONTRADICTORY = frozenset({Vital.SYSTOLIC_PRESSURE, Vital.DIASTOLIC_PRESSURE})

DRIVER = Driver(
    name="blood_pressure",
    title="Blood pressure cuff (Bluetooth Blood Pressure Profile)",
    service="1810",
    characteristics={"2a35": decode_measurement, "2a36": decode_intermediate_cuff_pressure},
    intermediate=frozenset({"2a36"}),
)
