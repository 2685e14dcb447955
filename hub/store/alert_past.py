"""What the page of an alert asks of the past: the alert, and what its resident was scored before it and
since."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import suppress

from hub.store.rows import SELECT_ALERT, SELECT_ASSESSMENT, AlertRow, AssessmentRow

_UNREADABLE = (ValueError, TypeError, LookupError, OverflowError)


def alert_row(connection: sqlite3.Connection, alert: uuid.UUID) -> AlertRow | None:
    """An alert by its id; None where there is none."""
    row = connection.execute(f"{SELECT_ALERT} WHERE id = ?", (alert.bytes,)).fetchone()
    return None if row is None else AlertRow.of(row)


def superseded_by(connection: sqlite3.Connection, row: AlertRow) -> list[AlertRow]:
    """The alerts of the same resident that were raised since then, the oldest first."""
    rows = connection.execute(
        f"{SELECT_ALERT} WHERE resident = ? AND raised_at >= ? AND id != ? ORDER BY raised_at",
        (row.resident, _microseconds(connection, row), row.id.bytes),
    )
    return [AlertRow.of(each) for each in rows]


def _microseconds(connection: sqlite3.Connection, row: AlertRow) -> int:
    (raised_at,) = connection.execute("SELECT raised_at FROM alert WHERE id = ?", (row.id.bytes,)).fetchone()
    return int(raised_at)


def sets_back(
    connection: sqlite3.Connection, resident: str, *, before: int | None = None, after: int = 0
) -> Iterator[AssessmentRow]:
    """A resident's assessments with a score, the newest first: with numbers below `before` (None: all), and
    above `after`. What cannot be read is left out. Each is read when it is asked for."""
    rows = connection.execute(
        f"{SELECT_ASSESSMENT} WHERE a.sequence < ? AND a.sequence > ? AND a.resident = ?"
        " ORDER BY a.sequence DESC",
        (1 << 62 if before is None else before, after, resident),
    )
    for row in rows:
        with suppress(*_UNREADABLE):
            made = AssessmentRow.of(row)
            if made.is_of_a_score:
                yield made
