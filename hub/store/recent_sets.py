"""The observation sets of the last days that are remembered: the newest of each hour of each resident.

A stream makes a set a minute, and one round of single readings several; what a new set is compared with is
one in four hours (`hub/assessment/earlier.py`).
"""

from __future__ import annotations

import bisect
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hub.clock import from_microseconds
from hub.present import Present
from hub.readings import Value, Vital
from hub.store.rows import SELECT_ASSESSMENT, AssessmentRow

SETS_LOADED = 5_000
"""The newest on the card are all looked at where the window is loaded."""

_LOOKED_THROUGH = 15_000  # of those before only when they were: one of each hour is looked at
_APART = timedelta(hours=1)
_KEPT = 48  # of one resident: all of nine windows of four hours
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


def with_set(sets: Sequence[StoredSet], stored: StoredSet) -> list[StoredSet]:
    """The sets, oldest first, with one more: in place of the one of its hour, unless that is newer."""
    position = _not_after(sets, stored.at)
    hour = _hour(stored.at)
    if position < len(sets) and _hour(sets[position].at) == hour:
        return [*sets]
    of_this_hour = position > 0 and _hour(sets[position - 1].at) == hour
    return [*sets[: position - of_this_hour], stored, *sets[position:]][-_KEPT:]


def _hour(moment: datetime) -> int:
    return (moment - _BEGIN) // _APART


def _not_after(sets: Sequence[StoredSet], until: datetime) -> int:
    """How many of them are not after a moment; mostly all are."""
    if not sets or sets[-1].at <= until:
        return len(sets)
    return bisect.bisect_right(sets, until, key=lambda each: each.at)


def load_sets(
    connection: sqlite3.Connection, present: Present | None, moments: Mapping[int, datetime]
) -> dict[str, list[StoredSet]]:
    """The sets on the card by resident, told by a clock (None: as they were told); `moments` has by their
    numbers when readings were measured. What cannot be read is left out: the hub must start."""
    found: defaultdict[str, dict[int, StoredSet]] = defaultdict(dict)
    newest = f"{SELECT_ASSESSMENT} ORDER BY a.sequence DESC LIMIT {SETS_LOADED}"
    last = None
    for row in connection.execute(newest):
        last = row[0]
        _load(found, row, present, moments)
    if last is not None:
        _load_older(found, connection, last, present, moments)
    return {resident: [hours[hour] for hour in sorted(hours)][-_KEPT:] for resident, hours in found.items()}


def _load_older(
    found: defaultdict[str, dict[int, StoredSet]],
    connection: sqlite3.Connection,
    before: int,
    present: Present | None,
    moments: Mapping[int, datetime],
) -> None:
    """Take in one of each hour, as told, that has none yet."""
    rows = connection.execute(
        "SELECT a.sequence, a.resident, coalesce(a.at, r.measured_at, r.received_at)"
        " FROM assessment a JOIN reading r ON r.sequence = a.reading WHERE a.sequence < ?"
        f" ORDER BY a.sequence DESC LIMIT {_LOOKED_THROUGH}",
        (before,),
    ).fetchall()
    seen = {(resident, hour) for resident, hours in found.items() for hour in hours}
    for sequence, resident, at in rows:
        try:
            hour = resident, _hour(from_microseconds(at))
        except (TypeError, OverflowError):
            continue
        if hour in seen or len(found[resident]) >= _KEPT:
            continue
        row = connection.execute(f"{SELECT_ASSESSMENT} WHERE a.sequence = ?", (sequence,)).fetchone()
        if row is not None and _load(found, row, present, moments):
            seen.add(hour)


def _load(
    found: defaultdict[str, dict[int, StoredSet]],
    row: Sequence[object],
    present: Present | None,
    moments: Mapping[int, datetime],
) -> bool:
    """Take in a set, unless there is a newer one of its hour; return whether it is one at all."""
    try:
        assessment = AssessmentRow.of(row)
        if not assessment.is_of_a_score:
            return False
        at = moments.get(assessment.reading) if assessment.own else None
        at = assessment.by(present) if at is None else at
        if at is None:
            return False
        hour = _hour(at)
    except (ValueError, TypeError, LookupError, OverflowError):
        return False
    hours = found[assessment.resident]
    other = hours.get(hour)
    if other is None or (other.at, other.sequence) < (at, assessment.sequence):
        hours[hour] = StoredSet(at, assessment.sequence, assessment.scale, assessment.values)
    return True
