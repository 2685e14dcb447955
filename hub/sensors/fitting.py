"""Whether what is said of a sensor can be: is there its driver, and does that fit what is at its address?"""

from __future__ import annotations

from typing import NamedTuple

from drivers.catalogue import DRIVERS, UnknownDriverError, driver
from drivers.driver import Driver
from drivers.gatt import GattDriver
from drivers.usb.address import is_usb
from drivers.wristband_reader import KeyboardDriver
from hub.configuration.file import Sensor


class Misfit(NamedTuple):
    """What cannot be: the key of a `[[sensors]]` that is wrong, and why in words, with what to do."""

    key: str
    words: str


def misfit(sensor: Sensor) -> Misfit | None:
    """What of a sensor cannot be; None where all can."""
    try:
        found = driver(sensor.driver)
    except UnknownDriverError as error:
        return Misfit("driver", str(error))
    if isinstance(found, GattDriver) is is_usb(sensor.address):
        there, here = ("USB", "Bluetooth") if is_usb(sensor.address) else ("Bluetooth", "USB")
        return Misfit(
            "driver",
            f"{sensor.address} is on {there}, and {sensor.driver} reads what is on {here}; of {there} there"
            f" are: {', '.join(drivers_at(sensor.address))}",
        )
    if is_reader(found) and sensor.resident is not None:
        words = f"{sensor.driver} is nobody's own: it reads everybody's wristband; leave the resident out"
        return Misfit("resident", words)
    return None


def drivers_at(address: str) -> list[str]:
    """The names of the drivers that can read what is at such an address, in the order of the alphabet."""
    on_usb = is_usb(address)
    return sorted(name for name, each in DRIVERS.items() if isinstance(each, GattDriver) is not on_usb)


def is_reader(found: Driver | None) -> bool:
    """Whether it is one of readers of wristbands."""
    return isinstance(found, KeyboardDriver)
