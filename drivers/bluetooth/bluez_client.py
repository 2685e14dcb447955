"""A client and a scanner on BlueZ that let go: nothing is waited for that a bluetoothd that died, or hangs,
would have to answer; and a client that bonds before it discovers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from bleak import BleakClient, BleakScanner
from bleak.args.bluez import BlueZDiscoveryFilters
from bleak.backends.device import BLEDevice
from bleak.exc import BleakDBusError
from dbus_fast import Message, MessageFlag
from dbus_fast.aio import MessageBus

from drivers.bluetooth.agent import bond
from drivers.bluetooth.bonding import ENDED_AT_ONCE
from drivers.bluetooth.bus import BLUEZ, DEVICE, call, properties_of, system_bus
from drivers.bluetooth.radio import RADIO_ERRORS, Dropped, Heard, loop_time, stop_if_cancelled, words
from hub.running.patience import within

logger = logging.getLogger(__name__)

_TO_LET_GO = 0.5
"""Seconds. Cancelled, bleak tells bluetoothd to end the link, waits for the answer, and closes its bus."""

_CONNECT_SECONDS = 30.0  # bluetoothd's own, for a link that does not come about
_TRIES = 3
_BETWEEN_TRIES = 0.3  # seconds, in which bluetoothd notes that the link is gone
_TO_PAUSE = 2.0  # seconds
_TO_RESUME = 10.0  # seconds
_BETWEEN_RESUMING = 1.0  # seconds


class BlueZClient(BleakClient):
    """One connection to one sensor. `lost` is set when the radio is, and ends whatever goes on here; the
    sensor is in `ours`, among those that bluetoothd may bond with, for as long as there is a link."""

    def __init__(
        self,
        device: BLEDevice,
        dropped: Dropped,
        adapter: str | None,
        lost: asyncio.Event,
        ours: set[str],
        pause: ScanPause,
        *,
        bond: bool,
        passkey: int | None,
    ) -> None:
        super().__init__(device, dropped, bluez={"adapter": adapter} if adapter else {})
        self._path: str = device.details["path"]
        self._lost = lost
        self._ours = ours
        self._pause = pause
        self._bond = bond
        self._passkey = passkey
        self._was_made = False

    async def connect(self, **kwargs: Any) -> None:
        """Connect, with the bond that there is or with a new one; see `Radio.client`."""
        self._ours.add(self._path)
        try:
            async with self._pause.held():
                await unless_lost(self._lost, self._connect(**kwargs))
        except BaseException:
            self._ours.discard(self._path)
            raise

    async def disconnect(self) -> None:
        """End the link, if there is one. Without it bleak leaks a connection to the bus.

        Where none was made bleak has cleaned up; it would call over a bus that it has closed, and wait for
        ever.
        """
        self._ours.discard(self._path)
        if not self._was_made:
            return
        await unless_lost(self._lost, super().disconnect())

    async def pair(self, *_args: Any, **_kwargs: Any) -> None:
        """Bond, on a link that there is; nothing where there is a bond. For a sensor with a passkey too late:
        a link keeps the capability that the default agent had when it was made."""
        async with system_bus() as bus:
            if not (await properties_of(bus, self._path, DEVICE) or {}).get("Paired"):
                await bond(bus, self._path, self._passkey)

    async def _connect(self, **kwargs: Any) -> None:
        async with system_bus() as bus:
            known = await properties_of(bus, self._path, DEVICE) or {}
            try:
                if known.get("Paired"):
                    await self._connect_bonded(bus)
                elif self._bond:
                    if known.get("Connected") and self._passkey is not None:
                        await call(bus, BLUEZ, self._path, DEVICE, "Disconnect")  # see `pair`
                    await bond(bus, self._path, self._passkey)
                await super().connect(**kwargs)
                self._was_made = True
            except BaseException:
                await self._end_link(bus)
                raise

    async def _connect_bonded(self, bus: MessageBus) -> None:
        """Connect to a sensor that there is a bond with.

        One that has lost the bond ends each link at once. bleak would try again for ever then; so it is
        handed a link that is made, and who called learns the reason.
        """
        for tries_left in reversed(range(_TRIES)):
            try:
                await call(bus, BLUEZ, self._path, DEVICE, "Connect", seconds=_CONNECT_SECONDS)
            except BleakDBusError as error:
                if not tries_left or error.dbus_error_details not in ENDED_AT_ONCE:
                    raise
                await asyncio.sleep(_BETWEEN_TRIES)
            else:
                return

    async def _end_link(self, bus: MessageBus) -> None:
        """Whatever was begun: bluetoothd would go on with it, and a sensor with a link does not advertise."""
        message = Message(
            destination=BLUEZ,
            path=self._path,
            interface=DEVICE,
            member="Disconnect",
            flags=MessageFlag.NO_REPLY_EXPECTED,
        )
        with contextlib.suppress(*RADIO_ERRORS):
            await within(_TO_LET_GO, _send(bus, message))


class BlueZScanner(BleakScanner):
    """A scanner that is stopped even where nobody answers. Not filtered by services: addresses decide, and
    not all sensors advertise the service that they have."""

    def __init__(self, heard: Heard, adapter: str | None, lost: asyncio.Event, pause: ScanPause) -> None:
        # Where a filter says nothing that is not so anyway (LE alone, on an adapter that has no more), BlueZ
        # since 5.72 tells of a device only once, though it went away and came back meanwhile: a cuff's second
        # reading was heard after 32 s (measured, 5.82).
        filters: BlueZDiscoveryFilters = {"DuplicateData": True}
        super().__init__(heard, bluez={"filters": filters, **({"adapter": adapter} if adapter else {})})
        self._lost = lost
        self._pause = pause
        self._wanted = False
        self._scans = False
        self._changing = asyncio.Lock()
        pause.scanner = self

    async def start(self) -> None:
        """Scan, or do so as soon as nobody connects."""
        self._wanted = True
        await self.follow()

    async def stop(self) -> None:
        """Scan no more."""
        self._wanted = False
        await self.follow()

    async def follow(self) -> None:
        """Scan where that is wanted and nobody connects, and else do not."""
        async with self._changing:
            shall = self._wanted and not self._pause.links
            if shall and not self._scans:
                await unless_lost(self._lost, super().start())
                self._scans = True
            elif self._scans and not shall:
                self._scans = False
                await unless_lost(self._lost, super().stop())


class ScanPause:
    """While links are made nothing is scanned for, whichever scanner it is by then: the hub may scan anew
    while a sensor waits for its turn, or is connected to. `failed` is set where scanning could not be taken
    up again, as on a controller that hangs."""

    def __init__(self) -> None:
        self.links = 0
        self.scanner: BlueZScanner | None = None
        self.failed = asyncio.Event()
        self._failing_since: float | None = None
        self._resuming: set[asyncio.Task[None]] = set()

    def begin_anew(self) -> None:
        """What failed before does not matter any more."""
        self.failed.clear()
        self._failing_since = None

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Do not scan while a link is made. Raises nothing.

        While bluetoothd scans, the kernel does not look for a sensor by itself: it waits until that is
        reported again, which a controller that filters duplicates does with the next scan only, up to 10 s
        later (measured, Linux 6.12). And after bonding bluetoothd would not scan for 5 s.
        """
        self.links += 1
        try:
            if self.scanner is not None:
                with contextlib.suppress(*RADIO_ERRORS):
                    await within(_TO_PAUSE, self.scanner.follow())
            stop_if_cancelled()
            yield
        finally:
            self.links -= 1
            resuming = asyncio.create_task(self._resume())  # who is cancelled here could not wait for it
            self._resuming.add(resuming)
            resuming.add_done_callback(self._resuming.discard)

    async def _resume(self) -> None:
        """Scan again, unless somebody else connects by now."""
        while self.scanner is not None:
            try:
                await within(_TO_RESUME, self.scanner.follow())
            except RADIO_ERRORS as error:
                now = loop_time()
                self._failing_since = self._failing_since or now
                if now - self._failing_since >= _TO_RESUME:
                    logger.warning("Bluetooth: scanning was not taken up again: %s", words(error))
                    self.failed.set()
                    return
                await asyncio.sleep(_BETWEEN_RESUMING)
            else:
                if not self.links:
                    self._failing_since = None
                return


async def unless_lost(lost: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do the work; but shortly after the radio was lost give it up, and never wait for it to clean up long.

    Raises:
        ConnectionError: the radio was lost meanwhile; and what the work raises.
    """
    task = asyncio.create_task(work)
    loss = asyncio.create_task(lost.wait())
    try:
        await asyncio.wait((task, loss), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await asyncio.wait((task,), timeout=_TO_LET_GO)
        if not task.done():
            raise ConnectionError("the radio was lost")
    finally:
        loss.cancel()
        await _end(task)
    stop_if_cancelled()
    task.result()


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel, and again where it hangs in its own clean-up; what it raised then is of no use to anyone."""
    for _ in range(2):
        if not task.done():
            task.cancel()
            await asyncio.wait((task,), timeout=_TO_LET_GO)
    if task.done() and not task.cancelled():
        task.exception()


async def _send(bus: MessageBus, message: Message) -> None:
    await bus.send(message)
