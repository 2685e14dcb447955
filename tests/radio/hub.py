"""A hub in this process, from the radio to the database: the real collector, reception, intake and store."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from drivers.bluetooth.collector import BluetoothCollector, EnrolledSensor
from drivers.bluetooth.healing import LADDER, Step
from drivers.bluetooth.patience import Patience
from drivers.catalogue import GATT_DRIVERS
from drivers.virtual.ward import VirtualWard
from hub.intake.reception import Reception
from hub.readings import RawPayload
from hub.store.writer import Writer
from tests.rigs.house import ILL, House

IMPATIENT = replace(
    Patience(), sensor_least=0.05, sensor_soon=0.2, sensor_most=0.2, radio_least=0.05, radio_most=0.2
)
"""As the product, but for the waits after a failure: a virtual radio's links take 30 ms, not seconds."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A sensor of the home: its address, the driver that reads it, and a passkey if it has one."""

    address: str
    driver: str
    passkey: int | None = None


class _TimedReception(Reception):
    """A reception that remembers how often, and when last, it had something of each sensor committed."""

    def __init__(self, hub: RadioHub, writer: Writer) -> None:
        super().__init__(writer, hub.house.intake)
        self._hub = hub

    async def accept(self, raw: RawPayload) -> None:
        await super().accept(raw)
        self._hub.note_committed(raw)


class RadioHub:
    """A hub that collects. `committed` counts payloads that are on the card, by sensor, and `committed_at`
    is `time.monotonic()` of the newest."""

    def __init__(self, directory: Path, ward: VirtualWard, sensors: Iterable[Enrolled]) -> None:
        self.ward = ward
        self.sensors = list(sensors)
        self.house = House(directory, _configured(self.sensors))
        self.committed: dict[str, int] = {}
        self.committed_at: dict[str, float] = {}
        self._changed = asyncio.Event()
        self.collector: BluetoothCollector
        self.reception: Reception

    def note_committed(self, raw: RawPayload) -> None:
        """A payload is on the card."""
        self.committed[raw.device] = self.committed.get(raw.device, 0) + 1
        self.committed_at[raw.device] = time.monotonic()
        self._changed.set()

    async def until_committed(self, address: str, count: int, patience: float) -> bool:
        """Wait until so many payloads of a sensor are on the card; whether they are."""
        deadline = time.monotonic() + patience
        while self.committed.get(address, 0) < count:
            self._changed.clear()
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            waiting = asyncio.ensure_future(self._changed.wait())
            try:
                await asyncio.wait((waiting,), timeout=left)
            finally:
                waiting.cancel()
        return True

    def stored(self, address: str) -> int:
        """How many readings of a sensor the store counts."""
        (number,) = self.house.connection.execute(
            "SELECT count(*) FROM reading JOIN source ON source.number = reading.source WHERE device = ?",
            (address,),
        ).fetchone()
        return int(number)

    def unread(self, address: str) -> str:
        """Why payloads of a sensor could not be decoded; empty where all could."""
        rows = self.house.connection.execute(
            "SELECT DISTINCT problem FROM reading JOIN source ON source.number = reading.source"
            " WHERE device = ? AND problem IS NOT NULL",
            (address,),
        )
        return "; ".join(problem for (problem,) in rows)

    def trouble(self, address: str) -> str | None:
        """What the hub says is wrong with a sensor."""
        [status] = [each for each in self.collector.status().sensors if each.address == address]
        return status.trouble


@contextlib.asynccontextmanager
async def radio_hub(
    directory: Path,
    ward: VirtualWard,
    *sensors: Enrolled,
    patience: Patience = IMPATIENT,
    ladder: Sequence[Step] = LADDER,
) -> AsyncIterator[RadioHub]:
    """A hub that collects from these sensors of the ward, until the context ends."""
    hub = RadioHub(directory, ward, sensors)
    async with Writer(hub.house.path, timedelta(milliseconds=10), reserve_bytes=1 << 16) as writer:
        hub.reception = _TimedReception(hub, writer)
        hub.collector = BluetoothCollector(
            [
                EnrolledSensor(sensor.address, GATT_DRIVERS[sensor.driver], passkey=sensor.passkey)
                for sensor in sensors
            ],
            ward.radio,
            hub.reception.accept_from_radio,
            local_now=lambda: datetime.now(UTC),
            patience=patience,
            ladder=ladder,
        )
        collecting = asyncio.create_task(hub.collector.run())
        try:
            yield hub
        finally:
            collecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await collecting
            await hub.reception.settled()
            hub.house.connection.close()


_IN_THE_HOUSE = {f"C4:F2:17:00:00:{last}" for last in ("01", "02", "03", "0F", "12")}


def _configured(sensors: Iterable[Enrolled]) -> str:
    """The sensors as tables of the configuration, all of one resident."""
    return "".join(
        f'[[sensors]]\naddress = "{sensor.address}"\ndriver = "{sensor.driver}"\nresident = "{ILL}"\n'
        for sensor in sensors
        if sensor.address not in _IN_THE_HOUSE
    )
