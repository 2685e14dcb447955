"""The collector: one scanner, one link at a time being made, and every payload handed over in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from drivers.bluetooth.connection_queue import ConnectionQueue
from drivers.bluetooth.device_information import DeviceInformation
from drivers.bluetooth.healing import LADDER, Failure, Healer, HealingStatus, Step, none_can_be_connected
from drivers.bluetooth.patience import Patience
from drivers.bluetooth.radio import (
    RADIO_ERRORS,
    Adapter,
    Radio,
    Remedy,
    doubling,
    loop_time,
    stop_if_cancelled,
    words,
)
from drivers.bluetooth.scanning import Scanning
from drivers.bluetooth.session import EnrolledSensor, SensorSession, SensorStatus
from drivers.bluetooth.sightings import Sighting, Sightings
from drivers.handing_over import HandingOver
from hub.readings import RawPayload
from hub.running import progress
from hub.running.journal import about
from hub.running.patience import within

__all__ = [
    "BluetoothCollector",
    "CollectorStatus",
    "EnrolledSensor",
    "HealingStatus",
    "Patience",
    "SensorStatus",
    "Sighting",
]

logger = logging.getLogger(__name__)

_WANTED_SECONDS = 600.0
_LONG_USABLE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class CollectorStatus:
    """The collector as `carehub doctor` and the status message show it.

    `radio` says in words how the radio is, and `usable` whether it collects; `adapters` are those that were
    there when the radio was last looked at; `waiting` counts payloads received and not yet handed over,
    `lost` those that found the queue full.
    """

    radio: str
    usable: bool
    sensors: tuple[SensorStatus, ...]
    waiting: int
    lost: int
    adapters: tuple[Adapter, ...]
    healing: HealingStatus


def _learn_nothing(_address: str, _information: DeviceInformation) -> None:
    pass


class BluetoothCollector:
    """Collects from enrolled sensors, and only from those, for as long as `run` runs.

    `deliver` gets every payload in the order of its arrival, one at a time, from a queue; a payload leaves
    the queue when `deliver` has returned. Where `deliver` raises, `run` ends with its error, and the
    payload is delivered again if `run` is called again.
    """

    def __init__(
        self,
        sensors: Sequence[EnrolledSensor],
        radio: Radio,
        deliver: Callable[[RawPayload], Awaitable[None]],
        *,
        learned: Callable[[str, DeviceInformation], None] = _learn_nothing,
        local_now: Callable[[], datetime | None] = lambda: None,
        may_reboot: Callable[[], Awaitable[bool]] | None = None,
        patience: Patience | None = None,
        ladder: Sequence[Step] = LADDER,
        queue_limit: int = 10_000,
    ) -> None:
        """Start with a radio that nothing is known of.

        Args:
            sensors: those that are enrolled now; `enrol` and `forget` change them.
            radio: the only one in the process.
            deliver: see above.
            learned: is told, by a sensor's address, what it said about itself (battery, firmware).
            local_now: the home's time, aware, for the sensors' clocks; None while it is not to be believed.
            may_reboot: whether the machine may be restarted to heal the radio; never, if not given.
            patience: how long to wait for what.
            ladder: the remedies for a radio that fails.
            queue_limit: payloads that wait to be handed over; those beyond are lost, and counted.
        """
        self._radio = radio
        self._learned = learned
        self._local_now = local_now
        self._patience = patience or Patience()
        self.handing_over = HandingOver(deliver, limit=queue_limit)
        self._state = "not started"
        self._adapters: tuple[Adapter, ...] = ()
        self._connecting = ConnectionQueue()
        self._sessions: dict[str, SensorSession] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._links: asyncio.TaskGroup | None = None
        self._wanted_until = float("-inf")
        self._newest_connection: datetime | None = None
        self._failures_before: dict[str, int] = {}
        self._expected_since = 0.0
        self._suspicions = 0
        self._sightings = Sightings()
        self._healer = Healer(radio, may_reboot, ladder)
        self._scanning = Scanning(radio, self._heard, self._patience)
        for sensor in sensors:
            self.enrol(sensor)

    def status(self) -> CollectorStatus:
        """The state of the radio and of each sensor now."""
        return CollectorStatus(
            radio=self._state,
            usable=self._scanning.usable,
            sensors=tuple(session.status() for session in self._sessions.values()),
            waiting=self.handing_over.waiting,
            lost=self.handing_over.lost,
            adapters=self._adapters,
            healing=self._healer.status,
        )

    def sightings(self) -> tuple[Sighting, ...]:
        """What was heard nearby, enrolled or not; what offers a service that the hub can read comes first.

        Whoever asks wants a radio that works: it is healed for some minutes, also where none is enrolled.
        """
        self._wanted_until = loop_time() + _WANTED_SECONDS
        return self._sightings.newest_first()

    def enrol(self, sensor: EnrolledSensor) -> None:
        """Collect from this sensor as well, from now on.

        Raises:
            ValueError: it is enrolled already.
        """
        if sensor.address in self._sessions:
            raise ValueError(f"{sensor.address} is enrolled already")
        session = SensorSession(
            sensor,
            self._radio,
            self._connecting,
            self._received,
            learned=self._learned,
            local_now=self._local_now,
            patience=self._patience,
        )
        self._sessions[sensor.address] = session
        if self._links is not None:
            self._begin(sensor.address, session)

    async def forget(self, address: str) -> str | None:
        """Collect no more from this sensor, end its link, and remove the bond with it.

        Returns when it is so: None, or why the bond could not be removed.

        Raises:
            KeyError: it is not enrolled.
        """
        del self._sessions[address]
        task = self._tasks.pop(address, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        try:
            await within(self._patience.disconnect, self._radio.forget(address))
        except RADIO_ERRORS as error:
            logger.warning("sensor %s: its bond was not removed: %s", address, words(error))
            return words(error)
        return None

    async def run(self) -> None:
        """Collect until cancelled. A radio that is absent, lost or fails is waited for, and healed.

        When cancelled, it ends all connections and then delivers what was received before it returns, for
        a sensor does not send again what was confirmed to it.
        """
        try:
            await self.handing_over.run_beside(
                self._keep_collecting(), "Bluetooth", drain_seconds=self._patience.drain
            )
        finally:
            self._state = "stopped"

    # --- from the radio into the queue

    async def _keep_collecting(self) -> None:
        said: str | None = None
        waits = self._new_waits()
        while True:
            progress.turn(self._patience.turn)
            problem = await self._radio.problem()
            self._adapters = await self._radio.adapters()
            if problem is not None:
                failure = Failure(problem)
            else:
                began = loop_time()
                failure = await self._collect_until_lost()
                if self._scanning.was_usable:
                    said, waits = None, self._new_waits()
                    if failure.since is None and loop_time() - began >= _LONG_USABLE_SECONDS:
                        failure = replace(failure, since=loop_time())  # it scanned, with nothing to hear
            stop_if_cancelled()
            progress.turn(self._patience.turn)
            self._state = failure.words
            level = logging.DEBUG if failure.words == said else logging.ERROR
            logger.log(level, "no Bluetooth: %s; the hub looks again by itself", failure.words)
            said = failure.words
            if self._sessions:
                await self._healer.heal(failure)
            elif loop_time() < self._wanted_until:
                await self._healer.heal(
                    replace(failure, at_most=min(failure.at_most, Remedy.RESTART_BLUETOOTHD))
                )
            stop_if_cancelled()
            await asyncio.sleep(next(waits))

    async def _collect_until_lost(self) -> Failure:
        """Collect until the radio is lost or fails, and say why."""
        async with asyncio.TaskGroup() as self._links:
            for address, session in self._sessions.items():
                self._begin(address, session)
            # Not an exception in a child ends the group: TaskGroup of Python 3.11 then forgets that its own
            # task was cancelled, if that happens in the same moment.
            try:
                return await self._scanning.run(self._begun, self._healer.well, self._cannot_connect)
            finally:
                self._links = None
                for task in self._tasks.values():
                    task.cancel()
                self._tasks.clear()

    def _begin(self, address: str, session: SensorSession) -> None:
        assert self._links is not None
        collecting = _collect_from(address, session)
        self._tasks[address] = self._links.create_task(collecting, name=f"bluetooth: sensor {address}")

    def _begun(self) -> None:
        self._expect_connections([session.status() for session in self._sessions.values()])
        self._state = "scanning"
        logger.info("Bluetooth: scanning for %d sensor(s)", len(self._sessions))

    def _expect_connections(self, statuses: Sequence[SensorStatus]) -> None:
        self._failures_before = {each.address: each.failures for each in statuses}
        self._expected_since = loop_time()

    def _cannot_connect(self) -> Failure | None:
        """Whether sensors are heard, and not one of them can be connected to any more."""
        statuses = [session.status() for session in self._sessions.values()]
        newest = max((each.last_connected for each in statuses if each.last_connected), default=None)
        if newest != self._newest_connection or any(each.connected for each in statuses):
            self._newest_connection = newest
            self._suspicions = 0
            self._expect_connections(statuses)
            return None
        since = [each.failures - self._failures_before.get(each.address, 0) for each in statuses]
        if not none_can_be_connected(since, self._suspicions):
            return None
        self._suspicions += 1
        return Failure(
            "sensors are heard, and none of them can be connected to",
            since=self._expected_since,
            at_most=Remedy.RESTART_BLUETOOTHD,
        )

    def _new_waits(self) -> Iterator[float]:
        return doubling(self._patience.radio_least, self._patience.radio_most)

    def _heard(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        self._sightings.note(device, advertisement)
        session = self._sessions.get(device.address.upper())
        if session is not None:
            session.heard(device, advertisement)

    def _received(self, payload: RawPayload) -> None:
        """Called in bleak's notification callback, so it must not wait."""
        self._scanning.alive()
        self.handing_over.receive(payload)


async def _collect_from(address: str, session: SensorSession) -> None:
    with about(device=address, stage="Bluetooth"):
        await session.run()
