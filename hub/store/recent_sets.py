"""What the observation sets of the last days were of: what was measured of each resident in each hour.

A stream makes a set a minute, and one round of single readings several; what a new set is compared with is
what was measured in each four hours before it (`hub/assessment/earlier.py`). For that each value counts once,
when it was measured: as what the reading that measured it gave to the set that it completed. Beside these the
newest set itself is remembered, whole.
"""

from __future__ import annotations

import bisect
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from hub.assessment.hour import Hour
from hub.readings import Value, Vital
from hub.store.rows import SELECT_ASSESSMENT, SELECT_READING, AssessmentRow, StoredReading
from hub.timekeeping.present import Present

SETS_LOADED = 5_000
"""Of so many of the newest it is known when their readings were measured, by the present clock."""

_LOADED = 20_000
_APART = timedelta(hours=1)
_KEPT = 48  # hours of one resident: all of nine windows of four hours
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class StoredSet:
    """An observation set of a resident: its moment, and the values in it.

    One that weight or glucose completed is told, and is none here (`hub.store.rows.is_of_a_score`).
    """

    at: datetime
    sequence: int
    scale: int
    values: Mapping[Vital, Value]


class Sets(NamedTuple):
    """A resident's newest set, and what was measured in each of the last hours with any, oldest first."""

    newest: StoredSet
    hours: Sequence[Hour] = ()


def with_set(sets: Sets | None, stored: StoredSet, given: Mapping[Vital, Value]) -> Sets:
    """The sets with one more, whatever the order in which they come.

    `given` is what was measured at its very moment, by the reading that completed it.
    """
    if sets is None:
        sets = Sets(stored)
    newest = sets.newest
    if (stored.at, stored.sequence) >= (newest.at, newest.sequence):
        newest = stored
    if not given:
        return Sets(newest, sets.hours)
    hours, at, number = sets.hours, stored.at, _hour(stored.at)
    place = _place(hours, number)
    if place < len(hours) and _hour(hours[place].end) == number:
        hour = hours[place].and_also(at, stored.sequence, given)
        return Sets(newest, [*hours[:place], hour, *hours[place + 1 :]])
    return Sets(newest, [*hours[:place], Hour.of_set(at, stored.sequence, given), *hours[place:]][-_KEPT:])


def _hour(moment: datetime) -> int:
    return (moment - _BEGIN) // _APART


def _place(hours: Sequence[Hour], number: int) -> int:
    """Where in their order the hour of a number is, or would be; mostly it is the last."""
    if not hours or (last := _hour(hours[-1].end)) < number:
        return len(hours)
    if last == number:
        return len(hours) - 1
    return bisect.bisect_left(hours, number, key=lambda each: _hour(each.end))


def moments_of_sets(
    connection: sqlite3.Connection, present: Present | None, resident: str
) -> dict[int, datetime]:
    """When the readings were measured that completed a resident's newest sets, told by a clock."""
    found: dict[int, datetime] = {}
    of_sets = f"SELECT reading FROM assessment WHERE resident = ? ORDER BY sequence DESC LIMIT {SETS_LOADED}"
    for columns in connection.execute(f"{SELECT_READING} WHERE r.sequence IN ({of_sets})", (resident,)):
        with suppress(ValueError, TypeError, LookupError, OverflowError):
            stored = StoredReading.of(columns)
            placed, told = stored.placed, stored.place
            place = told if present is None else present.place(placed.reading, placed.stamp, told)
            if place is not None:
                found[stored.sequence] = place.measured_at
    return found


def load_sets(
    connection: sqlite3.Connection,
    present: Present | None,
    moments: Mapping[int, datetime],
    resident: str | None = None,
) -> dict[str, Sets]:
    """The sets on the card by resident, or of one, told by a clock (None: as they were told); `moments` has
    by their numbers when readings were measured. What cannot be read is left out: the hub must start."""
    found: dict[str, Sets] = {}
    newest = f"SELECT sequence FROM assessment ORDER BY sequence DESC LIMIT {_LOADED}"
    (first,) = connection.execute(f"SELECT min(sequence) FROM ({newest})").fetchone()
    # In the order in which they were stored: a set that comes late takes longer to take in.
    rows = f"{SELECT_ASSESSMENT} WHERE a.sequence >= ?1 AND ?2 IN (a.resident, '') ORDER BY a.sequence"
    for columns in connection.execute(rows, (first, resident or "")):
        try:
            row = AssessmentRow.of(columns)
            at = moments.get(row.reading) if row.own else None
            at = row.by(present) if at is None else at
            if at is None or not row.is_of_a_score:
                continue
            stored = StoredSet(at, row.sequence, row.scale, row.values)
            given = row.given if row.own else {}
            found[row.resident] = with_set(found.get(row.resident), stored, given)
        except (ValueError, TypeError, LookupError, OverflowError):
            continue
    return found
