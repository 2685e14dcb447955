"""Thermometers by the Bluetooth SIG's Health Thermometer Profile.

Sources: Health Thermometer Service 1.0, GATT Specification Supplement (Temperature Measurement
2A1C, Intermediate Temperature 2A1E, Temperature Type 2A1D).

Layout of both: flags (1 byte), temperature (FLOAT), then as the flags announce time stamp (7) and
temperature type (1).
"""

from __future__ import annotations

from drivers.driver import Decoded
from drivers.gatt import Bonding, GattDriver
from drivers.ieee11073 import Number, float32
from drivers.payload import ALWAYS, DATE_TIME, FLOAT, UNSIGNED_8, Layout, date_time
from drivers.quality import measurements
from hub.readings import Flag, Quality, Vital

_LAYOUT = Layout(
    (ALWAYS, FLOAT),  # temperature
    (0x02, DATE_TIME),  # time stamp
    (0x04, UNSIGNED_8),  # temperature type
)
_FAHRENHEIT = 0x01  # in the flags: the unit, else degC

_SITES = {
    1: "armpit",
    2: "body",
    3: "ear",
    4: "finger",
    5: "gastro-intestinal tract",
    6: "mouth",
    7: "rectum",
    8: "toe",
    9: "tympanum",
}
"""Temperature Type (2A1D); the other codes are reserved and name no site."""

# Named here, since Python 3.11 runs code each time a member is named.
_TEMPERATURE, _GOOD = Vital.TEMPERATURE, Quality.GOOD
_NO_FLAGS: frozenset[Flag] = frozenset()
_CLOCK_NOT_SET = frozenset({Flag.CLOCK_NOT_SET})


def decode_measurement(payload: bytes) -> Decoded:
    """Decode a Temperature Measurement (2A1C). Raises `DecodeError`."""
    sent_flags, code, time_stamp, temperature_type = _LAYOUT.read(payload)
    temperature = float32(code)
    if sent_flags & _FAHRENHEIT:
        temperature = _degrees_celsius(temperature)
    time, clock_not_set = date_time(time_stamp)
    site = _SITES.get(temperature_type)
    flags = _CLOCK_NOT_SET if clock_not_set else _NO_FLAGS
    judged, flags = measurements([(_TEMPERATURE, temperature, _GOOD)], flags, site=site)
    return Decoded(judged, flags, time)


def decode_intermediate_temperature(payload: bytes) -> Decoded:
    """Decode an Intermediate Temperature (2A1E). Raises `DecodeError`.

    It is a temperature that is still rising, for a display, and no finished measurement: it has
    no measurements, only its flags, `Flag.MEASUREMENT_ONGOING` among them.
    """
    _, _, time_stamp, _ = _LAYOUT.read(payload)
    time, clock_not_set = date_time(time_stamp)
    flags = _CLOCK_NOT_SET if clock_not_set else _NO_FLAGS
    return Decoded((), flags | {Flag.MEASUREMENT_ONGOING}, time)


def _degrees_celsius(fahrenheit: Number) -> Number:
    """Convert, to 0.01 degC: a thermometer's 0.1 degF is 0.06 degC."""
    if not isinstance(fahrenheit, float):
        return fahrenheit
    return round((fahrenheit - 32.0) / 1.8, 2)


DRIVER = GattDriver(
    name="thermometer",
    title="Thermometer (Bluetooth Health Thermometer Profile)",
    service="1809",
    characteristics={"2a1c": decode_measurement, "2a1e": decode_intermediate_temperature},
    intermediate=frozenset({"2a1e"}),
    # Its characteristics ask for an encrypted link (Health Thermometer Profile 1.0, on security).
    bonding=Bonding.FIRST,
)
