"""Delivery: from the outbox to the broker, for as long as it takes; and acknowledgements home.

The promises kept here: a row leaves the outbox only on the broker's PUBACK; an alert leaves it only if
somebody is subscribed, as far as the broker can tell, and never waits behind a backlog; whatever the broker
does, the hub goes on trying and the rows stay.

At most `window` rows are in flight, so that no more than that is ever ahead of a new alert, and a tenth
of the window is kept for alerts. What was in flight when a connection was lost is sent again: the ICS tells
the duplicates by the event's id.
"""

from __future__ import annotations

import asyncio
import logging
import random
from asyncio import Future
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from functools import partial
from math import inf
from time import monotonic

from hub.configuration import file as config
from hub.errors import CareportError
from hub.running import progress
from hub.running.patience import within
from hub.store.errors import StoreError
from hub.store.outbox import MADE_AT_ONCE, CannotBeToldError, Outbox, OutboxRow
from hub.uplink.again import Again
from hub.uplink.broker import LONGEST_SILENCE_SECONDS, Broker
from hub.uplink.cloudevents import Event, EventError, from_json
from hub.uplink.connection import Connection
from hub.uplink.errors import BrokerError, BrokerRefusedError, DisconnectedError
from hub.uplink.inbox import Inbox
from hub.uplink.link import Link, LinkStatus
from hub.uplink.proving import Answer, Proof, prove
from hub.uplink.resting import Resting
from hub.uplink.settling import Settling

HELD_MOST = 1_000
"""Rows that the broker will not take for now; with so many, no further ordinary ones are tried."""

_SETTLED_LATE_MOST = 1_000
"""Rows that the broker has answered and the card does not know of yet: so many may come twice if killed."""

FAREWELL_SECONDS = 2.0
"""How long the hub, when it stops, waits for the broker or the card before it leaves without."""

_HURRIED = 5  # times the least delay: what even a new alert lets pass between two attempts to connect

_CONNECTS_WITHIN = 300.0  # seconds: a name may have many addresses, and its servers may be silent
_PUBLISHES_WITHIN = LONGEST_SILENCE_SECONDS + progress.PATIENCE
_LOOKS_AT_LEAST_EVERY = 15.0  # seconds, so that it is seen that it looks

_log = logging.getLogger(__name__)


class Presence(StrEnum):
    """The hub as its retained status tells it: LOST is the last will, published by the broker."""

    ONLINE = "online"
    OFFLINE = "offline"
    LOST = "lost"


class Forwarder:
    """Keeps the outbox empty.

    Args:
        settings: the broker, the window and the back-off.
        client_id: this hub's identity at the broker.
        outbox: what waits to be delivered.
        topic_of: the topic of a channel ("alert", "status", "ack", "answer").
        status_event: what to say of its presence.
        on_delivered: is told of rows that the broker acknowledged, before they leave the outbox; again
            after a crash in between. Not of an urgent row to which nobody is subscribed: that one stays,
            and is sent again until somebody is.
        on_acknowledgement: is given each event that the ICS sends, and returns the answer to it, if any.
            The broker is told that it arrived when this returns, or raises `EventError` (logged, dropped).
            Any other `CareportError` has it called again later. It may be given an event more than once.
        on_update: is given what comes on `update` in the same way; to be heard only if `listens_to_updates`.
        on_malformed: is told why what the ICS sent is no event; returns the answer to it, if any.
        urgent: the channels that overtake, and of which nothing is given up.
    """

    def __init__(
        self,
        settings: config.Broker,
        client_id: str,
        outbox: Outbox,
        *,
        topic_of: Callable[[str], str],
        status_event: Callable[[Presence], Event],
        on_delivered: Callable[[Sequence[OutboxRow]], Awaitable[None]],
        on_acknowledgement: Callable[[Event], Awaitable[Event | None]],
        on_malformed: Callable[[EventError], Event | None] = lambda _: None,
        on_update: Callable[[Event], Awaitable[Event | None]] | None = None,
        listens_to_updates: bool = False,
        urgent: Collection[str] = frozenset({"alert"}),
    ) -> None:
        self._settings = settings
        self._outbox = outbox
        self._topic_of = topic_of
        self._status_event = status_event
        self._urgent = urgent
        self._broker = Broker(
            settings,
            client_id,
            will=lambda: (topic_of("status"), status_event(Presence.LOST)),
            subscription=[topic_of(each) for each in ("ack", *(["update"] if listens_to_updates else []))],
        )
        self._taken: set[int] = set()  # in flight, or answered and not yet settled with the outbox
        self._in_flight = 0
        self._made = 0  # of those in flight, how many were made when they were sent
        self._resting = Resting(self._longest_delay)
        self._hurried: set[int] = set()  # the urgent rows that have cut a pause between attempts short
        self._more_waits = False
        self._low_water = 0
        self._looks_at = inf  # monotonic seconds: when `_send` looks at the outbox though nothing changed
        self._cautious = self._probing = False
        self._sent = self._answered = 0  # on this connection
        self._link = Link()
        self._connection: Connection | None = None  # the newest; it may be lost
        self._status_changed = False
        self._inbox = Inbox(topic_of, on_acknowledgement, on_malformed, self._link, self._least, on_update)
        self._settling = Settling(outbox, on_delivered, self._let_go, self._link, self._least)
        most = self._longest_delay(32)
        self._again = Again(outbox, urgent, self._link, self._least, most, self.tell_status)

    def status(self) -> LinkStatus:
        """The link as it is now."""
        return self._link.status()

    def tell_status(self) -> None:
        """Have the status told anew on this connection: what it says has changed."""
        self._status_changed = True
        self._outbox.changed.set()

    async def prove(self) -> Proof:
        """Tell the status anew at once, and say what the broker answers: whether this hub may publish."""
        proof = await prove(self._connection, self._topic_of("status"), self._status_event(Presence.ONLINE))
        if proof.answer in (Answer.ACCEPTED, Answer.SENT, Answer.REFUSED):
            self._link.status_told(proof.reason or None)
        return proof

    async def run(self) -> None:
        """Connect, deliver, reconnect, until cancelled; then say goodbye.

        Nothing that the broker does, and no `CareportError` of the outbox, ends this.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._settling.run())
                await self._connect_for_ever()
        finally:
            with suppress(TimeoutError, CareportError):
                await within(FAREWELL_SECONDS, self._settling.settle())

    async def _connect_for_ever(self) -> None:
        attempt = 0
        while True:
            progress.turn(_CONNECTS_WITHIN)
            connected_at = None
            try:
                async with self._broker.connect() as connection:
                    connected_at = monotonic()
                    self._connection = connection
                    await self._use(connection)
            except BrokerError as error:
                self._link.disconnected(str(error))
            connected_for = 0.0 if connected_at is None else monotonic() - connected_at
            attempt = self._attempt_after(attempt, connected_for)
            if attempt == 0:
                self._hurried.clear()
            # Widely spread: with a borough's broker all its hubs come back at once.
            pause = random.uniform(self._least, self._longest_delay(attempt + 2))
            progress.turn(pause + progress.PATIENCE)
            await self._pause(pause)

    async def _pause(self, seconds: float) -> None:
        """Wait before the next attempt to connect.

        An alert cuts it short, each alert once, but not below `_HURRIED` times the least delay: so
        many alerts cannot have the hub hammer at the broker.
        """
        soonest = monotonic() + _HURRIED * self._least
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not await self._new_alert():
                    await self._outbox.changed.wait()
                await asyncio.sleep(soonest - monotonic())

    async def _new_alert(self) -> bool:
        """Whether an urgent row waits that has hurried nothing yet, and that does not rest."""
        self._outbox.changed.clear()
        besides = self._hurried | self._taken | self._resting.all()
        try:
            rows = await self._outbox.waiting(self._settings.window, besides, 0)
        except CareportError as error:
            self._link.say(f"the outbox cannot be read: {error}")
            return False
        new = {row.sequence for row in rows if row.channel in self._urgent}
        self._hurried |= new
        return bool(new)

    @property
    def _least(self) -> float:
        return self._settings.reconnect_least.total_seconds()

    def _longest_delay(self, attempt: int) -> float:
        """Seconds: twice as long each time, from twice the least to the most."""
        most = max(self._least, self._settings.reconnect_most.total_seconds())
        return min(most, self._least * 2.0 ** min(attempt + 1, 32))

    def _attempt_after(self, attempt: int, connected_for: float) -> int:
        """Start anew only after a connection that outlasted the delay it cost.

        One that is lost at once must not have the hub hammer at the broker.
        """
        return 0 if connected_for > self._longest_delay(attempt) else attempt + 1

    async def _use(self, connection: Connection) -> None:
        """Deliver over a connection until it is lost; raises `DisconnectedError` with the reason."""
        self._sent = self._answered = self._in_flight = self._made = 0
        self._probing = self._cautious
        connection.lost.add_done_callback(lambda _: self._outbox.changed.set())
        try:
            with suppress(BrokerRefusedError):  # alerts go out though the status may not
                await self._publish_status(connection, Presence.ONLINE)
            words = f"connected to {self._broker.address} with MQTT {connection.protocol}"
            self._link.connected(words, connection.unsubscribed)
            self._resting.wake_unheard()
            async with asyncio.TaskGroup() as tasks:
                meanwhile = [
                    tasks.create_task(self._inbox.receive(connection)),
                    tasks.create_task(self._again.run(connection)),
                ]
                await self._send(connection)
                for task in meanwhile:
                    task.cancel()
        except asyncio.CancelledError:
            await self._say_goodbye(connection)
            raise
        except BaseException:
            connection.abort()
            raise
        if self._sent:
            self._cautious = not self._answered
        raise DisconnectedError(connection.lost.result())

    async def _say_goodbye(self, connection: Connection) -> None:
        try:
            await within(FAREWELL_SECONDS, self._publish_status(connection, Presence.OFFLINE))
        except (TimeoutError, BrokerError):
            connection.abort()  # then the last will says it

    async def _publish_status(self, connection: Connection, presence: Presence) -> None:
        self._status_changed = False
        try:
            await connection.publish(self._topic_of("status"), self._status_event(presence), retain=True)
        except BrokerRefusedError as error:
            self._link.status_told(error.reason)
            raise
        self._link.status_told(None)

    async def _send(self, connection: Connection) -> None:
        """Keep the window full until the connection is lost."""
        while not connection.lost.done():
            progress.turn()
            self._outbox.changed.clear()
            try:
                self._looks_at = self._resting.next_due()  # before: a row may come due meanwhile
                await self._fill(connection)
                if self._status_changed:
                    progress.turn(_PUBLISHES_WITHIN)
                    with suppress(BrokerRefusedError):
                        await self._publish_status(connection, Presence.ONLINE)
            except DisconnectedError:
                return
            except CareportError as error:
                self._link.say(f"the outbox cannot be read: {error}")
                self._looks_at = monotonic() + self._least
            progress.turn()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(self._looks_at - monotonic(), _LOOKS_AT_LEAST_EVERY)):
                    await self._outbox.changed.wait()

    async def _fill(self, connection: Connection) -> None:
        """Put as many rows in flight as there is room for.

        A connection that was lost with nothing answered may have been ended by the broker because of the
        first row it was sent (MQTT 3.1.1 has no other way to refuse). Then the next one starts with a
        single row, and where that alone ends it again, the row rests and the others go on.
        """
        window = min(self._settings.window, connection.receive_maximum)
        limit = 1 if self._probing and not self._answered else window
        ordinary_limit = limit - min(limit - 1, max(1, limit // 10))
        self._low_water = min(limit, MADE_AT_ONCE) // 2
        self._more_waits = True
        if (room := limit - self._in_flight) <= 0:
            return
        made = max(0, min(MADE_AT_ONCE - self._made, ordinary_limit - self._in_flight))
        rows = await self._outbox.waiting(room, self._taken | self._resting.not_due(), made)
        many_rest = self._resting.ordinary >= HELD_MOST
        for row in rows:
            if row.channel not in self._urgent:
                if self._in_flight >= ordinary_limit or len(self._taken) >= _SETTLED_LATE_MOST + window:
                    return
                if many_rest and row.sequence not in self._resting:
                    continue
            self._send_row(connection, row)
        self._more_waits = len(rows) == room or sum(not isinstance(row.event, str) for row in rows) >= made

    def _send_row(self, connection: Connection, row: OutboxRow) -> None:
        made = isinstance(row.event, Event)
        try:
            if isinstance(row.event, CareportError):
                raise row.event
            event = from_json(row.event) if isinstance(row.event, str) else row.event
            answer = connection.send(self._topic_of(row.channel), event)
        except (EventError, CannotBeToldError) as error:
            self._taken.add(row.sequence)
            self._refuse(row, f"no event that can be sent: {error}")
            return
        except StoreError as error:
            self._link.say(str(error))
            self._hold(row)  # it rests, and keeps none behind it from going
            return
        self._taken.add(row.sequence)
        self._in_flight += 1
        self._made += made
        self._sent += 1
        if made:
            row = replace(row, event="")  # not held until it is settled: a card may be long in taking that
        answer.add_done_callback(partial(self._on_answer, row, made))

    def _on_answer(self, row: OutboxRow, made: bool, answer: Future[bool]) -> None:
        self._in_flight -= 1
        self._made -= made
        error = answer.exception()
        if isinstance(error, DisconnectedError):
            self._taken.discard(row.sequence)
            if self._probing and not self._answered:
                self._hold(row)
            return
        self._answered += 1
        if error is None:
            self._on_acknowledged(row, heard=answer.result())
        elif isinstance(error, BrokerRefusedError) and error.for_ever:
            self._refuse(row, error.reason)
        else:
            self._link.say(f"channel {row.channel}: {error}; it is tried again")
            self._taken.discard(row.sequence)
            self._hold(row)
        if self._more_waits and self._in_flight <= self._low_water:
            self._outbox.changed.set()

    def _on_acknowledged(self, row: OutboxRow, *, heard: bool) -> None:
        if row.channel in self._urgent:
            if not heard:
                self._link.unheard()
                self._taken.discard(row.sequence)
                self._hold(row, unheard=True)
                return
            self._link.heard()
            self._resting.forget_unheard()
            self._outbox.changed.set()
        self._resting.forget(row.sequence)
        self._settling.delivered(row)

    def _refuse(self, row: OutboxRow, reason: str) -> None:
        self._link.say(f"channel {row.channel}: set aside, since the broker will never take it: {reason}")
        self._resting.forget(row.sequence)
        self._settling.refused(row, reason)

    def _let_go(self, sequences: Collection[int]) -> None:
        self._taken.difference_update(sequences)
        if self._more_waits:
            self._outbox.changed.set()

    def _hold(self, row: OutboxRow, *, unheard: bool = False) -> None:
        due = self._resting.hold(row, urgent=row.channel in self._urgent, unheard=unheard)
        if due < self._looks_at:
            self._looks_at = due
            self._outbox.changed.set()  # `_send` would sleep too long
