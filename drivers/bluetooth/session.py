"""One enrolled sensor: wait until it is heard, connect, subscribe, listen until the link drops, and again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.uuids import normalize_uuid_str

from drivers.bluetooth.radio import RADIO_ERRORS, Radio, doubling, stop_if_cancelled, words
from drivers.driver import Driver
from hub.patience import within
from hub.readings import RawPayload

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EnrolledSensor:
    """A sensor that belongs to this home: its Bluetooth address in capitals, and the driver that reads it."""

    address: str
    driver: Driver


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the collector waits, in seconds.

    `connect` is short beside BlueZ's own 25 to 30 s: one connection is made at a time, and a sensor that
    has gone must not keep the others, which advertise for about a minute, from being heard.
    """

    connect: float = 15.0
    disconnect: float = 10.0
    sensor_least: float = 1.0
    sensor_most: float = 15.0
    radio_least: float = 5.0
    radio_most: float = 60.0
    drain: float = 5.0


@dataclass(frozen=True, slots=True)
class SensorStatus:
    """One sensor as the radio knows it. `trouble` is the last failure, until a connection succeeds."""

    address: str
    driver: str
    connected: bool
    last_heard: datetime | None
    last_payload: datetime | None
    trouble: str | None


class SensorSession:
    """Everything about one enrolled sensor's link. `run` is its only task."""

    def __init__(
        self,
        sensor: EnrolledSensor,
        radio: Radio,
        connecting: asyncio.Lock,
        received: Callable[[RawPayload], None],
        patience: Patience,
    ) -> None:
        self._sensor = sensor
        self._radio = radio
        self._connecting = connecting
        self._received = received
        self._patience = patience
        self._characteristics = {normalize_uuid_str(uuid): uuid for uuid in sensor.driver.subscribed}
        self._advertised = asyncio.Event()
        self._device: BLEDevice | None = None
        self._busy = False
        self._deaf_until = 0.0
        self._connected = False
        self._last_heard: datetime | None = None
        self._last_payload: datetime | None = None
        self._trouble: str | None = None

    def status(self) -> SensorStatus:
        """The sensor's state now."""
        return SensorStatus(
            address=self._sensor.address,
            driver=self._sensor.driver.name,
            connected=self._connected,
            last_heard=self._last_heard,
            last_payload=self._last_payload,
            trouble=self._trouble,
        )

    def heard(self, device: BLEDevice) -> None:
        """The sensor advertises: it has something to say. What a connection itself stirs up is not meant."""
        if self._busy or asyncio.get_running_loop().time() < self._deaf_until:
            return
        self._last_heard = datetime.now(UTC)
        self._device = device
        self._advertised.set()

    async def run(self) -> None:
        """Collect whenever the sensor is heard, until cancelled; failures are logged and tried again."""
        self._advertised.clear()  # a device found by an earlier scanner is no longer valid
        self._deaf_until = 0.0
        waits = doubling(self._patience.sensor_least, self._patience.sensor_most)
        while True:
            await self._advertised.wait()
            self._advertised.clear()
            assert self._device is not None
            try:
                await self._collect(self._device)
            except RADIO_ERRORS as error:
                stop_if_cancelled()
                wait = next(waits)
                self._trouble = words(error)
                logger.warning(
                    "sensor %s (%s): %s; trying again after %g s, once it is heard",
                    self._sensor.address,
                    self._sensor.driver.name,
                    self._trouble,
                    wait,
                )
                await asyncio.sleep(wait)
            else:
                stop_if_cancelled()
                self._trouble = None
                waits = doubling(self._patience.sensor_least, self._patience.sensor_most)

    async def _collect(self, device: BLEDevice) -> None:
        dropped = asyncio.Event()
        client = self._radio.client(device, lambda _client: dropped.set())
        self._busy = True
        try:
            async with self._connecting, asyncio.timeout(self._patience.connect):
                await client.connect()
            stop_if_cancelled()
            self._connected = True
            logger.debug("sensor %s: connected", self._sensor.address)
            await self._subscribe(client, dropped)
            stop_if_cancelled()
            await dropped.wait()
        finally:
            self._connected = False
            try:
                await self._release(client)
            finally:  # the release may be cancelled, and the sensor must be heard again all the same
                self._deaf_until = asyncio.get_running_loop().time() + self._radio.settle_seconds
                self._busy = False

    async def _subscribe(self, client: BleakClient, dropped: asyncio.Event) -> None:
        """Subscribe to all that the driver can read and the sensor has.

        Raises:
            ConnectionError: the sensor has none of the driver's characteristics, or refused every one.
        """
        wanted = [
            characteristic
            for characteristic in client.services.characteristics.values()
            if characteristic.uuid in self._characteristics
        ]
        if not wanted:
            raise ConnectionError(
                f"has no {' or '.join(self._sensor.driver.subscribed)}, so it is no "
                f"{self._sensor.driver.title}: is it enrolled with the right driver?"
            )
        refusals: list[str] = []
        for characteristic in wanted:
            try:
                await client.start_notify(characteristic, self._on_payload)
            except RADIO_ERRORS as error:
                if dropped.is_set():
                    break  # a sensor may say all it has at the first subscription, and leave
                refusals.append(f"{self._characteristics[characteristic.uuid]}: {words(error)}")
        if len(refusals) == len(wanted):
            raise ConnectionError(f"refuses to be subscribed to ({'; '.join(refusals)})")
        for refusal in refusals:
            logger.warning("sensor %s: goes on without %s", self._sensor.address, refusal)

    def _on_payload(self, characteristic: BleakGATTCharacteristic, payload: bytearray) -> None:
        received_at = datetime.now(UTC)
        self._last_payload = received_at
        self._received(
            RawPayload(
                device=self._sensor.address,
                driver=self._sensor.driver.name,
                payload=bytes(payload),
                received_at=received_at,
                characteristic=self._characteristics[characteristic.uuid],
                origin=self._radio.origin,
            )
        )

    async def _release(self, client: BleakClient) -> None:
        """Always after a connection, also one that the sensor ended: else bleak leaks a D-Bus socket."""
        try:
            await within(self._patience.disconnect, client.disconnect())
        except RADIO_ERRORS as error:
            logger.info("sensor %s: disconnecting failed: %s", self._sensor.address, words(error))
