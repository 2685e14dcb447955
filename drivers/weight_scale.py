"""Scales by the Bluetooth SIG's Weight Scale Profile.

Sources: Weight Scale Service 1.0, section 3.2, GATT Specification Supplement (Weight Measurement 2A9D).

Layout: flags (1 byte), weight (2), then as the flags announce time stamp (7), user id (1), body mass index
and height (2 each).
"""

from __future__ import annotations

from drivers.driver import Decoded
from drivers.gatt import Bonding, GattDriver
from drivers.ieee11073 import Number
from drivers.payload import ALWAYS, DATE_TIME, UNSIGNED_8, UNSIGNED_16, Layout, date_time
from drivers.quality import measurements
from hub.readings import AbsentReason, Flag, Quality, Vital

_LAYOUT = Layout(
    (ALWAYS, UNSIGNED_16),  # weight
    (0x02, DATE_TIME),  # time stamp
    (0x04, UNSIGNED_8),  # user id
    (0x08, UNSIGNED_16),  # body mass index
    (0x08, UNSIGNED_16),  # height
)
_POUNDS = 0x01  # in the flags: the unit, else kg

_UNSUCCESSFUL = 0xFFFF
_STEPS_PER_KILOGRAM = 200  # a step is 0.005 kg
_KILOGRAMS_PER_STEP_OF_POUNDS = 0.0045359237  # a step is 0.01 lb; the international pound is exactly this

UNKNOWN_USER = 0xFF

# Named here, since Python 3.11 runs code each time a member is named.
_WEIGHT, _GOOD, _ERROR = Vital.BODY_WEIGHT, Quality.GOOD, AbsentReason.ERROR


def decode_measurement(payload: bytes) -> Decoded:
    """Decode a Weight Measurement (2A9D). Raises `DecodeError`."""
    sent_flags, steps, time_stamp, user, _, _ = _LAYOUT.read(payload)
    time, clock_not_set = date_time(time_stamp)
    flags = frozenset({Flag.CLOCK_NOT_SET} if clock_not_set else ())
    if steps == _UNSUCCESSFUL:
        flags |= {Flag.MEASUREMENT_UNSUCCESSFUL}
    judged, flags = measurements([(_WEIGHT, _kilograms(steps, sent_flags), _GOOD)], flags)
    return Decoded(judged, flags, time, user_id=None if user == UNKNOWN_USER else user)


def _kilograms(steps: int, sent_flags: int) -> Number:
    """The weight; pounds to 0.01 kg, as a step of theirs is 0.005 kg."""
    if steps == _UNSUCCESSFUL:
        return _ERROR
    if sent_flags & _POUNDS:
        return round(steps * _KILOGRAMS_PER_STEP_OF_POUNDS, 2)
    return steps / _STEPS_PER_KILOGRAM


DRIVER = GattDriver(
    name="weight_scale",
    title="Scale for persons (Bluetooth Weight Scale Profile)",
    service="181d",
    characteristics={"2a9d": decode_measurement},
    # Its characteristics ask for an encrypted link (Weight Scale Profile 1.0, on security).
    bonding=Bonding.FIRST,
)
