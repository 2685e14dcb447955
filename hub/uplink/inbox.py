"""What the ICS sends: handed on until it is handled, told to the broker as arrived, and answered."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Awaitable, Callable

from hub import progress
from hub.errors import CareportError
from hub.uplink.cloudevents import Event, EventError, from_message
from hub.uplink.connection import Connection
from hub.uplink.errors import BrokerError
from hub.uplink.link import Link

LONGEST_CORRELATION = 256
"""Bytes of the sender's correlation data (MQTT 5) that go back with an answer; longer data does not."""


class Inbox:
    """Takes the events of the `ack` topic; see `Forwarder` for the arguments.

    `least` is the pause in seconds before an event that could not be handled is handled again.
    """

    def __init__(
        self,
        topic_of: Callable[[str], str],
        on_acknowledgement: Callable[[Event], Awaitable[Event | None]],
        on_malformed: Callable[[EventError], Event | None],
        link: Link,
        least: float,
    ) -> None:
        self._topic_of = topic_of
        self._on_acknowledgement = on_acknowledgement
        self._on_malformed = on_malformed
        self._link = link
        self._least = least

    async def receive(self, connection: Connection) -> None:
        """Hand each acknowledgement on, tell the broker only when it is handled, and then answer.

        In this order: a broker that hangs up at the answer must not send the same acknowledgement again.
        """
        with progress.apart("acknowledgements"):
            async for delivery in connection.deliveries():
                try:
                    answer = await self._handle(from_message(delivery.message))
                except EventError as error:
                    self._link.say(f"a message on {self._topic_of('ack')} was dropped: {error}")
                    answer = self._on_malformed(error)
                connection.acknowledge(delivery)
                if answer is not None:
                    self._answer(connection, answer, delivery.correlation)
                progress.rest()

    async def _handle(self, event: Event) -> Event | None:
        while True:
            progress.turn()
            try:
                return await self._on_acknowledgement(event)
            except EventError:
                raise
            except CareportError as error:
                self._link.say(f"an acknowledgement cannot be recorded: {error}; it is tried again")
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
