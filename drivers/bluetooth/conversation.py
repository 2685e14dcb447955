"""What is said on one link with a sensor, in the order of what matters: its measurements first.

Each request has its own short time limit, and none that fails ends the others: a sensor may refuse anything,
and drop the link at any point. What a class of sensor needs is said by its `Driver`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.exc import BleakGATTProtocolError, BleakGATTProtocolErrorCode

from drivers.bluetooth import sensor_clock
from drivers.bluetooth.bonding import Refusal, refusal
from drivers.bluetooth.device_information import DailyReads, DeviceInformation, noted
from drivers.bluetooth.offer import WRITE, Offer
from drivers.bluetooth.patience import Patience
from drivers.bluetooth.radio import RADIO_ERRORS, loop_time, stop_if_cancelled, words
from drivers.bluetooth.records import ABORT, Answer, StoredRecords, answer
from drivers.driver import DecodeError
from drivers.gatt import GattDriver
from hub.running.patience import within

logger = logging.getLogger(__name__)

_LONGEST_PAYLOAD = 512  # bytes of an attribute's value; Core Specification, volume 3, part F, section 3.2.9
_CLOCK_IS_RIGHT = timedelta(seconds=2)
_TO_ABORT = 1.0  # seconds, while stopping


class SecurityWantedError(ConnectionError):
    """The sensor refuses all that the link was made for, unless there is a bond."""


class Flood:
    """How much one sensor may send: `burst` notifications at once, and `rate` a second in the long run.

    No more get through the radio from one that works: beyond it is a fault, and must not fill the queue that
    all sensors share. Pure; times are seconds of a clock that does not jump.
    """

    def __init__(self, burst: float = 5000.0, rate: float = 200.0) -> None:
        self._burst = burst
        self._rate = rate
        self._left = burst
        self._at = 0.0

    def lets_pass(self, now: float) -> bool:
        """Whether one more may come now."""
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


@dataclass(slots=True)
class Acquaintance:
    """What is remembered of a sensor from link to link, for as long as the hub runs."""

    records: StoredRecords = field(default_factory=StoredRecords)
    reads: DailyReads = field(default_factory=DailyReads)
    flood: Flood = field(default_factory=Flood)
    information: DeviceInformation = field(default_factory=DeviceInformation)


class Conversation:
    """One link, from its services being known until it drops.

    `subscribed` says whether the sensor was subscribed to; `wishes_a_bond` whether it refused something of
    lesser weight for want of a bond.
    """

    def __init__(
        self,
        client: BleakClient,
        dropped: asyncio.Event,
        driver: GattDriver,
        acquaintance: Acquaintance,
        *,
        deliver: Callable[[str, bytes], None],
        learned: Callable[[DeviceInformation], None],
        local_now: Callable[[], datetime | None],
        patience: Patience,
    ) -> None:
        """`deliver` gets each payload with the name of its characteristic, in the order of their arrival;
        the others are as `SensorSession` has them."""
        self._client = client
        self._dropped = dropped
        self._driver = driver
        self._known = acquaintance
        self._deliver = deliver
        self._learned = learned
        self._local_now = local_now
        self._patience = patience
        self._offer = Offer((), driver)
        self._answers: asyncio.Queue[bytes] = asyncio.Queue(maxsize=100)
        self._stirred = asyncio.Event()
        self._heard_at = loop_time()
        self._endless = False
        self._told = False
        self._flooded = False
        self.subscribed = False
        self.wishes_a_bond = False

    async def hold(self) -> None:
        """Say what there is to say, and listen until the link drops.

        Raises:
            SecurityWantedError: nothing could be subscribed to without a bond.
            ConnectionError: nothing could be subscribed to.
        """
        talking = asyncio.ensure_future(self._talk())
        losing = asyncio.ensure_future(self._dropped.wait())
        try:
            await asyncio.wait((talking, losing), return_when=asyncio.FIRST_COMPLETED)
            if not losing.done():
                talking.result()
                await losing
        finally:
            talking.cancel()
            losing.cancel()
            await asyncio.wait((talking, losing))
            failure = None if talking.cancelled() else talking.exception()
        if failure is not None:
            raise failure
        if not self.subscribed and not self._told:  # some say all they have at the first subscription, and go
            raise ConnectionError("dropped the link before it could be subscribed to")

    async def _talk(self) -> None:
        driver = self._driver
        self._offer = Offer(self._client.services.characteristics.values(), driver)
        if driver.clock_first:
            await self._step("setting its clock", self._set_clock(read_first=False))
        await self._subscribe()
        for name, greeting in driver.greeting:
            await self._step(f"greeting it on {name}", self._greet(name, greeting))
        if not driver.clock_first:
            await self._step("setting its clock", self._set_clock(read_first=True))
        if driver.records is not None:
            await self._ask_for_records(driver.records)
        await self._read_information()

    async def _step(self, what: str, work: Awaitable[None], seconds: float | None = None) -> Exception | None:
        """Do it within its time; a failure is said and given back, and is nobody else's."""
        try:
            async with asyncio.timeout(seconds or self._patience.request):
                await work
        except RADIO_ERRORS as error:
            stop_if_cancelled()
            if not self._dropped.is_set():
                logger.info("sensor %s: %s failed: %s", self._client.address, what, words(error))
                if refusal(error) is Refusal.SECURITY:
                    self.wishes_a_bond = True
            return error
        stop_if_cancelled()
        return None

    # --- measurements

    async def _subscribe(self) -> None:
        """Subscribe to all that the driver can read and the sensor has.

        Raises:
            SecurityWantedError, ConnectionError: the sensor has none of it, or refused all.
        """
        wanted = self._offer.to_subscribe_to()
        refusals: list[tuple[str, Exception]] = []
        for name, characteristic in wanted:
            refused = await self._step(
                f"subscribing to {name}",
                self._client.start_notify(characteristic, self._listener(name)),
                self._patience.subscribe,
            )
            if refused is None:
                self.subscribed = True
            else:
                refusals.append((name, refused))
        if len(refusals) < len(wanted) or self._dropped.is_set():
            return
        said = "; ".join(f"{name}: {words(error)}" for name, error in refusals)
        kind = next((error for _, error in refusals if refusal(error) is Refusal.SECURITY), None)
        if kind is not None:
            raise SecurityWantedError(f"refuses to be subscribed to ({said})") from kind
        raise ConnectionError(f"refuses to be subscribed to ({said})")

    def _listener(self, name: str) -> Callable[[BleakGATTCharacteristic, bytearray], None]:
        framer = self._driver.framer() if self._driver.framer is not None else None

        def on_notification(_characteristic: BleakGATTCharacteristic, notification: bytearray) -> None:
            if not self._is_bearable(notification):
                return
            payloads = [bytes(notification)] if framer is None else framer.feed(bytes(notification))
            for payload in payloads:
                self._take(name, payload)

        return on_notification

    def _is_bearable(self, notification: bytearray) -> bool:
        self._heard_at = loop_time()
        if len(notification) <= _LONGEST_PAYLOAD and self._known.flood.lets_pass(self._heard_at):
            return True
        self._known.records.missed()
        if not self._flooded:
            self._flooded = True
            logger.error("sensor %s: sends too much; what is beyond reason is lost", self._client.address)
        return False

    def _take(self, name: str, payload: bytes) -> None:
        self._told = True
        self._deliver(name, payload)
        if self._driver.records is None or name in self._driver.streaming:
            return
        if name == self._driver.subscribed[0]:
            try:
                number = self._driver.characteristics[name](payload).sequence_number
            except DecodeError:
                number = None
            self._endless |= not self._known.records.record(number, payload)
        self._stirred.set()

    # --- clock and greeting

    async def _greet(self, name: str, greeting: bytes) -> None:
        found = self._offer.found(name, *WRITE)
        if not found:
            raise ConnectionError(f"it has no {name} that can be written")
        await self._client.write_gatt_char(found[0], greeting, response="write" in found[0].properties)

    async def _set_clock(self, *, read_first: bool) -> None:
        now = self._local_now()
        clock = self._offer.clock()
        if now is None or clock is None:
            what = "the hub's own is not to be believed" if now is None else "it has none that can be set"
            logger.debug("sensor %s: its clock is not set: %s", self._client.address, what)
            return
        name, characteristic = clock
        if read_first and "read" in characteristic.properties:
            shown = sensor_clock.decoded(name, bytes(await self._client.read_gatt_char(characteristic)))
            now = self._local_now() or now
            ahead = sensor_clock.ahead(shown, now) if shown is not None else None
            if ahead is not None:
                self._note_clock(ahead)
                if abs(ahead) <= _CLOCK_IS_RIGHT:
                    return
        try:
            await self._client.write_gatt_char(
                characteristic,
                sensor_clock.encoded(name, now),
                response="write" in characteristic.properties,
            )
        except BleakGATTProtocolError as error:
            if error.code != sensor_clock.DATA_FIELD_IGNORED:
                raise

    def _note_clock(self, ahead: timedelta) -> None:
        known = self._known.information.clock_ahead
        if known is None or abs(ahead - known) > _CLOCK_IS_RIGHT:
            self._learn(replace(self._known.information, clock_ahead=ahead))

    # --- stored records

    async def _ask_for_records(self, name: str) -> None:
        """Ask for what is stored. It may take many minutes: what limits it is silence."""
        found = self._offer.found(name, "indicate")
        if not found:
            logger.debug("sensor %s: has no %s: what it stores is not asked for", self._client.address, name)
            return
        control_point = found[0]
        refused = await self._step(
            f"subscribing to {name}", self._client.start_notify(control_point, self._on_answer)
        )
        if refused is not None:
            return
        request: bytes | None = self._known.records.begin()
        try:
            while request is not None:
                request = await self._request(control_point, request)
        except asyncio.CancelledError:
            self._known.records.broken_off()
            if not self._dropped.is_set():
                await self._abort(control_point, _TO_ABORT)
            raise

    async def _request(self, control_point: BleakGATTCharacteristic, request: bytes) -> bytes | None:
        """Make one request, and wait for its end; the next one to make, if any."""
        self._endless = False
        refused = await self._step("asking for its records", self._write(control_point, request))
        if _is_in_progress(refused):  # of a link before this, or of another hub
            await self._abort(control_point, self._patience.request)
            await asyncio.sleep(self._patience.late)
            refused = await self._step("asking for its records", self._write(control_point, request))
        if refused is not None:
            self._known.records.broken_off()
            return None
        answered = await self._answer(request)
        if answered is None:
            if not self._dropped.is_set():
                said = "it sends without end" if self._endless else "it fell silent"
                logger.warning("sensor %s: its stored records: %s", self._client.address, said)
                await self._abort(control_point, self._patience.request)
            self._known.records.broken_off()
            return None
        await self._quiet(self._patience.late)
        if answered not in (Answer.SUCCESS, Answer.NO_RECORDS_FOUND):
            logger.info("sensor %s: its stored records: %s", self._client.address, answered.words)
        return self._known.records.ended(answered)

    async def _write(self, control_point: BleakGATTCharacteristic, request: bytes) -> None:
        while not self._answers.empty():
            self._answers.get_nowait()
        await self._client.write_gatt_char(control_point, request, response=True)

    async def _answer(self, request: bytes) -> Answer | None:
        """How the request went; None where nothing more came for too long, or far too much."""
        while not self._endless:
            while not self._answers.empty():
                if (answered := answer(self._answers.get_nowait(), request)) is not None:
                    return answered
            self._stirred.clear()
            try:
                async with asyncio.timeout(self._patience.stored):
                    await self._stirred.wait()
            except TimeoutError:
                stop_if_cancelled()
                return None
            stop_if_cancelled()
        return None

    async def _abort(self, control_point: BleakGATTCharacteristic, seconds: float) -> None:
        try:
            await within(seconds, self._client.write_gatt_char(control_point, ABORT, response=True))
        except RADIO_ERRORS as error:
            logger.debug("sensor %s: aborting failed: %s", self._client.address, words(error))

    def _on_answer(self, _characteristic: BleakGATTCharacteristic, payload: bytearray) -> None:
        if self._is_bearable(payload) and not self._answers.full():
            self._answers.put_nowait(bytes(payload))
            self._stirred.set()

    # --- battery, firmware

    async def _read_information(self) -> None:
        """Read what is due, one by one, each when the sensor has said nothing for a moment."""
        tired_at = loop_time() + self._patience.busy
        for name in self._known.reads.due(loop_time()):
            found = self._offer.found(name, "read")
            if not found:
                continue
            await self._quiet(self._patience.idle, tired_at)
            self._known.reads.begun(name, loop_time())
            wishes = self.wishes_a_bond
            failed = await self._step(f"reading {name}", self._read(name, found[0]))
            self.wishes_a_bond = wishes  # for a battery alone none is made
            if failed is None or isinstance(failed, BleakGATTProtocolError):
                self._known.reads.answered(name, loop_time())

    async def _read(self, name: str, characteristic: BleakGATTCharacteristic) -> None:
        payload = bytes(await self._client.read_gatt_char(characteristic))
        self._learn(noted(self._known.information, name, payload))

    def _learn(self, information: DeviceInformation) -> None:
        if information != self._known.information:
            self._known.information = information
            self._learned(information)

    async def _quiet(self, seconds: float, until: float = float("inf")) -> None:
        """Wait until nothing has come for so long, but not beyond `until`."""
        while (left := min(self._heard_at + seconds, until) - loop_time()) > 0:  # noqa: ASYNC110 -- no event is due
            await asyncio.sleep(left)


def _is_in_progress(error: Exception | None) -> bool:
    return (
        isinstance(error, BleakGATTProtocolError)
        and error.code is BleakGATTProtocolErrorCode.PROCEDURE_ALREADY_IN_PROGRESS
    )
