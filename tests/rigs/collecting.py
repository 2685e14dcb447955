"""A Bluetooth collector that runs for the length of a test, and what it collected."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from drivers.bluetooth.collector import BluetoothCollector, EnrolledSensor, Patience
from drivers.bluetooth.radio import Radio
from drivers.driver import Decoded
from drivers.gatt import GattDriver
from hub.readings import RawPayload

IMPATIENT = Patience(sensor_least=0.02, sensor_most=0.1, radio_least=0.02, radio_most=0.1)
_TOO_LONG = 30.0


def _decode_nothing(_payload: bytes) -> Decoded:
    return Decoded(())


def _silent(name: str, title: str, service: str, *characteristics: str) -> GattDriver:
    return GattDriver(
        name=name,
        title=title,
        service=service,
        characteristics=dict.fromkeys(characteristics, _decode_nothing),
    )


CUFF = _silent("cuff", "blood pressure cuff", "1810", "2a35")
OXIMETER = _silent("oximeter", "pulse oximeter", "1822", "2a5e", "2a5f")
THERMOMETER = _silent("thermometer", "thermometer", "1809", "2a1c")


async def until(condition: Callable[[], bool]) -> None:
    """Wait until it is so.

    Raises:
        TimeoutError: it does not become so; the test has failed.
    """
    async with asyncio.timeout(_TOO_LONG):
        while not condition():
            await asyncio.sleep(0.005)


class Collected:
    """The collector, and the payloads that it delivered, in their order."""

    def __init__(self, radio: Radio, sensors: Sequence[EnrolledSensor], patience: Patience) -> None:
        self.received: list[RawPayload] = []
        self.collector = BluetoothCollector(sensors, radio, self._deliver, patience=patience)
        self.task: asyncio.Task[None] | None = None

    @property
    def payloads(self) -> list[bytes]:
        """The bytes alone."""
        return [raw.payload for raw in self.received]

    def sent_by(self, address: str) -> list[bytes]:
        """The bytes of one sensor."""
        return [raw.payload for raw in self.received if raw.device == address]

    async def until_received(self, count: int) -> None:
        """Wait until so many payloads were delivered."""
        await until(lambda: len(self.received) >= count)

    async def _deliver(self, raw: RawPayload) -> None:
        self.received.append(raw)


@contextlib.asynccontextmanager
async def collecting(
    radio: Radio, *sensors: tuple[str, GattDriver], patience: Patience = IMPATIENT
) -> AsyncIterator[Collected]:
    """Collect from these enrolled sensors; the collector is cancelled at the end."""
    collected = Collected(radio, [EnrolledSensor(*sensor) for sensor in sensors], patience)
    collected.task = asyncio.create_task(collected.collector.run())
    try:
        yield collected
    finally:
        collected.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await collected.task
