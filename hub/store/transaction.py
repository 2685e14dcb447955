"""What may be done within one transaction. Rows in, rows out: the meaning is `hub/intake.py`'s."""

from __future__ import annotations

import itertools
import json
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hub.clock import ClockStamp, Step, to_microseconds
from hub.placed import PlacedReading
from hub.present import Place, Present
from hub.readings import Value, Vital
from hub.store.audit import AuditEntry, NewEntry, append, history_size
from hub.store.encoding import (
    CLOCK_QUALITY_NUMBERS,
    TIME_QUALITY_NUMBERS,
    measurements_text,
    observations_text,
)
from hub.store.recent import Recent, StoredMeasurement, StoredSet
from hub.store.rows import (
    SELECT_ALERT,
    SELECT_READING,
    AlertRow,
    AssessmentRow,
    ModelName,
    StoredReading,
    assessment_by_number,
    newest_assessment,
    newest_stamp,
    reading_by_number,
)
from hub.store.steps import add_step

READINGS_TOGETHER = 20
"""How many readings one message tells of at the most: about as many as fit into 64 KiB of FHIR."""

_PRIORITY_BIT = 48
_MICROSECOND = timedelta(microseconds=1)
_WIDEST_ZONE = timedelta(hours=26)


@dataclass(slots=True)
class Numbers:
    """What the writer remembers from one transaction to the next, so as not to ask the card for it.

    `next_outbox` numbers are used once in the life of a process: a PUBACK that comes late must not remove
    another row. `known` has the numbers of the small tables; a transaction that is undone empties it.
    """

    next_outbox: Iterator[int]
    known: dict[tuple[object, ...], int] = field(default_factory=dict)

    @classmethod
    def of(cls, connection: sqlite3.Connection) -> Numbers:
        """From what the database has."""
        below = (1 << _PRIORITY_BIT) - 1
        (highest,) = connection.execute(
            f"SELECT max(number) FROM (SELECT max(sequence & {below}) AS number FROM outbox"
            f" UNION ALL SELECT max(sequence & {below}) FROM outbox_aside)"
        ).fetchone()
        return cls(itertools.count((highest or 0) + 1))


class Transaction:
    """One open transaction on the writer's connection. Only the writer makes one."""

    def __init__(self, connection: sqlite3.Connection, recent: Recent, numbers: Numbers) -> None:
        self._connection = connection
        self._recent = recent
        self._numbers = numbers
        self._readings_to_tell: list[int] = []
        self._readings_channel: tuple[int, str] | None = None
        self.outbox_grew = False
        self.urgent = False
        self.urgently_told: list[str] = []

    @property
    def connection(self) -> sqlite3.Connection:
        """The writer's connection, for what is within the transaction and has no method here."""
        return self._connection

    def knows_reading(self, reading_id: uuid.UUID) -> bool:
        """Whether this very reading was stored before."""
        found = self._connection.execute("SELECT 1 FROM reading WHERE id = ?", (reading_id.bytes,))
        return found.fetchone() is not None

    @property
    def steps(self) -> Sequence[Step]:
        """Every step of the wall clock that is on the card, oldest first."""
        return self._recent.steps

    @property
    def present(self) -> Present | None:
        """The clock that tells the moments that are compared; None where they are as they were told."""
        return self._recent.present

    @property
    def followed(self) -> int | None:
        """How many steps of this process's clock were followed; None: it was not begun to follow them."""
        return self._recent.followed

    def add_step(self, step: Step) -> None:
        """Store a step of the clock; `tell_anew` then."""
        add_step(self._connection, step)
        self._recent.add_step(step)

    def tell_anew(self, present: Present, followed: int) -> None:
        """Have the moments that are compared told by this clock, after so many of its steps."""
        self._recent.tell_anew(present, followed)

    def newest_stamp(self) -> ClockStamp | None:
        """When the newest reading was taken, without the wall clock."""
        return newest_stamp(self._connection)

    def add_reading(self, placed: PlacedReading, place: Place | None = None) -> int:
        """Store a reading, as it was told; return its number.

        `place` is where the present clock puts it, if that is elsewhere.
        """
        reading, raw, stamp = placed.reading, placed.reading.raw, placed.stamp
        source = self._number(
            "source", device=raw.device, driver=raw.driver, characteristic=raw.characteristic,
            origin=raw.origin.value,
        )  # fmt: skip
        boot = self._number("boot", id=stamp.boot.bytes)
        received_at, measured_at = to_microseconds(raw.received_at), to_microseconds(placed.measured_at)
        cursor = self._connection.execute(
            "INSERT INTO reading (id, resident, source, payload, received_at, boot, since_boot, clock,"
            " device_time, measured_at, time_quality, measurements, observed, flags, sequence_number,"
            " user_id, problem) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                reading.id.bytes,
                placed.resident,
                source,
                raw.payload,
                received_at,
                boot,
                stamp.since_boot // _MICROSECOND,
                CLOCK_QUALITY_NUMBERS[stamp.quality],
                str(reading.device_time) if reading.device_time else None,
                measured_at if measured_at != received_at else None,
                TIME_QUALITY_NUMBERS[placed.time_quality],
                measurements_text(reading.measurements),
                None if placed.observed is None else measurements_text(placed.observed),
                "\n".join(sorted(reading.flags)),
                reading.sequence_number,
                reading.user_id,
                reading.problem,
            ),
        )
        sequence = cursor.lastrowid
        assert sequence is not None
        self._recent.add(sequence, placed, place)
        return sequence

    def reading(self, sequence: int) -> StoredReading | None:
        """A reading by its number."""
        return reading_by_number(self._connection, sequence)

    def newest_measurements(
        self, resident: str, since: datetime, until: datetime
    ) -> Iterable[tuple[Vital, StoredMeasurement]]:
        """For each vital the newest usable measurement not after `until` (several, if of one instant).

        What was measured before `since` need not be among them.
        """
        if self._recent.covers(resident, since, until):
            return self._recent.newest(resident, until)
        # Both: a reading of a sensor whose clock is years off has an id of those years.
        return [*self._recent.newest(resident, until), *self._measured_between(resident, since, until)]

    def _measured_between(
        self, resident: str, since: datetime, until: datetime
    ) -> Iterator[tuple[Vital, StoredMeasurement]]:
        """From the card: what is asked about a moment long past, which a sensor's memory has told of.

        Ids begin with the moment that a sensor said or at which it was heard, which differs from the
        moment of measurement by no more than a time zone and a day.
        """
        for stored in self._identified_between(resident, since - _WIDEST_ZONE, until + _WIDEST_ZONE):
            placed = stored.placed
            place = (
                self.present.place(placed.reading, placed.stamp, stored.place)
                if self.present
                else stored.place
            )
            if place is None or not since <= place.measured_at <= until:
                continue
            yield from StoredMeasurement.of(stored.sequence, placed, place.measured_at, place.time_quality)

    def _identified_between(self, resident: str, since: datetime, until: datetime) -> Iterable[StoredReading]:
        """The readings whose ids are of these moments, as the clock then told them."""
        found: dict[int, StoredReading] = {}
        for shift in self.present.shifts if self.present else {timedelta(0)}:
            rows = self._connection.execute(
                f"{SELECT_READING} WHERE r.id BETWEEN ? AND ? AND r.resident = ?"
                " AND coalesce(r.observed, '') != '[]'",
                (_id_prefix(since - shift), _id_prefix(until - shift), resident),
            )
            for row in rows:
                # One that is damaged, or of another version, must not keep a new one from being assessed.
                with suppress(ValueError, TypeError, LookupError, OverflowError):
                    stored = StoredReading.of(row)
                    found[stored.sequence] = stored
        return found.values()

    def add_assessment(
        self,
        resident: str,
        at: datetime | None,
        moment: datetime,
        reading: int,
        scale: int,
        observations: Mapping[Vital, tuple[Value, int]],
        band: str,
        total: int,
        age: int | None,
        risk: float | None,
        model: ModelName | None,
    ) -> int:
        """Store what a set of observations said; return its number.

        `at` is None where the set is assessed at the moment of its reading, which is `moment`.
        """
        number = (
            None
            if model is None
            else self._number("model", name=model.name, version=model.version, sha256=model.sha256)
        )
        cursor = self._connection.execute(
            "INSERT INTO assessment (resident, at, reading, scale, observations, band, total, age, risk,"
            " model) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                resident,
                None if at is None else to_microseconds(at),
                reading,
                scale,
                observations_text(observations, reading),
                band,
                total,
                age,
                risk,
                number,
            ),
        )
        sequence = cursor.lastrowid
        assert sequence is not None
        values = {vital: value for vital, (value, _) in observations.items()}
        self._recent.add_set(resident, StoredSet(moment, sequence, scale, values))
        return sequence

    def assessment(self, sequence: int) -> AssessmentRow | None:
        """An assessment by its number."""
        return assessment_by_number(self._connection, sequence)

    def sets_before(self, resident: str, before: datetime, most: int) -> Sequence[StoredSet]:
        """The newest observation sets not after `before`, oldest first."""
        return self._recent.sets_before(resident, before, most)

    def newest_set(self, resident: str) -> StoredSet | None:
        """The newest observation set of a resident."""
        return self._recent.newest_set(resident)

    def newest_assessment(self, resident: str) -> AssessmentRow | None:
        """The newest assessment of a resident."""
        newest = self._recent.newest_set(resident)
        if newest is None:
            return newest_assessment(self._connection, resident)
        return assessment_by_number(self._connection, newest.sequence)

    def open_alert(self, resident: str) -> AlertRow | None:
        """The resident's alert that is not resolved; there is at most one."""
        return self._alert("resident = ? AND resolved_at IS NULL", resident)

    def alert(self, alert_id: uuid.UUID) -> AlertRow | None:
        """An alert by its id."""
        return self._alert("id = ?", alert_id.bytes)

    def open_alerts(self) -> Sequence[AlertRow]:
        """Every alert that is not resolved, oldest first."""
        rows = self._connection.execute(f"{SELECT_ALERT} WHERE resolved_at IS NULL ORDER BY raised_at")
        return [AlertRow.of(row) for row in rows]

    def _alert(self, condition: str, parameter: object) -> AlertRow | None:
        row = self._connection.execute(f"{SELECT_ALERT} WHERE {condition}", (parameter,)).fetchone()
        return AlertRow.of(row) if row else None

    def add_alert(self, alert: AlertRow) -> None:
        """Store a new alert; a resident's second open one is refused by the schema."""
        self._connection.execute(
            "INSERT INTO alert (id, resident, band, state, raised_at, resolved_at, reading, assessment, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                alert.id.bytes,
                alert.resident,
                alert.band,
                alert.state,
                to_microseconds(alert.raised_at),
                to_microseconds(alert.resolved_at) if alert.resolved_at else None,
                alert.reading,
                alert.assessment,
                alert.body,
            ),
        )

    def update_alert(self, alert: AlertRow) -> None:
        """Store what has changed of an alert."""
        self._connection.execute(
            "UPDATE alert SET band = ?, state = ?, raised_at = ?, resolved_at = ?, body = ? WHERE id = ?",
            (
                alert.band,
                alert.state,
                to_microseconds(alert.raised_at),
                to_microseconds(alert.resolved_at) if alert.resolved_at else None,
                alert.body,
                alert.id.bytes,
            ),
        )

    def audit(self, entry: NewEntry) -> AuditEntry:
        """Note something in the trail."""
        return append(self._connection, entry)

    def history_size(self, alert_id: uuid.UUID) -> int:
        """How many entries of the trail are about an alert."""
        return history_size(self._connection, alert_id)

    def note_fact(self, name: str, value: str) -> str:
        """Store a fact about this database, unless it has it already; return the one that it has."""
        self._connection.execute("INSERT OR IGNORE INTO fact (name, value) VALUES (?, ?)", (name, value))
        (kept,) = self._connection.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return str(kept)

    def fact(self, name: str) -> str | None:
        """A fact about this database, if it has it."""
        row = self._connection.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_fact(self, name: str, value: str) -> None:
        """Store a fact about this database, in place of the one that it may have."""
        self._connection.execute("INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)", (name, value))

    def tell(self, priority: int, channel: str, event: str) -> None:
        """Put an event (CloudEvents JSON) into the outbox, as it is now. A lower priority goes first.

        Of the highest priority it is urgent: the transaction does not wait for company.
        """
        self._enqueue(priority, channel, event=event)
        if priority == 0:
            self.urgent = True
            self.urgently_told.append(event)

    def tell_assessment(self, priority: int, channel: str, assessment: int) -> None:
        """Have an assessment told: its event is made when it is sent."""
        self._enqueue(priority, channel, first=assessment, last=assessment)

    def tell_reading(self, priority: int, channel: str, reading: int) -> None:
        """Have a reading told, together with others of this transaction."""
        self._readings_channel = priority, channel
        self._readings_to_tell.append(reading)

    def _enqueue(
        self,
        priority: int,
        channel: str,
        *,
        event: str | None = None,
        first: int | None = None,
        last: int | None = None,
    ) -> None:
        self._connection.execute(
            "INSERT INTO outbox (sequence, channel, event, first, last) VALUES (?, ?, ?, ?, ?)",
            (
                priority << _PRIORITY_BIT | next(self._numbers.next_outbox),
                channel,
                event,
                first,
                last,
            ),
        )
        self.outbox_grew = True

    def remove_from_outbox(self, sequences: Iterable[int]) -> None:
        """The broker has these."""
        self._connection.executemany("DELETE FROM outbox WHERE sequence = ?", [(s,) for s in sequences])

    def set_aside(self, sequence: int, reason: str, at: datetime) -> None:
        """Move an event that the broker refuses out of the way, with the reason."""
        self._connection.execute(
            "INSERT OR IGNORE INTO outbox_aside (sequence, channel, event, first, last, reason, at)"
            " SELECT sequence, channel, event, first, last, ?, ? FROM outbox WHERE sequence = ?",
            (reason, to_microseconds(at), sequence),
        )
        self.remove_from_outbox([sequence])

    def reclaim(self, channels: Iterable[str]) -> int:
        """Put what was set aside of these channels back into the outbox, in its place; return how many."""
        chosen = (json.dumps(list(channels)),)
        reclaimed = self._connection.execute(
            "INSERT OR IGNORE INTO outbox (sequence, channel, event, first, last)"
            " SELECT sequence, channel, event, first, last FROM outbox_aside"
            " WHERE channel IN (SELECT value FROM json_each(?))",
            chosen,
        ).rowcount
        self._connection.execute(
            "DELETE FROM outbox_aside WHERE channel IN (SELECT value FROM json_each(?))", chosen
        )
        self.outbox_grew = self.outbox_grew or reclaimed > 0
        return reclaimed

    def mark(self) -> tuple[int, int]:
        """Where a piece of work begins, for `undo_to`."""
        return len(self._readings_to_tell), self._recent.mark()

    def undo_to(self, mark: tuple[int, int]) -> None:
        """A piece of work was undone in the database: forget what it left beside it."""
        told, recent = mark
        del self._readings_to_tell[told:]
        self._recent.undo_to(recent)
        self._numbers.known.clear()

    def undo_all(self) -> None:
        """The whole transaction was undone."""
        self.undo_to((0, 0))

    def finish(self) -> None:
        """The last act before the commit: put the readings that are to be told into the outbox."""
        if self._readings_channel is None:
            return
        priority, channel = self._readings_channel
        for first, last in _ranges(self._readings_to_tell, READINGS_TOGETHER):
            self._enqueue(priority, channel, first=first, last=last)

    def _number(self, table: str, **columns: object) -> int:
        """The number of a row of one of the small tables, which is made where there is none."""
        key = (table, *columns.values())
        number = self._numbers.known.get(key)
        if number is not None:
            return number
        names = ", ".join(columns)
        values = tuple(columns.values())
        self._connection.execute(
            f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({', '.join('?' * len(values))})", values
        )
        condition = " AND ".join(f"{name} = ?" for name in columns)
        (number,) = self._connection.execute(
            f"SELECT number FROM {table} WHERE {condition}", values
        ).fetchone()
        self._numbers.known[key] = int(number)
        return int(number)


def _ranges(numbers: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """Runs of following numbers, of `most` at the most."""
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


def _id_prefix(moment: datetime) -> bytes:
    """The lowest id of a moment: ids begin with its milliseconds since 1970 (`hub/readings.py`)."""
    milliseconds = min(max(to_microseconds(moment) // 1000, 0), (1 << 48) - 1)
    return milliseconds.to_bytes(6, "big") + bytes(10)
