"""What can be read of a database, copied from its pages into a new one, in the order of what it is worth.

First what the hub cannot do without, whole or not at all: alerts that are open or that nobody acknowledged,
sensors that were enrolled by command, residents with what is known of them, staff, facts, events of alerts
that wait or were refused, and what rows refer to. Then all else, the newest of every table before what is
older of any: where there is no more room, or no more time, the history ends at about one time in all of them.
What is left out is counted, and is in the old file alone.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from time import monotonic

from hub.store.errors import no_room
from hub.store.numbers import PRIORITY_BIT
from hub.store.pages import Pages, Value
from hub.store.reserve import FULL_BELOW
from hub.store.tables import Table, tables_of

_DEAR = (
    "alert",
    "enrolled_sensor",
    "resident",
    "resident_care",
    "staff",
    "fact",
    "outbox",
    "outbox_aside",
    "boot",
    "source",
    "model",
    "clock_step",
)
_DEAR_IN_PART = ("alert", "outbox", "outbox_aside")
_LAST = "kept_score"  # its rows are in no order of time
_PAGES_AT_ONCE = 100
_PATIENCE_SECONDS = 300.0


class Salvage:
    """Copies from the pages of a database into a new one, whose schema is of the same version."""

    def __init__(
        self,
        old: Pages,
        new: sqlite3.Connection,
        directory: Path | None = None,
        without: Collection[str] = (),
    ) -> None:
        """`directory` is where the new one is written; None for one in memory. Tables may be left out."""
        self._old = old
        self._new = new
        self._directory = directory
        self._tables = [table for table in tables_of(new) if table.name not in without]
        self._ended = False
        self._strays = set[int]()
        self.pages_lost: Counter[str] = Counter()
        self.rows_lost: Counter[str] = Counter()
        self.left: defaultdict[str, list[int]] = defaultdict(list)
        """The pages of each table that were not copied, for want of room or time."""

    def copy(self) -> None:
        """Copy as much as there is room for, so that `FULL_BELOW` bytes stay free.

        Raises:
            sqlite3.Error: there is no room for what the hub cannot do without (SQLITE_FULL), or another.
        """
        found = self._find()
        # They would refuse, change or repeat what is copied.
        triggers = self._new.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            self._new.execute(f"DROP TRIGGER {name}")
        self._new.execute("PRAGMA foreign_keys = OFF")
        for table in self._tables:
            self._new.execute(f"DELETE FROM {table.name}")  # what a step of the schema put there
        named = {table.name: table for table in self._tables}
        for table in [named[name] for name in _DEAR if name in named]:
            self._copy_dear(table, found[table.name])
        if self._room() < FULL_BELOW:
            raise no_room("no room for what the hub cannot do without")
        others = [table for table in self._tables if table.name not in _DEAR or table.name in _DEAR_IN_PART]
        self._copy_in_step([table for table in others if table.name != _LAST], found)
        self._copy_in_step([table for table in others if table.name == _LAST], found)
        for _, statement in triggers:
            self._new.execute(statement)

    def _copy_dear(self, table: Table, numbers: Sequence[int]) -> None:
        if table.name not in _DEAR_IN_PART:
            for piece in _pieces(numbers):
                self._commit(table, self._rows(table, piece, self.pages_lost, self.rows_lost))
            return
        # What is lost of it is counted where the rest is copied. Of two versions the first is believed.
        seen = set[Value]()
        for piece in _pieces(numbers):
            dear = []
            for values in self._rows(table, piece, Counter(), Counter()):
                if values[0] in seen:
                    continue
                if table.name == "alert":  # of all else, which may be much, each version is equally dear
                    seen.add(values[0])
                dear += [values] if _is_dear(table, values) else []
            self._commit(table, dear)

    def _copy_in_step(self, tables: Sequence[Table], found: dict[str, list[int]]) -> None:
        steps = -(-max((len(found[table.name]) for table in tables), default=0) // _PAGES_AT_ONCE)
        until = monotonic() + _PATIENCE_SECONDS
        for step in range(steps, 0, -1):
            for table in tables:
                numbers = found[table.name]
                piece = numbers[len(numbers) * (step - 1) // steps : len(numbers) * step // steps]
                self._ended = self._ended or monotonic() > until or self._room() < FULL_BELOW
                if piece and (self._ended or not self._copied(table, piece)):
                    self._ended = True
                    self.left[table.name] += piece

    def _copied(self, table: Table, numbers: Iterable[int]) -> bool:
        """Copy these pages, unless the card is full by now, whoever filled it."""
        pages, rows = Counter[str](), Counter[str]()
        try:
            self._commit(table, self._rows(table, numbers, pages, rows))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            if self._new.in_transaction:
                self._new.execute("ROLLBACK")
            return False
        self.pages_lost += pages
        self.rows_lost += rows
        return True

    def _commit(self, table: Table, rows: Iterable[list[Value]]) -> None:
        self._new.execute("BEGIN")
        for values in rows:
            self._new.execute(table.insert(len(values)), values)
        self._new.execute("COMMIT")

    def _rows(
        self, table: Table, numbers: Iterable[int], pages_lost: Counter[str], rows_lost: Counter[str]
    ) -> Iterator[list[Value]]:
        for number in sorted(numbers, key=self._strays.__contains__):  # of each kind in their order
            page = self._old.page(number)
            if page is None:
                pages_lost[table.name] += 1
                continue
            if page.lost:
                rows_lost[table.name] += page.lost
            for row in page.rows:
                values = table.values(row)
                if values is None:
                    rows_lost[table.name] += 1
                else:
                    yield values

    def left_out(self, name: str, columns: Sequence[str]) -> Iterator[tuple[Value, ...]]:
        """These columns of the rows of a table that were not copied."""
        if name not in self.left:
            return
        table = next(each for each in self._tables if each.name == name)
        places = [[column.name for column in table.columns].index(column) for column in columns]
        for values in self._rows(table, self.left[name], Counter(), Counter()):
            if len(values) > max(places):
                yield tuple(values[place] for place in places)

    def _room(self) -> int:
        """Bytes that the new database may still grow by."""
        (size,), (most,), (pages,), (free,) = (
            self._new.execute(f"PRAGMA {name}").fetchone()
            for name in ("page_size", "max_page_count", "page_count", "freelist_count")
        )
        room = int(size * (most - pages + free))
        return room if self._directory is None else min(room, shutil.disk_usage(self._directory).free)

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
        self._strays = {number for numbers in astray.values() for number in numbers}
        return {name: [*astray.get(name, ()), *numbers] for name, numbers in found.items()}

    def _roots(self) -> dict[str, int]:
        """The roots of the trees, by the name of the table or index, as the first page tells."""
        roots = {}
        for number in self._old.pages_of_tree(1, set()):
            page = self._old.page(number)
            if page is None:
                self.pages_lost[""] += 1
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


def _pieces(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    """The newest first."""
    for end in range(len(numbers), 0, -_PAGES_AT_ONCE):
        yield numbers[max(0, end - _PAGES_AT_ONCE) : end]


def _is_dear(table: Table, values: Sequence[Value]) -> bool:
    """Whether it is an alert that is open or that nobody acknowledged, or an event of one that waits."""
    if table.name != "alert":
        return isinstance(values[0], int) and values[0] >> PRIORITY_BIT == 0
    alert = dict(zip((column.name for column in table.columns), values, strict=False))
    try:
        return alert["resolved_at"] is None or json.loads(str(alert["body"]))["acknowledged_at"] is None
    except (ValueError, TypeError, LookupError):
        return True  # nobody can say that it was
