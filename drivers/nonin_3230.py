"""The Nonin 3230, a finger oximeter that can be read in two ways: by the profile, and by Nonin's own service.

The profile's characteristics (1822: 2A5E, 2A5F) are read by `drivers/pulse_oximeter.py`. Nonin's own service
(46a970e0-...) notifies an Oximetry Measurement about once a second. Its layout, all big-endian:

| byte | field |
|---|---|
| 0 | length: the number of bytes, this one included; 10, more are reserved for later |
| 1 | status: `STATUS_BITS`; bit 6 says that the link is encrypted, bits 0 and 7 say nothing of the value |
| 2 | battery, 0.1 V |
| 3-4 | pulse amplitude index, 0.01 % |
| 5-6 | counter: seconds since it was switched on |
| 7 | SpO2, %; 127: none |
| 8-9 | pulse rate, /min, to 321; 511: none |

Sources: Nonin's own sample for iOS (PulseOximeterClass.m, 2013); the clients of M. Villarroel (after Nonin's
document 113142-000-02 B), andreasdri/nonin-3230-ble and Isansys, which agree. A client that reads SpO2 from
byte 2 and a little-endian pulse (aircannect) is wrong: byte 2 is the battery.

A sensor that offers both ways would tell each measurement twice, so a link subscribes to one alone
(`GattDriver.alternatives`): to the profile's, if the sensor has any of it, since it dates a spot-check and
says more of how it went; else to Nonin's.

What else clients report: Nonin's sample and two others subscribe without a bond; out of the box it accepts a
new bond only within two minutes after its batteries were put in. Without batteries its clock goes back to
2016-01-01. Its Battery Service always says 100 %: bit 5 of the status is the truth.
"""

from __future__ import annotations

import struct
from functools import lru_cache

from drivers import pulse_oximeter
from drivers.driver import Decoded, DecodeError
from drivers.gatt import Bonding, GattDriver
from drivers.nonin import oximetry
from drivers.quality import StatusBit, Verdict, verdict
from hub.readings import Flag, Quality

OXIMETRY_SERVICE = "46a970e0-0d5f-11e2-8b5e-0002a5d5c51b"
OXIMETRY_MEASUREMENT = "0aad7ea0-0d60-11e2-8e3c-0002a5d5c51b"

_LAYOUT = struct.Struct(">BBBHHBH")

_INVERTED = 1 << 2 | 1 << 4
"""Bits 2 and 4 say that all is well: `STATUS_BITS` means them where they are missing."""

STATUS_BITS = (
    StatusBit(1, Flag.POOR_SIGNAL, Quality.QUESTIONABLE),  # the pulse signal is 0.3 % or less
    # "passed the SmartPoint algorithm", missing: a value that the display shows, but not yet a spot-check's
    StatusBit(2, Flag.EARLY_ESTIMATE, Quality.QUESTIONABLE),
    StatusBit(3, Flag.INADEQUATE_SIGNAL, Quality.UNUSABLE),  # searching for consecutive pulses
    StatusBit(4, Flag.SENSOR_DISPLACED, Quality.UNUSABLE),  # "on the finger, as it should be", missing
    StatusBit(5, Flag.BATTERY_LOW, Quality.GOOD),
)
"""What Nonin's status says, after `_INVERTED` was turned round."""


@lru_cache(maxsize=256)
def _verdict(status: int) -> Verdict:
    return verdict(STATUS_BITS, status ^ _INVERTED)


def decode_oximetry(payload: bytes) -> Decoded:
    """Decode an Oximetry Measurement of Nonin's own service. Raises `DecodeError`."""
    if len(payload) < _LAYOUT.size:
        raise DecodeError(
            f"payload too short: {len(payload)} bytes where {_LAYOUT.size} are the least", payload
        )
    length, status, _, _, _, saturation, pulse = _LAYOUT.unpack_from(payload)
    if length != len(payload):
        kind = "short" if length > len(payload) else "long"
        raise DecodeError(f"payload too {kind}: {len(payload)} bytes where it says {length}", payload)
    return oximetry(saturation, pulse, _verdict(status))


DRIVER = GattDriver(
    name="nonin_3230",
    title="Nonin 3230 pulse oximeter",
    service=OXIMETRY_SERVICE,
    characteristics={**pulse_oximeter.DRIVER.characteristics, OXIMETRY_MEASUREMENT: decode_oximetry},
    intermediate=pulse_oximeter.DRIVER.intermediate,
    streaming=pulse_oximeter.DRIVER.streaming | {OXIMETRY_MEASUREMENT},
    bonding=Bonding.WHEN_ASKED,
    records=pulse_oximeter.DRIVER.records,
    alternatives=(frozenset(pulse_oximeter.DRIVER.characteristics), frozenset({OXIMETRY_MEASUREMENT})),
)
