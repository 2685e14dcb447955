"""Connections to the hub's database that only read: a few threads, each with its own.

What takes too long is ended: a page that nobody gets is no page, and a long transaction would keep SQLite's
log from being written back.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import TypeVar

from hub.store.database import SCHEMA_VERSION, open_for_reading, schema_of
from hub.store.errors import StoreError
from hub.store.versions import readable_from

Found = TypeVar("Found")
_THREADS = 3
_LONGEST_SECONDS = 10.0
_STEPS_BETWEEN_LOOKS = 20_000  # of SQLite's virtual machine: some milliseconds


class Looking:
    """Answers questions to the database at `path`."""

    def __init__(self, path: Path, longest_seconds: float = _LONGEST_SECONDS) -> None:
        self._path = path
        self._longest_seconds = longest_seconds
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="looking")
        self._of_thread = threading.local()
        self._connections: list[sqlite3.Connection] = []

    async def ask(self, question: Callable[[sqlite3.Connection], Found]) -> Found:
        """What `question` finds, in a thread of its own.

        Raises:
            StoreError: the database is not there, cannot be read, is of an older hub, or takes too long.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, question)

    def close(self) -> None:
        """Close all connections; nothing may be asked any more."""
        self._threads.shutdown(wait=True)
        for connection in self._connections:
            connection.close()

    def _answer(self, question: Callable[[sqlite3.Connection], Found]) -> Found:
        connection = self._connection()
        ends = monotonic() + self._longest_seconds
        connection.set_progress_handler(lambda: monotonic() > ends, _STEPS_BETWEEN_LOOKS)
        try:
            return question(connection)
        except sqlite3.Error as error:
            self._let_go(connection)
            if isinstance(error, sqlite3.OperationalError) and monotonic() > ends:
                words = f"did not answer within {self._longest_seconds:g} s: the card is slow or busy."
                raise StoreError(self._path, words) from error
            raise StoreError(self._path, f"cannot be read: {error}.") from error

    def _connection(self) -> sqlite3.Connection:
        """This thread's; another where the file was replaced, as by one that was saved from damage."""
        known: tuple[int, sqlite3.Connection] | None = getattr(self._of_thread, "known", None)
        try:
            file = self._path.stat().st_ino
        except OSError:
            file = None
        if known is not None:
            if known[0] == file:
                return known[1]
            self._let_go(known[1])
        connection = _opened(self._path)
        self._connections.append(connection)
        if file is not None:
            self._of_thread.known = (file, connection)
        return connection

    def _let_go(self, connection: sqlite3.Connection) -> None:
        self._of_thread.known = None
        self._connections.remove(connection)
        connection.close()


def _opened(path: Path) -> sqlite3.Connection:
    connection = open_for_reading(path, for_any_thread=True)
    try:
        version, mark = schema_of(connection)
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(path, f"cannot be read: {error}.") from error
    if version < SCHEMA_VERSION or readable_from(version, mark) > SCHEMA_VERSION:
        connection.close()
        raise StoreError(
            path,
            f"is of another version of the hub (schema {version}, this page knows {SCHEMA_VERSION}):"
            " restart the hub and then the page, from one and the same version.",
        )
    return connection
