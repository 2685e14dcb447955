"""Thermometers by the Bluetooth SIG's Health Thermometer Profile.

Sources: Health Thermometer Service 1.0, GATT Specification Supplement (Temperature Measurement
2A1C, Intermediate Temperature 2A1E, Temperature Type 2A1D).

Layout of both: flags (1 byte), temperature (FLOAT), then as the flags announce time stamp (7) and
temperature type (1).
"""

from __future__ import annotations

from drivers.driver import Decoded, Driver
from drivers.ieee11073 import Number
from drivers.payload import Payload
from drivers.quality import measurements
from hub.readings import AbsentReason, DeviceTime, Flag, Quality, Vital

_FAHRENHEIT = 0x01
_TIME_STAMP = 0x02
_TEMPERATURE_TYPE = 0x04

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


def decode_measurement(payload: bytes) -> Decoded:
    """Decode a Temperature Measurement (2A1C). Raises `DecodeError`."""
    flags: set[Flag] = set()
    temperature, time, site = _read(payload, flags)
    return Decoded(
        measurements=measurements([(Vital.TEMPERATURE, temperature, Quality.GOOD)], flags, site=site),
        flags=frozenset(flags),
        device_time=time,
    )


def decode_intermediate_temperature(payload: bytes) -> Decoded:
    """Decode an Intermediate Temperature (2A1E). Raises `DecodeError`.

    It is a temperature that is still rising, for a display, and no finished measurement: it has
    no measurements, only its flags, `Flag.MEASUREMENT_ONGOING` among them.
    """
    flags = {Flag.MEASUREMENT_ONGOING}
    _, time, _ = _read(payload, flags)
    return Decoded(measurements=(), flags=frozenset(flags), device_time=time)


def _read(payload: bytes, flags: set[Flag]) -> tuple[Number, DeviceTime | None, str | None]:
    content = Payload(payload)
    present = content.unsigned(1)
    temperature = content.float32()
    time = content.date_time(flags) if present & _TIME_STAMP else None
    site = _SITES.get(content.unsigned(1)) if present & _TEMPERATURE_TYPE else None
    content.finish()
    if present & _FAHRENHEIT:
        temperature = _degrees_celsius(temperature)
    return temperature, time, site


def _degrees_celsius(fahrenheit: Number) -> Number:
    """Convert, to 0.01 degC: a thermometer's 0.1 degF is 0.06 degC."""
    if isinstance(fahrenheit, AbsentReason):
        return fahrenheit
    return round((fahrenheit - 32.0) / 1.8, 2)


DRIVER = Driver(
    name="thermometer",
    title="Thermometer (Bluetooth Health Thermometer Profile)",
    service="1809",
    characteristics={"2a1c": decode_measurement, "2a1e": decode_intermediate_temperature},
    intermediate=frozenset({"2a1e"}),
)
