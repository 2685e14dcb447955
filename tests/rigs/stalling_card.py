"""A card that keeps whoever asks it without a word, as one does that tidies itself up.

In the place of the kernel: a file system that is frozen (fsfreeze) would keep the writer before its commit,
and a library that holds up fsync must be there before Python is. `make test-faults` has real cards.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from hub.intake.reception import Reception
from hub.store import in_hand, writer
from hub.store.in_hand import InHand
from hub.store.writer import Writer
from tests.rigs.house import House
from tests.rigs.told import Told


class StallingCard:
    """Stands between a writer and its connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._kept = "COMMIT"
        self._gets_on = threading.Event()
        self._gets_on.set()
        self.keeps = False
        """Something is in its hand now."""
        self.reached = threading.Event()
        """A statement is in its hand, and does not come back."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        """As the connection's own, but that what it keeps is kept for as long as it stalls."""
        if statement.startswith(self._kept) and not self._gets_on.is_set():
            self.keeps = True
            self.reached.set()
            self._gets_on.wait(60)
            self.keeps = False
        return self._connection.execute(statement, *parameters)

    def stall(self, at: str = "COMMIT") -> None:
        """From the next statement on that begins like this: a SELECT is a page that it does not give."""
        self._kept = at
        self._gets_on.clear()

    def take_one(self) -> None:
        """It lets go of what is in its hand, and keeps the next."""
        self.reached.clear()
        in_hand, self._gets_on = self._gets_on, threading.Event()
        in_hand.set()

    def come_back(self) -> None:
        """It gets on again."""
        self._gets_on.set()
        self.reached.clear()


@contextmanager
def stalling_card(of: Writer, monkeypatch: pytest.MonkeyPatch) -> Iterator[StallingCard]:
    """Put one beneath a writer, which takes it for stalled sooner than another."""
    monkeypatch.setattr(in_hand, "STALLED_AFTER", 0.1)
    monkeypatch.setattr(writer, "_LOOKS_EVERY", 0.01)
    card = StallingCard(of._connection)
    stalled = InHand.stalled.fget  # type: ignore[attr-defined]  # of a property
    # What this machine is slow in is not the card's, nor what the writer does once the card has let go.
    monkeypatch.setattr(InHand, "stalled", property(lambda held: stalled(held) if card.keeps else None))
    of._connection = card  # type: ignore[assignment]  # it is one, but for what it keeps
    try:
        yield card
    finally:
        card.come_back()


@asynccontextmanager
async def receiving(house: House, writer: Writer, card: StallingCard, told: Told) -> AsyncIterator[Reception]:
    """A reception over that card, which is watched; what it tells is heard."""
    reception = Reception(
        writer,
        house.intake,
        retry_seconds=0.01,
        on_trouble=told.trouble.append,
        on_uncommitted=told.uncommitted,
    )
    watching = asyncio.create_task(writer.watch_card(reception.stalled))
    try:
        yield reception
    finally:
        card.come_back()
        watching.cancel()


async def until_stored(card: StallingCard, reception: Reception, *waiting: Awaitable[object]) -> None:
    """Have the card get on, and all that waited stored."""
    card.come_back()
    async with asyncio.timeout(20):
        await asyncio.gather(*waiting)
        await reception.settled()
