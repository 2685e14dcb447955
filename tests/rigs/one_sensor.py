"""One sensor's session on a virtual radio, and all that came of it: what a collector does, without one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.uuids import normalize_uuid_str

from drivers.bluetooth.connection_queue import ConnectionQueue
from drivers.bluetooth.device_information import DeviceInformation
from drivers.bluetooth.patience import Patience
from drivers.bluetooth.session import EnrolledSensor, SensorSession
from drivers.virtual.radio import VirtualRadio
from hub.readings import RawPayload

ADDRESS = "C4:F2:17:00:00:01"
QUICK = Patience(
    sensor_least=0.02,
    sensor_soon=0.1,
    sensor_most=0.1,
    sensor_long=0.1,
    refused_least=0.05,
    refused_most=0.1,
    stored=5.0,
    late=0.05,
    idle=0.05,
    busy=0.5,
)


def advertisement(**told: bytes) -> AdvertisementData:
    """An advertisement with this service data, by the service's 16-bit UUID."""
    service_data = {normalize_uuid_str(name): payload for name, payload in told.items()}
    return AdvertisementData(None, {}, service_data, [], None, -60, ())


def device() -> BLEDevice:
    """The sensor, as a scanner would have found it."""
    return BLEDevice(ADDRESS, None, None)


class OneSensor:
    """The session, and what it received and learned."""

    def __init__(
        self,
        radio: VirtualRadio,
        sensor: EnrolledSensor,
        local_now: Callable[[], datetime | None],
        patience: Patience,
    ) -> None:
        self.received: list[RawPayload] = []
        self.learned: list[DeviceInformation] = []
        self.queue = ConnectionQueue()
        self.begun = asyncio.Event()
        self.session = SensorSession(
            sensor,
            radio,
            self.queue,
            self.received.append,
            learned=lambda _address, information: self.learned.append(information),
            local_now=local_now,
            patience=patience,
        )

    @property
    def payloads(self) -> list[bytes]:
        """The bytes alone."""
        return [raw.payload for raw in self.received]

    @property
    def trouble(self) -> str:
        """The last trouble, or nothing."""
        return self.session.status().trouble or ""

    async def run(self, radio: VirtualRadio) -> None:
        """Scan, and collect, until cancelled."""

        def heard(device: BLEDevice, advertisement: AdvertisementData) -> None:
            if device.address == ADDRESS:
                self.session.heard(device, advertisement)

        scanner = radio.scanner(heard)
        await scanner.start()
        self.begun.set()  # whoever waits for it goes on when the session waits: it begins by forgetting
        try:
            await self.session.run()
        finally:
            await scanner.stop()


@contextlib.asynccontextmanager
async def collecting_from(
    radio: VirtualRadio,
    sensor: EnrolledSensor,
    *,
    local_now: Callable[[], datetime | None] = lambda: None,
    patience: Patience = QUICK,
) -> AsyncIterator[OneSensor]:
    """Collect from this sensor, whose address is `ADDRESS`; the session is cancelled at the end."""
    one = OneSensor(radio, sensor, local_now, patience)
    running = asyncio.create_task(one.run(radio))
    try:
        async with asyncio.timeout(30):
            await one.begun.wait()
        yield one
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
