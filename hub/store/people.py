"""Residents who were entered, and what is known of any resident: rows in, rows out."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from hub.clock import from_microseconds, to_microseconds

ENTERED = "resident entered"
CHANGED = "resident changed"
OF_THE_FILE = "resident left to the configuration"
CARE = "resident's care changed"
"""What the trail calls it (`hub.trail.Audited`)."""

_log = logging.getLogger(__name__)
_RESIDENT = (
    "id, name, room, birth_year, oxygen_scale, oxygen_scale_prescriber, wristband, entered_at, entered_by"
)
_SAID = ("oxygen_scale", "oxygen_scale_prescriber")
_OF_CARE = ("whereabouts", "consent", "reviewed", "normals", "watched_since")
"""What the trail says the values of, and a row found on a damaged card must not contradict."""


@dataclass(frozen=True, slots=True)
class ResidentRow:
    """A resident who was entered: the keys of a `[[residents]]`, who entered them, and when."""

    id: str
    name: str
    room: str
    birth_year: int | None
    oxygen_scale: int
    oxygen_scale_prescriber: str | None
    wristband: str | None
    entered_at: datetime
    entered_by: str


@dataclass(frozen=True, slots=True)
class CareRow:
    """What is known of a resident, as JSON (`hub.residents.household`), who said so last, and when."""

    resident: str
    body: str
    changed_at: datetime
    changed_by: str


def entered(connection: sqlite3.Connection) -> list[ResidentRow]:
    """The residents who were entered, in the order in which they were. A row that a damaged card left
    unreadable is left out, and logged: nobody can say who it was."""
    found = []
    for who, name, room, born, scale, prescriber, band, at, by in connection.execute(
        f"SELECT {_RESIDENT} FROM resident ORDER BY entered_at, id"
    ):
        try:
            said = who, name, room, born, scale, prescriber, band
            found.append(ResidentRow(*said, from_microseconds(at), by))
        except (TypeError, ValueError, OverflowError):
            _log.error("a resident on the card cannot be read: enter them again")
    return found


def enter(connection: sqlite3.Connection, row: ResidentRow) -> None:
    """Store a resident, in place of what is there of them."""
    connection.execute(
        f"INSERT OR REPLACE INTO resident ({_RESIDENT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row.id,
            row.name,
            row.room,
            row.birth_year,
            row.oxygen_scale,
            row.oxygen_scale_prescriber,
            row.wristband,
            to_microseconds(row.entered_at),
            row.entered_by,
        ),
    )


def leave_to_the_file(connection: sqlite3.Connection, resident: str) -> None:
    """Remove who they are, and not what is known of them: the configuration lists them by now."""
    connection.execute("DELETE FROM resident WHERE id = ?", (resident,))


def cares(connection: sqlite3.Connection) -> Mapping[str, CareRow]:
    """What is known of each resident of whom anything was said. A row that cannot be read is left out, and
    logged."""
    found = {}
    for resident, body, at, by in connection.execute(
        "SELECT resident, body, changed_at, changed_by FROM resident_care"
    ):
        try:
            found[str(resident)] = CareRow(str(resident), str(body), from_microseconds(at), str(by))
        except (TypeError, ValueError, OverflowError):
            _log.error("what is known of resident %s cannot be read on the card: say it again", resident)
    return found


def note_care(connection: sqlite3.Connection, row: CareRow) -> None:
    """Store what is known of a resident, in place of what was."""
    connection.execute(
        "INSERT OR REPLACE INTO resident_care (resident, body, changed_at, changed_by) VALUES (?, ?, ?, ?)",
        (row.resident, row.body, to_microseconds(row.changed_at), row.changed_by),
    )


def somebodies(connection: sqlite3.Connection, pseudonyms: Iterable[str]) -> set[str]:
    """Those of these pseudonyms by which anything is kept: who they are, what is known of them, a score, an
    alert, a sensor. It may look at every assessment that is kept: to be asked beside the writer."""
    asked = (json.dumps(list(pseudonyms)),)
    return {
        str(found)
        for table, column in (
            ("resident", "id"),
            ("resident_care", "resident"),
            ("kept_score", "resident"),
            ("alert", "resident"),
            ("enrolled_sensor", "resident"),
            ("assessment", "resident"),
        )
        for (found,) in connection.execute(
            f"SELECT DISTINCT {column} FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))", asked
        )
    }


def put_right(connection: sqlite3.Connection, elsewhere: Iterable[Sequence[Any]] = ()) -> list[str]:
    """Have the rows say what the trail last said of them, and give back whose were changed; of the trail
    there is more `elsewhere`: sequence, what and detail of each entry.

    A row of before may be found again in what a damaged file has left. Somebody who is in hospital would be
    alerted of by what is measured of whoever lies in their bed; or would be scored on a scale that was taken
    back. What the trail has no values of (names, rooms, codes, plans) is as it is found.
    """
    scales, cares_said = _told(connection, elsewhere)
    changed = set()
    for resident, *row in connection.execute(f"SELECT id, {', '.join(_SAID)} FROM resident").fetchall():
        if resident in scales and row != (said := [scales[resident].get(key) for key in _SAID]):
            connection.execute(
                f"UPDATE resident SET {', '.join(f'{key} = ?' for key in _SAID)} WHERE id = ?",
                (*said, resident),
            )
            changed.add(str(resident))
    kept = {row[0]: row[1:] for row in connection.execute("SELECT * FROM resident_care").fetchall()}
    for resident, (at, by, said_of) in cares_said.items():
        body = _object(kept[resident][0]) if resident in kept else {}
        wanted = {**body, **{key: said_of[key] for key in _OF_CARE if key in said_of}}
        if wanted != body:
            connection.execute(
                "INSERT OR REPLACE INTO resident_care (resident, body, changed_at, changed_by)"
                " VALUES (?, ?, ?, ?)",
                (resident, json.dumps(wanted), at, by),
            )
            changed.add(resident)
    return sorted(changed)


_Cares = dict[str, tuple[int, str, dict[str, Any]]]


def _told(
    connection: sqlite3.Connection, elsewhere: Iterable[Sequence[Any]]
) -> tuple[dict[str, dict[str, Any]], _Cares]:
    """Of each resident the scale, and when, by whom and what was said of their care, as the trail had it"
    " last."""
    entries: list[Sequence[Any]] = connection.execute(
        # As bytes: whatever has become of it, it may be no UTF-8 any more.
        "SELECT sequence, what, CAST(detail AS BLOB), at FROM audit WHERE what IN (?, ?, ?)",
        (ENTERED, CHANGED, CARE),
    ).fetchall()
    entries += [entry for entry in elsewhere if entry[1] in {ENTERED, CHANGED, CARE}]
    scales: dict[str, dict[str, Any]] = {}
    cares_said: _Cares = {}
    for _, what, detail, *at in sorted(entries, key=itemgetter(0)):
        of = _object(detail)
        resident = of.get("resident")
        if not isinstance(resident, str):
            continue
        if what == CARE:
            before = cares_said.get(resident, (0, "", {}))[2]
            cares_said[resident] = (int(at[0]) if at else 0, str(of.get("by")), {**before, **of})
        elif "oxygen_scale" in of:
            scales[resident] = of
    return scales, cares_said


def _object(text: object) -> dict[str, Any]:
    try:
        made = json.loads(text) if isinstance(text, str | bytes) else {}
    except (ValueError, RecursionError):
        return {}
    return made if isinstance(made, dict) else {}
