"""Blood pressure cuffs by the Bluetooth SIG's Blood Pressure Profile.

Sources: Blood Pressure Service 1.1.1, Blood Pressure Profile 1.1.1, GATT Specification Supplement
(Blood Pressure Measurement 2A35, Intermediate Cuff Pressure 2A36).

Layout of both: flags (1 byte), systolic, diastolic, mean arterial pressure (SFLOAT each), then as
the flags announce time stamp (7), pulse rate (SFLOAT), user id (1), measurement status (2).
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from drivers.driver import Decoded
from drivers.gatt import Bonding, GattDriver
from drivers.ieee11073 import Number, sfloat
from drivers.payload import ALWAYS, DATE_TIME, SFLOAT, UNSIGNED_8, UNSIGNED_16, Layout, date_time
from drivers.quality import StatusBit, Verdict, measurements, verdict, worst
from hub.readings import AbsentReason, Flag, Measurement, Quality, Vital

_LAYOUT = Layout(
    (ALWAYS, SFLOAT),  # systolic pressure
    (ALWAYS, SFLOAT),  # diastolic pressure
    (ALWAYS, SFLOAT),  # mean arterial pressure
    (0x02, DATE_TIME),  # time stamp
    (0x04, SFLOAT),  # pulse rate
    (0x08, UNSIGNED_8),  # user id
    (0x10, UNSIGNED_16),  # measurement status
)
_KILOPASCALS = 0x01  # in the flags: the unit of the pressures, else mmHg

UNKNOWN_USER = 0xFF

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

# Named here, since Python 3.11 runs code each time a member is named.
_SYSTOLIC, _DIASTOLIC = Vital.SYSTOLIC_PRESSURE, Vital.DIASTOLIC_PRESSURE
_MEAN, _PULSE = Vital.MEAN_ARTERIAL_PRESSURE, Vital.PULSE_RATE
_NOTHING: frozenset[Vital] = frozenset()
_SYSTOLIC_AND_DIASTOLIC = frozenset({_SYSTOLIC, _DIASTOLIC})


def decode_measurement(payload: bytes) -> Decoded:
    """Decode a Blood Pressure Measurement (2A35). Raises `DecodeError`."""
    sent_flags, systolic, diastolic, mean, time_stamp, pulse, user, status = _LAYOUT.read(payload)
    pressure = _from_kilopascals if sent_flags & _KILOPASCALS else sfloat
    time, clock_not_set = date_time(time_stamp)
    judged, flags = judge(
        systolic=pressure(systolic),
        diastolic=pressure(diastolic),
        mean=pressure(mean),
        pulse=None if pulse is None else sfloat(pulse),
        status=status_verdict(status or 0),
    )
    if clock_not_set:
        flags |= {Flag.CLOCK_NOT_SET}
    return Decoded(judged, flags, time, user_id=None if user == UNKNOWN_USER else user)


def decode_intermediate_cuff_pressure(payload: bytes) -> Decoded:
    """Decode an Intermediate Cuff Pressure (2A36). Raises `DecodeError`.

    What it carries is how far the cuff is inflated, for a display, and no vital sign: it has no
    measurements, only its flags, `Flag.MEASUREMENT_ONGOING` among them.
    """
    _, _, _, _, time_stamp, _, user, status = _LAYOUT.read(payload)
    time, clock_not_set = date_time(time_stamp)
    flags = status_verdict(status or 0).flags | {Flag.MEASUREMENT_ONGOING}
    if clock_not_set:
        flags |= {Flag.CLOCK_NOT_SET}
    return Decoded((), flags, time, user_id=None if user == UNKNOWN_USER else user)


def _from_kilopascals(code: int) -> Number:
    """The pressure of an SFLOAT in mmHg, to 0.1 mmHg: a cuff's 0.1 kPa is 0.75 mmHg."""
    kilopascals = sfloat(code)
    if not isinstance(kilopascals, float):
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
    *, systolic: Number, diastolic: Number, mean: Number, pulse: Number | None, status: Verdict
) -> tuple[tuple[Measurement, ...], frozenset[Flag]]:
    """The measurements of one determination, in mmHg and per minute, and its flags.

    A mean of exactly 0 is what cuffs send that do not work it out: it is absent as unsupported.
    A diastolic pressure that is not below the systolic makes both unusable. A systolic pressure
    alone has the shape of an inflating cuff (2A36) and is unusable, whatever brought it here: a
    recording that does not name the characteristic, or a cuff that uses the wrong one.
    """
    if mean == 0.0:
        mean = AbsentReason.UNSUPPORTED
    contradictory = _NOTHING
    if isinstance(systolic, float):
        if isinstance(diastolic, float):
            if diastolic >= systolic:
                contradictory = _SYSTOLIC_AND_DIASTOLIC
        elif not isinstance(mean, float):
            status = Verdict(status.flags | {Flag.MEASUREMENT_ONGOING}, Quality.UNUSABLE, Quality.UNUSABLE)
    numbers = [
        (_SYSTOLIC, systolic, status.quality),
        (_DIASTOLIC, diastolic, status.quality),
        (_MEAN, mean, status.quality),
    ]
    if pulse is not None:
        numbers.append((_PULSE, pulse, status.pulse_quality))
    return measurements(numbers, status.flags, contradictory=contradictory)


DRIVER = GattDriver(
    name="blood_pressure",
    title="Blood pressure cuff (Bluetooth Blood Pressure Profile)",
    service="1810",
    characteristics={"2a35": decode_measurement, "2a36": decode_intermediate_cuff_pressure},
    intermediate=frozenset({"2a36"}),
    keeps_records=True,
    # The cuff's characteristics ask for an encrypted link (Blood Pressure Profile 1.1.1, on security).
    bonding=Bonding.FIRST,
)
