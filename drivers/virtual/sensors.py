"""Virtual sensors: GATT peripherals that advertise only when they have a reading, tell it, and hang up."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from bumble.core import UUID, AdvertisingData
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, Service
from bumble.hci import HCI_REMOTE_USER_TERMINATED_CONNECTION_ERROR

from drivers.bluetooth.radio import stop_if_cancelled
from drivers.virtual import VirtualWardError
from drivers.virtual.radio import VirtualRadio

logger = logging.getLogger(__name__)

_LONGEST_ATTRIBUTE = 512  # bytes; Core Specification, volume 3, part F, section 3.2.9
_ADVERTISING_INTERVAL = 50.0  # milliseconds
_SUBSCRIPTION_PATIENCE = 30.0  # seconds a sensor stays connected to a hub that does not subscribe


class Sending(Enum):
    """How a characteristic tells its value: with or without the hub's confirmation."""

    INDICATION = Characteristic.Properties.INDICATE
    NOTIFICATION = Characteristic.Properties.NOTIFY


@dataclass(frozen=True, slots=True)
class Profile:
    """A class of virtual sensor: its service and how each of its characteristics sends (16-bit UUIDs)."""

    kind: str
    name: str
    service: str
    characteristics: Mapping[str, Sending]


BLOOD_PRESSURE_CUFF = Profile("blood_pressure", "Virtual cuff", "1810", {"2a35": Sending.INDICATION})
PULSE_OXIMETER = Profile(
    "pulse_oximeter",
    "Virtual oximeter",
    "1822",
    {"2a5e": Sending.INDICATION, "2a5f": Sending.NOTIFICATION},
)
THERMOMETER = Profile("thermometer", "Virtual thermometer", "1809", {"2a1c": Sending.INDICATION})
PROFILES = {profile.kind: profile for profile in (BLOOD_PRESSURE_CUFF, PULSE_OXIMETER, THERMOMETER)}


@dataclass(frozen=True, slots=True)
class Sent:
    """A payload on its way: `monotonic` is `time.monotonic()` in seconds just before its bytes were sent."""

    address: str
    characteristic: str
    payload: bytes
    monotonic: float
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class _Report:
    characteristic: str
    payload: bytes
    sent: asyncio.Future[Sent]


class VirtualSensor:
    """One sensor. What it is told to `report` waits in its memory until a hub has taken it.

    `links` counts the connections made to it. `reports_per_link` makes it drop the link after so many
    reports, and `links_to_drop` makes it drop so many of its next links as soon as they are made.
    """

    def __init__(
        self,
        radio: VirtualRadio,
        profile: Profile,
        address: str,
        on_sent: Callable[[Sent], None] = lambda _sent: None,
    ) -> None:
        self.profile = profile
        self.address = address
        self.links = 0
        self.reports_per_link: int | None = None
        self.links_to_drop = 0
        self._on_sent = on_sent
        self._memory: deque[_Report] = deque()
        self._reported = asyncio.Event()
        self._connected: asyncio.Future[Connection] | None = None
        self._device: Device = radio.new_device(profile.name, address)
        self._subscribed = {uuid: asyncio.Event() for uuid in profile.characteristics}
        self._characteristics = {
            uuid: self._characteristic(uuid, sending) for uuid, sending in profile.characteristics.items()
        }
        self._device.add_service(Service(UUID(profile.service), list(self._characteristics.values())))
        self._device.on(Device.EVENT_CONNECTION, self._on_connection)

    def report(self, payload: bytes, characteristic: str | None = None) -> asyncio.Future[Sent]:
        """Have something to tell: these bytes, on this characteristic (the profile's first if not given).

        Returns at once. The future is done when a hub has confirmed an indication, or a notification was
        sent; the sensor goes on trying whether or not it is awaited.

        Raises:
            VirtualWardError: no such characteristic, or more bytes than a characteristic can have.
        """
        uuid = characteristic or next(iter(self.profile.characteristics))
        if uuid not in self._characteristics:
            raise VirtualWardError(
                f"a {self.profile.kind} sensor has no characteristic {uuid}, only "
                f"{', '.join(self._characteristics)}"
            )
        if len(payload) > _LONGEST_ATTRIBUTE:
            raise VirtualWardError(f"{len(payload)} bytes: a characteristic has {_LONGEST_ATTRIBUTE} at most")
        report = _Report(uuid, payload, asyncio.get_running_loop().create_future())
        self._memory.append(report)
        self._reported.set()
        return report.sent

    async def run(self) -> None:
        """Live, until cancelled."""
        await self._device.power_on()
        try:
            while True:
                await self._reported.wait()
                connection = await self._be_found()
                await self._hold(connection)
                stop_if_cancelled()
        finally:
            await self._device.stop_advertising()
            for connection in list(self._device.connections.values()):
                await connection.disconnect(HCI_REMOTE_USER_TERMINATED_CONNECTION_ERROR)
            await self._device.power_off()
            for report in self._memory:
                report.sent.cancel()

    async def _be_found(self) -> Connection:
        self._connected = asyncio.get_running_loop().create_future()
        for event in self._subscribed.values():
            event.clear()
        await self._device.start_advertising(
            advertising_data=self._advertising_data(),
            advertising_interval_min=_ADVERTISING_INTERVAL,
            advertising_interval_max=_ADVERTISING_INTERVAL,
        )
        stop_if_cancelled()
        return await self._connected

    async def _hold(self, connection: Connection) -> None:
        """Tell what there is to tell, and drop the link; or be dropped, and have it still to tell."""
        dropped = asyncio.Event()
        connection.on(Connection.EVENT_DISCONNECTION, lambda _reason: dropped.set())
        if self.links_to_drop > 0:
            self.links_to_drop -= 1
        else:
            telling = asyncio.ensure_future(self._tell(connection))
            losing = asyncio.ensure_future(dropped.wait())
            try:
                await asyncio.wait((telling, losing), return_when=asyncio.FIRST_COMPLETED)
            finally:
                telling.cancel()
                losing.cancel()
                await asyncio.wait((telling, losing))
            if not telling.cancelled():
                telling.result()
        if not dropped.is_set():
            await connection.disconnect(HCI_REMOTE_USER_TERMINATED_CONNECTION_ERROR)

    async def _tell(self, connection: Connection) -> None:
        told = 0
        while self._memory and told != self.reports_per_link:
            report = self._memory[0]
            try:
                async with asyncio.timeout(_SUBSCRIPTION_PATIENCE):
                    await self._subscribed[report.characteristic].wait()
            except TimeoutError:
                logger.warning("virtual sensor %s: the hub does not subscribe", self.address)
                return
            sent = Sent(
                address=self.address,
                characteristic=report.characteristic,
                payload=report.payload,
                sent_at=datetime.now(UTC),
                monotonic=time.monotonic(),
            )
            characteristic = self._characteristics[report.characteristic]
            if self.profile.characteristics[report.characteristic] is Sending.INDICATION:
                await self._device.indicate_subscriber(connection, characteristic, report.payload)
            else:
                await self._device.notify_subscriber(connection, characteristic, report.payload)
                await self._on_the_air()
            stop_if_cancelled()
            self._memory.popleft()
            told += 1
            if not report.sent.done():
                report.sent.set_result(sent)
            self._on_sent(sent)
        if not self._memory:
            self._reported.clear()

    async def _on_the_air(self) -> None:
        """Wait until nothing is queued for sending any more: hanging up would overtake it."""
        queue = self._device.host.le_acl_packet_queue
        while queue is not None and queue.pending and self._device.connections:  # noqa: ASYNC110 -- no event
            await asyncio.sleep(0)

    def _characteristic(self, uuid: str, sending: Sending) -> Characteristic[bytes]:
        characteristic: Characteristic[bytes] = Characteristic(
            UUID(uuid), sending.value, Characteristic.Permissions(0)
        )
        subscribed = self._subscribed[uuid]

        def on_subscription(_bearer: object, notify: bool, indicate: bool) -> None:
            if notify or indicate:
                subscribed.set()
            else:
                subscribed.clear()

        characteristic.on(characteristic.EVENT_SUBSCRIPTION, on_subscription)
        return characteristic

    def _on_connection(self, connection: Connection) -> None:
        self.links += 1
        if self._connected is not None and not self._connected.done():
            self._connected.set_result(connection)

    def _advertising_data(self) -> bytes:
        return bytes(
            AdvertisingData(
                [
                    (AdvertisingData.FLAGS, bytes([AdvertisingData.Flags.LE_GENERAL_DISCOVERABLE_MODE])),
                    (
                        AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
                        UUID(self.profile.service).to_pdu_bytes(),
                    ),
                    (AdvertisingData.COMPLETE_LOCAL_NAME, self.profile.name[:20].encode()),
                ]
            )
        )
