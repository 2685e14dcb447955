"""What is plugged in: the words that udev, the virtual sockets and the collector share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from drivers.usb.address import UsbAddress, tells_apart
from hub.errors import CareportError
from hub.readings import Origin


class UsbError(CareportError):
    """Something with USB does not work; says what, and what to do."""


class Kind(Enum):
    """What the kernel made of an interface."""

    SERIAL = "serial line"
    KEYBOARD = "keyboard"


@dataclass(frozen=True, slots=True)
class UsbDevice:
    """One interface of a device that is plugged in.

    `id` tells it apart from every other for as long as it is plugged in (its path in sysfs); `node` is what
    is opened ("/dev/ttyUSB0"). `port` is the socket as udev names it (`ID_PATH` without the interface),
    `serial` what the device says of itself, if anything.
    """

    id: str
    kind: Kind
    node: str
    vendor: int
    product: int
    port: str
    serial: str | None = None
    interface: int = 0
    manufacturer: str = ""
    name: str = ""

    @property
    def by_port(self) -> UsbAddress:
        """Its address by the socket."""
        return UsbAddress(self.vendor, self.product, port=self.port.upper(), interface=self.interface)

    @property
    def by_serial(self) -> UsbAddress | None:
        """Its address by the serial number; None where that tells it apart from nothing."""
        if self.serial is None or not tells_apart(self.serial):
            return None
        return UsbAddress(self.vendor, self.product, self.serial.upper(), interface=self.interface)

    @property
    def address(self) -> UsbAddress:
        """What it is best enrolled by."""
        return self.by_serial or self.by_port

    def is_named_by(self, address: UsbAddress) -> bool:
        """Whether this is the device, or one of the devices, that the address means."""
        return address in (self.by_serial, self.by_port)


@dataclass(frozen=True, slots=True)
class Change:
    """A device is there now, or is not there any more."""

    device: UsbDevice
    present: bool


class Key(NamedTuple):
    """What a key of a keyboard does: the kernel's code of it (`KEY_A` is 30); it goes down, or comes up, or
    is held and `repeats` by itself. `at` is when the kernel had it, in seconds of the monotonic clock that
    the event loop has too, None where it does not tell: a reader types no slower where the hub is busy."""

    code: int
    down: bool = True
    repeats: bool = False
    at: float | None = None


class Keyboard(Protocol):
    """A keyboard that only the hub hears: no console and nobody else gets what is typed."""

    def keys(self) -> AsyncIterator[Key | None]:
        """The keys as they go down and come up; None where the kernel has lost some: what is being typed is
        not whole. Raises `UsbError` when it is pulled out."""
        ...


class UsbBus(Protocol):
    """Where devices are plugged in. All its methods are for one event loop."""

    @property
    def origin(self) -> Origin:
        """What its readings are marked with."""
        ...

    def changes(self) -> AsyncGenerator[Change | None, None]:
        """First what is there, then None once: that was all of it; then what comes and goes, until cancelled.

        Raises `UsbError` where that cannot be told (no udev); it may be asked again, and begins anew.
        """
        ...

    def keyboard(self, device: UsbDevice) -> AbstractAsyncContextManager[Keyboard]:
        """Take a keyboard for the hub alone, for as long as the context lasts. Raises `UsbError`."""
        ...
