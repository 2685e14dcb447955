"""The collector of USB: every enrolled device that is plugged in is listened to, and no other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from drivers.bluetooth.device_information import DeviceInformation
from drivers.serial_line import SerialDriver
from drivers.usb.address import UsbAddress
from drivers.usb.bus import UsbBus, UsbDevice
from drivers.wristband_reader import KeyboardDriver
from hub.readings import RawPayload


@dataclass(frozen=True, slots=True)
class EnrolledUsb:
    """A device to listen to, and as what."""

    address: UsbAddress
    driver: SerialDriver | KeyboardDriver


@dataclass(frozen=True, slots=True)
class UsbSensorStatus:
    """How an enrolled device is. `connected`: it is plugged in and open. `last_heard` is when it last sent
    anything, `last_payload` when last a whole payload (or a scan). `trouble` says in words what is the
    matter, None while all is well; not to be plugged in is no trouble. `frames` and `passed_over` are of this
    link."""

    address: str
    plugged_in: bool
    connected: bool
    node: str | None
    last_heard: datetime | None
    last_payload: datetime | None
    trouble: str | None
    frames: int
    passed_over: int


@dataclass(frozen=True, slots=True)
class UsbStatus:
    """The collector as `carehub doctor` and the status message show it: as `CollectorStatus` of Bluetooth."""

    words: str
    usable: bool
    sensors: tuple[UsbSensorStatus, ...]
    waiting: int
    lost: int


@dataclass(frozen=True, slots=True)
class UsbSighting:
    """A device that is plugged in, enrolled or not. `address` is what it is best enrolled by: its serial
    number where no other device that is plugged in says the same one. `since` is when the hub saw it."""

    address: str
    by_port: str
    device: UsbDevice
    since: datetime


class UsbCollector:
    """Collects from enrolled devices, and only from those, for as long as `run` runs."""

    def __init__(
        self,
        sensors: Sequence[EnrolledUsb],
        bus: UsbBus,
        deliver: Callable[[RawPayload], Awaitable[None]],
        *,
        scanned: Callable[[str, str], None],
        learned: Callable[[str, DeviceInformation], None] = lambda _address, _said: None,
        local_now: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        """`scanned` is told, by the reader's address, each code that is read off a wristband; all else as
        for `drivers.bluetooth.collector.BluetoothCollector`."""
        raise NotImplementedError

    def status(self) -> UsbStatus:
        """How USB and each enrolled device is now."""
        raise NotImplementedError

    def sightings(self) -> tuple[UsbSighting, ...]:
        """What is plugged in and may be a sensor or a reader, in the order of the sockets."""
        raise NotImplementedError

    def enrol(self, sensor: EnrolledUsb) -> None:
        """Collect from this device as well, from now on. Raises `ValueError` where it is enrolled already."""
        raise NotImplementedError

    async def forget(self, address: str) -> None:
        """Collect no more from this device; when this returns its node is closed. Raises `KeyError`."""
        raise NotImplementedError

    async def run(self) -> None:
        """Collect until cancelled; then deliver what was received before it returns."""
        raise NotImplementedError
