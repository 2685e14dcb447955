"""What the broker has answered leaves the outbox, as many rows at a time as have come together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence

from hub.errors import CareportError
from hub.running import progress
from hub.store.outbox import Outbox, OutboxRow
from hub.uplink.link import Link


class Settling:
    """The rows that are answered, and not yet settled with the outbox.

    Args:
        outbox: what they leave.
        on_delivered: is told of those that are delivered, before they leave it.
        let_go: is told of those that have left it, or were set aside there.
        link: says what goes wrong.
        retry_seconds: between attempts where the outbox takes nothing.
    """

    def __init__(
        self,
        outbox: Outbox,
        on_delivered: Callable[[Sequence[OutboxRow]], Awaitable[None]],
        let_go: Callable[[Collection[int]], None],
        link: Link,
        retry_seconds: float,
    ) -> None:
        self._outbox = outbox
        self._on_delivered = on_delivered
        self._let_go = let_go
        self._link = link
        self._retry_seconds = retry_seconds
        self._delivered: list[OutboxRow] = []
        self._refused: list[tuple[OutboxRow, str]] = []
        self._waits = asyncio.Event()

    def delivered(self, row: OutboxRow) -> None:
        """The broker has it."""
        self._delivered.append(row)
        self._waits.set()

    def refused(self, row: OutboxRow, reason: str) -> None:
        """The broker will never take it."""
        self._refused.append((row, reason))
        self._waits.set()

    async def run(self) -> None:
        """Settle what comes, until cancelled."""
        with progress.apart("delivery settled"):
            while True:
                progress.rest()
                await self._waits.wait()
                self._waits.clear()
                try:
                    await self.settle()
                except CareportError as error:
                    self._link.say(f"the outbox cannot be written: {error}")
                    await asyncio.sleep(self._retry_seconds)
                    self._waits.set()

    async def settle(self) -> None:
        """Settle what is there. Raises `CareportError`: the outbox takes nothing; nothing is lost of it."""
        while rows := tuple(self._delivered):
            progress.turn()
            await self._on_delivered(rows)
            await self._outbox.delivered([row.sequence for row in rows])
            del self._delivered[: len(rows)]
            self._let_go([row.sequence for row in rows])
        while self._refused:
            progress.turn()
            row, reason = self._refused[0]
            await self._outbox.set_aside(row.sequence, reason)
            del self._refused[0]
            self._let_go([row.sequence])
            self._outbox.changed.set()  # it may have been reclaimed already
