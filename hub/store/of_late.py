"""What the staff page asks of rounds and of the tray: readings of nobody, an open alert, one reading."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable
from contextlib import suppress

from hub.store.queries import OF_NOBODY_YET
from hub.store.rows import (
    SELECT_ALERT,
    SELECT_ASSESSMENT,
    SELECT_READING,
    AlertRow,
    AssessmentRow,
    StoredReading,
)
from hub.timekeeping.present import Record

_UNREADABLE = (ValueError, TypeError, LookupError, OverflowError)


def of_nobody(
    connection: sqlite3.Connection, record: Record, after: int, *, most: int
) -> list[StoredReading]:
    """Readings with a higher number than `after` that wait for a person to say whose they are, newest first.

    What cannot be read, of a damaged card, is left out.
    """
    rows = connection.execute(
        f"{SELECT_READING} WHERE r.sequence IN (SELECT sequence FROM reading WHERE sequence > ?"
        f" AND {OF_NOBODY_YET} ORDER BY sequence DESC LIMIT ?) ORDER BY r.sequence DESC",
        (after, most),
    )
    return _readable(record, rows)


def reading_by_id(connection: sqlite3.Connection, record: Record, reading: uuid.UUID) -> StoredReading | None:
    """One reading; None where there is none, or it cannot be read."""
    found = _readable(record, connection.execute(f"{SELECT_READING} WHERE r.id = ?", (reading.bytes,)))
    return found[0] if found else None


def open_alert_row(connection: sqlite3.Connection, resident: str) -> AlertRow | None:
    """The resident's open alert; None where there is none."""
    row = connection.execute(
        f"{SELECT_ALERT} WHERE resident = ? AND resolved_at IS NULL", (resident,)
    ).fetchone()
    return None if row is None else AlertRow.of(row)


def assessments_of_late(connection: sqlite3.Connection, resident: str, most: int) -> list[AssessmentRow]:
    """The assessments of a resident that were stored last, the newest first."""
    rows = connection.execute(
        f"{SELECT_ASSESSMENT} WHERE a.sequence IN"
        " (SELECT sequence FROM assessment WHERE resident = ? ORDER BY sequence DESC LIMIT ?)"
        " ORDER BY a.sequence DESC",
        (resident, most),
    )
    found = []
    for row in rows:
        with suppress(*_UNREADABLE):
            found.append(AssessmentRow.of(row))
    return found


def _readable(record: Record, rows: Iterable[tuple[object, ...]]) -> list[StoredReading]:
    found = []
    for row in rows:
        with suppress(*_UNREADABLE):
            stored = StoredReading.of(row)
            found.append(StoredReading(stored.sequence, record.placed(stored.placed)))
    return found
