"""What can go wrong with the card."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from hub.errors import CareportError
from hub.store.reserve import FULL_BELOW


class StoreError(CareportError):
    """The database could not do what it was asked; carries its path."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = path


class NoRoomError(StoreError):
    """The card has no room to open the database, or to save a damaged one. What is there is as it was."""


class NotCommittedError(StoreError):
    """A transaction was not committed (disk full, card read-only, input/output error, a card that stalls).

    Nothing of it is stored, and nothing that was stored before is lost; trying again is right.
    `trouble` is what the card has: "full", "read-only", "failing", "stalled"; None where it is not its fault.
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


def no_room(why: str) -> sqlite3.OperationalError:
    """As SQLite's own error where the card is full."""
    error = sqlite3.OperationalError(why)
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


def is_for_want_of_room(error: Exception, free: int) -> bool:
    """Whether it failed since the card is full, of which `free` bytes are free."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        # Of a log that cannot be made SQLite says only that something is wrong.
        unsaid = code in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN} and free < FULL_BELOW
        return code == sqlite3.SQLITE_FULL or unsaid
    return isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
