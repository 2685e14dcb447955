"""Whose a row can be: the tables of a database, for rows that are found without SQLite (`salvage.py`)."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from hub.store.pages import Row, Value

_FIRST = (
    "alert",
    "enrolled_sensor",
    "resident",
    "resident_care",
    "staff",
    "fact",
    "outbox",
    "outbox_aside",
    "source",
    "boot",
    "model",
    "audit",
    "alert_history",
)
_LAST = ("assessment", "withdrawn_assessment", "reading", "measurement", "kept_score")
"""The order in which tables are copied: what is most dearly missed first; then others; then these."""

_ADDED = {"reading": 1, "enrolled_sensor": 1, "assessment": 3}  # columns of later steps: older rows lack them


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    kind: str
    may_be_left_out: bool
    required: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the new database: its columns in the order in which a record has them."""

    name: str
    columns: tuple[_Column, ...]
    rowid_column: int | None
    has_rowid: bool

    def values(self, row: Row) -> list[Value] | None:
        """The row's columns; None where it cannot be one of this table."""
        values = list(row.values)
        if self.has_rowid != (row.rowid is not None) or len(values) > len(self.columns):
            return None
        if any(not column.may_be_left_out for column in self.columns[len(values) :]):
            return None
        if self.rowid_column is not None:
            if self.rowid_column >= len(values) or values[self.rowid_column] is not None:
                return None
            values[self.rowid_column] = row.rowid
        if not all(_fits(column, value) for column, value in zip(self.columns, values, strict=False)):
            return None
        return values if self.rowid_column is not None or not self.has_rowid else [*values, row.rowid]

    def is_as_long(self, row: Row) -> bool:
        """Whether a row has all columns, or all that there were before later steps added some."""
        return 0 <= len(self.columns) - len(row.values) <= _ADDED.get(self.name, 0)

    def insert(self, length: int) -> str:
        """The statement that inserts a row of so many `values`."""
        names = [column.name for column in self.columns]
        if self.has_rowid and self.rowid_column is None:
            names = [*names[: length - 1], "rowid"]
        columns = ", ".join(f'"{name}"' for name in names[:length])
        return f"INSERT OR IGNORE INTO {self.name} ({columns}) VALUES ({', '.join('?' * length)})"


def _fits(column: _Column, value: Value) -> bool:
    if value is None:
        return not column.required
    match column.kind:
        case "INTEGER":
            return isinstance(value, int)
        case "TEXT":
            return isinstance(value, str)
        case "BLOB":
            return isinstance(value, bytes)
        case "REAL":
            return isinstance(value, int | float)
        case _:
            return True


def tables_of(connection: sqlite3.Connection) -> list[Table]:
    """The tables in the order in which they are copied."""
    tables = []
    for _, name, kind, _, without_rowid, _ in connection.execute("PRAGMA main.table_list").fetchall():
        if kind != "table" or name.startswith(("sqlite_", "_sqlite_")):
            continue
        found = connection.execute(f"PRAGMA table_info({name})").fetchall()
        keys = [column for column in found if column[5]]
        alias = not without_rowid and len(keys) == 1 and keys[0][2].upper() == "INTEGER"
        if without_rowid:
            found = sorted(keys, key=lambda column: int(column[5])) + [c for c in found if not c[5]]
        columns = tuple(
            _Column(
                column[1],
                column[2].upper(),
                may_be_left_out=not column[3] or column[4] is not None,
                required=bool(column[3] or (column[5] and without_rowid)),
            )
            for column in found
        )
        rowid_column = found.index(keys[0]) if alias else None
        if rowid_column is not None:
            columns = tuple(
                _Column(c.name, "", may_be_left_out=False, required=False) if i == rowid_column else c
                for i, c in enumerate(columns)
            )
        tables.append(Table(name, columns, rowid_column, not without_rowid))
    order = {name: place - len(_FIRST) for place, name in enumerate(_FIRST)}
    order |= {name: place + 1 for place, name in enumerate(_LAST)}
    return sorted(tables, key=lambda table: order.get(table.name, 0))
