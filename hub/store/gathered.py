"""Rows that have their numbers and are not on the card yet: many of a table are written by one statement.

Each statement lets go of Python's lock once; one for each row would hand the processor to the event loop for
each row, in the midst of a commit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain

from hub.assessment.reason import Reason
from hub.clock import to_microseconds
from hub.readings import Value, Vital
from hub.store.encoding import (
    CLOCK_QUALITY_NUMBERS,
    TIME_QUALITY_NUMBERS,
    measurements_text,
    observations_text,
    reasons_text,
    stretch_text,
)
from hub.timekeeping.placed import PlacedReading

Row = tuple[object, ...]
_MICROSECOND = timedelta(microseconds=1)
_TOGETHER = (32, 8, 1)  # rows of one statement: few sizes, so that SQLite need not prepare each anew


def _inserts(table: str, columns: str) -> Mapping[int, str]:
    row = f"({', '.join('?' * len(columns.split(', ')))})"
    return {size: f"INSERT INTO {table} ({columns}) VALUES {', '.join([row] * size)}" for size in _TOGETHER}


_READINGS = _inserts(
    "reading",
    "sequence, id, resident, source, payload, received_at, boot, since_boot, clock, device_time, measured_at,"
    " time_quality, measurements, observed, flags, sequence_number, user_id, problem, stretch",
)
_ASSESSMENTS = _inserts(
    "assessment",
    "sequence, resident, at, reading, scale, observations, band, total, age, risk, model, reasons,"
    " uncalibrated, would_alert",
)
_OUTBOX = _inserts("outbox", "sequence, channel, event, first, last")


def reading_row(sequence: int, placed: PlacedReading, source: int, boot: int) -> Row:
    """A reading's row; `source` and `boot` are the numbers of theirs."""
    reading, raw, stamp = placed.reading, placed.reading.raw, placed.stamp
    received_at, measured_at = raw.received_at, placed.measured_at
    return (
        sequence,
        reading.id.bytes,
        placed.resident,
        source,
        raw.payload,
        to_microseconds(received_at),
        boot,
        stamp.since_boot // _MICROSECOND,
        CLOCK_QUALITY_NUMBERS[stamp.quality],
        str(reading.device_time) if reading.device_time else None,
        to_microseconds(measured_at) if measured_at != received_at else None,
        TIME_QUALITY_NUMBERS[placed.time_quality],
        measurements_text(reading.measurements),
        None if placed.observed is None else measurements_text(placed.observed),
        "\n".join(sorted(reading.flags)),
        reading.sequence_number,
        reading.user_id,
        reading.problem,
        None if reading.stretch is None else stretch_text(reading.stretch),
    )


def assessment_row(
    sequence: int,
    resident: str,
    at: datetime | None,
    reading: int,
    scale: int,
    observations: Mapping[Vital, tuple[Value, int]],
    band: str,
    total: int,
    age: int | None,
    risk: float | None,
    model: int | None,
    reasons: Sequence[Reason] | None = None,
    uncalibrated: float | None = None,
    would_alert: bool | None = None,
) -> Row:
    """An assessment's row; `at` is None at its reading's own moment, `model` is the number of its row."""
    return (
        sequence,
        resident,
        None if at is None else to_microseconds(at),
        reading,
        scale,
        observations_text(observations, reading),
        band,
        total,
        age,
        risk,
        model,
        None if reasons is None else reasons_text(reasons),
        uncalibrated,
        None if would_alert is None else int(would_alert),
    )


@dataclass(slots=True)
class Gathered:
    """What is to be written, in the order of its numbers.

    `readings` by id, as the card has it; `to_tell` has the numbers of readings that are to be told together.
    """

    readings: dict[bytes, Row] = field(default_factory=dict)
    assessments: list[Row] = field(default_factory=list)
    outbox: list[Row] = field(default_factory=list)
    to_tell: list[int] = field(default_factory=list)

    def add_to(self, other: Gathered) -> None:
        """Have all of it written by another, behind what that has."""
        other.readings.update(self.readings)
        other.assessments += self.assessments
        other.outbox += self.outbox
        other.to_tell += self.to_tell

    def clear(self) -> None:
        """Have nothing more of it written."""
        self.readings.clear()
        self.assessments.clear()
        self.outbox.clear()
        self.to_tell.clear()

    def write(self, connection: sqlite3.Connection) -> None:
        """Write all rows; what is to be told together waits for the end of the transaction."""
        if self.readings:
            _write(connection, _READINGS, self.readings.values())
            self.readings.clear()
        if self.assessments:
            _write(connection, _ASSESSMENTS, self.assessments)
            self.assessments.clear()
        if self.outbox:
            _write(connection, _OUTBOX, self.outbox)
            self.outbox.clear()


def _write(connection: sqlite3.Connection, inserts: Mapping[int, str], rows: Iterable[Row]) -> None:
    waiting: Sequence[Row] = tuple(rows)
    for size, insert in inserts.items():
        while len(waiting) >= size:
            connection.execute(insert, tuple(chain.from_iterable(waiting[:size])))
            waiting = waiting[size:]


def runs(numbers: Sequence[int], most: int) -> Iterable[tuple[int, int]]:
    """Runs of following numbers, of `most` at the most: the first and the last of each."""
    first = last = None
    for number in numbers:
        if first is not None and last is not None:
            if number == last + 1 and number - first < most:
                last = number
                continue
            yield first, last
        first = last = number
    if first is not None and last is not None:
        yield first, last
