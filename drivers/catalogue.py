"""The drivers that there are, by name. A new driver is one line here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from drivers import beurer_bm85, blood_pressure, pulse_oximeter, thermometer
from drivers.driver import Driver
from hub.errors import CareportError

DRIVERS: Mapping[str, Driver] = MappingProxyType(
    {
        module.DRIVER.name: module.DRIVER
        for module in (
            blood_pressure,
            pulse_oximeter,
            thermometer,
            beurer_bm85,
        )
    }
)
"""Every driver by its name, as the configuration and recordings name it."""


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
