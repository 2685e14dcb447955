"""What is done with one enrolled device while it is plugged in: a serial sensor is talked with, a reader of
wristbands listened to. A session runs from when its device is there until it is cancelled."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime

from drivers.bluetooth.device_information import DeviceInformation
from drivers.bluetooth.radio import doubling, loop_time
from drivers.serial_line import Conversation, Heard, SerialDriver
from drivers.usb.address import UsbAddress
from drivers.usb.bus import Key, Keyboard, UsbBus, UsbDevice, UsbError
from drivers.usb.line import Line, open_line
from drivers.usb.patience import Patience
from drivers.usb.wedge import ScanLostError, Wedge
from hub.clock import now
from hub.readings import Origin, RawPayload

_log = logging.getLogger(__name__)
_TO_BE_READ = 0.05  # seconds


@dataclass(slots=True)
class Link:
    """How a device is, for its status. `trouble` is in words, None while all is well."""

    connected: bool = False
    last_heard: datetime | None = None
    last_payload: datetime | None = None
    trouble: str | None = None
    frames: int = 0
    passed_over: int = 0


class Session(ABC):
    """One enrolled device, plugged in or not: `link` says how it is, over all the times that it was there."""

    def __init__(self, address: UsbAddress, patience: Patience) -> None:
        self.address = str(address)
        self.link = Link()
        self._patience = patience

    async def run(self, device: UsbDevice) -> None:
        """Listen to the device until cancelled; what cannot be opened, or breaks, is tried again.

        When it returns nothing of it is open.
        """
        said: str | None = None
        waits = doubling(self._patience.again_least, self._patience.again_most)
        while True:
            began, trouble = loop_time(), f"{device.node}: ended"
            try:
                await self._listen(device)
            except UsbError as error:
                trouble = f"{device.node}: {error}"
            finally:
                self.link.connected = False
            if loop_time() - began > self._patience.again_most:
                waits = doubling(self._patience.again_least, self._patience.again_most)
            wait = next(waits)
            if trouble != said:  # what is pulled out is soon told of by udev: that is no trouble
                said = trouble
                _log.info("sensor %s: %s", self.address, trouble)
            await asyncio.sleep(wait)
            self.link.trouble = trouble

    @abstractmethod
    async def _listen(self, device: UsbDevice) -> None:
        """Listen until the device fails, which raises `UsbError`."""


class SerialSession(Session):
    """A sensor on a serial line."""

    def __init__(
        self,
        address: UsbAddress,
        driver: SerialDriver,
        origin: Origin,
        received: Callable[[RawPayload], None],
        learned: Callable[[str, DeviceInformation], None],
        local_now: Callable[[], datetime | None],
        patience: Patience,
    ) -> None:
        """As for the collector; `received` must not wait."""
        super().__init__(address, patience)
        self._driver = driver
        self._origin = origin
        self._received = received
        self._learned = learned
        self._local_now = local_now

    async def _listen(self, device: UsbDevice) -> None:
        rest = self._patience.rest if self._driver.streaming else self._patience.answer
        async with open_line(device.node, self._driver.settings, rest=rest) as line:
            _log.info("sensor %s: open (%s)", self.address, device.node)
            self.link.connected = True
            self.link.trouble = None
            local = self._local_now()
            conversation = self._begin(line, local)
            watch = _FrameWatch(self._driver.title, self._patience.frameless)
            while True:
                octets = await line.read()
                at = loop_time()
                if local is None and (local := self._local_now()) is not None:
                    # What is plugged in when the hub starts is opened before its clock is set.
                    conversation = self._begin(line, local)
                if octets:
                    self.link.last_heard = now()
                    self._take(line, conversation.hear(octets, at))
                self._take(line, conversation.wait(at))
                self.link.frames, self.link.passed_over = conversation.frames, conversation.passed_over
                self.link.trouble = watch.trouble(conversation, at)

    def _begin(self, line: Line, local: datetime | None) -> Conversation:
        conversation = self._driver.converse()
        self._take(line, conversation.begin(loop_time(), local))
        return conversation

    def _take(self, line: Line, heard: Heard) -> None:
        line.write(heard.write)
        if heard.payloads:
            moment = self.link.last_payload = now()
            for characteristic, payload in heard.payloads:
                self._received(
                    RawPayload(self.address, self._driver.name, payload, moment, characteristic, self._origin)
                )
        if heard.information is not None:
            self._learned(self.address, heard.information)


class _FrameWatch:
    """Says it, where a device sends what is no frame of its driver's."""

    def __init__(self, title: str, seconds: float) -> None:
        self._title = title
        self._seconds = seconds
        self._frames = 0
        self._passed_over = 0
        self._since: float | None = None
        self._trouble: str | None = None

    def trouble(self, conversation: Conversation, at: float) -> str | None:
        """In words, once nothing else came for so long; None again with the first frame."""
        if conversation.frames != self._frames or self._since is None:
            self._frames, self._passed_over, self._since = conversation.frames, conversation.passed_over, at
            self._trouble = None
        elif at - self._since >= self._seconds and conversation.passed_over > self._passed_over:
            self._trouble = (
                f"what it sends is not read as that of a {self._title}: is it enrolled with the right driver,"
                " and set to the output that the driver reads?"
            )
        return self._trouble


class ReaderSession(Session):
    """A reader of wristbands."""

    def __init__(
        self,
        address: UsbAddress,
        bus: UsbBus,
        scanned: Callable[[str, str | None], None],
        unheard: Callable[[str], None],
        patience: Patience,
    ) -> None:
        """As for the collector: `scanned` is told None of a scan that was lost."""
        super().__init__(address, patience)
        self._bus = bus
        self._scanned = scanned
        self._unheard = unheard

    async def _listen(self, device: UsbDevice) -> None:
        async with self._bus.keyboard(device) as keyboard:
            _log.info("reader %s: taken for the hub alone (%s)", self.address, device.node)
            self.link.connected = True
            self.link.trouble = None
            self._unheard(self.address)  # what was scanned before it was taken
            try:
                await self._hear(keyboard)
            finally:
                # Without it nobody can say that the next one is another resident.
                self._unheard(self.address)

    async def _hear(self, keyboard: Keyboard) -> None:
        wedge, keys = Wedge(), aiter(keyboard.keys())
        key = asyncio.ensure_future(_next(keys))
        try:
            while True:
                # A little later than due: what was typed while the hub was busy waits to be read.
                wait = None if wedge.due is None else max(0.0, wedge.due - loop_time()) + _TO_BE_READ
                done, _ = await asyncio.wait((key,), timeout=wait)
                try:
                    if not done:
                        wedge.wait(loop_time())
                        continue
                    self.link.last_heard = now()
                    pressed = key.result()
                    at = None if pressed is None else pressed.at
                    code = wedge.press(pressed, loop_time() if at is None else at)
                except ScanLostError as error:
                    _log.warning("reader %s: a scan was lost: %s", self.address, error)
                    self._scanned(self.address, None)
                else:
                    if code is not None:
                        self.link.last_payload = now()
                        self.link.frames += 1
                        self._scanned(self.address, code)
                if done:
                    key = asyncio.ensure_future(_next(keys))
        finally:
            key.cancel()
            await asyncio.wait((key,))


async def _next(keys: AsyncIterator[Key | None]) -> Key | None:
    return await anext(keys)
