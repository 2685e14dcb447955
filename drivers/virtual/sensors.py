"""Virtual sensors: GATT peripherals that advertise only when they have a reading, tell it, and hang up."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from bumble.device import Connection, Device
from bumble.hci import HCI_REMOTE_USER_TERMINATED_CONNECTION_ERROR

from drivers.bluetooth.radio import stop_if_cancelled
from drivers.virtual import VirtualWardError
from drivers.virtual.adverts import advertisement_of
from drivers.virtual.memory import Answer, Operation, Record, Request, counted, response
from drivers.virtual.pairing import SensorPairing
from drivers.virtual.profiles import (
    BLOOD_PRESSURE_CUFF,
    PULSE_OXIMETER,
    RECORDS,
    THERMOMETER,
    Profile,
    Sending,
)
from drivers.virtual.radio import VirtualRadio, controller_of
from drivers.virtual.services import SensorServices

__all__ = [
    "BLOOD_PRESSURE_CUFF",
    "PULSE_OXIMETER",
    "THERMOMETER",
    "Profile",
    "Sending",
    "Sent",
    "VirtualSensor",
]

logger = logging.getLogger(__name__)

_LONGEST_ATTRIBUTE = 512  # bytes; Core Specification, volume 3, part F, section 3.2.9
_ADVERTISING_INTERVAL = 50.0  # milliseconds
_SUBSCRIPTION_PATIENCE = 30.0  # seconds a sensor stays connected to a hub that does not subscribe
_IDLE = 1.0  # seconds for which it waits for a further request about its records


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


@dataclass(frozen=True, slots=True)
class _Worn:
    characteristic: str
    measure: Callable[[], bytes]
    interval: float


class VirtualSensor:
    """One sensor. What it is told to `report` waits in its memory until a hub has taken it.

    `links` counts the connections made to it, `advertised_at` is `time.monotonic()` when it last began to
    advertise, `gatt` its GATT server with its clock and its stored records, `pairing` its bonds.

    What it does wrong: `reports_per_link` makes it drop the link after so many reports, `links_to_drop` makes
    it drop so many of its next links as soon as they are made, `power_losses` makes it lose its power in the
    middle of so many of its next indications, before they are confirmed. See also `leave_when_called`,
    `gatt.silent`, `gatt.memory` and `pairing`.
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
        self.advertised_at: float | None = None
        self.reports_per_link: int | None = None
        self.links_to_drop = 0
        self.power_losses = 0
        self.seconds_between_records = 0.0
        self._radio = radio
        self._on_sent = on_sent
        self._memory: deque[_Report] = deque()
        self._worn: _Worn | None = None
        self._has_news = asyncio.Event()
        self._found_until = math.inf
        self._connected: asyncio.Future[Connection] | None = None
        self._device: Device = radio.new_device(profile.name, address)
        self.gatt = SensorServices(self._device, profile)
        self.pairing = SensorPairing(self._device, profile)
        self._device.on(Device.EVENT_CONNECTION, self._on_connection)

    @property
    def linked(self) -> bool:
        """Whether it believes to have a link."""
        return bool(self._device.connections)

    # --- what befalls it

    def report(self, payload: bytes, characteristic: str | None = None) -> asyncio.Future[Sent]:
        """Have something to tell: these bytes, on this characteristic (the profile's first if not given).

        Returns at once. The future is done when a hub has confirmed an indication, or a notification was
        sent; the sensor goes on trying whether or not it is awaited.

        Raises:
            VirtualWardError: no such characteristic, or more bytes than a characteristic can have.
        """
        sent = asyncio.get_running_loop().create_future()
        report = _Report(self._checked(payload, characteristic), payload, sent)
        self._memory.append(report)
        self.be_found()
        return report.sent

    def store(self, sequence: int, *told: tuple[str, bytes]) -> Record:
        """Store a measurement, to be told if a hub asks for it: characteristic and bytes each.

        Raises:
            VirtualWardError: as `report`.
        """
        for characteristic, payload in told:
            self._checked(payload, characteristic)
        record = Record(sequence, told)
        self.gatt.memory.records.append(record)
        self.be_found()
        return record

    def wear(self, measure: Callable[[], bytes], interval: float = 1.0) -> None:
        """Be put on: every so many seconds, send what is measured, on the profile's first characteristic."""
        self._worn = _Worn(next(iter(self.profile.characteristics)), measure, interval)
        self.be_found()

    def take_off(self) -> None:
        """Be taken off: nothing is sent any more, and the link ends."""
        self._worn = None

    def be_found(self) -> None:
        """Be switched on: advertise, for as long as this kind of sensor does."""
        self._found_until = asyncio.get_running_loop().time() + self.profile.advertises_for
        self._has_news.set()

    def go_out_of_reach(self) -> None:
        """Be carried away: nothing of it is heard any more, and a link is lost."""
        self._radio.air.take_away(controller_of(self._device))

    def come_back(self) -> None:
        """Be carried back."""
        self._radio.air.bring_back(controller_of(self._device))

    def leave_when_called(self) -> None:
        """Be out of reach from the moment in which a hub next connects."""
        self._radio.air.take_away_when_called(controller_of(self._device))

    # --- its life

    async def run(self) -> None:
        """Live, until cancelled."""
        await self._device.power_on()
        try:
            while True:
                await self._has_news.wait()
                connection = await self._be_found()
                if connection is not None:
                    await self._hold(connection)
                stop_if_cancelled()
        finally:
            await self._device.stop_advertising()
            for connection in list(self._device.connections.values()):
                await connection.disconnect(HCI_REMOTE_USER_TERMINATED_CONNECTION_ERROR)
            await self._device.power_off()
            self._radio.remove_device(self._device)
            for report in self._memory:
                report.sent.cancel()

    async def _be_found(self) -> Connection | None:
        """Advertise until a hub connects; None if none did in time."""
        loop = asyncio.get_running_loop()
        connected = self._connected = loop.create_future()
        self.advertised_at = time.monotonic()
        await self._device.start_advertising(
            advertising_data=advertisement_of(self.profile),
            advertising_interval_min=_ADVERTISING_INTERVAL,
            advertising_interval_max=_ADVERTISING_INTERVAL,
        )
        stop_if_cancelled()
        while not connected.done():
            left = self._found_until - loop.time()
            if left <= 0:
                self._has_news.clear()
                await self._device.stop_advertising()
                break
            await asyncio.wait((connected,), timeout=left if math.isfinite(left) else None)
        return connected.result() if connected.done() else None

    async def _hold(self, connection: Connection) -> None:
        """Tell what there is to tell, and drop the link; or be dropped, and have it still to tell."""
        dropped = asyncio.Event()

        def on_disconnection(_reason: int) -> None:
            dropped.set()
            self.gatt.link_ended()

        connection.on(Connection.EVENT_DISCONNECTION, on_disconnection)
        if self.links_to_drop > 0:
            self.links_to_drop -= 1
        else:
            talking = asyncio.ensure_future(self._talk(connection))
            losing = asyncio.ensure_future(dropped.wait())
            longest = self.profile.connected_for
            try:
                done, _ = await asyncio.wait(
                    (talking, losing),
                    timeout=longest if math.isfinite(longest) else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if not done:  # its time is over: it switches itself off
                    self._has_news.clear()
            finally:
                talking.cancel()
                losing.cancel()
                await asyncio.wait((talking, losing))
            if not talking.cancelled():
                talking.result()
        if not dropped.is_set():
            await connection.disconnect(HCI_REMOTE_USER_TERMINATED_CONNECTION_ERROR)

    async def _talk(self, connection: Connection) -> None:
        while await self._tell(connection):
            if self.profile.records and not await self._answer(connection):
                return
            if not self.linked:  # whatever came since is for the next link
                return
            if self._worn is None and not self._memory:
                self._has_news.clear()
            if not self.profile.stays:
                return
            await self._has_news.wait()

    async def _tell(self, connection: Connection) -> bool:
        """Tell what waits, oldest first, and then what is measured while it is worn; whether all was told."""
        told = 0
        while self._memory and told != self.reports_per_link:
            report = self._memory[0]
            if not await self._is_subscribed(report.characteristic):
                return False
            sent = await self._send(connection, report.characteristic, report.payload)
            if sent is None:
                return False
            self._memory.popleft()
            told += 1
            if not report.sent.done():
                report.sent.set_result(sent)
        while self._worn is not None and told != self.reports_per_link:
            worn = self._worn
            if not await self._is_subscribed(worn.characteristic):
                return False
            await self._send(connection, worn.characteristic, worn.measure())
            told += 1
            await asyncio.sleep(worn.interval)
        return not self._memory

    async def _answer(self, connection: Connection) -> bool:
        """Carry out what is asked of the stored records; whether anything was, and was done."""
        patience, done = _SUBSCRIPTION_PATIENCE, False
        while True:
            asked = asyncio.ensure_future(self.gatt.requests.get())
            try:
                await asyncio.wait((asked,), timeout=patience)
            finally:
                asked.cancel()
            if not asked.done() or asked.cancelled():
                return done
            done = await self._carry_out(connection, asked.result())
            self.gatt.busy = self.gatt.aborted = False
            patience = _SUBSCRIPTION_PATIENCE if self.profile.stays else _IDLE

    async def _carry_out(self, connection: Connection, request: Request) -> bool:
        memory, operation = self.gatt.memory, request.operation
        if request.refusal is not None:
            answer = response(operation, request.refusal)
        elif operation == Operation.COUNT:
            answer = counted(len(memory.meant_by(request)))
        elif operation == Operation.ABORT:  # with nothing going on
            answer = response(operation, Answer.ABORT_UNSUCCESSFUL)
        elif not memory.meant_by(request):
            answer = response(operation, Answer.NO_RECORDS)
        elif operation == Operation.DELETE:
            memory.delete(request)
            answer = response(operation, Answer.SUCCESS)
        else:
            for record in memory.sent_for(request):
                if self.gatt.aborted:
                    operation = Operation.ABORT
                    break
                await self._tell_record(connection, record)
            answer = response(operation, Answer.SUCCESS)
        return await self._send(connection, RECORDS, answer) is not None

    async def _tell_record(self, connection: Connection, record: Record) -> None:
        for characteristic, payload in record.told:
            if self.gatt.subscribed[characteristic].is_set():
                await self._send(connection, characteristic, payload)
        await asyncio.sleep(self.seconds_between_records)

    async def _send(self, connection: Connection, uuid: str, payload: bytes) -> Sent | None:
        """Send these bytes; None if they were not confirmed, or the power was lost before they could be."""
        sent = Sent(
            address=self.address,
            characteristic=uuid,
            payload=payload,
            sent_at=datetime.now(UTC),
            monotonic=time.monotonic(),
        )
        characteristic = self.gatt.characteristics[uuid]
        if self.profile.characteristics.get(uuid) is Sending.NOTIFICATION:
            await self._device.notify_subscriber(connection, characteristic, payload)
            await self._on_the_air()
        elif self.power_losses > 0:
            self.power_losses -= 1
            await self._lose_power_telling(connection, uuid, payload)
            return None
        else:
            try:
                await self._device.indicate_subscriber(connection, characteristic, payload)
            except TimeoutError:
                logger.warning("virtual sensor %s: the hub does not confirm", self.address)
                return None
        stop_if_cancelled()
        if uuid != RECORDS:
            self._on_sent(sent)
        return sent

    async def _lose_power_telling(self, connection: Connection, uuid: str, payload: bytes) -> None:
        telling = asyncio.ensure_future(
            self._device.indicate_subscriber(connection, self.gatt.characteristics[uuid], payload)
        )
        try:
            await asyncio.sleep(0)
            await self._on_the_air()
            self._radio.air.cut(controller_of(self._device), 0.0)
        finally:
            telling.cancel()
            await asyncio.wait((telling,))

    async def _is_subscribed(self, uuid: str) -> bool:
        waiting = asyncio.ensure_future(self.gatt.subscribed[uuid].wait())
        try:
            await asyncio.wait((waiting,), timeout=_SUBSCRIPTION_PATIENCE)
        finally:
            waiting.cancel()
        subscribed = self.gatt.subscribed[uuid].is_set()
        if not subscribed:
            logger.warning("virtual sensor %s: the hub does not subscribe", self.address)
        return subscribed

    async def _on_the_air(self) -> None:
        """Wait until nothing is queued for sending any more: hanging up would overtake it."""
        queue = self._device.host.le_acl_packet_queue
        while queue is not None and queue.pending and self._device.connections:  # noqa: ASYNC110 -- no event
            await asyncio.sleep(0)

    def _checked(self, payload: bytes, characteristic: str | None) -> str:
        uuid = characteristic or next(iter(self.profile.characteristics))
        if uuid not in self.profile.characteristics:
            raise VirtualWardError(
                f"a {self.profile.kind} sensor has no characteristic {uuid}, only "
                f"{', '.join(self.profile.characteristics)}"
            )
        if len(payload) > _LONGEST_ATTRIBUTE:
            raise VirtualWardError(f"{len(payload)} bytes: a characteristic has {_LONGEST_ATTRIBUTE} at most")
        return uuid

    def _on_connection(self, connection: Connection) -> None:
        self.links += 1
        self.gatt.link_made()
        if self._connected is not None and not self._connected.done():
            self._connected.set_result(connection)
