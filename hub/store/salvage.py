"""What is left of a damaged database, copied into a new one; the damaged file is set aside and never changed.

The new file is made and synced beside the old one before anything is renamed. So whatever ends this half way
(no room, a power cut, a fault) leaves the old file where it was, or a new one that the next start puts in its
place. Rows keep their numbers. What refers to what is lost:

- a reading whose sensor, or boot, is lost gets one that says so; an assessment's model the same;
- an assessment, or a window of a rhythm, without the reading that formed it can be told by nobody, and is
  left behind;
- an outbox row that refers to what is lost, or whose event cannot be read, is set aside with the reason;
- an alert is kept, and refers to number 0: it climbs on, and is told by itself (`hub/alerts/book.py`).

A sensor that was forgotten, or has another owner by now, as the trail says, is not enrolled again by an old
row that is found.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from hub.clock import now
from hub.small_file import sync
from hub.store.damage import Damage, log_of, making_of, remove_begun, unfinished
from hub.store.mending import mend
from hub.store.pages import Pages
from hub.store.salvaging import Salvage
from hub.store.versions import readable_from

_log = logging.getLogger(__name__)
_KEPT_DAMAGED = 2
_BELIEVED_VERSIONS = range(1, 1000)

MakeSchema = Callable[[sqlite3.Connection, int], None]
"""Brings a connection up to a version of the schema."""


def finish(path: Path) -> None:
    """Put a new database in its place that was whole when something ended the hub. Raises `OSError`."""
    for saved in unfinished(path):
        _replace(path, saved)


def save(path: Path, why: str, newest_version: int, make_schema: MakeSchema) -> Damage | None:
    """Copy what can be read into a new database, and put that in the place of the damaged one.

    Returns what was saved; None where a newer hub wrote the file, which is then left as it is.

    Raises:
        OSError, sqlite3.Error: it cannot be done; the file is as it was.
    """
    if not path.exists():
        path.touch()
    at = now()
    suffix = f"{at:%Y%m%dT%H%M%S.%fZ}"
    _remove_oldest(path, _KEPT_DAMAGED - 1)
    making = making_of(path)
    remove_begun(path)
    try:
        damage = _made(path, making, at, why, _aside(path, suffix).name, newest_version, make_schema)
        if damage is None:
            return None
        sync(making)
    except BaseException:
        remove_begun(path)  # it may be what fills the card
        raise
    saved = path.with_name(f"{path.name}.saved-{suffix}")
    making.rename(saved)
    sync(path.parent)
    _replace(path, saved)
    _log.critical("%s: %s", path, damage.words)
    return damage


def _made(
    path: Path,
    making: Path,
    at: datetime,
    why: str,
    file: str,
    newest_version: int,
    make_schema: MakeSchema,
) -> Damage | None:
    pages = Pages(path, log_of(path))
    try:
        version = version_of(pages, newest_version)
        if version > newest_version:
            return None
        _log.error("%s: is damaged (%s); saving what can be read", path, why)
        new = sqlite3.connect(making, isolation_level=None)
        try:
            new.execute("PRAGMA page_size = 1024")
            new.execute("PRAGMA journal_mode = MEMORY")
            new.execute("PRAGMA synchronous = OFF")
            make_schema(new, version)
            salvage = Salvage(pages, new, making.parent)
            salvage.copy()
            make_schema(new, newest_version)
            return mend(new, salvage, at, why, file)
        finally:
            new.close()
    finally:
        pages.close()


def version_of(pages: Pages, newest_version: int) -> int:
    """The schema's version of what is on the pages; the newest, where that cannot be believed."""
    version = pages.schema_version
    if version is None or version not in _BELIEVED_VERSIONS:
        return newest_version
    return newest_version if readable_from(version, pages.mark) <= newest_version < version else version


def _aside(path: Path, stamp: str) -> Path:
    return path.with_name(f"{path.name}.damaged-{stamp}")


def _replace(path: Path, saved: Path) -> None:
    """The log goes first: SQLite would take one that is left for the new database's own."""
    stamp = saved.name.removeprefix(f"{path.name}.saved-")
    aside = _aside(path, stamp)
    for end in ("-wal", "-shm", ""):
        old = path.with_name(f"{path.name}{end}")
        if old.exists():
            old.rename(aside.with_name(f"{aside.name}{end}"))
        sync(path.parent)
    saved.rename(path)
    sync(path.parent)


def _remove_oldest(path: Path, keep: int) -> None:
    files = sorted(path.parent.glob(f"{path.name}.damaged-*Z"))
    for file in files[: max(0, len(files) - keep)]:
        for end in ("-wal", "-shm", ""):
            file.with_name(f"{file.name}{end}").unlink(missing_ok=True)
