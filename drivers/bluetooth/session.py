"""One enrolled sensor: wait until it is heard, connect, talk until the link drops, and again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bleak import BleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.uuids import normalize_uuid_str

from drivers.bluetooth.backoff import Backoff
from drivers.bluetooth.bonding import BondPlan, Verdict, refusal, was_dropped
from drivers.bluetooth.connection_queue import ConnectionQueue
from drivers.bluetooth.conversation import Acquaintance, Conversation
from drivers.bluetooth.device_information import DeviceInformation
from drivers.bluetooth.patience import Patience
from drivers.bluetooth.radio import RADIO_ERRORS, Radio, loop_time, stop_if_cancelled, words
from drivers.driver import DecodeError
from drivers.gatt import Bonding, GattDriver
from hub.readings import RawPayload
from hub.running.patience import within

logger = logging.getLogger(__name__)

_LONGEST_ADVERTISED = 255  # bytes of service data
_TO_GIVE_UP_CONNECTING = 2.0  # seconds: bleak then tells BlueZ to stop it
_FAULTS_OF_BLEAK = (KeyError, AttributeError, AssertionError)
"""What bleak raises where BlueZ takes away services, or the link, while it looks them up."""


class _GoneError(ConnectionError):
    """The sensor was not heard any more when its turn came, and others wait."""


@dataclass(frozen=True, slots=True)
class EnrolledSensor:
    """A sensor that belongs to this home: its Bluetooth address in capitals, and the driver that reads it.

    `bonding` is its own where it is not its driver's; `passkey` what an engineer has read off it.
    """

    address: str
    driver: GattDriver
    bonding: Bonding | None = None
    passkey: int | None = None


@dataclass(frozen=True, slots=True)
class SensorStatus:
    """One sensor as the radio knows it. `trouble` is the last failure, until a link works; `failures` counts
    those to connect, in a row; `bonded` is None where that is not known."""

    address: str
    driver: str
    connected: bool
    last_heard: datetime | None
    last_payload: datetime | None
    trouble: str | None
    last_connected: datetime | None = None
    failures: int = 0
    bonded: bool | None = None
    information: DeviceInformation | None = None


class SensorSession:
    """Everything about one enrolled sensor's link. `run` is its only task.

    `queue` says when it may connect; `received` gets every payload; `learned` what the sensor told of itself,
    with its address, whenever that is new; `local_now` is the home's time, aware, or None while the hub's own
    clock is not to be believed.
    """

    def __init__(
        self,
        sensor: EnrolledSensor,
        radio: Radio,
        queue: ConnectionQueue,
        received: Callable[[RawPayload], None],
        *,
        learned: Callable[[str, DeviceInformation], None],
        local_now: Callable[[], datetime | None],
        patience: Patience,
    ) -> None:
        driver = sensor.driver
        self._sensor = sensor
        self._radio = radio
        self._queue = queue
        self._received = received
        self._learned = learned
        self._local_now = local_now
        self._patience = patience
        self._advertised = {normalize_uuid_str(uuid): uuid for uuid in driver.advertised}
        self._plan = BondPlan(sensor.bonding or driver.bonding, has_passkey=sensor.passkey is not None)
        self._backoff = Backoff(patience, leaves_soon=not driver.only_streams)
        self._acquaintance = Acquaintance()
        self._is_there = asyncio.Event()
        self._came_anew = asyncio.Event()
        self._device: BLEDevice | None = None
        self._heard_at = float("-inf")
        self._told: dict[str, tuple[bytes, float]] = {}
        self._busy = False
        self._deaf_until = 0.0
        self._link: Conversation | None = None
        self._bonded: bool | None = None
        self._failures = 0
        self._last_heard: datetime | None = None
        self._last_connected: datetime | None = None
        self._last_payload: datetime | None = None
        self._trouble: str | None = None

    def status(self) -> SensorStatus:
        """The sensor's state now."""
        information = self._acquaintance.information
        return SensorStatus(
            address=self._sensor.address,
            driver=self._sensor.driver.name,
            connected=self._link is not None,
            last_heard=self._last_heard,
            last_payload=self._last_payload,
            trouble=None if self._link is not None and self._link.subscribed else self._trouble,
            last_connected=self._last_connected,
            failures=self._failures,
            bonded=self._bonded,
            information=information if information != DeviceInformation() else None,
        )

    def heard(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        """The sensor advertises: it has something to say, or says it so. What a connection itself stirs up is
        not meant."""
        now = loop_time()
        for uuid, name in self._advertised.items():
            if (payload := advertisement.service_data.get(uuid)) is not None:
                self._hear_told(name, payload, now)
        if self._busy or now < self._deaf_until:
            self._heard_at = now
            return
        if now - self._heard_at > self._patience.anew:
            self._came_anew.set()
        self._heard_at = now
        self._last_heard = datetime.now(UTC)
        self._device = device
        self._is_there.set()

    async def run(self) -> None:
        """Collect whenever the sensor is heard, until cancelled; failures are logged and tried again."""
        self._is_there.clear()  # a device found by an earlier scanner is no longer valid
        self._deaf_until = 0.0
        self._told = {name: (payload, loop_time()) for name, (payload, _) in self._told.items()}
        self._backoff.reset()
        if not self._sensor.driver.subscribed:
            await asyncio.Event().wait()  # it says all in its advertisements
        while True:
            await self._is_there.wait()
            self._is_there.clear()
            assert self._device is not None
            try:
                verdict = await self._collect(self._device)
            except RADIO_ERRORS as error:
                stop_if_cancelled()
                verdict = Verdict(words(error))
            except Exception as error:  # as bleak's, where the link goes while it asserts that it is there
                stop_if_cancelled()
                logger.exception(
                    "sensor %s: a fault that nobody foresaw; please report", self._sensor.address
                )
                # And nobody else's link ends.
                verdict = Verdict(f"failed: {type(error).__name__}", slowly=True)
            stop_if_cancelled()
            if verdict is None:
                self._trouble = None
                self._backoff.reset()
                continue
            wait = self._backoff.after_failure(slowly=verdict.slowly)
            self._trouble = verdict.words
            logger.warning(
                "sensor %s (%s): %s; trying again after %g s, once it is heard",
                self._sensor.address,
                self._sensor.driver.name,
                self._trouble,
                wait,
            )
            await self._pause(wait)

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until a sensor that had gone comes anew."""
        self._came_anew.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._came_anew.wait()
            self._backoff.reset()
        except TimeoutError:
            pass
        stop_if_cancelled()

    # --- one link

    async def _collect(self, device: BLEDevice) -> Verdict | None:
        """Make one link and hold it until it drops; None if it did what it was made for."""
        self._busy = True
        try:
            bonded = self._bonded = await self._is_bonded()
            bond = self._plan.bonds(bool(bonded))
            dropped = asyncio.Event()
            client = self._radio.client(
                device, lambda _client: dropped.set(), bond=bond, passkey=self._sensor.passkey
            )
            conversation = self._conversation(client, dropped)
            failure: Exception | None = None
            try:
                await self._connect(client, bond=bond)
                self._bonded = bonded = True if bond else bonded
                self._link = conversation
                await conversation.hold()
            except RADIO_ERRORS as error:
                stop_if_cancelled()
                failure = error
            finally:
                self._link = None
                if conversation.subscribed:
                    self._plan.worked(bonded=bool(bonded))
                await self._release(client)
            if failure is not None:
                at_once = not conversation.subscribed and (dropped.is_set() or was_dropped(failure))
                return await self._judge(failure, bool(bonded), at_once)
        finally:  # the release may be cancelled, and the sensor must be heard again all the same
            self._deaf_until = loop_time() + self._radio.settle_seconds
            self._heard_at = loop_time()
            self._busy = False
        if conversation.wishes_a_bond and not bonded:
            self._plan.wishes()
        return None

    async def _connect(self, client: BleakClient, *, bond: bool) -> None:
        """Connect, bond and look up the services, when it is this sensor's turn and within its time."""
        limit = self._patience.bond if bond else self._patience.connect
        try:
            leaves_soon = not self._sensor.driver.only_streams
            async with self._queue.turn(leaves_soon=leaves_soon, in_vain=self._backoff.is_in_vain):
                if len(self._queue) and loop_time() - self._heard_at > self._patience.gone:
                    raise _GoneError("fell silent while it waited for its turn, and gives way")
                await self._connect_or_listen(limit, client)
        except RADIO_ERRORS as error:
            stop_if_cancelled()
            # One that refuses was reached, and one that gives way was not tried: the radio works.
            if refusal(error) is None and not isinstance(error, _GoneError):
                self._failures += 1
            raise
        stop_if_cancelled()
        self._failures = 0
        self._last_connected = datetime.now(UTC)
        logger.debug("sensor %s: connected", self._sensor.address)

    async def _connect_or_listen(self, limit: float, client: BleakClient) -> None:
        """The radio hears nobody while it connects: where that took long, and in vain, it listens for a
        moment before the next turn, or who came meanwhile would never have one."""
        began = loop_time()
        try:
            await _ended_within(limit, client)
        except RADIO_ERRORS:
            if loop_time() - began > self._patience.listen:
                await asyncio.sleep(self._patience.listen)
            raise

    def _conversation(self, client: BleakClient, dropped: asyncio.Event) -> Conversation:
        return Conversation(
            client,
            dropped,
            self._sensor.driver,
            self._acquaintance,
            deliver=self._deliver,
            learned=lambda information: self._learned(self._sensor.address, information),
            local_now=self._local_now,
            patience=self._patience,
        )

    async def _judge(self, error: Exception, bonded: bool, dropped_at_once: bool) -> Verdict:
        """What follows from a failure; a bond that is lost is forgotten here."""
        refused = refusal(error) or (refusal(error.__cause__) if error.__cause__ is not None else None)
        verdict = self._plan.failed(refused, bonded=bonded, dropped_at_once=dropped_at_once)
        if verdict.forget:
            try:
                await within(self._patience.request, self._radio.forget(self._sensor.address))
                self._bonded = False
            except RADIO_ERRORS as failure:
                logger.warning(
                    "sensor %s: its bond was not removed: %s", self._sensor.address, words(failure)
                )
        said = words(error)
        return Verdict(f"{verdict.words} ({said})" if verdict.words else said, slowly=verdict.slowly)

    async def _is_bonded(self) -> bool | None:
        try:
            bonded = await within(self._patience.request, self._radio.is_bonded(self._sensor.address))
        except RADIO_ERRORS as error:
            logger.debug("sensor %s: whether it is bonded: %s", self._sensor.address, words(error))
            bonded = None
        stop_if_cancelled()
        return bonded

    async def _release(self, client: BleakClient) -> None:
        """Always after a connection, also one that the sensor ended: else bleak leaks a D-Bus socket."""
        try:
            await within(self._patience.disconnect, client.disconnect())
        except RADIO_ERRORS as error:
            logger.info("sensor %s: disconnecting failed: %s", self._sensor.address, words(error))

    # --- payloads

    def _hear_told(self, name: str, payload: bytes, now: float) -> None:
        """The same bytes are repeated dozens of times, and by the radio once more when it scans anew."""
        before, heard_at = self._told.get(name, (None, now))
        self._told[name] = payload, now
        if payload == before and now - heard_at <= self._patience.repeated:
            return
        if len(payload) <= _LONGEST_ADVERTISED and self._acquaintance.flood.lets_pass(now):
            self._last_heard = datetime.now(UTC)
            self._learn_battery(payload)
            self._deliver(name, payload)

    def _learn_battery(self, payload: bytes) -> None:
        """What cannot be read is told where the payload is decoded."""
        known = self._acquaintance
        if self._sensor.driver.battery is None:
            return
        with contextlib.suppress(DecodeError):
            percent = self._sensor.driver.battery(payload)
            if percent is not None and percent != known.information.battery:
                known.information = replace(known.information, battery=percent)
                self._learned(self._sensor.address, known.information)

    def _deliver(self, characteristic: str, payload: bytes) -> None:
        received_at = datetime.now(UTC)
        self._last_payload = received_at
        self._received(
            RawPayload(
                device=self._sensor.address,
                driver=self._sensor.driver.name,
                payload=payload,
                received_at=received_at,
                characteristic=characteristic,
                origin=self._radio.origin,
            )
        )


async def _ended_within(seconds: float, client: BleakClient) -> None:
    """Connect, or give up in order: bleak tells BlueZ so, and must be done with it before the next turn.

    Raises:
        TimeoutError: the time was over.
    """
    connecting = asyncio.ensure_future(client.connect())
    try:
        await asyncio.wait((connecting,), timeout=seconds)
    finally:
        in_time = connecting.done()
        if not in_time:
            connecting.cancel()
            await asyncio.wait((connecting,), timeout=_TO_GIVE_UP_CONNECTING)
        ended = connecting.done() and not connecting.cancelled()
        failure = connecting.exception() if ended else None
    if not in_time:
        raise TimeoutError("cannot be connected to in time")
    if isinstance(failure, _FAULTS_OF_BLEAK) or connecting.cancelled():
        raise ConnectionError(f"bleak failed: {failure!r}") from failure
    if failure is not None:
        raise failure
