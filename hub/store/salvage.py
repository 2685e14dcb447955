"""What is left of a damaged database, copied into a new one; the damaged file is set aside and never changed.

The new file is made and synced beside the old one before anything is renamed. So whatever ends this half way
(no room, a power cut, a fault) leaves the old file where it was, or a new one that the next start puts in its
place. Rows keep their numbers. What refers to what is lost:

- a reading whose sensor, or boot, is lost gets one that says so; an assessment's model the same;
- an assessment, or a window of a rhythm, without the reading that formed it can be told by nobody, and is
  left behind;
- an outbox row that refers to what is lost, or whose event cannot be read, is set aside with the reason;
- an alert is kept, and refers to number 0: it climbs on, and is told by itself (`hub/alert_book.py`).

A sensor that was forgotten, or has another owner by now, as the trail says, is not enrolled again by an old
row that is found.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from time import monotonic

from hub.clock import now, stamp, to_microseconds
from hub.store import audit
from hub.store.damage import FACT, Damage, log_of, unfinished
from hub.store.encoding import event_text
from hub.store.pages import Pages, Value
from hub.store.sensors import contradicted
from hub.store.tables import Table, tables_of

_log = logging.getLogger(__name__)
_NUMBERED = ("reading", "assessment")
_KEPT_DAMAGED = 2
_PAGES_AT_ONCE = 500
_PATIENCE_SECONDS = 300.0
_BELIEVED_VERSIONS = range(1, 1000)
NOTED = "database salvaged"
"""What the trail calls it (`hub.trail.Audited.SALVAGED`)."""
LOST = "lost when the database was damaged"

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
    making = path.with_name(f"{path.name}.saving")
    for file in (making, making.with_name(f"{making.name}-journal")):
        file.unlink(missing_ok=True)
    pages = Pages(path, log_of(path))
    try:
        version = pages.schema_version
        if version is None or version not in _BELIEVED_VERSIONS:
            version = newest_version
        if version > newest_version:
            return None
        _log.error("%s: is damaged (%s); saving what can be read", path, why)
        new = sqlite3.connect(making, isolation_level=None)
        try:
            new.execute("PRAGMA page_size = 1024")
            new.execute("PRAGMA journal_mode = MEMORY")
            new.execute("PRAGMA synchronous = OFF")
            make_schema(new, version)
            salvage = _Salvage(pages, new)
            salvage.copy()
            make_schema(new, newest_version)
            damage = salvage.mend(at, why, _aside(path, suffix).name)
        finally:
            new.close()
    finally:
        pages.close()
    _sync(making)
    saved = path.with_name(f"{path.name}.saved-{suffix}")
    making.rename(saved)
    _sync(path.parent)
    _replace(path, saved)
    _log.critical("%s: %s", path, damage.words)
    return damage


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
        _sync(path.parent)
    saved.rename(path)
    _sync(path.parent)


def _remove_oldest(path: Path, keep: int) -> None:
    files = sorted(path.parent.glob(f"{path.name}.damaged-*Z"))
    for file in files[: max(0, len(files) - keep)]:
        for end in ("-wal", "-shm", ""):
            file.with_name(f"{file.name}{end}").unlink(missing_ok=True)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


class _Salvage:
    """Copies from the pages of a damaged database into a new one."""

    def __init__(self, old: Pages, new: sqlite3.Connection) -> None:
        self._old = old
        self._new = new
        self._tables = tables_of(new)
        self._pages_lost: Counter[str] = Counter()
        self._rows_lost: Counter[str] = Counter()
        self._complete = True

    def copy(self) -> None:
        """Copy every table's rows, the newest first."""
        found = self._find()
        # They would refuse, change or repeat what is copied.
        triggers = self._new.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            self._new.execute(f"DROP TRIGGER {name}")
        self._new.execute("PRAGMA foreign_keys = OFF")
        until = monotonic() + _PATIENCE_SECONDS
        for table in self._tables:
            self._new.execute(f"DELETE FROM {table.name}")  # what a step of the schema put there
            numbers = found[table.name]
            for end in range(len(numbers), 0, -_PAGES_AT_ONCE):
                if not self._complete or monotonic() > until:
                    self._complete = False
                    break
                self._copy(table, numbers[max(0, end - _PAGES_AT_ONCE) : end])
        for _, statement in triggers:
            self._new.execute(statement)

    def _copy(self, table: Table, numbers: Iterable[int]) -> None:
        try:
            self._new.execute("BEGIN")
            for values in self._rows(table, numbers):
                self._new.execute(table.insert(len(values)), values)
            self._new.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            if self._new.in_transaction:
                self._new.execute("ROLLBACK")
            self._complete = False

    def _rows(self, table: Table, numbers: Iterable[int]) -> Iterator[list[Value]]:
        for number in numbers:
            page = self._old.page(number)
            if page is None:
                self._pages_lost[table.name] += 1
                continue
            if page.lost:
                self._rows_lost[table.name] += page.lost
            for row in page.rows:
                values = table.values(row)
                if values is None:
                    self._rows_lost[table.name] += 1
                else:
                    yield values

    def _find(self) -> dict[str, list[int]]:
        """The pages with rows of each table: those that its tree leads to, before them those astray.

        Of a row that is on both kinds of pages the one in the tree is taken: it is copied first.
        """
        found: dict[str, list[int]] = {table.name: [] for table in self._tables}
        roots = self._roots()
        visited = self._old.free()
        for name, root in roots.items():
            numbers = list(self._old.pages_of_tree(root, visited))
            if name in found:
                found[name] = numbers
        astray = self._astray(visited)
        return {name: [*astray.get(name, ()), *numbers] for name, numbers in found.items()}

    def _roots(self) -> dict[str, int]:
        """The roots of the trees, by the name of the table or index, as the first page tells."""
        roots = {}
        for number in self._old.pages_of_tree(1, set()):
            page = self._old.page(number)
            if page is None:
                self._pages_lost[""] += 1
                continue
            for row in page.rows:
                match row.values:
                    case [_, str(name), _, int(root), _]:
                        roots[name] = root
        return roots

    def _astray(self, visited: set[int]) -> dict[str, list[int]]:
        """Pages to which no tree leads any more, each with the one table that its rows can be of."""
        places = {
            root: name
            for name, root in self._new.execute(
                "SELECT name, rootpage FROM sqlite_master WHERE type = 'table'"
            )
        }
        found: dict[str, list[int]] = {}
        for number in range(2, self._old.count + 1):
            if number in visited:
                continue
            page = self._old.page(number)
            if page is None or not page.rows:
                continue  # an overflow page, for one: what lacks it says so
            fitting = [
                table.name
                for table in self._tables
                if all(table.values(row) is not None and table.is_as_long(row) for row in page.rows)
            ]
            if len(fitting) > 1 or (fitting == ["model"] and number in places):
                fitting = [places[number]] if places.get(number) in fitting else []
            for name in fitting:
                found.setdefault(name, []).append(number)
        return found

    def mend(self, at: datetime, why: str, file: str) -> Damage:
        """Put right what refers to what is lost, and note the fact."""
        self._new.execute("BEGIN")
        self._stand_in()
        for table in ("assessment", "rhythm_window"):
            self._forget(table, "reading NOT IN (SELECT sequence FROM reading)")
        for address in contradicted(self._new):
            self._new.execute("DELETE FROM enrolled_sensor WHERE address = ?", (address,))
        untold = self._set_aside_untold(at)
        for column in _NUMBERED:
            self._new.execute(
                f"UPDATE alert SET {column} = 0 WHERE {column} NOT IN (SELECT sequence FROM {column})"
            )
        for table, rowid, *_ in self._new.execute("PRAGMA foreign_key_check").fetchall():
            self._forget(table, f"rowid = {int(rowid)}")
        saved = {
            table.name: int(self._new.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0])
            for table in tables_of(self._new)
        }
        damage = Damage(
            at, why, file, saved, dict(self._pages_lost), dict(self._rows_lost), untold, self._complete
        )
        self._new.execute(
            "INSERT INTO fact (name, value) VALUES (?, ?)", (f"{FACT}{at.isoformat()}", damage.to_json())
        )
        audit.append(self._new, audit.NewEntry(at, stamp(), NOTED, None, json.loads(damage.to_json())))
        self._new.execute("COMMIT")
        return damage

    def _forget(self, table: str, condition: str) -> None:
        if (lost := self._new.execute(f"DELETE FROM {table} WHERE {condition}").rowcount) > 0:
            self._rows_lost[table] += lost

    def _stand_in(self) -> None:
        for table, column, referring in (
            ("source", "source", "reading"),
            ("boot", "boot", "reading"),
            ("model", "model", "assessment"),
            ("model", "model", "kept_score"),
            ("model", "model", "rhythm_window"),
        ):
            lost = self._new.execute(
                f"SELECT DISTINCT {column} FROM {referring} WHERE {column} IS NOT NULL"
                f" AND {column} NOT IN (SELECT number FROM {table})"
            ).fetchall()
            for (number,) in lost:
                match table:
                    case "source":
                        values: tuple[object, ...] = (f"lost sensor {number}", "unknown", "", "sensor")
                        columns = "device, driver, characteristic, origin"
                    case "boot":
                        values, columns = ((number % 2**128).to_bytes(16),), "id"
                    case _:
                        values, columns = ("unknown", f"lost {number}", ""), "name, version, sha256"
                self._new.execute(
                    f"INSERT INTO {table} (number, {columns}) VALUES (?, {', '.join('?' * len(values))})",
                    (number, *values),
                )

    def _set_aside_untold(self, at: datetime) -> int:
        self._new.create_function("readable", 1, _readable)
        lost = (
            "(event IS NOT NULL AND NOT readable(event)"
            " OR first IS NOT NULL AND channel = 'reading' AND NOT EXISTS"
            " (SELECT 1 FROM reading r WHERE r.sequence BETWEEN first AND last)"
            " OR first IS NOT NULL AND channel IN ('observation', 'amended_observation')"
            " AND first NOT IN (SELECT sequence FROM assessment)"
            " OR first IS NOT NULL AND channel = 'amended_alert'"
            " AND first NOT IN (SELECT sequence FROM audit))"
        )
        # Without the numbers: other rows will have them. And without what could never be read.
        self._new.execute(
            "INSERT OR IGNORE INTO outbox_aside (sequence, channel, reason, at)"
            f" SELECT sequence, channel, ?, ? FROM outbox WHERE {lost}",
            (LOST, to_microseconds(at)),
        )
        self._new.execute(
            f"UPDATE outbox_aside SET event = NULL, first = NULL, last = NULL, reason = ? WHERE {lost}",
            (LOST,),
        )
        return self._new.execute(f"DELETE FROM outbox WHERE {lost}").rowcount


def _readable(event: bytes) -> bool:
    try:
        event_text(event)
    except ValueError:
        return False
    return True
