"""A radio in use without a collector: it scans, and is watched over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from bleak import BleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from drivers.bluetooth.radio import RADIO_ERRORS, Radio
from tests.rigs.collecting import until


class Use:
    """What a radio hears; `lost` is done when it is lost."""

    def __init__(self, radio: Radio) -> None:
        self.radio = radio
        self.devices: dict[str, BLEDevice] = {}
        self.advertisements: list[AdvertisementData] = []
        self.scanner = radio.scanner(self.heard)
        self.lost = asyncio.ensure_future(radio.wait_until_lost())

    def heard(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        """Note it."""
        self.devices[device.address] = device
        self.advertisements.append(advertisement)

    async def device(self, address: str) -> BLEDevice:
        """The device, once it is heard."""
        await until(lambda: address in self.devices)
        return self.devices[address]

    @contextlib.asynccontextmanager
    async def connected(
        self, address: str, *, bond: bool = False, passkey: int | None = None
    ) -> AsyncIterator[BleakClient]:
        """A client that is connected, and disconnected in the end, also where connecting failed."""
        client = self.radio.client(await self.device(address), lambda _: None, bond=bond, passkey=passkey)
        try:
            await client.connect()
            yield client
        finally:
            with contextlib.suppress(*RADIO_ERRORS):
                await client.disconnect()


@contextlib.asynccontextmanager
async def using(radio: Radio) -> AsyncIterator[Use]:
    """Use a radio that has no problem."""
    assert await radio.problem() is None
    use = Use(radio)
    await use.scanner.start()
    try:
        yield use
    finally:
        use.lost.cancel()
        await asyncio.wait([use.lost])
        with contextlib.suppress(*RADIO_ERRORS):
            await use.scanner.stop()
