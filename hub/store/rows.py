"""Rows as they come back from the card: readings, assessments and alerts."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from hub.assessment.reason import Reason
from hub.clock import ClockStamp, from_microseconds, to_microseconds
from hub.readings import OF_NO_SCORE, DeviceTime, Flag, Origin, RawPayload, Reading, Value, Vital
from hub.store.encoding import (
    CLOCK_QUALITIES,
    TIME_QUALITIES,
    measurements_of,
    observations_of,
    reasons_of,
    stretch_of,
)
from hub.timekeeping.placed import PlacedReading
from hub.timekeeping.present import Place, Present

_MICROSECOND = timedelta(microseconds=1)

SELECT_READING = (
    "SELECT r.sequence, r.id, r.resident, s.device, s.driver, s.characteristic, s.origin, r.payload,"
    " r.received_at, r.device_time, r.measured_at, r.time_quality, r.measurements, r.observed, r.flags,"
    " r.sequence_number, r.user_id, r.problem, b.id, r.since_boot, r.clock, r.stretch"
    " FROM reading r JOIN source s ON s.number = r.source JOIN boot b ON b.number = r.boot"
)
"""The columns that `StoredReading.of` takes, in its order; `r` is the reading, `s` its source."""

SELECT_ASSESSMENT = (
    "SELECT a.sequence, a.resident, coalesce(a.at, r.measured_at, r.received_at), a.reading, r.id,"
    " a.scale, a.observations, a.band, a.total, a.age, a.risk, m.name, m.version, m.sha256, a.at IS NULL,"
    " r.received_at, b.id, r.since_boot, r.clock, a.reasons, a.uncalibrated, a.would_alert"
    " FROM assessment a JOIN reading r ON r.sequence = a.reading JOIN boot b ON b.number = r.boot"
    " LEFT JOIN model m ON m.number = a.model"
)
"""The columns that `AssessmentRow.of` takes, in its order; `a` is the assessment, `r` its reading."""

SELECT_ALERT = (
    "SELECT id, resident, band, state, raised_at, resolved_at, reading, assessment, body FROM alert"
)
"""The columns that `AlertRow.of` takes, in its order."""


@dataclass(frozen=True, slots=True)
class StoredReading:
    """A reading with its number in the store, as it was told."""

    sequence: int
    placed: PlacedReading

    @property
    def place(self) -> Place:
        """Its place in time, as it was told."""
        placed = self.placed
        return Place(placed.reading.raw.received_at, placed.measured_at, placed.time_quality)

    @classmethod
    def of(cls, row: Sequence[object]) -> StoredReading:
        """From the columns of `SELECT_READING`. Raises `ValueError` or `TypeError` where one is wrong."""
        (sequence, identifier, resident, device, driver, characteristic, origin, payload, received_at,
         device_time, measured_at, time_quality, measurements, observed, flags, sequence_number, user_id,
         problem, boot, since_boot, clock, stretch) = row  # fmt: skip
        received = from_microseconds(_number(received_at))
        text = str(device_time) if device_time is not None else None
        reading = Reading(
            id=_uuid(identifier),
            raw=RawPayload(
                device=str(device),
                driver=str(driver),
                payload=_bytes(payload),
                received_at=received,
                characteristic=str(characteristic),
                origin=_origin(origin),
            ),
            measurements=measurements_of(str(measurements)),
            flags=_flags(str(flags)),
            device_time=DeviceTime.of(text) if text is not None else None,
            sequence_number=None if sequence_number is None else _number(sequence_number),
            user_id=None if user_id is None else _number(user_id),
            problem=None if problem is None else str(problem),
            stretch=None if stretch is None else stretch_of(str(stretch)),
        )
        placed = PlacedReading(
            reading=reading,
            resident=None if resident is None else str(resident),
            measured_at=received if measured_at is None else from_microseconds(_number(measured_at)),
            time_quality=TIME_QUALITIES[_number(time_quality)],
            stamp=_stamp(boot, since_boot, clock),
            observed=None if observed is None else measurements_of(str(observed)),
        )
        return cls(_number(sequence), placed)


@dataclass(frozen=True, slots=True)
class ModelName:
    """Which model: its name, its version, and the hash of its file."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class AssessmentRow:
    """What was known of a resident at a moment, and what it said.

    `observations` has for each vital its value and the number of the reading that said it; `reading` is
    the number of the one that completed the set. `age` is in years; `risk` is a probability, `uncalibrated`
    the model's own where a site's recalibration made that of it. `reasons` is None where nobody asked why, or
    it cannot be read. `would_alert` is whether the risk reached the threshold of the alert budget; None where
    there was none.

    `at` is as it was told by the clock that told `received_at`, when that reading was received (`stamp`);
    where it is the reading's `own` time, it is when that was measured. `withdrawn_before` is how many of the
    same reading and moment were withdrawn before it was made; only one that is found by its number knows.
    """

    sequence: int
    resident: str
    at: datetime
    reading: int
    reading_id: uuid.UUID
    scale: int
    observations: Mapping[Vital, tuple[Value, int]]
    band: str
    total: int
    age: int | None = None
    risk: float | None = None
    model: ModelName | None = None
    own: bool = False
    received_at: datetime | None = None
    stamp: ClockStamp | None = None
    reasons: tuple[Reason, ...] | None = None
    uncalibrated: float | None = None
    would_alert: bool | None = None
    withdrawn_before: int = 0

    @classmethod
    def of(cls, row: Sequence[object]) -> AssessmentRow:
        """From the columns of `SELECT_ASSESSMENT`."""
        (sequence, resident, at, reading, identifier, scale, observations, band, total, age, risk,
         name, version, sha256, own, received_at, boot, since_boot, clock, reasons, uncalibrated,
         would_alert) = row  # fmt: skip
        number = _number(reading)
        return cls(
            sequence=_number(sequence),
            resident=str(resident),
            at=from_microseconds(_number(at)),
            reading=number,
            reading_id=_uuid(identifier),
            scale=_number(scale),
            observations=observations_of(str(observations), number),
            band=str(band),
            total=_number(total),
            age=None if age is None else _number(age),
            risk=_probability(risk),
            model=None if name is None else ModelName(str(name), str(version), str(sha256)),
            own=bool(own),
            received_at=from_microseconds(_number(received_at)),
            stamp=_stamp(boot, since_boot, clock),
            reasons=_reasons(reasons),
            uncalibrated=_probability(uncalibrated),
            would_alert=None if would_alert is None else bool(would_alert),
        )

    def by(self, present: Present | None) -> datetime | None:
        """`at` as the present clock tells it (None: as it was told); None where its age is not known."""
        if present is None or self.received_at is None or self.stamp is None:
            return self.at
        received_at = present.moment(self.received_at, self.stamp)
        return None if received_at is None else self.at + (received_at - self.received_at)

    @property
    def values(self) -> dict[Vital, Value]:
        """The values alone."""
        return {vital: value for vital, (value, _) in self.observations.items()}

    @property
    def measured(self) -> frozenset[Vital]:
        """The vitals that the reading which completed the set gave to it."""
        return frozenset(self.given)

    @property
    def given(self) -> dict[Vital, Value]:
        """As `given`."""
        return given(self.observations, self.reading)

    @property
    def is_of_a_score(self) -> bool:
        """As `is_of_a_score`."""
        return is_of_a_score(self.observations, self.reading, own=self.own)


def given(observations: Mapping[Vital, tuple[Value, int]], reading: int) -> dict[Vital, Value]:
    """What the reading that completed a set gave to it."""
    return {vital: value for vital, (value, source) in observations.items() if source == reading}


def is_of_a_score(
    observations: Mapping[Vital, tuple[Value, int]], reading: int, *, own: bool = False
) -> bool:
    """Whether a set says something new of a score: not if its reading gave it weight or glucose alone, nor if
    it is of the reading's `own` moment and that gave it nothing, as a concern.

    Then a person was not observed, whatever the set has of before: it is told, and counts as no set.
    """
    by_it = given(observations, reading)
    return not OF_NO_SCORE.issuperset(by_it) if by_it else not own


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert as the store keeps it; `body` is the whole alert as JSON."""

    id: uuid.UUID
    resident: str
    band: str
    state: str
    raised_at: datetime
    resolved_at: datetime | None
    reading: int
    assessment: int
    body: str

    @classmethod
    def of(cls, row: Sequence[object]) -> AlertRow:
        """From the columns of `SELECT_ALERT`."""
        identifier, resident, band, state, raised_at, resolved_at, reading, assessment, body = row
        return cls(
            id=_uuid(identifier),
            resident=str(resident),
            band=str(band),
            state=str(state),
            raised_at=from_microseconds(_number(raised_at)),
            resolved_at=None if resolved_at is None else from_microseconds(_number(resolved_at)),
            reading=_number(reading),
            assessment=_number(assessment),
            body=str(body),
        )


CORRECTED = "reading corrected"
"""What the trail calls it that a reading is not whose it was said to be (`hub.trail.Audited`)."""

_EVERY_ENTRY = (1 << 63) - 1


def reading_by_number(
    connection: sqlite3.Connection, sequence: int, before_entry: int = _EVERY_ENTRY
) -> StoredReading | None:
    """A reading by its number; None where retention has removed it.

    How often it was `corrected` is told as it was before that entry of the trail.
    """
    row = connection.execute(f"{SELECT_READING} WHERE r.sequence = ?", (sequence,)).fetchone()
    if row is None:
        return None
    stored = StoredReading.of(row)
    (corrected,) = connection.execute(
        "SELECT count(*) FROM audit WHERE subject = ? AND what = ? AND sequence < ?",
        (stored.placed.reading.id.bytes, CORRECTED, before_entry),
    ).fetchone()
    return replace(stored, placed=replace(stored.placed, corrected=corrected)) if corrected else stored


def newest_stamp(connection: sqlite3.Connection) -> ClockStamp | None:
    """When the newest reading was taken, without the wall clock; None where that cannot be read."""
    row = connection.execute(
        "SELECT b.id, r.since_boot, r.clock FROM reading r JOIN boot b ON b.number = r.boot"
        " ORDER BY r.sequence DESC LIMIT 1"
    ).fetchone()
    try:
        return None if row is None else _stamp(*row)
    except (ValueError, TypeError, LookupError, OverflowError):
        return None


def reading_rows(connection: sqlite3.Connection, first: int, last: int) -> list[tuple[Any, ...]]:
    """The columns of `SELECT_READING` of the readings with these numbers and those between them."""
    return connection.execute(
        f"{SELECT_READING} WHERE r.sequence BETWEEN ? AND ? ORDER BY r.sequence", (first, last)
    ).fetchall()


def assessment_by_number(connection: sqlite3.Connection, sequence: int) -> AssessmentRow | None:
    """An assessment by its number; None where retention has removed it."""
    row = connection.execute(f"{SELECT_ASSESSMENT} WHERE a.sequence = ?", (sequence,)).fetchone()
    return numbered(connection, AssessmentRow.of(row)) if row else None


def numbered(connection: sqlite3.Connection, row: AssessmentRow) -> AssessmentRow:
    """An assessment that knows how many were withdrawn before it: what is told of it has its own name."""
    (before,) = connection.execute(
        "SELECT count(*) FROM withdrawn_assessment WHERE reading = ? AND at IS ? AND sequence < ?",
        (row.reading, None if row.own else to_microseconds(row.at), row.sequence),
    ).fetchone()
    return replace(row, withdrawn_before=before) if before else row


def newest_assessment(connection: sqlite3.Connection, resident: str) -> AssessmentRow | None:
    """The newest assessment of a resident by its moment, of the last that were stored of them.

    One that weight or glucose completed only where there is no other: it says nothing new of how they are.
    """
    found: list[AssessmentRow] = []
    for most in (50, 5_000):  # a glucose meter tells hundreds of records at a time
        rows = connection.execute(
            f"{SELECT_ASSESSMENT} WHERE a.sequence IN"
            " (SELECT sequence FROM assessment WHERE resident = ? ORDER BY sequence DESC LIMIT ?)",
            (resident, most),
        )
        found = [AssessmentRow.of(row) for row in rows]
        of_a_score = [row for row in found if row.is_of_a_score]
        if of_a_score or len(found) < most:
            newest = max(of_a_score or found, key=lambda row: (row.at, row.sequence), default=None)
            return None if newest is None else numbered(connection, newest)
    return numbered(connection, max(found, key=lambda row: (row.at, row.sequence)))


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"a number was expected, not {type(value).__name__}")
    return value


def _probability(value: object) -> float | None:
    """None also where a damaged card has something else in its place: the assessment is told without it."""
    return float(value) if isinstance(value, int | float) and 0 <= value <= 1 else None


def _reasons(text: object) -> tuple[Reason, ...] | None:
    """Not worth an assessment that could not be told for it."""
    try:
        return None if text is None else reasons_of(str(text))
    except (ValueError, TypeError, LookupError):
        return None


def stamp_of(boot: object, since_boot: object, clock: object) -> ClockStamp:
    """From a boot's id and the columns `since_boot` and `clock`. Raises as `StoredReading.of`."""
    return _stamp(boot, since_boot, clock)


def _stamp(boot: object, since_boot: object, clock: object) -> ClockStamp:
    elapsed = _number(since_boot) * _MICROSECOND
    return ClockStamp(_boot(boot), elapsed, CLOCK_QUALITIES[_number(clock)])


# What many rows have alike is made once. None of it can change.
_origin = lru_cache(Origin)


@lru_cache(maxsize=256)
def _flags(text: str) -> frozenset[Flag]:
    return frozenset(Flag(flag) for flag in text.split("\n") if flag)


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"bytes were expected, not {type(value).__name__}")
    return value


def _uuid(value: object) -> uuid.UUID:
    return uuid.UUID(bytes=_bytes(value))


_boot = lru_cache(maxsize=16)(_uuid)


def fact_of(connection: sqlite3.Connection, name: str) -> str | None:
    """A fact about a database, if it has it."""
    row = connection.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row[0])
