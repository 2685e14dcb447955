"""Puts right what refers to what is lost, in a database that was copied from a damaged one (`salvage.py`)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import datetime

from hub.clock import stamp, to_microseconds
from hub.store import audit, people, staff_contradicted
from hub.store.damage import FACT, Damage
from hub.store.encoding import event_text
from hub.store.salvaging import Salvage
from hub.store.sensors import contradicted
from hub.store.tables import tables_of

_NUMBERED = ("reading", "assessment")
NOTED = "database salvaged"
"""What the trail calls it (`hub.trail.Audited.SALVAGED`)."""
LOST = "lost when the database was damaged"


def mend(new: sqlite3.Connection, salvage: Salvage, at: datetime, why: str, file: str) -> Damage:
    """Put right what refers to what is lost, and note the fact. `file` is the damaged one's name.

    Raises:
        sqlite3.Error: it cannot be written (SQLITE_FULL: there is no room).
    """
    new.execute("BEGIN")
    _stand_in_or_forget(new, salvage)
    for table in ("assessment", "withdrawn_assessment", "rhythm_window"):
        _forget(new, salvage, table, "reading NOT IN (SELECT sequence FROM reading)")
    # Whole, whatever there was room for: nobody may be made the owner of a sensor that was taken from them.
    trail = list(salvage.left_out("audit", ("sequence", "what", "detail")))
    for address in contradicted(new, trail):
        new.execute("DELETE FROM enrolled_sensor WHERE address = ?", (address,))
    people.put_right(new, trail)
    for key in staff_contradicted.contradicted(new, trail):
        new.execute("DELETE FROM staff WHERE key = ?", (key,))
    untold = _set_aside_untold(new, at)
    for column in _NUMBERED:
        new.execute(f"UPDATE alert SET {column} = 0 WHERE {column} NOT IN (SELECT sequence FROM {column})")
    damage = Damage(
        at,
        why,
        file,
        {
            table.name: int(new.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0])
            for table in tables_of(new)
        },
        dict(salvage.pages_lost),
        dict(salvage.rows_lost),
        untold,
        not salvage.left,
        {table: len(numbers) for table, numbers in salvage.left.items() if numbers},
    )
    new.execute("INSERT INTO fact (name, value) VALUES (?, ?)", (f"{FACT}{at.isoformat()}", damage.to_json()))
    audit.append(new, audit.NewEntry(at, stamp(), NOTED, None, json.loads(damage.to_json())))
    new.execute("COMMIT")
    return damage


def _forget(new: sqlite3.Connection, salvage: Salvage, table: str, condition: str) -> None:
    lost = new.execute(f"DELETE FROM {table} WHERE {condition}").rowcount
    # Where readings were left out, what rests on them was too: it is in the damaged file.
    if lost > 0 and not salvage.left.get("reading"):
        salvage.rows_lost[table] += lost


def _references(new: sqlite3.Connection) -> Iterator[tuple[str, str, str, str]]:
    """Each foreign key: table, column, and the table and column that it refers to."""
    for table in tables_of(new):
        for _, _, of, column, to, *_ in new.execute(f"PRAGMA foreign_key_list({table.name})").fetchall():
            keys = [key[1] for key in new.execute(f"PRAGMA table_info({of})") if key[5]]
            yield table.name, column, of, to or keys[0]


def _stand_in_or_forget(new: sqlite3.Connection, salvage: Salvage) -> None:
    """A sensor, boot or model that is lost gets a row that says so; what refers to anything else goes."""
    for table, column, of, key in list(_references(new)):
        unknown = f"{column} IS NOT NULL AND {column} NOT IN (SELECT {key} FROM {of})"
        if of not in {"source", "boot", "model"}:
            _forget(new, salvage, table, unknown)
            continue
        for (number,) in new.execute(f"SELECT DISTINCT {column} FROM {table} WHERE {unknown}").fetchall():
            match of:
                case "source":
                    values: tuple[object, ...] = (f"lost sensor {number}", "unknown", "", "sensor")
                    columns = "device, driver, characteristic, origin"
                case "boot":
                    values, columns = ((number % 2**128).to_bytes(16),), "id"
                case _:
                    values, columns = ("unknown", f"lost {number}", ""), "name, version, sha256"
            new.execute(
                f"INSERT INTO {of} (number, {columns}) VALUES (?, {', '.join('?' * len(values))})",
                (number, *values),
            )


def _set_aside_untold(new: sqlite3.Connection, at: datetime) -> int:
    new.create_function("readable", 1, _readable)
    lost = (
        "(event IS NOT NULL AND NOT readable(event)"
        " OR first IS NOT NULL AND channel = 'reading' AND NOT EXISTS"
        " (SELECT 1 FROM reading r WHERE r.sequence BETWEEN first AND last)"
        " OR first IS NOT NULL AND channel IN ('observation', 'amended_observation')"
        " AND first NOT IN (SELECT sequence FROM assessment UNION SELECT sequence FROM withdrawn_assessment)"
        " OR first IS NOT NULL AND channel = 'amended_alert'"
        " AND first NOT IN (SELECT sequence FROM audit))"
    )
    # Without the numbers: other rows will have them. And without what could never be read.
    new.execute(
        "INSERT OR IGNORE INTO outbox_aside (sequence, channel, reason, at)"
        f" SELECT sequence, channel, ?, ? FROM outbox WHERE {lost}",
        (LOST, to_microseconds(at)),
    )
    new.execute(
        f"UPDATE outbox_aside SET event = NULL, first = NULL, last = NULL, reason = ? WHERE {lost}", (LOST,)
    )
    return new.execute(f"DELETE FROM outbox WHERE {lost}").rowcount


def _readable(event: bytes) -> bool:
    try:
        event_text(event)
    except ValueError:
        return False
    return True
