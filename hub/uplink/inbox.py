"""What the ICS sends: handed on until it is handled, told to the broker as arrived, and answered."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Awaitable, Callable

from hub.errors import CareportError
from hub.running import progress
from hub.uplink.cloudevents import Event, EventError, from_message
from hub.uplink.connection import Connection
from hub.uplink.errors import BrokerError
from hub.uplink.link import Link

LONGEST_CORRELATION = 256
"""Bytes of the sender's correlation data (MQTT 5) that go back with an answer; longer data does not."""


class Inbox:
    """Takes the events of the topics `ack` and `update`; see `Forwarder` for the arguments.

    `least` is the pause in seconds before an event that could not be handled is handled again.
    """

    def __init__(
        self,
        topic_of: Callable[[str], str],
        on_acknowledgement: Callable[[Event], Awaitable[Event | None]],
        on_malformed: Callable[[EventError], Event | None],
        link: Link,
        least: float,
        on_update: Callable[[Event], Awaitable[Event | None]] | None = None,
    ) -> None:
        self._topic_of = topic_of
        self._on_acknowledgement = on_acknowledgement
        self._on_malformed = on_malformed
        self._link = link
        self._least = least
        self._on_update = on_update

    async def receive(self, connection: Connection) -> None:
        """Hand each message on, tell the broker only when it is handled, and then answer.

        In this order: a broker that hangs up at the answer must not send the same message again.
        """
        with progress.apart("acknowledgements"):
            progress.rest()
            async for delivery in connection.deliveries():
                try:
                    answer = await self._handle(from_message(delivery.message), delivery.topic)
                except EventError as error:
                    self._link.say(f"a message on {delivery.topic} was dropped: {error}")
                    answer = self._on_malformed(error)
                connection.acknowledge(delivery)
                if answer is not None:
                    self._answer(connection, answer, delivery.correlation)
                progress.rest()

    async def _handle(self, event: Event, topic: str) -> Event | None:
        # By the topic and not by the event's type: who may publish on one need not be let on the other.
        take = self._on_acknowledgement
        if self._on_update is not None and topic == self._topic_of("update"):
            take = self._on_update
        while True:
            progress.turn()
            try:
                return await take(event)
            except EventError:
                raise
            except CareportError as error:
                self._link.say(f"a message on {topic} cannot be recorded: {error}; it is tried again")
                await asyncio.sleep(self._least)

    def _answer(self, connection: Connection, answer: Event, correlation: bytes | None) -> None:
        """Send an answer at best effort: it is in no outbox, and lost with the connection."""
        if correlation is not None and len(correlation) > LONGEST_CORRELATION:
            correlation = None
        try:
            sent = connection.send(self._topic_of("answer"), answer, correlation=correlation)
        except (BrokerError, EventError) as error:
            self._link.say(f"an acknowledgement was not answered: {error}")
        else:
            sent.add_done_callback(self._on_sent)

    def _on_sent(self, sent: Future[bool]) -> None:
        if (error := sent.exception()) is not None:
            self._link.say(f"an acknowledgement was not answered: {error}")
