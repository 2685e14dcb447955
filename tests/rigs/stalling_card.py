"""A card that keeps a commit without a word, as one does that tidies itself up.

In the place of the kernel: a file system that is frozen (fsfreeze) would keep the writer before its commit,
and a library that holds up fsync must be there before Python is. `make test-faults` has real cards.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from hub.store import in_hand, writer
from hub.store.writer import Writer


class StallingCard:
    """Stands between a writer and its connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._gets_on = threading.Event()
        self._gets_on.set()
        self.reached = threading.Event()
        """A commit is in its hand, and does not come back."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        """As the connection's own, but that a commit is kept for as long as it stalls."""
        if statement == "COMMIT" and not self._gets_on.is_set():
            self.reached.set()
            self._gets_on.wait(60)
        return self._connection.execute(statement, *parameters)

    def stall(self) -> None:
        """From the next commit on."""
        self._gets_on.clear()

    def come_back(self) -> None:
        """It gets on again."""
        self._gets_on.set()
        self.reached.clear()


@contextmanager
def stalling_card(of: Writer, monkeypatch: pytest.MonkeyPatch) -> Iterator[StallingCard]:
    """Put one beneath a writer, which takes it for stalled sooner than another."""
    monkeypatch.setattr(in_hand, "STALLED_AFTER", 0.05)
    monkeypatch.setattr(writer, "_LOOKS_EVERY", 0.01)
    card = StallingCard(of._connection)
    of._connection = card  # type: ignore[assignment]  # it is one, but for its commits
    try:
        yield card
    finally:
        card.come_back()
