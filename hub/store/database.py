"""Opening the database file: pragmas, migrations, and what is refused."""

from __future__ import annotations

import shutil
import sqlite3
from functools import partial
from pathlib import Path

from hub.store.damage import damage_of, unfinished
from hub.store.errors import StoreError

readable_text = partial(str, encoding="utf-8", errors="replace")
"""Text as it comes off the card. A flipped bit makes it no UTF-8, which SQLite does not check: no row that
stands behind such a one could be read without this, and the hub could neither start nor deliver."""

FILE_NAME = "carehub.db"
_FULL_BELOW = 1 << 20  # bytes
_WRITER_CACHE, _READER_CACHE = 512, 256  # KiB of pages; 2 MB each unless said, and the kernel has them too
SCHEMA_VERSION = 8
"""The number of steps in `migrations.py`; SQLite's user_version once they have run."""


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open or create the database and bring its schema up to date; one that is damaged is saved first.

    The connection is in autocommit mode, for one thread other than the caller's: the writer's.
    WAL with synchronous=FULL: a commit that returned is on the card (promise 1).

    Raises:
        StoreError: the file cannot be opened, is newer than this hub, or is damaged and cannot be saved.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _save_if_damaged(path)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            path, f"cannot be opened: {error}. Check hub.data_directory and its owner."
        ) from error
    try:
        # Only where the file is new. A commit writes whole pages: small ones are fewer bytes (README.md).
        connection.execute("PRAGMA page_size = 1024")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # Debian's SQLite overwrites what is deleted, which writes twice as much as the deleting itself.
        connection.execute("PRAGMA secure_delete = FAST")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE}")
        connection.text_factory = readable_text
        _bring_up_to_date(path, connection)
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(path, f"cannot be used: {error}.{_room(path)}") from error
    except StoreError:
        connection.close()
        raise
    return connection


def _room(path: Path) -> str:
    """What to say of the card where a start fails, if it is full: SQLite says only "disk I/O error"."""
    full = shutil.disk_usage(path.parent).free < _FULL_BELOW
    return " The card is full: make room; nothing that was stored is lost." if full else ""


def _bring_up_to_date(path: Path, connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise StoreError(
            path,
            f"was written by a newer hub (schema {version}, this one knows {SCHEMA_VERSION}). Update it.",
        )
    if version < SCHEMA_VERSION:
        make_schema(connection)


def make_schema(connection: sqlite3.Connection, version: int = SCHEMA_VERSION) -> None:
    """Apply the steps that are missing, up to a version of the schema."""
    # Loaded only when there is something to do: it costs memory that a running hub need not carry.
    from sqlite_utils.db import Database

    from hub.store.migrations import migrations

    database = Database(connection, execute_plugins=False)
    later = migrations.pending(database)[version - len(migrations.applied(database)) :]
    migrations.apply(database, stop_before=[step.name for step in later])


def _save_if_damaged(path: Path) -> None:
    """The whole file is read at each start: most starts come after a power cut, and damage only grows."""
    if not unfinished(path) and (why := damage_of(path)) is not None:
        from hub.store import salvage

        try:
            salvage.save(path, why, SCHEMA_VERSION, make_schema)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                path,
                f"is damaged ({why}), and what it holds cannot be saved: {error}. It is as it was. Make room"
                " on the card, or give this hub another hub.data_directory; keep the file.",
            ) from error
    elif unfinished(path):
        from hub.store import salvage

        salvage.finish(path)


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open the database beside a running hub, to look and not to touch.

    Raises:
        StoreError: there is no such file, or it is no database of a hub.
    """
    if not path.is_file():
        raise StoreError(path, "does not exist: has the hub ever run here? Check hub.data_directory.")
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.execute(f"PRAGMA cache_size = -{_READER_CACHE}")
        connection.text_factory = readable_text
        connection.execute("SELECT sequence FROM reading LIMIT 1").fetchone()
    except sqlite3.Error as error:
        raise StoreError(path, f"cannot be read: {error}.") from error
    return connection
