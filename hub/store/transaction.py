"""What may be done within one transaction. Rows in, rows out: the meaning is `hub/intake/intake.py`'s."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from hub.assessment.hour import Hour
from hub.assessment.reason import Reason
from hub.clock import ClockStamp, Step, to_microseconds
from hub.readings import Value, Vital
from hub.store.audit import AuditEntry, NewEntry, append, history_size
from hub.store.encoding import event_bytes
from hub.store.gathered import assessment_row, reading_row, runs
from hub.store.numbers import PRIORITY_BIT, Numbers
from hub.store.past import measured_between
from hub.store.pieces import Pieces
from hub.store.recent import Recent, StoredMeasurement
from hub.store.recent_sets import StoredSet
from hub.store.rows import (
    SELECT_ALERT,
    AlertRow,
    AssessmentRow,
    ModelName,
    StoredReading,
    assessment_by_number,
    fact_of,
    given,
    is_of_a_score,
    newest_assessment,
    newest_stamp,
    reading_by_number,
)
from hub.store.steps import add_step
from hub.timekeeping.placed import PlacedReading
from hub.timekeeping.present import Place, Present

READINGS_TOGETHER = 20
"""How many readings one message tells of at the most: about as many as fit into 64 KiB of FHIR."""

_COLUMNS = {
    "source": ("device", "driver", "characteristic", "origin"),
    "boot": ("id",),
    "model": ("name", "version", "sha256"),
}
"""By what a row of the small tables is known."""


class Transaction(Pieces):
    """One open transaction on the writer's connection. Only the writer makes one."""

    def __init__(self, connection: sqlite3.Connection, recent: Recent, numbers: Numbers) -> None:
        super().__init__(connection, recent, numbers)
        self._readings_channel: tuple[int, str] | None = None
        self.outbox_grew = False
        self.urgent = False

    @property
    def connection(self) -> sqlite3.Connection:
        """The writer's connection, for what is within the transaction and has no method here.

        To be asked for anew each time: all that was added by then can be read by it.
        """
        return self._with_all()

    @property
    def _window(self) -> Recent:
        """What was measured of late; where it is to be loaded, from all that was added."""
        if not self._recent.loaded:
            self._with_all()
        return self._recent

    def knows_reading(self, reading_id: uuid.UUID) -> bool:
        """Whether this very reading was stored before."""
        identifier = reading_id.bytes
        if self._numbers.ids.surely_new(identifier):
            return False
        if self._is_gathered(identifier):
            return True
        found = self._connection.execute("SELECT 1 FROM reading WHERE id = ?", (identifier,))
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
        add_step(self._at_once(), step)
        self._recent.add_step(step)

    def tell_anew(self, present: Present, followed: int) -> None:
        """Have the moments that are compared told by this clock, after so many of its steps."""
        self._with_all()
        self._recent.tell_anew(present, followed)

    def newest_stamp(self) -> ClockStamp | None:
        """When the newest reading was taken, without the wall clock."""
        return newest_stamp(self._with_all())

    def add_reading(self, placed: PlacedReading, place: Place | None = None) -> int:
        """Store a reading, as it was told; return its number.

        `place` is where the present clock puts it, if that is elsewhere.
        """
        raw = placed.reading.raw
        source = self._number("source", raw.device, raw.driver, raw.characteristic, raw.origin.value)
        boot = self._number("boot", placed.stamp.boot.bytes)
        identifier = placed.reading.id.bytes
        if self._is_gathered(identifier):
            raise sqlite3.IntegrityError(f"reading {placed.reading.id} was added before")
        sequence = self._numbers.reading + 1
        self._gathered.readings[identifier] = reading_row(sequence, placed, source, boot)
        self._numbers.reading = sequence
        self._numbers.ids.add(identifier)
        self._recent.add(sequence, placed, place)
        return sequence

    def reading(self, sequence: int) -> StoredReading | None:
        """A reading by its number."""
        return reading_by_number(self._with_all(), sequence)

    def newest_measurements(
        self, resident: str, since: datetime, until: datetime
    ) -> Iterable[tuple[Vital, StoredMeasurement]]:
        """For each vital the newest usable measurement not after `until` (several, if of one instant).

        What was measured before `since` need not be among them.
        """
        lacking = self._window.lacks(resident, since, until)
        if lacking is not None:
            past = measured_between(self._connection, self.present, resident, since, lacking)
            self._recent.reach_back(resident, since, past)
        if self._recent.covers(resident, since, until):
            return self._recent.newest(resident, until)
        # Both: a reading of a sensor whose clock is years off has an id of those years. What is gathered and
        # not on the card yet is in the window.
        past = measured_between(self._connection, self.present, resident, since, until)
        return [*self._recent.newest(resident, until), *past]

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
        reasons: Sequence[Reason] | None = None,
        uncalibrated: float | None = None,
        would_alert: bool | None = None,
    ) -> int:
        """Store what a set of observations said; return its number.

        `at` is None where the set is assessed at the moment of its reading, which is `moment`. The last three
        are as in `AssessmentRow`.
        """
        number = None if model is None else self._number("model", model.name, model.version, model.sha256)
        sequence = self._numbers.assessment + 1
        self._gathered.assessments.append(
            assessment_row(
                sequence,
                resident,
                at,
                reading,
                scale,
                observations,
                band,
                total,
                age,
                risk,
                number,
                reasons,
                uncalibrated,
                would_alert,
            )
        )
        self._numbers.assessment = sequence
        if is_of_a_score(observations, reading, own=at is None):
            values = {vital: value for vital, (value, _) in observations.items()}
            its_own = given(observations, reading) if at is None else {}
            self._recent.add_set(resident, StoredSet(moment, sequence, scale, values), its_own)
        return sequence

    def assessment(self, sequence: int) -> AssessmentRow | None:
        """An assessment by its number."""
        return assessment_by_number(self._with_all(), sequence)

    def hours(self, resident: str) -> Sequence[Hour]:
        """What was measured in each of the last hours with any, oldest first."""
        return self._window.hours(resident)

    def newest_set(self, resident: str) -> StoredSet | None:
        """The newest observation set of a resident, but for those that weight or glucose completed."""
        return self._window.newest_set(resident)

    def newest_assessment(self, resident: str) -> AssessmentRow | None:
        """The newest assessment of a resident."""
        newest = self.newest_set(resident)
        if newest is None:
            return newest_assessment(self._with_all(), resident)
        return self.assessment(newest.sequence)

    def open_alert(self, resident: str) -> AlertRow | None:
        """The resident's alert that is not resolved; there is at most one."""
        if self._numbers.alerted is None:
            rows = self._connection.execute("SELECT resident FROM alert WHERE resolved_at IS NULL")
            self._numbers.alerted = {str(one) for (one,) in rows}
        if resident not in self._numbers.alerted:
            return None
        return self._alert("resident = ? AND resolved_at IS NULL", resident)

    def alert(self, alert_id: uuid.UUID) -> AlertRow | None:
        """An alert by its id."""
        return self._alert("id = ?", alert_id.bytes)

    def open_alerts(self) -> Sequence[AlertRow]:
        """Every alert that is not resolved, oldest first."""
        rows = self._connection.execute(f"{SELECT_ALERT} WHERE resolved_at IS NULL ORDER BY raised_at")
        self._numbers.open_alerts = [AlertRow.of(row) for row in rows]
        return self._numbers.open_alerts

    def _alert(self, condition: str, parameter: object) -> AlertRow | None:
        row = self._connection.execute(f"{SELECT_ALERT} WHERE {condition}", (parameter,)).fetchone()
        return AlertRow.of(row) if row else None

    def add_alert(self, alert: AlertRow) -> None:
        """Store a new alert; a resident's second open one is refused by the schema."""
        self._at_once().execute(
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
        self._notice(alert)

    def update_alert(self, alert: AlertRow) -> None:
        """Store what has changed of an alert."""
        self._at_once().execute(
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
        self._notice(alert)

    def _notice(self, alert: AlertRow) -> None:
        if alert.resolved_at is not None:
            self._numbers.alerted = None  # it may have been another than their open one
        elif self._numbers.alerted is not None:
            self._numbers.alerted.add(alert.resident)

    def audit(self, entry: NewEntry) -> AuditEntry:
        """Note something in the trail."""
        return append(self._at_once(), entry)

    def history_size(self, alert_id: uuid.UUID) -> int:
        """How many entries of the trail are about an alert."""
        return history_size(self._connection, alert_id)

    def note_fact(self, name: str, value: str) -> str:
        """Store a fact about this database, unless it has it already; return the one that it has."""
        self._at_once().execute("INSERT OR IGNORE INTO fact (name, value) VALUES (?, ?)", (name, value))
        (kept,) = self._connection.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return str(kept)

    def fact(self, name: str) -> str | None:
        """A fact about this database, if it has it."""
        return fact_of(self._connection, name)

    def set_fact(self, name: str, value: str) -> None:
        """Store a fact about this database, in place of the one that it may have."""
        self._at_once().execute("INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)", (name, value))

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

    def tell_reading(self, priority: int, channel: str, reading: int, *, alone: bool = False) -> None:
        """Have a reading told, together with others of this transaction unless it shall be told `alone`."""
        if alone:
            self._enqueue(priority, channel, first=reading, last=reading)
            return
        self._readings_channel = priority, channel
        self._gathered.to_tell.append(reading)

    def _enqueue(
        self,
        priority: int,
        channel: str,
        *,
        event: str | None = None,
        first: int | None = None,
        last: int | None = None,
    ) -> None:
        number = priority << PRIORITY_BIT | next(self._numbers.next_outbox)
        kept = None if event is None else event_bytes(event)
        self._gathered.outbox.append((number, channel, kept, first, last))
        self.outbox_grew = True

    def remove_from_outbox(self, sequences: Iterable[int]) -> None:
        """The broker has these."""
        self._with_all().executemany("DELETE FROM outbox WHERE sequence = ?", [(s,) for s in sequences])

    def set_aside(self, sequence: int, reason: str, at: datetime) -> None:
        """Move an event that the broker refuses out of the way, with the reason."""
        self._with_all().execute(
            "INSERT OR IGNORE INTO outbox_aside (sequence, channel, event, first, last, reason, at)"
            " SELECT sequence, channel, event, first, last, ?, ? FROM outbox WHERE sequence = ?",
            (reason, to_microseconds(at), sequence),
        )
        self.remove_from_outbox([sequence])

    def reclaim(self, channels: Iterable[str]) -> int:
        """Put what was set aside of these channels back into the outbox, in its place; return how many."""
        chosen = (json.dumps(list(channels)),)
        # Not what a damaged card has left nothing of (`salvage.py`).
        told = "channel IN (SELECT value FROM json_each(?)) AND coalesce(event, first) IS NOT NULL"
        connection = self._with_all()
        reclaimed = connection.execute(
            "INSERT OR IGNORE INTO outbox (sequence, channel, event, first, last)"
            " SELECT sequence, channel, event, first, last FROM outbox_aside"
            f" WHERE {told}",
            chosen,
        ).rowcount
        connection.execute(f"DELETE FROM outbox_aside WHERE {told}", chosen)
        self.outbox_grew = self.outbox_grew or reclaimed > 0
        return reclaimed

    def finish(self) -> None:
        """The last act before the commit: put the readings that are to be told into the outbox, and write
        all that was gathered."""
        self._still_open()
        if self._readings_channel is not None:
            for first, last in runs(self._gathered.to_tell, READINGS_TOGETHER):
                self._enqueue(*self._readings_channel, first=first, last=last)
            self._gathered.to_tell.clear()
        self._with_all()

    def _number(self, table: str, *values: object) -> int:
        """The number of a row of one of the small tables, which is made where there is none."""
        number = self._numbers.known.get((table, *values))
        if number is not None:
            return number
        connection, columns = self._at_once(), _COLUMNS[table]
        connection.execute(
            f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(values))})",
            values,
        )
        condition = " AND ".join(f"{column} = ?" for column in columns)
        (number,) = connection.execute(f"SELECT number FROM {table} WHERE {condition}", values).fetchone()
        self._numbers.known[(table, *values)] = int(number)
        return int(number)
