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
from hub.errors import CareportError
from hub.running.patience import OneAtATime
from hub.store.database import open_for_reading
from hub.store.encoding import event_text
from hub.store.errors import StoreError
from hub.store.outbox import MADE_AT_ONCE, CannotBeToldError, OutboxRow
from hub.store.writer import Writer

if TYPE_CHECKING:
    from hub.uplink.cloudevents import Event


_MANY = 50  # rows

READ_WITHIN = 3.0
"""Seconds: a good card takes a few thousandths, a poor one that is busy a second or two."""

READ_WITHIN_OF_STALLED = 0.3
"""Seconds: what the kernel's memory has comes at once, and alerts in the hub's memory are not to wait."""

Render = Callable[[sqlite3.Connection, str, int, int], "Event"]
"""Makes the event of a row that refers to what it tells of: channel, first and last number. May raise
`CannotBeToldError`."""


class CardOutbox:
    """Implements `hub.store.outbox.Outbox` over the writer and a reading connection of its own.

    It is read in a thread, one read at a time: a card that stalls gives no page to a read either, and the hub
    has to go on meanwhile.
    """

    def __init__(self, path: Path, writer: Writer, render: Render) -> None:
        self._writer = writer
        self._path = path
        self._render = render
        self._opened = open_for_reading(path, for_any_thread=True) if writer.opened.is_set() else None
        self._reading = OneAtATime[Sequence[OutboxRow]]()

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = open_for_reading(self._path, for_any_thread=True)
        return self._opened

    def close(self) -> None:
        """Close the reading connection; one that the card keeps is left behind with its thread."""
        if self._opened is not None and not self._reading.is_under_way:
            self._opened.close()

    @property
    def changed(self) -> asyncio.Event:
        """Set whenever rows were committed."""
        return self._writer.outbox_changed

    async def waiting(
        self, limit: int, besides: Collection[int], made: int = MADE_AT_ONCE
    ) -> Sequence[OutboxRow]:
        """The rows to send next: by priority, then by age; none while the card has no room for the database.

        Raises:
            StoreError: they cannot be read, or the card has not come back from it within `READ_WITHIN`.
        """
        if not self._writer.opened.is_set():
            return []
        within = READ_WITHIN_OF_STALLED if self._writer.is_stalled else READ_WITHIN
        try:
            return await self._reading.ask(partial(self._read, limit, list(besides), made), within)
        except TimeoutError:
            raise StoreError(self._path, "the card does not come back from a read of the outbox") from None

    def _read(self, limit: int, besides: Collection[int], made: int) -> Sequence[OutboxRow]:
        rows = []
        try:
            for row in waiting(self._connection, limit, besides):
                if row[2] is None:
                    if made <= 0:
                        break
                    made -= 1
                rows.append(self._row(*row))
        except sqlite3.Error as error:
            raise StoreError(self._path, f"the outbox cannot be read: {error}") from error
        return rows

    def _row(
        self, sequence: int, channel: str, event: bytes | None, first: int | None, last: int | None
    ) -> OutboxRow:
        if event is None:
            return OutboxRow(sequence, channel, self._made(channel, first or 0, last or 0))
        try:
            return OutboxRow(sequence, channel, event_text(event))
        except ValueError as error:
            # Alone: the rows behind it are told, and this one is set aside with the reason.
            return OutboxRow(sequence, channel, CannotBeToldError(f"what was kept of it is {error}"))

    def _made(self, channel: str, first: int, last: int) -> Event | CareportError:
        try:
            return self._render(self._connection, channel, first, last)
        except CannotBeToldError as error:
            return error
        except sqlite3.Error as error:
            return StoreError(self._path, f"{channel} {first} cannot be read: {error}")

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
