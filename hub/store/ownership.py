"""Rows that change where a reading turns out to be another's: its owner, and what was said of the wrong one.

An assessment that rested on it is moved out of `assessment` into `withdrawn_assessment`, whole: whoever
looks at assessments finds only what is true, and nothing is forgotten.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import cast

from hub.clock import to_microseconds
from hub.readings import Measurement
from hub.store.encoding import measurements_text
from hub.store.rows import (
    SELECT_ALERT,
    SELECT_ASSESSMENT,
    SELECT_READING,
    AlertRow,
    AssessmentRow,
    StoredReading,
    numbered,
)
from hub.timekeeping.present import Present

DISCARDED = "discarded by a person"
"""The `problem` of a reading that nobody's is and nobody's shall be. What it said is kept."""

UNREADABLE = (ValueError, TypeError, LookupError, OverflowError)
"""What a row of a damaged card raises."""
_WITHDRAWN = SELECT_ASSESSMENT.replace("FROM assessment a", "FROM withdrawn_assessment a")
_COLUMNS = (
    "sequence, resident, at, reading, scale, observations, band, total, age, risk, model, reasons,"
    " uncalibrated, would_alert"
)
_SETS_LOOKED_AT = 20_000  # of all residents: as many as are loaded at a start
_STRETCHES_AFTER = 500  # readings: among so many the stretch is looked for that goes on from one


def reading_by_id(connection: sqlite3.Connection, known_by: uuid.UUID) -> StoredReading | None:
    """A reading by its id; None where it is not on the card (any more)."""
    row = connection.execute(f"{SELECT_READING} WHERE r.id = ?", (known_by.bytes,)).fetchone()
    return None if row is None else StoredReading.of(row)


def set_owner(
    connection: sqlite3.Connection,
    sequence: int,
    resident: str | None,
    observed: tuple[Measurement, ...] | None,
) -> None:
    """Store whose a reading is from now on (None: nobody's), and what observation sets may take from it."""
    connection.execute(
        "UPDATE reading SET resident = ?, observed = ?, problem = nullif(problem, ?) WHERE sequence = ?",
        (resident, None if observed is None else measurements_text(observed), DISCARDED, sequence),
    )


def set_discarded(connection: sqlite3.Connection, sequence: int) -> None:
    """Store that a reading waits for nobody any more."""
    connection.execute(
        "UPDATE reading SET problem = ? WHERE sequence = ? AND resident IS NULL", (DISCARDED, sequence)
    )


def resting_on(connection: sqlite3.Connection, resident: str, reading: int) -> list[AssessmentRow]:
    """A resident's assessments that took anything from a reading, or were made because it came, oldest first.

    All of theirs are looked through: there is no index, and a person waits for it who corrects a mistake.
    """
    # An observation of another reading has at its end how many numbers that one is before the set's own.
    rows = connection.execute(
        f"{SELECT_ASSESSMENT} WHERE a.resident = ?1 AND"
        " (a.reading = ?2 OR instr(a.observations, ',' || (a.reading - ?2) || ']')) ORDER BY a.sequence",
        (resident, reading),
    )
    return [row for row in _readable(rows) if _rests_on(row, reading)]


def _rests_on(row: AssessmentRow, reading: int) -> bool:
    return row.reading == reading or any(source == reading for _, source in row.observations.values())


class Places:
    """Where a resident's assessments stand in the order in which they were decided on.

    Each by its number, but one that was formed anew where the first stood that it replaces."""

    def __init__(self, connection: sqlite3.Connection, resident: str) -> None:
        rows = connection.execute(
            "SELECT reading, at, min(sequence) FROM withdrawn_assessment WHERE resident = ?"
            " GROUP BY reading, at",
            (resident,),
        )
        self._first = {(int(reading), at): int(sequence) for reading, at, sequence in rows}

    def of(self, row: AssessmentRow) -> int:
        """The place of an assessment; never above its number."""
        at = None if row.own else to_microseconds(row.at)
        return min(row.sequence, self._first.get((row.reading, at), row.sequence))


def assessments_since(
    connection: sqlite3.Connection,
    resident: str,
    received_at: datetime,
    first: int | None = None,
    *,
    most: int = -1,
    unreadable: Callable[[int], object] = lambda _number: None,
) -> Iterator[AssessmentRow]:
    """A resident's assessments of readings that were received since then, as it was told, in their order;
    and of all from the reading with the number `first` on, whatever the clock told then. Where there are
    more than `most`, the newest of them.

    One that a damaged card has left unreadable is left out, and its number is given to `unreadable`.
    """
    rows = connection.execute(
        f"{SELECT_ASSESSMENT} WHERE a.resident = ? AND (r.received_at >= ? OR a.reading >= ?)"
        " ORDER BY a.sequence DESC LIMIT ?",
        (resident, to_microseconds(received_at), first, most),
    )
    return _readable(reversed(rows.fetchall()), unreadable)


def _readable(
    rows: Iterable[Sequence[object]], unreadable: Callable[[int], object] = lambda _number: None
) -> Iterator[AssessmentRow]:
    """One row that is damaged must not keep a person from saying whose a reading is."""
    for row in rows:
        try:
            assessment = AssessmentRow.of(row)
        except UNREADABLE:
            unreadable(cast(int, row[0]))
        else:
            yield assessment


def moments_of_sets(
    connection: sqlite3.Connection, present: Present | None, resident: str, after: datetime
) -> list[datetime]:
    """The moments after this one of which a resident has observation sets, told by a clock, among the newest
    sets of all."""
    rows = connection.execute(
        f"{SELECT_ASSESSMENT} WHERE a.sequence > (SELECT max(sequence) FROM assessment) - ?"
        " AND a.resident = ?",
        (_SETS_LOOKED_AT, resident),
    )
    moments = {row.by(present) for row in _readable(rows) if row.is_of_a_score}
    return sorted(moment for moment in moments if moment is not None and moment > after)


_NOT_NOTED_YET = 0


def note_withdrawal(connection: sqlite3.Connection, entry: int) -> None:
    """Store, in the same transaction, the number of the trail's entry that says why assessments were
    withdrawn."""
    connection.execute(
        "UPDATE withdrawn_assessment SET withdrawn = ? WHERE withdrawn = ?", (entry, _NOT_NOTED_YET)
    )


def withdraw(connection: sqlite3.Connection, assessments: Sequence[int]) -> None:
    """Move these assessments out of the way; `note_withdrawal` when the trail says why.

    Nothing of them waits to be told any more: what was told is to be told otherwise.
    """
    chosen = (json.dumps(list(assessments)),)
    those = "IN (SELECT value FROM json_each(?1))"
    connection.execute(
        f"INSERT INTO withdrawn_assessment ({_COLUMNS}, withdrawn)"
        f" SELECT {_COLUMNS}, ?2 FROM assessment WHERE sequence {those}",
        (*chosen, _NOT_NOTED_YET),
    )
    connection.execute(f"DELETE FROM assessment WHERE sequence {those}", chosen)
    connection.execute(
        "DELETE FROM outbox WHERE channel IN ('observation', 'amended_observation') AND event IS NULL"
        f" AND first {those}",
        chosen,
    )


def withdrawn_assessment(connection: sqlite3.Connection, sequence: int) -> tuple[AssessmentRow, int] | None:
    """An assessment that was withdrawn, and the number of the trail's entry that says why."""
    row = connection.execute(f"{_WITHDRAWN} WHERE a.sequence = ?", (sequence,)).fetchone()
    if row is None:
        return None
    (entry,) = connection.execute(
        "SELECT withdrawn FROM withdrawn_assessment WHERE sequence = ?", (sequence,)
    ).fetchone()
    return numbered(connection, AssessmentRow.of(row)), int(entry)


def alerts_of(connection: sqlite3.Connection, resident: str) -> list[AlertRow]:
    """A resident's alerts in the order in which they were stored."""
    rows = connection.execute(
        f"{SELECT_ALERT} WHERE resident = ? ORDER BY assessment, raised_at", (resident,)
    )
    return [AlertRow.of(row) for row in rows]


def rest_alert_on(connection: sqlite3.Connection, alert: uuid.UUID, reading: int, assessment: int) -> None:
    """Store what an alert rests on from now on."""
    connection.execute(
        "UPDATE alert SET reading = ?, assessment = ? WHERE id = ?", (reading, assessment, alert.bytes)
    )


def forget_rhythm(connection: sqlite3.Connection, stretch: StoredReading) -> None:
    """Remove the windows of rhythm that have beats of a stretch: some may be another's.

    Those that it completed, and those of the next stretch of the same sensor that began before it ended.
    """
    raw = stretch.placed.reading.raw
    connection.execute("DELETE FROM rhythm_window WHERE reading = ?", (stretch.sequence,))
    connection.execute(
        "DELETE FROM rhythm_window WHERE reading > ?1 AND reading <= ?1 + ?2 AND began <= ?3 AND reading IN"
        " (SELECT r.sequence FROM reading r JOIN source s ON s.number = r.source"
        " WHERE r.sequence > ?1 AND r.sequence <= ?1 + ?2 AND s.device = ?4)",
        (stretch.sequence, _STRETCHES_AFTER, to_microseconds(raw.received_at), raw.device),
    )
