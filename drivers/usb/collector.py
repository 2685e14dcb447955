"""The collector of USB: every enrolled device that is plugged in is listened to, and no other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

from drivers.bluetooth.device_information import DeviceInformation
from drivers.bluetooth.radio import doubling, stop_if_cancelled
from drivers.handing_over import HandingOver
from drivers.serial_line import SerialDriver
from drivers.usb.address import UsbAddress
from drivers.usb.bus import Change, Kind, UsbBus, UsbDevice, UsbError
from drivers.usb.patience import Patience
from drivers.usb.session import ReaderSession, SerialSession, Session
from drivers.wristband_reader import KeyboardDriver
from hub.clock import now
from hub.readings import RawPayload
from hub.running import progress
from hub.running.journal import about
from hub.running.supervision import keep_running

logger = logging.getLogger(__name__)

_LEAVES_WITHIN = 30.0  # seconds that all devices have to be closed in; else it hangs
_OTHER = {Kind.SERIAL: Kind.KEYBOARD, Kind.KEYBOARD: Kind.SERIAL}


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
    number where no other device has said the same one. `since` is when the hub saw it."""

    address: str
    by_port: str
    device: UsbDevice
    since: datetime


def _learn_nothing(_address: str, _said: DeviceInformation) -> None:
    pass


class UsbCollector:
    """Collects from enrolled devices, and only from those, for as long as `run` runs.

    `deliver` gets every payload in the order of its arrival, as from
    `drivers.bluetooth.collector.BluetoothCollector`.

    A device is taken for the one that an address means only where no doubt is possible: of two that say the
    same serial number neither is, and that is said. When one of them is pulled out the other is, if it is
    the one that had been there alone before; what is plugged in later may be either, until the hub restarts.
    """

    def __init__(
        self,
        sensors: Sequence[EnrolledUsb],
        bus: UsbBus,
        deliver: Callable[[RawPayload], Awaitable[None]],
        *,
        scanned: Callable[[str, str | None], None],
        unheard: Callable[[str], None],
        learned: Callable[[str, DeviceInformation], None] = _learn_nothing,
        local_now: Callable[[], datetime | None] = lambda: None,
        patience: Patience | None = None,
    ) -> None:
        """Start with nothing plugged in.

        Args:
            sensors: those that are enrolled now; `enrol` and `forget` change them.
            bus: the only one in the process.
            deliver: see above.
            scanned: is told, by the reader's address, each code that is read off a wristband; None where one
                was lost.
            unheard: is told, by its address, that a reader was not heard until now, or is not from now on.
            learned: is told, by a sensor's address, what it said about itself.
            local_now: the home's time, aware, for the sensors' clocks; None while it is not to be believed.
            patience: how long to wait for what.
        """
        self._bus = bus
        self._scanned = scanned
        self._unheard = unheard
        self._learned = learned
        self._local_now = local_now
        self._patience = patience or Patience()
        self.handing_over = HandingOver(deliver)
        self._present: dict[str, tuple[UsbDevice, datetime]] = {}
        # The serial numbers that two devices have said, and which of both had been there alone before.
        self._said_twice: dict[UsbAddress, UsbDevice | None] = {}
        self._enrolled: dict[str, _Enrolled] = {}
        self._usable = False
        self._words = "not started"
        for sensor in sensors:
            self.enrol(sensor)

    def status(self) -> UsbStatus:
        """How USB and each enrolled device is now."""
        return UsbStatus(
            words=self._words,
            usable=self._usable,
            sensors=tuple(each.status() for each in self._enrolled.values()),
            waiting=self.handing_over.waiting,
            lost=self.handing_over.lost,
        )

    def sightings(self) -> tuple[UsbSighting, ...]:
        """What is plugged in and may be a sensor or a reader, in the order of the sockets."""
        found = []
        for device, since in sorted(self._present.values(), key=lambda each: (each[0].port, each[0].id)):
            best = device.by_port if device.by_serial in self._said_twice else device.address
            found.append(UsbSighting(str(best), str(device.by_port), device, since))
        return tuple(found)

    def enrol(self, sensor: EnrolledUsb) -> None:
        """Collect from this device as well, from now on. Raises `ValueError` where it is enrolled already."""
        if str(sensor.address) in self._enrolled:
            raise ValueError(f"{sensor.address} is enrolled already")
        self._enrolled[str(sensor.address)] = _Enrolled(sensor, self._session(sensor))
        if self._usable:
            self._settle()

    async def forget(self, address: str) -> None:
        """Collect no more from this device; when this returns its node is closed. Raises `KeyError`."""
        await self._enrolled.pop(address).leave()
        if self._usable:
            self._settle()  # another may have meant the same device

    async def run(self) -> None:
        """Collect until cancelled; then close all, and deliver what was received before it returns."""
        try:
            await self.handing_over.run_beside(
                self._keep_collecting(), "USB", drain_seconds=self._patience.drain
            )
        finally:
            self._words = "stopped"

    async def _keep_collecting(self) -> None:
        said: str | None = None
        waits = self._new_waits()
        problem = "stopped"
        while True:
            try:
                async with aclosing(self._bus.changes()) as changes:
                    async for change in changes:
                        if change is not None:
                            self._note(change)
                        else:
                            progress.rest()
                            said, waits = None, self._new_waits()
                            self._usable, self._words = True, "listening to what is plugged in"
                        if self._usable:  # before all is told, it is not known what is there twice
                            self._settle()
                problem = "udev tells no more of what is plugged in"
            except UsbError as error:
                problem = str(error)
            finally:
                self._usable, self._words = False, problem
                self._present.clear()
                progress.turn(_LEAVES_WITHIN)
                await self._leave_all()
                progress.rest()
            stop_if_cancelled()
            logger.log(
                logging.DEBUG if problem == said else logging.ERROR,
                "no USB: %s; the hub looks again",
                problem,
            )
            said = problem
            await asyncio.sleep(next(waits))

    def _note(self, change: Change) -> None:
        device = change.device
        if change.present:
            self._note_a_second(device)
            self._present[device.id] = device, now()
            logger.info("USB: %s is plugged in (%s)", device.address, device.node)
        elif self._present.pop(device.id, None) is not None:
            logger.info("USB: %s was pulled out", device.address)

    def _note_a_second(self, device: UsbDevice) -> None:
        """Whether another says its serial number in another socket; in the same it would be this one anew."""
        if (serial := device.by_serial) is None:
            return
        others = [each for each, _ in self._present.values() if each.by_serial == serial]
        if any(each.by_port != device.by_port for each in others) and serial not in self._said_twice:
            # Before all is told nobody knows what had been there alone.
            self._said_twice[serial] = others[0] if self._usable and len(others) == 1 else None

    def _new_waits(self) -> Iterator[float]:
        return doubling(self._patience.udev_least, self._patience.udev_most)

    def _settle(self) -> None:
        """Listen to every enrolled device that is there, and to none that is not."""
        meant = {address: self._meant_by(each) for address, each in self._enrolled.items()}
        for address, each in self._enrolled.items():
            wanted, doubt = meant[address]
            rivals = [
                other
                for other, (device, _) in meant.items()
                if other != address and wanted is not None and device is wanted
            ]
            if rivals:
                # Whose is it? The serial number may be that of another device, which is not plugged in now.
                wanted, doubt = (
                    None,
                    f"it is enrolled as {rivals[0]} too, so it is not listened to: forget one",
                )
            each.doubt = doubt
            each.is_there(wanted)

    def _meant_by(self, each: _Enrolled) -> tuple[UsbDevice | None, str | None]:
        """The device that an enrolled one is, if it is there; else why it is not known which."""
        kind = Kind.KEYBOARD if isinstance(each.sensor.driver, KeyboardDriver) else Kind.SERIAL
        address = each.sensor.address
        found = self._named_by(address, kind)
        sockets = ", ".join(str(device.by_port) for device in found)
        if len(found) > 1 and address.serial is None:
            nodes = ", ".join(device.node for device in found)
            return None, f"there are {len(found)} of it in this socket ({nodes}), so none is listened to"
        if len(found) > 1:
            return None, (
                f"{len(found)} devices that are plugged in say this serial number, so none is listened to:"
                f" enrol each by its socket ({sockets})"
            )
        if found and self._said_twice.get(address, found[0]) is not found[0]:  # plugged in anew it is another
            return None, (
                "two devices have said this serial number, and nobody knows which of them this is: enrol each"
                f" by its socket ({sockets})"
            )
        if not found and (other := self._named_by(address, _OTHER[kind])):
            return None, (
                f"what is plugged in is a {other[0].kind.value}, and {each.sensor.driver.name} reads a"
                f" {kind.value}: forget it, and enrol it with another driver"
            )
        return (found[0], None) if found else (None, None)

    def _named_by(self, address: UsbAddress, kind: Kind) -> list[UsbDevice]:
        return [
            device
            for device, _ in self._present.values()
            if device.kind is kind and device.is_named_by(address)
        ]

    async def _leave_all(self) -> None:
        for each in tuple(self._enrolled.values()):  # meanwhile some may be enrolled, or forgotten
            await each.leave()

    def _session(self, sensor: EnrolledUsb) -> Session:
        if isinstance(sensor.driver, KeyboardDriver):
            return ReaderSession(sensor.address, self._bus, self._scanned, self._unheard, self._patience)
        return SerialSession(
            sensor.address,
            sensor.driver,
            self._bus.origin,
            self.handing_over.receive,
            self._learned,
            self._local_now,
            self._patience,
        )


class _Enrolled:
    """An enrolled device, and the task that listens to it while it is there."""

    def __init__(self, sensor: EnrolledUsb, session: Session) -> None:
        self.sensor = sensor
        self.session = session
        self.doubt: str | None = None
        self._device: UsbDevice | None = None
        self._task: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    def status(self) -> UsbSensorStatus:
        """As it is now."""
        link, device = self.session.link, self._device
        return UsbSensorStatus(
            address=self.session.address,
            plugged_in=device is not None,
            connected=link.connected,
            node=None if device is None else device.node,
            last_heard=link.last_heard,
            last_payload=link.last_payload,
            trouble=self.doubt or (link.trouble if device is not None else None),
            frames=link.frames,
            passed_over=link.passed_over,
        )

    def is_there(self, device: UsbDevice | None) -> None:
        """This device is it, as of now; None where it is not plugged in."""
        if device == self._device:
            return
        self._cancel()
        self._device = device
        if device is not None:
            self._task = asyncio.create_task(self._listen(device), name=f"USB: {self.session.address}")

    async def leave(self) -> None:
        """Listen no more; when this returns nothing of it is open."""
        self._cancel()
        self._device = None
        if self._leaving:
            await asyncio.wait(self._leaving)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._leaving.add(self._task)
            self._task.add_done_callback(self._leaving.discard)
            self._task = None

    async def _listen(self, device: UsbDevice) -> None:
        if self._leaving:
            # What it had open is closed first. Not kept in a variable: each would keep the one before it.
            await asyncio.wait(tuple(self._leaving))
        with about(device=self.session.address):
            await keep_running(f"USB: {self.session.address}", lambda: self.session.run(device))
