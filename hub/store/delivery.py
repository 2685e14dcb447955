"""The outbox on the card, as the forwarder uses it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path

from hub.clock import now
from hub.store.database import open_for_reading
from hub.store.outbox import OutboxRow
from hub.store.writer import Writer


class CardOutbox:
    """Implements `hub.store.outbox.Outbox` over the writer and a reading connection of its own."""

    def __init__(self, path: Path, writer: Writer) -> None:
        self._writer = writer
        self._connection = open_for_reading(path)

    def close(self) -> None:
        """Close the reading connection."""
        self._connection.close()

    @property
    def changed(self) -> asyncio.Event:
        """Set whenever rows were committed."""
        return self._writer.outbox_changed

    async def waiting(self, limit: int, besides: Collection[int]) -> Sequence[OutboxRow]:
        """The rows to send next: by priority, then by age."""
        return waiting(self._connection, limit, besides)

    async def delivered(self, sequences: Collection[int]) -> None:
        """Remove rows that the broker acknowledged, durably."""
        await self._writer.write(lambda transaction: transaction.remove_from_outbox(sequences))

    async def set_aside(self, sequence: int, reason: str) -> None:
        """Keep a refused row apart with its reason."""
        await self._writer.write(lambda transaction: transaction.set_aside(sequence, reason, now()))


def waiting(connection: sqlite3.Connection, limit: int, besides: Collection[int]) -> list[OutboxRow]:
    """The first `limit` rows of the outbox that are not in `besides`.

    The sequences in flight go in as one JSON parameter, so that the statement stays the same one.
    """
    rows = connection.execute(
        "SELECT sequence, channel, event FROM outbox"
        " WHERE sequence NOT IN (SELECT value FROM json_each(?)) ORDER BY priority, sequence LIMIT ?",
        (json.dumps(list(besides)), limit),
    )
    return [OutboxRow(*row) for row in rows]
