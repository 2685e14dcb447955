"""The hub's side of the uplink: events, a broker's configuration, an outbox, a forwarder at work."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hub.configuration import file as config
from hub.errors import CareportError
from hub.store.outbox import MADE_AT_ONCE, Outbox, OutboxRow
from hub.uplink.broker import Broker
from hub.uplink.cloudevents import Event, to_json
from hub.uplink.forwarder import Forwarder, Presence
from tests.rigs.broker import Reachable, until

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ACK = "careport/v1/site/hub/ack"
READING = "careport/v1/site/hub/reading"


def topic_of(channel: str) -> str:
    """The topic of a channel of the one hub of the tests."""
    return f"careport/v1/site/hub/{channel}"


def event(identity: int | str, padding: int = 0) -> Event:
    """An event with an id, and as large as it is wished."""
    data = {"x": "x" * padding}
    return Event(str(identity), "uk.careport.site.hub", "uk.careport.reading.v1", NOON, data, subject="r-7")


def status_event(presence: Presence) -> Event:
    """What the hub says of its presence."""
    return Event(
        f"status-{presence}", "uk.careport", "uk.careport.status.v1", NOON, {"state": presence.value}
    )


def settings(host: str, port: int, **changes: object) -> config.Broker:
    """A configuration without TLS, unless the changes say otherwise."""
    return config.Broker.model_validate(
        {"host": host, "port": port, "tls": False, "keepalive": timedelta(seconds=5), **changes}
    )


def broker_of(rig: Reachable, **changes: object) -> Broker:
    """The broker of a rig, as a hub that listens for acknowledgements sees it."""
    will = ("careport/v1/site/hub/status", event("last will"))
    return Broker(settings(rig.host, rig.port, **changes), "hub", will=lambda: will, subscription=ACK)


class DiskFullError(CareportError):
    """The card refuses."""


class MemoryOutbox:
    """The outbox in the simplest way possible; `broken` makes it fail as a full disk would."""

    def __init__(self) -> None:
        self.rows: dict[int, OutboxRow] = {}
        self.aside: dict[int, str] = {}
        self.reclaimed = 0
        self._rows_aside: dict[int, OutboxRow] = {}
        self.broken = False
        self._sequence = 0
        self._changed = asyncio.Event()

    @property
    def changed(self) -> asyncio.Event:
        return self._changed

    async def waiting(
        self, limit: int, besides: Collection[int], made: int = MADE_AT_ONCE
    ) -> Sequence[OutboxRow]:
        await asyncio.sleep(0)
        rows = (row for row in self.rows.values() if row.sequence not in besides)
        found = []
        for row in sorted(rows, key=lambda row: (row.channel != "alert", row.sequence))[:limit]:
            made -= not isinstance(row.event, str)
            if made < 0:
                break
            found.append(row)
        return found

    async def delivered(self, sequences: Collection[int]) -> None:
        await self._write()
        for sequence in sequences:
            del self.rows[sequence]

    async def set_aside(self, sequence: int, reason: str) -> None:
        await self._write()
        self._rows_aside[sequence] = self.rows.pop(sequence)
        self.aside[sequence] = reason

    async def reclaim(self, channels: Collection[str]) -> int:
        await self._write()
        rows = [row for row in self._rows_aside.values() if row.channel in channels]
        for row in rows:
            del self.aside[row.sequence]
            self.rows[row.sequence] = self._rows_aside.pop(row.sequence)
        self.reclaimed += len(rows)
        if rows:
            self._changed.set()
        return len(rows)

    async def _write(self) -> None:
        await asyncio.sleep(0)
        if self.broken:
            raise DiskFullError("the disk is full")

    def add(self, channel: str, *events: Event | str, made: bool = False) -> None:
        """Commit rows, as the intake does; such as are `made` when they are sent, or are kept as they are."""
        for item in events:
            self._sequence += 1
            kept = item if made or isinstance(item, str) else to_json(item)
            self.rows[self._sequence] = OutboxRow(self._sequence, channel, kept)
        self._changed.set()


@dataclass
class Hub:
    """A forwarder at work, and what it told its owner."""

    forwarder: Forwarder
    outbox: MemoryOutbox
    delivered: list[OutboxRow] = field(default_factory=list)
    acknowledged: list[Event] = field(default_factory=list)
    refuse_acknowledgements: list[CareportError] = field(default_factory=list)

    async def empty(self) -> None:
        """Wait until nothing waits."""
        await until(lambda: not self.outbox.rows, seconds=30)


@contextlib.asynccontextmanager
async def forwarding(
    rig: Reachable, outbox: MemoryOutbox | None = None, **changes: object
) -> AsyncIterator[Hub]:
    """A forwarder that runs; on leaving it is stopped as the daemon stops it."""
    settings = config.Broker.model_validate(
        {
            "host": rig.host,
            "port": rig.port,
            "tls": False,
            "reconnect_least": timedelta(milliseconds=20),
            "reconnect_most": timedelta(milliseconds=200),
            **changes,
        }
    )

    async def on_delivered(rows: Sequence[OutboxRow]) -> None:
        assert all(row.sequence in hub.outbox.rows for row in rows), "told before they leave the outbox"
        hub.delivered.extend(rows)

    async def on_acknowledgement(received: Event) -> None:
        if hub.refuse_acknowledgements:
            raise hub.refuse_acknowledgements.pop(0)
        hub.acknowledged.append(received)

    box: Outbox = outbox or MemoryOutbox()
    assert isinstance(box, MemoryOutbox)
    forwarder = Forwarder(
        settings,
        "hub",
        box,
        topic_of=topic_of,
        status_event=status_event,
        on_delivered=on_delivered,
        on_acknowledgement=on_acknowledgement,
    )
    hub = Hub(forwarder, box)
    running = asyncio.create_task(forwarder.run())
    try:
        yield hub
        assert not running.done(), "the forwarder goes on for ever"
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def idle_forwarder(least: float, most: float, outbox: MemoryOutbox | None = None) -> Forwarder:
    """One that is not running, with its delays in seconds."""
    settings = config.Broker.model_validate(
        {
            "host": "h",
            "tls": False,
            "reconnect_least": timedelta(seconds=least),
            "reconnect_most": timedelta(seconds=most),
        }
    )

    async def nothing(_: object) -> None:
        pass

    return Forwarder(
        settings,
        "hub",
        outbox or MemoryOutbox(),
        topic_of=topic_of,
        status_event=status_event,
        on_delivered=nothing,
        on_acknowledgement=nothing,
    )
