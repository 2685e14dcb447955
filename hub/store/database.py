"""Opening the database file: pragmas, migrations, and what is refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from hub.store.errors import StoreError

FILE_NAME = "carehub.db"
SCHEMA_VERSION = 1
"""The number of steps in `migrations.py`; SQLite's user_version once they have run."""


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open or create the database and bring its schema up to date.

    The connection is in autocommit mode, for one thread other than the caller's: the writer's.
    WAL with synchronous=FULL: a commit that returned is on the card (promise 1).

    Raises:
        StoreError: the file cannot be opened, is no database, is damaged, or is newer than this hub.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            path, f"cannot be opened: {error}. Check hub.data_directory and its owner."
        ) from error
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA busy_timeout = 5000")
        damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise StoreError(
                path, f"is damaged ({damage}). Move it aside and start again; keep the old file."
            )
        _bring_up_to_date(path, connection)
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(path, f"cannot be used: {error}.") from error
    except StoreError:
        connection.close()
        raise
    return connection


def _bring_up_to_date(path: Path, connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise StoreError(
            path,
            f"was written by a newer hub (schema {version}, this one knows {SCHEMA_VERSION}). Update it.",
        )
    if version < SCHEMA_VERSION:
        # Loaded only when there is something to do: it costs memory that a running hub need not carry.
        from sqlite_utils.db import Database

        from hub.store.migrations import migrations

        migrations.apply(Database(connection, execute_plugins=False))


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
        connection.execute("SELECT sequence FROM reading LIMIT 1").fetchone()
    except sqlite3.Error as error:
        raise StoreError(path, f"cannot be read: {error}.") from error
    return connection
