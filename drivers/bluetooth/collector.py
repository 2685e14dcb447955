"""The collector: one scanner, one link at a time being made, and every payload handed over in order."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from drivers.bluetooth.radio import RADIO_ERRORS, Radio, doubling, stop_if_cancelled, words
from drivers.bluetooth.session import EnrolledSensor, Patience, SensorSession, SensorStatus
from hub.patience import within
from hub.readings import RawPayload

__all__ = ["BluetoothCollector", "CollectorStatus", "EnrolledSensor", "Patience", "SensorStatus"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CollectorStatus:
    """The collector as `carehub doctor` and the status message show it.

    `radio` says in words how the radio is, and `usable` whether it collects; `waiting` counts payloads
    received and not yet handed over, `lost` those that found the queue full.
    """

    radio: str
    usable: bool
    sensors: tuple[SensorStatus, ...]
    waiting: int
    lost: int


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
        patience: Patience | None = None,
        queue_limit: int = 10_000,
    ) -> None:
        self._radio = radio
        self._deliver = deliver
        self._patience = patience or Patience()
        self._queue_limit = queue_limit
        self._queue: deque[RawPayload] = deque()
        self._arrived = asyncio.Event()
        self._lost = 0
        self._usable = False
        self._state = "not started"
        connecting = asyncio.Lock()
        self._sessions = {
            sensor.address: SensorSession(sensor, radio, connecting, self._received, self._patience)
            for sensor in sensors
        }
        self._radio_waits = self._new_radio_waits()

    def status(self) -> CollectorStatus:
        """The state of the radio and of each sensor now."""
        return CollectorStatus(
            radio=self._state,
            usable=self._usable,
            sensors=tuple(session.status() for session in self._sessions.values()),
            waiting=len(self._queue),
            lost=self._lost,
        )

    async def run(self) -> None:
        """Collect until cancelled. A radio that is absent or lost is waited for.

        When cancelled, it ends all connections and then delivers what was received before it returns, for
        a sensor does not send again what was confirmed to it.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._hand_over(), name="bluetooth: hand over payloads")
                tasks.create_task(self._keep_collecting(), name="bluetooth: keep collecting")
        except asyncio.CancelledError:
            await self._drain()
            raise
        finally:
            self._usable = False
            self._state = "stopped"

    # --- from the radio into the queue

    async def _keep_collecting(self) -> None:
        said: str | None = None
        while True:
            problem = await self._radio.problem()
            if problem is None:
                problem = await self._collect_until_lost()
                said = None
            stop_if_cancelled()
            self._state = problem
            wait = next(self._radio_waits)
            level = logging.DEBUG if problem == said else logging.ERROR
            logger.log(level, "no Bluetooth: %s; the hub looks again by itself, in %g s", problem, wait)
            said = problem
            await asyncio.sleep(wait)

    async def _collect_until_lost(self) -> str:
        """Collect until the radio is lost, and say why it was."""
        async with asyncio.TaskGroup() as tasks:
            sessions = [
                tasks.create_task(session.run(), name=f"bluetooth: sensor {address}")
                for address, session in self._sessions.items()
            ]
            # Not an exception in a child ends the group: TaskGroup of Python 3.11 then forgets that its own
            # task was cancelled, if that happens in the same moment.
            try:
                return await self._scan()
            finally:
                self._usable = False
                for session in sessions:
                    session.cancel()

    async def _scan(self) -> str:
        scanner = self._radio.scanner(self._heard)
        try:
            await scanner.start()
        except RADIO_ERRORS as error:
            return f"scanning cannot be started: {words(error)}"
        self._usable = True
        self._state = f"scanning for {len(self._sessions)} sensor(s)"
        self._radio_waits = self._new_radio_waits()
        logger.info("Bluetooth: %s", self._state)
        try:
            return await self._radio.wait_until_lost()
        finally:
            try:
                await within(self._patience.disconnect, scanner.stop())
            except RADIO_ERRORS as error:
                logger.debug("the scanner did not stop: %s", words(error))

    def _new_radio_waits(self) -> Iterator[float]:
        return doubling(self._patience.radio_least, self._patience.radio_most)

    def _heard(self, device: BLEDevice, _advertisement: AdvertisementData) -> None:
        session = self._sessions.get(device.address.upper())
        if session is not None:
            session.heard(device)

    def _received(self, payload: RawPayload) -> None:
        """Called in bleak's notification callback, so it must not wait."""
        if len(self._queue) >= self._queue_limit:
            self._lost += 1
            if self._lost == 1 or self._lost % 1000 == 0:
                logger.error(
                    "%d payload(s) lost: %d wait to be stored, and the queue is full; is the disk full?",
                    self._lost,
                    self._queue_limit,
                )
            return
        self._queue.append(payload)
        self._arrived.set()

    # --- from the queue to the hub

    async def _hand_over(self) -> None:
        while True:
            await self._deliver_all()
            await self._arrived.wait()

    async def _deliver_all(self) -> None:
        self._arrived.clear()
        while self._queue:
            await self._deliver(self._queue[0])
            self._queue.popleft()

    async def _drain(self) -> None:
        try:
            await within(self._patience.drain, self._deliver_all())
        except TimeoutError:
            logger.error("stopping with %d payload(s) not stored", len(self._queue))  # noqa: TRY400
