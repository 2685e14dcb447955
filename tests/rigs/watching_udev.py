"""What the real `UdevBus` tells of a testbed (`rigs/umockdev.py`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from drivers.usb.bus import Change, UsbDevice
from drivers.usb.udev import UdevBus
from hub.running.patience import within
from tests.rigs.umockdev import Plug

THERE = Path("/dev/null")  # in the place of udev's socket
FTDI = Plug()
READER = Plug("05f9", "2203", None, "Datalogic", "Handheld Barcode Scanner", "1.2", 9)
CH340 = Plug("1a86", "7523", None, "QinHeng Electronics", "USB Serial", "1.3", 8)


class Watch:
    """What a bus tells, one after the other."""

    def __init__(self, changes: AsyncGenerator[Change | None, None]) -> None:
        self._changes = changes
        self._asking: asyncio.Future[Change | None] | None = None

    async def there(self) -> list[UsbDevice]:
        """What it tells first, to the end of it."""
        devices = []
        while (change := await self.next()) is not None:
            assert change.present
            devices.append(change.device)
        return devices

    async def next(self) -> Change | None:
        """The next that it tells."""
        asking, self._asking = self._asking or self._ask(), None
        return await within(20, _result(asking))

    async def nothing(self) -> None:
        """It tells nothing, though it has had the time to."""
        self._asking = self._asking or self._ask()
        for _ in range(5):
            await asyncio.sleep(0.01)
        assert not self._asking.done(), self._asking.result()

    async def end(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])
        await self._changes.aclose()

    def _ask(self) -> asyncio.Future[Change | None]:
        return asyncio.ensure_future(anext(self._changes))


async def _result(asking: asyncio.Future[Change | None]) -> Change | None:
    return await asking


@asynccontextmanager
async def watching(bus: UdevBus | None = None) -> AsyncIterator[Watch]:
    watch = Watch((bus or UdevBus(THERE)).changes())
    try:
        yield watch
    finally:
        await watch.end()


async def the_only_one() -> UsbDevice:
    """All that is plugged in."""
    async with watching() as watch:
        (device,) = await watch.there()
        return device
