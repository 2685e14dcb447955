"""Heart rate straps by the Bluetooth SIG's Heart Rate Profile.

Sources: Heart Rate Service 1.0, section 3.1, GATT Specification Supplement (Heart Rate Measurement 2A37).

Layout: flags (1 byte), heart rate (1 or 2), then as the flags announce energy expended (2), and the times
between beats (RR intervals, 2 each, the oldest first), as many as the link carries in one notification.

What a strap does when it is taken off is not in the specification. One that tells skin contact says so. Of
those that do not (Polar H10, OH1, Verity Sense), users report 0, the last rate repeated, or a rate made of
noise, for seconds to minutes (issues 131, 304, 430, 447 and 470 of polarofficial/polar-ble-sdk): nothing in
such a payload tells it from a rate of somebody, but the 0.
"""

from __future__ import annotations

from drivers.driver import Decoded
from drivers.gatt import Bonding, GattDriver
from drivers.payload import UNSIGNED_8, UNSIGNED_16, Layout
from drivers.quality import measurements
from hub.readings import AbsentReason, Flag, Quality, Vital

_LAYOUT = Layout(
    (0x01, UNSIGNED_16, UNSIGNED_8),  # heart rate, per minute
    (0x08, UNSIGNED_16),  # energy expended since it was reset, kJ
    # RR intervals. None at all are tolerated: straps announce them also when there was no beat to tell of.
    repeated=(0x10, UNSIGNED_16),
)
_CONTACT, _CONTACT_LOST = 0x06, 0x04  # bit 2: contact is told; bit 1: there is contact

_TICKS_PER_SECOND = 1024.0

# Named here, since Python 3.11 runs code each time a member is named.
_PULSE, _GOOD, _UNUSABLE = Vital.PULSE_RATE, Quality.GOOD, Quality.UNUSABLE
_NO_BEAT = AbsentReason.NOT_A_NUMBER
_NO_FLAGS: frozenset[Flag] = frozenset()
_NO_SKIN_CONTACT = frozenset({Flag.NO_SKIN_CONTACT})


def decode_measurement(payload: bytes) -> Decoded:
    """Decode a Heart Rate Measurement (2A37). Raises `DecodeError`.

    A rate of 0 is no number. Where the rate is not usable (no skin contact, no rate, none that a body has)
    the intervals are of no heart, and are left out; else they are as they were sent, in seconds, not judged
    one by one.
    """
    sent_flags, rate, _, intervals = _LAYOUT.read(payload)
    if sent_flags & _CONTACT == _CONTACT_LOST:
        quality, flags = _UNUSABLE, _NO_SKIN_CONTACT
    else:
        quality, flags = _GOOD, _NO_FLAGS
    judged, flags = measurements([(_PULSE, float(rate) if rate else _NO_BEAT, quality)], flags)
    if not intervals or not judged[0].usable:
        return Decoded(judged, flags)
    return Decoded(judged, flags, beat_intervals=tuple(ticks / _TICKS_PER_SECOND for ticks in intervals))


DRIVER = GattDriver(
    name="heart_rate",
    title="Heart rate strap (Bluetooth Heart Rate Profile)",
    service="180d",
    characteristics={"2a37": decode_measurement},
    streaming=frozenset({"2a37"}),
    # The service asks for no security (Heart Rate Service 1.0, section 3, table of characteristics: none).
    bonding=Bonding.WHEN_ASKED,
)
