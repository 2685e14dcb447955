"""The story: two residents; one gets worse in half a minute, while the broker is restarted in the middle."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any

from drivers.virtual.usb_scenario import SHARED_KIT
from drivers.virtual.ward import DETERIORATING
from hub.alerts.book import alert_of
from hub.assessment.news2 import Band
from hub.control.control_socket import ask
from hub.demo.mosquitto import Mosquitto, free_port
from hub.demo.page import NAME, PIN, PageSeen, enter_staff, look_at
from hub.demo.record import Check, Latency, Record, Sent, checks, failed, latencies
from hub.demo.stage import (
    ILL,
    ILL_NAME,
    SHARED_OXIMETER,
    WELL,
    WELL_NAME,
    DemoError,
    carehub,
    last_words,
    lines_of,
    write_configuration,
)
from hub.sensors.radios import SENT_LOG
from hub.store.database import FILE_NAME, open_for_reading
from hub.store.queries import alerts
from hub.uplink.cloudevents import Event, from_json
from hub.uplink.contract import AlertChange

_PATIENCE_SECONDS = 90.0
_OUTAGE_SECONDS = 9.0
_LAST_SENSOR = "C4:F2:17:00:00:11"
ICS_DESK = "the ICS desk"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the demonstration ended."""

    checks: list[Check]
    latencies: dict[str, Latency]
    seconds: float
    page: PageSeen

    @property
    def good(self) -> bool:
        """True if all that had to happen did."""
        return all(check.happened for check in self.checks)


Tell = Callable[[str], None]
Show = Callable[[Event], None]


Stay = Callable[[Outcome], Awaitable[None]]


async def play(tell: Tell, show: Show, stay: Stay | None = None) -> Outcome:
    """Play the story once.

    Args:
        tell: is given what the narrator says.
        show: is given each event that the subscriber receives.
        stay: is given the outcome while all still runs, so that somebody may look at the staff page.

    Raises:
        DemoError: a part did not start, or the story did not come to its end in time.
    """
    began = monotonic()
    with tempfile.TemporaryDirectory(prefix="carehub-demo-") as name:
        directory = Path(name)
        async with AsyncExitStack() as stack:
            broker = stack.enter_context(Mosquitto(directory / "broker"))
            tell(f"A broker (mosquitto) listens on port {broker.port}.")
            config = write_configuration(
                directory, broker.port, page_port := free_port(), DETERIORATING, SHARED_KIT
            )
            ics = await stack.enter_async_context(
                carehub(
                    directory, "ics", "listen", f"mqtt://{broker.host}:{broker.port}",
                    "--everything", "--ack", "--by", ICS_DESK, "--json",
                )
            )  # fmt: skip
            tell(f"The ICS subscribes; {ICS_DESK} acknowledges each alert as it comes.")
            hub = await stack.enter_async_context(carehub(directory, "hub", "run", "--config", str(config)))
            tell("The hub starts; five virtual sensors are in its radio's reach.")
            await enter_staff(directory, config)
            await stack.enter_async_context(carehub(directory, "page", "page", "--config", str(config)))
            tell(f"The staff page: http://127.0.0.1:{page_port}/ (sign in as {NAME}, PIN {PIN})")
            tell("An oximeter for everybody and a reader of wristbands are plugged in.\n")
            record = Record()
            scenes = _Scenes(broker, directory / "control.sock", record, tell)
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await scenes.play(_watched(ics, record, show))
            except TimeoutError:
                tell("The story did not come to its end in time.")
            if hub.returncode is not None:
                raise DemoError(f"the hub ended by itself:\n{last_words(directory, 'hub')}")
            if ics.returncode is not None:
                raise DemoError(f"the subscriber ended by itself:\n{last_words(directory, 'ics')}")
            seen = await look_at(directory, page_port)
            sent = _sent(directory)
            found = [*checks(record, sent, _kept(directory)), shows_the_home(seen)]
            outcome = Outcome(found, latencies(record, sent), monotonic() - began, seen)
            if stay is not None:
                await stay(outcome)
        return outcome


def shows_the_home(seen: PageSeen) -> Check:
    """Whether the staff page shows who is ill before who is well, by name, with the alert."""
    return Check(
        "the staff page shows the home: who is ill first, with the alert, then who is well",
        seen.shows_in_order([ILL_NAME, WELL_NAME]) and "alert" in seen.text.lower(),
    )


async def _watched(ics: asyncio.subprocess.Process, record: Record, show: Show) -> AsyncIterator[Event]:
    async for line in lines_of(ics):
        event = from_json(json.dumps(line["event"]))
        record.add(event, line["monotonic"], datetime.fromisoformat(line["received_at"]))
        show(event)
        yield event


class _Scenes:
    """What the people and the broker do, each when its cue has been seen."""

    def __init__(self, broker: Mosquitto, control: Path, record: Record, tell: Tell) -> None:
        self._broker = broker
        self._control = control
        self._record = record
        self._tell = tell
        self._restart: asyncio.Task[None] | None = None

    async def play(self, events: AsyncIterator[Event]) -> None:
        """Follow the events until the high alert's acknowledgement has come home."""
        cues = [
            (self._all_measured_once, self._a_carer_makes_her_round),
            (self._a_cuff_failed, self._a_carer_looks_again),
            (self._a_payload_was_truncated, self._the_broker_stops),
        ]
        try:
            async for _ in events:
                while cues and cues[0][0]():
                    await cues.pop(0)[1]()
                if not cues and self._all_is_home():
                    return
        finally:
            if self._restart is not None:
                await self._restart

    def _all_measured_once(self) -> bool:
        return len({seen.heard.device for seen in self._record.readings} - {None, SHARED_OXIMETER}) == 5

    async def _a_carer_makes_her_round(self) -> None:
        self._tell(f"A carer enters for both: alert, on air; {ILL} breathes 16, {WELL} 14 times a minute.")
        await self._observe(ILL, respiration_rate=16, consciousness="A", breathing="air")
        await self._observe(WELL, respiration_rate=14, consciousness="A", breathing="air")

    def _a_cuff_failed(self) -> bool:
        return any(failed(seen.heard) for seen in self._record.readings)

    async def _a_carer_looks_again(self) -> None:
        self._tell(f"A carer counts {ILL}'s breathing again: 22 a minute.")
        await self._observe(ILL, respiration_rate=22, consciousness="A", breathing="air")

    def _a_payload_was_truncated(self) -> bool:
        return any(seen.heard.problem for seen in self._record.readings)

    async def _the_broker_stops(self) -> None:
        await asyncio.to_thread(self._broker.stop)
        self._record.broker_stopped = monotonic()
        self._tell(f"\nThe broker is stopped for {_OUTAGE_SECONDS:g} seconds; the hub goes on alone.\n")
        self._restart = asyncio.create_task(self._the_broker_returns())

    async def _the_broker_returns(self) -> None:
        await asyncio.sleep(_OUTAGE_SECONDS)
        self._record.broker_started = monotonic()
        await asyncio.to_thread(self._broker.start)
        self._tell("\nThe broker is back.\n")

    def _all_is_home(self) -> bool:
        """The high alert's acknowledgement has come, and the last readings of the one who is well."""
        last = sum(seen.heard.device == _LAST_SENSOR for seen in self._record.readings) == 3
        shared = any(
            seen.heard.device == SHARED_OXIMETER and seen.heard.resident == WELL
            for seen in self._record.readings
        )
        return last and shared and bool(self._record.told(AlertChange.ACKNOWLEDGED, Band.HIGH))

    async def _observe(self, resident: str, **observed: Any) -> None:
        await asyncio.to_thread(ask, self._control, "observe", resident=resident, by="a carer", **observed)


def _sent(directory: Path) -> list[Sent]:
    lines = (directory / "data" / SENT_LOG).read_text().splitlines()
    return [Sent(**json.loads(line)) for line in lines]


def _kept(directory: Path) -> list[dict[str, Any]]:
    connection = open_for_reading(directory / "data" / FILE_NAME)
    try:
        found = [alert_of(row) for row in alerts(connection, resolved=True, most=100)]
    finally:
        connection.close()
    return [
        {
            "acknowledged_by": alert.acknowledged_by,
            "acknowledged_at": alert.acknowledged_at,
            "acknowledged_via": alert.acknowledged_via,
        }
        for alert in found
    ]
