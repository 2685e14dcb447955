"""Opening the database file: pragmas, migrations, and what is refused."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

from hub.store.damage import damage_of, remove_begun, unfinished
from hub.store.errors import NoRoomError, StoreError, is_for_want_of_room
from hub.store.reserve import FULL_BELOW, Reserve
from hub.store.versions import application_id, readable_from
from hub.updates import keeper_notes as updates

_log = logging.getLogger(__name__)
readable_text = partial(str, encoding="utf-8", errors="replace")
"""Text as it comes off the card. A flipped bit makes it no UTF-8, which SQLite does not check: no row that
stands behind such a one could be read without this, and the hub could neither start nor deliver."""

FILE_NAME = "carehub.db"
_ANY = 1 << 62
_SAVED_AT_THE_LEAST = 4 << 20  # bytes of a damaged database, for which the reserve is given up
_READERS_MAY_TAKE = 500  # milliseconds, at a start; the staff page reads for less
_WRITER_CACHE, _READER_CACHE = 512, 256  # KiB of pages; 2 MB each unless said, and the kernel has them too
SCHEMA_VERSION = 9
"""The number of steps in `migrations.py`; SQLite's user_version once they have run."""

READABLE_FROM = 9
"""The oldest schema whose hub can work with a database of this one, so that an update to this release can be
taken back. A step that only adds (a table, an index, a column with a default) leaves it as it is; one that
changes what an earlier hub reads or writes sets it to SCHEMA_VERSION; such a hub is then updated by way of a
release that can already work with both."""


Say = Callable[[str], object]
"""Is told what is being done that may take long."""


def _nothing_said(_words: str) -> None:
    return


def open_for_writing(
    path: Path, reserve: Reserve | None = None, say: Say = _nothing_said
) -> sqlite3.Connection:
    """Open or create the database and bring its schema up to date; one that is damaged is saved first.

    The connection is in autocommit mode, for one thread other than the caller's: the writer's.
    WAL with synchronous=FULL: a commit that returned is on the card (promise 1). Where the card has no room
    for it, the reserve is given up.

    Raises:
        NoRoomError: the card has no room for that. The file is as it was, damaged or not.
        StoreError: the file cannot be opened, is newer than this hub, or is damaged and cannot be saved, or
            may not be yet: by a release that is on trial.
    """
    try:
        return _open(path, reserve, say)
    except NoRoomError as error:
        if reserve is None or not reserve.give_up(below=_ANY):
            raise
        _log.error("%s; the room that was held back is given up", error)
        return _open(path, reserve, say)


def _open(path: Path, reserve: Reserve | None, say: Say) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _save_if_damaged(path, reserve, say)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise _failed(
            path, error, f"cannot be opened: {error}.", " Check hub.data_directory and its owner."
        ) from error
    try:
        # Only where the file is new. A commit writes whole pages: small ones are fewer bytes (README.md).
        connection.execute("PRAGMA page_size = 1024")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # Debian's SQLite overwrites what is deleted, which writes twice as much as the deleting itself.
        connection.execute("PRAGMA secure_delete = FAST")
        connection.execute("PRAGMA foreign_keys = ON")
        _begin_log_anew(path, connection)
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE}")
        connection.text_factory = readable_text
        _bring_up_to_date(path, connection, say)
    except sqlite3.Error as error:
        connection.close()
        raise _failed(path, error, f"cannot be used: {error}.") from error
    except StoreError:
        connection.close()
        raise
    return connection


def _begin_log_anew(path: Path, connection: sqlite3.Connection) -> None:
    """Take what an unclean end left in the log into the file, synced, before the first commit of this life.

    The log is believed as the kernel remembers it, and where a sync of it failed the card may have a hole
    there: what is committed behind that would go with the power. It changes nothing of the content, and each
    release does it at its end and every 1,000 pages: one on trial may as well. Where it cannot be done (no
    room, somebody reads for long), the log goes on, and SQLite does it when it can.
    """
    connection.execute(f"PRAGMA busy_timeout = {_READERS_MAY_TAKE}")
    try:
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        _log.warning("%s: its write-ahead log from before goes on as it is: %s", path, error)
        return
    if busy:
        _log.warning("%s: its write-ahead log from before goes on as it is: somebody reads in it", path)


def _failed(path: Path, error: Exception, words: str, advice: str = "") -> StoreError:
    """What to say of it; where the card is full, that: SQLite says only "disk I/O error"."""
    free = shutil.disk_usage(path.parent).free if path.parent.is_dir() else _ANY
    if is_for_want_of_room(error, free):
        return NoRoomError(path, f"{words} The card is full: make room; nothing that was stored is lost.")
    return StoreError(path, words + advice)


def _bring_up_to_date(path: Path, connection: sqlite3.Connection, say: Say) -> None:
    version, mark = schema_of(connection)
    if readable_from(version, mark) > SCHEMA_VERSION:
        raise StoreError(
            path,
            f"was written by a newer hub (schema {version}, this one knows {SCHEMA_VERSION}). Update it.",
        )
    if version > SCHEMA_VERSION:
        _log.warning("%s: was written by a newer hub, schema %d, which this one can work with", path, version)
        return
    if version < SCHEMA_VERSION:
        say("bringing the database up to date")
        make_schema(connection)
    elif mark != application_id(READABLE_FROM):
        _mark(connection)


def schema_of(connection: sqlite3.Connection) -> tuple[int, int]:
    """The schema's version, and the mark of who can work with it (`versions.readable_from`)."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    return version, mark


def make_schema(connection: sqlite3.Connection, version: int = SCHEMA_VERSION) -> None:
    """Apply the steps that are missing, up to a version of the schema.

    The newest is marked with who can work with it, and before: no earlier hub may take one for its own that
    was cut off in between.
    """
    if version == SCHEMA_VERSION:
        _mark(connection)
    # Loaded only when there is something to do: it costs memory that a running hub need not carry.
    from sqlite_utils.db import Database

    from hub.store.migrations import migrations

    database = Database(connection, execute_plugins=False)
    later = migrations.pending(database)[version - len(migrations.applied(database)) :]
    migrations.apply(database, stop_before=[step.name for step in later])


def _mark(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA application_id = {application_id(READABLE_FROM)}")


def _save_if_damaged(path: Path, reserve: Reserve | None, say: Say) -> None:
    """The whole file is read at each start: most starts come after a power cut, and damage only grows."""
    remove_begun(path)  # it may be what fills the card
    size = path.stat().st_size // 10**6 if path.exists() else 0
    say(f"reading the whole database for damage ({size} MB)")
    if unfinished(path):
        from hub.store import salvage

        if updates.on_trial():
            words = (
                "was damaged and is not all saved, and this release is on trial: the one before is to do it."
            )
            raise StoreError(path, words)
        salvage.finish(path)
    elif (why := damage_of(path)) is not None:
        from hub.store import salvage

        if updates.on_trial():
            words = (
                f"is damaged ({why}), and this release is on trial: the one before is to save what can be."
            )
            raise StoreError(path, words)
        say(f"the database is damaged: saving what can be read of {size} MB")
        if reserve is not None and path.exists():
            reserve.give_up(below=min(path.stat().st_size, _SAVED_AT_THE_LEAST) + FULL_BELOW)
        try:
            salvage.save(path, why, SCHEMA_VERSION, make_schema)
        except (OSError, sqlite3.Error) as error:
            words = (
                f"is damaged ({why}), and what it holds cannot be saved: {error}. It is as it was: keep it."
            )
            raise _failed(path, error, words, " Give this hub another hub.data_directory.") from error


def open_for_reading(path: Path, *, for_any_thread: bool = False) -> sqlite3.Connection:
    """Open the database beside a running hub, to look and not to touch; `for_any_thread`, where whoever opens
    it sees to it that one thread at a time uses it.

    Raises:
        StoreError: there is no such file, or it is no database of a hub.
    """
    if not path.is_file():
        raise StoreError(path, "does not exist: has the hub ever run here? Check hub.data_directory.")
    try:
        connection = sqlite3.connect(
            f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=not for_any_thread
        )
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.execute(f"PRAGMA cache_size = -{_READER_CACHE}")
        connection.text_factory = readable_text
        connection.execute("SELECT sequence FROM reading LIMIT 1").fetchone()
    except sqlite3.Error as error:
        raise StoreError(path, f"cannot be read: {error}.") from error
    return connection
