"""A hub in this process, from the lines to the database: the real collector, reception, intake and store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from drivers.usb.bus import UsbBus
from drivers.usb.collector import EnrolledUsb, UsbCollector
from hub.intake.reception import Reception
from hub.running.patience import within
from hub.store.writer import Writer
from tests.rigs.house import ILL, House


@dataclass(slots=True)
class UsbHub:
    """A hub that collects what is plugged in."""

    house: House
    collector: UsbCollector

    async def until(self, condition: Callable[[], bool], patience: float = 10.0) -> None:
        """Wait for it, as long as that; `TimeoutError` is not raised: what is measured then says so."""

        async def wait() -> None:
            while not condition():
                await asyncio.sleep(0.02)

        try:
            await within(patience, wait())
        except TimeoutError:
            return


@asynccontextmanager
async def usb_hub(directory: Path, bus: UsbBus, sensors: Sequence[EnrolledUsb]) -> AsyncIterator[UsbHub]:
    """A hub whose sensors are all one resident's, until the context ends."""
    house = House(
        directory,
        "".join(
            f'[[sensors]]\naddress = "{each.address}"\ndriver = "{each.driver.name}"\nresident = "{ILL}"\n'
            for each in sensors
        ),
    )
    async with Writer(house.path, timedelta(milliseconds=200), reserve_bytes=1 << 16) as writer:
        reception = Reception(writer, house.intake)
        collector = UsbCollector(
            sensors,
            bus,
            reception.accept_from_radio,
            scanned=lambda _address, _code: None,
            unheard=lambda _address: None,
            local_now=lambda: datetime.now(UTC),
        )
        collecting = asyncio.create_task(collector.run())
        try:
            yield UsbHub(house, collector)
        finally:
            collecting.cancel()
            await asyncio.wait((collecting,))
            await reception.settled()
            house.connection.close()
