"""The Beurer BM85, a cuff that speaks the Blood Pressure Service in its own layout.

It differs from Blood Pressure Measurement (2A35) as follows, seen in captures and confirmed by the
authors of the blood-pressure-monitor-fl project (pull requests 735 and 737):

- a user id is sent though the flags do not announce it;
- pulse rate and measurement status are big-endian, everything else is little-endian;
- bit 6 of the flags, reserved, is set; the mean arterial pressure is sent as 0.

At each connection it sends its whole memory; the time stamps tell what is new.
"""

from __future__ import annotations

from drivers.blood_pressure import UNKNOWN_USER, judge, status_verdict
from drivers.driver import Decoded, DecodeError
from drivers.gatt import Bonding, GattDriver
from drivers.ieee11073 import sfloat
from drivers.payload import ALWAYS, DATE_TIME, SFLOAT, TWO_OCTETS, UNSIGNED_8, Layout, date_time
from hub.readings import Flag

_LAYOUT = Layout(
    (ALWAYS, SFLOAT),  # systolic pressure
    (ALWAYS, SFLOAT),  # diastolic pressure
    (ALWAYS, SFLOAT),  # mean arterial pressure
    (ALWAYS, DATE_TIME),  # time stamp
    (ALWAYS, TWO_OCTETS),  # pulse rate, a big-endian SFLOAT
    (ALWAYS, UNSIGNED_8),  # user id
    (ALWAYS, TWO_OCTETS),  # measurement status, big-endian
)
_FLAGS = 0x56  # time stamp, pulse rate, measurement status, and reserved bit 6; mmHg


def decode_measurement(payload: bytes) -> Decoded:
    """Decode a Blood Pressure Measurement (2A35) in the BM85's layout. Raises `DecodeError`.

    Other flags than the captured ones are refused: nobody has seen how the cuff then lays out its
    bytes, and a firmware that announces the user id may have mended the byte order as well.
    """
    if payload and payload[0] != _FLAGS:
        raise DecodeError(f"flags 0x{payload[0]:02x} where a BM85 sends 0x{_FLAGS:02x}", payload)
    _, systolic, diastolic, mean, time_stamp, pulse, user, status = _LAYOUT.read(payload)
    time, clock_not_set = date_time(time_stamp)
    judged, flags = judge(
        systolic=sfloat(systolic),
        diastolic=sfloat(diastolic),
        mean=sfloat(mean),
        pulse=sfloat(int.from_bytes(pulse, "big")),
        status=status_verdict(int.from_bytes(status, "big")),
    )
    if clock_not_set:
        flags |= {Flag.CLOCK_NOT_SET}
    return Decoded(judged, flags, time, user_id=None if user == UNKNOWN_USER else user)


DRIVER = GattDriver(
    name="beurer_bm85",
    title="Beurer BM85 blood pressure cuff",
    service="1810",
    characteristics={"2a35": decode_measurement},
    keeps_records=True,
    # Nothing published says otherwise than the profile (Blood Pressure Profile 1.1.1, on security).
    bonding=Bonding.FIRST,
)
