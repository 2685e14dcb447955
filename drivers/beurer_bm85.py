"""The Beurer BM85, a cuff that speaks the Blood Pressure Service in its own layout.

It differs from Blood Pressure Measurement (2A35) as follows, seen in captures and confirmed by the
authors of the blood-pressure-monitor-fl project (pull requests 735 and 737):

- a user id is sent though the flags do not announce it;
- pulse rate and measurement status are big-endian, everything else is little-endian;
- bit 6 of the flags, reserved, is set; the mean arterial pressure is sent as 0.

At each connection it sends its whole memory; the time stamps tell what is new.
"""

from __future__ import annotations

from drivers.blood_pressure import judge, status_verdict, user_id
from drivers.driver import Decoded, DecodeError, Driver
from drivers.ieee11073 import sfloat
from drivers.payload import Payload
from hub.readings import Flag

_FLAGS = 0x56  # time stamp, pulse rate, measurement status, and reserved bit 6; mmHg


def decode_measurement(payload: bytes) -> Decoded:
    """Decode a Blood Pressure Measurement (2A35) in the BM85's layout. Raises `DecodeError`.

    Other flags than the captured ones are refused: nobody has seen how the cuff then lays out its
    bytes, and a firmware that announces the user id may have mended the byte order as well.
    """
    content = Payload(payload)
    announced = content.unsigned(1)
    if announced != _FLAGS:
        raise DecodeError(f"flags 0x{announced:02x} where a BM85 sends 0x{_FLAGS:02x}", payload)
    flags: set[Flag] = set()
    systolic, diastolic, mean = content.sfloat(), content.sfloat(), content.sfloat()
    time = content.date_time(flags)
    pulse = sfloat(content.unsigned_big_endian(2))
    user = user_id(content.unsigned(1))
    status = status_verdict(content.unsigned_big_endian(2))
    content.finish()
    flags |= status.flags
    return Decoded(
        measurements=judge(
            systolic=systolic, diastolic=diastolic, mean=mean, pulse=pulse, status=status, flags=flags
        ),
        flags=frozenset(flags),
        device_time=time,
        user_id=user,
    )


DRIVER = Driver(
    name="beurer_bm85",
    title="Beurer BM85 blood pressure cuff",
    service="1810",
    characteristics={"2a35": decode_measurement},
)
