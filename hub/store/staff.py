"""Who may sign in on the staff page: rows in, rows out. What a name may be is `hub/staff/requests.py`'s."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from hub.clock import from_microseconds, to_microseconds
from hub.staff.rights import Role, key_of

_log = logging.getLogger(__name__)
_COLUMNS = "name, role, pin, changed_at, changed_by"


@dataclass(frozen=True, slots=True)
class StaffRow:
    """Somebody who may sign in. `pin` is an argon2id hash, as argon2 writes one; `changed_at` (aware) and
    `changed_by` say who entered or changed them last."""

    name: str
    role: Role
    pin: str
    changed_at: datetime
    changed_by: str

    @property
    def key(self) -> str:
        """The name as it is compared."""
        return key_of(self.name)


def staff(connection: sqlite3.Connection) -> list[StaffRow]:
    """Everybody who may sign in, by name. Who cannot be read, from a damaged card, cannot sign in, and is
    left out; it is logged."""
    return _readable(connection.execute(f"SELECT {_COLUMNS} FROM staff ORDER BY key"))


def member(connection: sqlite3.Connection, key: str) -> StaffRow | None:
    """Somebody by the name as it is compared (`hub.staff.rights.key_of`)."""
    found = _readable(connection.execute(f"SELECT {_COLUMNS} FROM staff WHERE key = ?", (key,)))
    return found[0] if found else None


def put(connection: sqlite3.Connection, row: StaffRow) -> None:
    """Store somebody, in place of whoever had that name."""
    connection.execute(
        f"INSERT OR REPLACE INTO staff (key, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
        (row.key, row.name, row.role.value, row.pin, to_microseconds(row.changed_at), row.changed_by),
    )


def remove(connection: sqlite3.Connection, key: str) -> None:
    """Remove somebody by the name as it is compared."""
    connection.execute("DELETE FROM staff WHERE key = ?", (key,))


def _readable(rows: Iterable[tuple[str, str, str, int, str]]) -> list[StaffRow]:
    found = []
    for name, role, pin, at, by in rows:
        try:
            found.append(StaffRow(str(name), Role(role), str(pin), from_microseconds(at), str(by)))
        except (ValueError, TypeError, OverflowError):
            _log.error("somebody who may sign in cannot be read from the card: enter them again")
    return found
