"""What can go wrong with the card."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from hub.errors import CareportError


class StoreError(CareportError):
    """The database could not do what it was asked; carries its path."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = path


class NotCommittedError(StoreError):
    """A transaction was not committed (disk full, card read-only, input/output error).

    Nothing of it is stored, and nothing that was stored before is lost; trying again is right.
    `trouble` is what the card has: "full", "read-only", "failing"; None where it is not the card's.
    """

    def __init__(self, path: Path, what: str, trouble: str | None = None) -> None:
        super().__init__(path, what)
        self.trouble = trouble


def is_fault_of_database(error: Exception) -> bool:
    """Whether it ends the whole transaction (card full, read-only, failing), and not one piece of work."""
    # SQLITE_CORRUPT and SQLITE_NOTADB have no class of their own.
    return isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError


def trouble_of_card(error: Exception) -> str | None:
    """What the card has, by SQLite's error; None where it is not the card's."""
    # The primary result code is in the lowest byte (https://www.sqlite.org/rescode.html, section 2).
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL:
            return "full"
        case sqlite3.SQLITE_READONLY:
            return "read-only"
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return "failing"
        case _:
            return None
