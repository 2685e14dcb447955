"""The drivers that there are, by name. A new driver is one line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from drivers import (
    and_medical,
    beurer_bm85,
    blood_pressure,
    bthome,
    contec_cms50,
    contec_cms50_classic,
    glucose,
    glucose_and_ketone,
    heart_rate,
    nonin_3230,
    nonin_df8,
    nonin_serial,
    onetouch_ultra_easy,
    pulse_oximeter,
    thermometer,
    viatom_pc60fw,
    weight_scale,
    wristband_reader,
)
from drivers.driver import Driver
from drivers.gatt import GattDriver
from hub.errors import CareportError

DRIVERS: Mapping[str, Driver] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            blood_pressure.DRIVER,
            pulse_oximeter.DRIVER,
            thermometer.DRIVER,
            heart_rate.DRIVER,
            glucose.DRIVER,
            glucose_and_ketone.DRIVER,
            weight_scale.DRIVER,
            *and_medical.DRIVERS,
            beurer_bm85.DRIVER,
            nonin_3230.DRIVER,
            viatom_pc60fw.DRIVER,
            bthome.DRIVER,
            nonin_serial.DRIVER,
            nonin_df8.DRIVER,
            contec_cms50.DRIVER,
            contec_cms50_classic.DRIVER,
            onetouch_ultra_easy.DRIVER,
            wristband_reader.DRIVER,
        )
    }
)
"""Every driver by its name, as the configuration and recordings name it."""

GATT_DRIVERS: Mapping[str, GattDriver] = MappingProxyType(
    {name: entry for name, entry in DRIVERS.items() if isinstance(entry, GattDriver)}
)
"""Those of Bluetooth sensors."""


class UnknownDriverError(CareportError):
    """There is no driver of that name; carries the name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no driver is named {name!r}; there are: {', '.join(sorted(DRIVERS))}")
        self.name = name


def driver(name: str) -> Driver:
    """The driver of that name. Raises `UnknownDriverError`, which lists the names that there are."""
    try:
        return DRIVERS[name]
    except KeyError:
        raise UnknownDriverError(name) from None
