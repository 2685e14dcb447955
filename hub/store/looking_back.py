"""What the staff page asks of the past: who was measured as what, scored how, and alerted of when.

It reads beside the running hub and touches nothing. Every time is put right, as people and the ICS are told
it (`hub/timekeeping/correction.py`). No table has an index by resident, since each would be written at every
commit: rows of some days are found by looking in a few hundred places where those days begin, and are then
read in their order. What is damaged, or of another version, is left out: what can be read must be seen.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime

from hub.assessment import news2
from hub.assessment.news2 import OxygenScale
from hub.assessment.observation_set import taken
from hub.clock import Step, StepKind, from_microseconds
from hub.overview.glance import KnownValue, PastScore, RiskSaid, ScoredSet
from hub.readings import OF_THE_ROOM, Vital
from hub.store.queries import OF_NOBODY_YET
from hub.store.rows import (
    SELECT_ALERT,
    SELECT_ASSESSMENT,
    SELECT_READING,
    AlertRow,
    AssessmentRow,
    StoredReading,
    reading_by_number,
    stamp_of,
)
from hub.store.steps import all_steps
from hub.stretch import StretchedVital
from hub.timekeeping.correction import corrected
from hub.timekeeping.present import Record, told_after
from hub.timekeeping.timing import ClockRule, TimeQuality

_LOOKS = 256
_UNREADABLE = (ValueError, TypeError, LookupError, OverflowError)
_OBSERVED = "coalesce(r.observed, '') != '[]'"


def record_of(connection: sqlite3.Connection, rule: ClockRule) -> Record:
    """What puts times right, by the steps of the clock that are on the card now."""
    by_boot: dict[uuid.UUID, tuple[Step, ...]] = {}
    for step in all_steps(connection):
        by_boot[step.at.boot] = (*by_boot.get(step.at.boot, ()), step)
    return Record(rule, lambda boot: by_boot.get(boot, ()))


def first_reading_since(connection: sqlite3.Connection, record: Record, since: datetime) -> int:
    """A number after which all readings are found that were received since then; and a few of before.

    A hub's clock may have been wrong for a while, so that times do not rise with numbers: of the places that
    are looked at the first counts that is of then or later.
    """
    lowest, highest = _ends(connection, "reading")
    before = lowest - 1
    for place in _places(lowest, highest):
        row = connection.execute(
            "SELECT r.sequence, r.received_at, b.id, r.since_boot, r.clock FROM reading r"
            " JOIN boot b ON b.number = r.boot WHERE r.sequence >= ? ORDER BY r.sequence LIMIT 1",
            (place,),
        ).fetchone()
        if row is None:
            continue
        with suppress(*_UNREADABLE):
            stamp = stamp_of(row[2], row[3], row[4])
            received_at, _ = corrected(from_microseconds(row[1]), stamp, record.steps(stamp.boot))
            if received_at >= since:
                return before
        before = place
    return before


def first_assessment_since(connection: sqlite3.Connection, reading: int) -> int:
    """A number after which all assessments are found that rest on readings after that one; and a few more."""
    lowest, highest = _ends(connection, "assessment")
    before = lowest - 1
    for place in _places(lowest, highest):
        row = connection.execute(
            "SELECT reading FROM assessment WHERE sequence >= ? ORDER BY sequence LIMIT 1", (place,)
        ).fetchone()
        if row is not None and row[0] > reading:
            return before
        before = place
    return before


def newest_numbers(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """The highest numbers of a reading, an assessment, and an entry of the trail; 0 where there is none."""
    return _ends(connection, "reading")[1], _ends(connection, "assessment")[1], _ends(connection, "audit")[1]


def kinds_of_entries(connection: sqlite3.Connection, after: int) -> frozenset[str]:
    """What the entries of the trail with a higher number are of."""
    rows = connection.execute("SELECT DISTINCT what FROM audit WHERE sequence > ?", (after,))
    return frozenset(str(what) for (what,) in rows)


def residents_of_entries(
    connection: sqlite3.Connection, after: int, kinds: Collection[str]
) -> frozenset[str] | None:
    """Whom the entries of these kinds with a higher number speak of: whose a reading was, and is; None where
    one of them cannot be read."""
    rows = connection.execute(
        "SELECT CAST(detail AS BLOB) FROM audit WHERE sequence > ?"
        f" AND what IN ({', '.join('?' * len(kinds))})",
        (after, *kinds),
    )
    found: set[str] = set()
    for (detail,) in rows:
        try:
            said = json.loads(detail)
            found.update(said[key] for key in ("was", "resident") if said.get(key) is not None)
        except (ValueError, TypeError, AttributeError, LookupError):
            return None
    return frozenset(found)


def any_of_nobody(connection: sqlite3.Connection, after: int) -> bool:
    """Whether there is a reading with a higher number that waits for a person to say whose it is."""
    found = connection.execute(
        f"SELECT 1 FROM reading WHERE sequence > ? AND {OF_NOBODY_YET} LIMIT 1", (after,)
    )
    return found.fetchone() is not None


def readings(
    connection: sqlite3.Connection,
    record: Record,
    after: int,
    *,
    resident: str | None = None,
    streams: bool = True,
) -> Iterator[StoredReading]:
    """Readings of residents, of one or of all, with a higher number than `after`, in their order.

    Without `streams` those are left out that are stretches of one.
    """
    whose = "r.resident IS NOT NULL" if resident is None else "r.resident = ?"
    streamed = "" if streams else " AND r.stretch IS NULL"
    rows = connection.execute(
        f"{SELECT_READING} WHERE r.sequence > ? AND {whose} AND {_OBSERVED}{streamed} ORDER BY r.sequence",
        (after,) if resident is None else (after, resident),
    )
    return _right(record, rows)


def newest_stretches(
    connection: sqlite3.Connection, record: Record, after: int, *, resident: str | None = None
) -> Iterator[StoredReading]:
    """Of each stream of each resident, or of one, the newest stretch that was observed after that."""
    whose = "r.resident IS NOT NULL" if resident is None else "r.resident = ?"
    rows = connection.execute(
        f"{SELECT_READING} WHERE r.sequence IN (SELECT max(sequence) FROM reading r WHERE r.sequence > ?"
        f" AND {whose} AND r.stretch IS NOT NULL AND {_OBSERVED} GROUP BY resident, source)"
        " ORDER BY r.sequence",
        (after,) if resident is None else (after, resident),
    )
    return _right(record, rows)


def _right(record: Record, rows: Iterable[tuple[object, ...]]) -> Iterator[StoredReading]:
    for row in rows:
        with suppress(*_UNREADABLE):
            stored = StoredReading.of(row)
            yield StoredReading(stored.sequence, record.placed(stored.placed))


def values_in(stored: StoredReading) -> Iterator[KnownValue]:
    """The values of a reading that observation sets may take; what is of the room, or failed, is none."""
    placed = stored.placed
    reading = placed.reading
    summed: Mapping[Vital, StretchedVital] = (
        {} if reading.stretch is None else {each.vital: each for each in reading.stretch.vitals}
    )
    for each in placed.taken:
        value = taken(each)
        if value is None or each.vital in OF_THE_ROOM:
            continue
        over = summed.get(each.vital)
        yield KnownValue(
            vital=each.vital,
            value=value,
            measured_at=placed.measured_at,
            received_at=reading.raw.received_at,
            reading=reading.id,
            device=reading.raw.device,
            origin=reading.raw.origin,
            quality=each.quality,
            doubtful_time=placed.time_quality is TimeQuality.DOUBTFUL,
            flags=reading.flags,
            lowest=None if over is None else over.lowest,
            highest=None if over is None else over.highest,
        )


def assessments(
    connection: sqlite3.Connection, after: int, *, resident: str | None = None
) -> Iterator[AssessmentRow]:
    """What was said of sets, of one resident or of all, with a higher number than `after`, in their order.

    One that weight or glucose completed is none: nobody was observed by it.
    """
    whose = "" if resident is None else " AND a.resident = ?"
    rows = connection.execute(
        f"{SELECT_ASSESSMENT} WHERE a.sequence > ?{whose} ORDER BY a.sequence",
        (after,) if resident is None else (after, resident),
    )
    for row in rows:
        with suppress(*_UNREADABLE):
            made = AssessmentRow.of(row)
            if made.is_of_a_score:
                yield made


def scored(row: AssessmentRow, at: datetime) -> ScoredSet:
    """What a row says, whose moment put right is `at`.

    Raises:
        ValueError: a value is not of its vital's type.
    """
    risk = None
    if row.risk is not None and row.model is not None:
        risk = RiskSaid(row.risk, f"{row.model.name} {row.model.version}", row.reasons, row.would_alert)
    score = news2.score(row.values, OxygenScale(row.scale))
    return ScoredSet(at, score, row.values, row.reading_id, risk)


def known_at(connection: sqlite3.Connection, record: Record, row: AssessmentRow) -> datetime:
    """The moment assessed, as it is known now."""
    if row.stamp is None or row.received_at is None:
        return row.at
    steps = record.steps(row.stamp.boot)
    first_set = any(step.kind is StepKind.FIRST_SET for step in steps)
    if not first_set or told_after(row.stamp.since_boot, steps):
        return row.at
    stored = reading_by_number(connection, row.reading)
    if stored is None:
        return row.at
    placed = record.placed(stored.placed)
    if row.own:
        return placed.measured_at
    return row.at + (placed.reading.raw.received_at - row.received_at)


def past_score(row: AssessmentRow, at: datetime) -> PastScore:
    """What a picture of the trend shows of a row, whose moment put right is `at`.

    Raises:
        ValueError: its band is none.
    """
    return PastScore(
        at=at,
        total=row.total,
        band=news2.Band(row.band),
        complete=all(vital in row.observations for vital in news2.PARAMETERS),
        risk=row.risk,
    )


def open_alerts(connection: sqlite3.Connection) -> list[AlertRow]:
    """Every alert that is not resolved, the oldest first."""
    return _alerts(connection.execute(f"{SELECT_ALERT} WHERE resolved_at IS NULL ORDER BY raised_at"))


def open_alerts_as_kept(connection: sqlite3.Connection, most: int) -> list[tuple[str, AlertRow | None]]:
    """Every alert that is not resolved, or the card does not say so: what stands for it, and the alert; None
    where it cannot be read."""
    rows = connection.execute(
        f"SELECT hex(id), * FROM ({SELECT_ALERT} WHERE resolved_at IS NULL) LIMIT ?", (most,)
    )
    found: list[tuple[str, AlertRow | None]] = []
    for name, *row in rows:
        try:
            found.append((str(name), AlertRow.of(row)))
        except _UNREADABLE:
            found.append((str(name), None))
    return found


def alerts_of(connection: sqlite3.Connection, resident: str, most: int) -> list[AlertRow]:
    """A resident's alerts, open or not, the newest first."""
    return _alerts(
        connection.execute(
            f"{SELECT_ALERT} WHERE resident = ? ORDER BY raised_at DESC LIMIT ?", (resident, most)
        )
    )


def _alerts(rows: Iterable[tuple[object, ...]]) -> list[AlertRow]:
    found = []
    for row in rows:
        with suppress(*_UNREADABLE):
            found.append(AlertRow.of(row))
    return found


def _ends(connection: sqlite3.Connection, table: str) -> tuple[int, int]:
    lowest, highest = connection.execute(
        f"SELECT (SELECT min(sequence) FROM {table}), (SELECT max(sequence) FROM {table})"
    ).fetchone()
    return int(lowest or 1), int(highest or 0)


def _places(lowest: int, highest: int) -> Iterable[int]:
    """Where to look between two numbers, the lowest first."""
    return range(lowest, highest + 1, max(1, (highest - lowest) // _LOOKS))
