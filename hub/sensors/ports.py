"""Makes the USB ports that the configuration names; each is loaded only where it is used."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from hub.configuration.file import Config

if TYPE_CHECKING:
    from drivers.usb.bus import UsbBus


@asynccontextmanager
async def open_ports(config: Config) -> AsyncIterator[UsbBus | None]:
    """The ports, for as long as the context lasts; None where USB is off."""
    match config.usb.ports:
        case "off":
            yield None
        case "udev":
            from drivers.usb.udev import UdevBus

            yield UdevBus()
        case "virtual":
            from drivers.virtual.usb import VirtualUsb

            async with VirtualUsb.open(config.usb.scenario) as ports:
                yield ports
