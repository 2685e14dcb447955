"""The outbox on the card, as the forwarder uses it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hub.clock import now
from hub.store.database import open_for_reading
from hub.store.encoding import event_text
from hub.store.errors import StoreError
from hub.store.outbox import CannotBeToldError, OutboxRow
from hub.store.writer import Writer

if TYPE_CHECKING:
    from hub.uplink.cloudevents import Event


_MANY = 50  # rows

Render = Callable[[sqlite3.Connection, str, int, int], "Event"]
"""Makes the event of a row that refers to what it tells of: channel, first and last number. May raise
`CannotBeToldError`."""


class CardOutbox:
    """Implements `hub.store.outbox.Outbox` over the writer and a reading connection of its own."""

    def __init__(self, path: Path, writer: Writer, render: Render) -> None:
        self._writer = writer
        self._path = path
        self._render = render
        self._opened = open_for_reading(path) if writer.opened.is_set() else None

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = open_for_reading(self._path)
        return self._opened

    def close(self) -> None:
        """Close the reading connection."""
        if self._opened is not None:
            self._opened.close()

    @property
    def changed(self) -> asyncio.Event:
        """Set whenever rows were committed."""
        return self._writer.outbox_changed

    async def waiting(self, limit: int, besides: Collection[int]) -> Sequence[OutboxRow]:
        """The rows to send next: by priority, then by age; none while the card has no room for the database.

        Raises:
            StoreError: they cannot be read.
        """
        if not self._writer.opened.is_set():
            return []
        try:
            return [self._row(*row) for row in waiting(self._connection, limit, besides)]
        except sqlite3.Error as error:
            raise StoreError(self._path, f"the outbox cannot be read: {error}") from error

    def _row(
        self, sequence: int, channel: str, event: bytes | None, first: int | None, last: int | None
    ) -> OutboxRow:
        if event is None:
            return OutboxRow(sequence, channel, partial(self._make, channel, first or 0, last or 0))
        try:
            return OutboxRow(sequence, channel, event_text(event))
        except ValueError as error:
            # Alone: the rows behind it are told, and this one is set aside with the reason.
            return OutboxRow(sequence, channel, partial(_cannot_be_told, f"what was kept of it is {error}"))

    def _make(self, channel: str, first: int, last: int) -> Event:
        try:
            return self._render(self._connection, channel, first, last)
        except sqlite3.Error as error:
            raise StoreError(self._path, f"{channel} {first} cannot be read: {error}") from error

    async def delivered(self, sequences: Collection[int]) -> None:
        """Remove rows that the broker acknowledged, durably."""
        # A backlog that drains must not wait for company five times a second; a few rows can.
        await self._writer.write(
            lambda transaction: transaction.remove_from_outbox(sequences), urgent=len(sequences) >= _MANY
        )

    async def set_aside(self, sequence: int, reason: str) -> None:
        """Keep a refused row apart with its reason."""
        await self._writer.write(lambda transaction: transaction.set_aside(sequence, reason, now()))

    async def reclaim(self, channels: Collection[str]) -> int:
        """Put what was set aside of these channels back, durably; return how many."""
        return await self._writer.write(lambda transaction: transaction.reclaim(channels))


def _cannot_be_told(why: str) -> Event:
    raise CannotBeToldError(why)


def waiting_events(
    connection: sqlite3.Connection, channel: str, limit: int = -1, after: int = 0
) -> list[str]:
    """The events of a channel that wait whole, in the order of sending, `after` so many; one that is
    unreadable is an empty text."""
    found = []
    for (event,) in connection.execute(
        "SELECT event FROM outbox WHERE channel = ? AND event IS NOT NULL ORDER BY sequence LIMIT ? OFFSET ?",
        (channel, limit, after),
    ):
        try:
            found.append(event_text(event))
        except ValueError:
            found.append("")
    return found


Waiting = tuple[int, str, bytes | None, int | None, int | None]
"""A row as it is stored: its sequence and channel, and either its event or what it refers to."""


def waiting(connection: sqlite3.Connection, limit: int, besides: Collection[int]) -> list[Waiting]:
    """The first `limit` rows of the outbox that are not in `besides`.

    The sequences in flight go in as one JSON parameter, so that the statement stays the same one.
    """
    return connection.execute(
        "SELECT sequence, channel, event, first, last FROM outbox"
        " WHERE sequence NOT IN (SELECT value FROM json_each(?)) ORDER BY sequence LIMIT ?",
        (json.dumps(list(besides)), limit),
    ).fetchall()


def set_aside_of(connection: sqlite3.Connection, channel: str) -> int:
    """How many events of a channel are set aside, since the broker refused them."""
    (count,) = connection.execute(
        "SELECT count(*) FROM outbox_aside WHERE channel = ?", (channel,)
    ).fetchone()
    return int(count)
