"""What may be done within one transaction. Rows in, rows out: the meaning is `hub/intake.py`'s."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.clock import from_microseconds, to_microseconds
from hub.readings import Measurement, Quality, Reading, Value, Vital, type_of_value

_HIGHEST_PRIORITY = 0


@dataclass(frozen=True, slots=True)
class PlacedReading:
    """A reading with its owner (None: nobody yet) and its place in time.

    `observed` is what observation sets may take from it, where that is not what it says itself.
    """

    reading: Reading
    resident: str | None
    measured_at: datetime
    time_quality: str
    observed: tuple[Measurement, ...] | None = None


@dataclass(frozen=True, slots=True)
class StoredMeasurement:
    """A usable measurement of a resident, as it comes back from the store."""

    value: Value
    measured_at: datetime
    reading_id: uuid.UUID
    quality: Quality
    time_quality: str


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


class Transaction:
    """One open transaction on the writer's connection. Only the writer makes one."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.outbox_grew = False

    def knows_reading(self, reading_id: uuid.UUID) -> bool:
        """Whether this very reading was stored before."""
        found = self._connection.execute("SELECT 1 FROM reading WHERE id = ?", (reading_id.bytes,))
        return found.fetchone() is not None

    def add_reading(self, placed: PlacedReading) -> int:
        """Store a reading and, where it has an owner, its usable measurements; return its number."""
        reading, raw = placed.reading, placed.reading.raw
        observed = reading.measurements if placed.observed is None else placed.observed
        cursor = self._connection.execute(
            "INSERT INTO reading (id, resident, device, driver, characteristic, origin, payload,"
            " received_at, device_time, measured_at, time_quality, measurements, flags, user_id, problem)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                reading.id.bytes,
                placed.resident,
                raw.device,
                raw.driver,
                raw.characteristic,
                raw.origin.value,
                raw.payload,
                to_microseconds(raw.received_at),
                str(reading.device_time) if reading.device_time else None,
                to_microseconds(placed.measured_at),
                placed.time_quality,
                json.dumps([_measurement_row(m) for m in reading.measurements], separators=(",", ":")),
                json.dumps(sorted(reading.flags), separators=(",", ":")),
                reading.user_id,
                reading.problem,
            ),
        )
        sequence = cursor.lastrowid
        assert sequence is not None
        if placed.resident is not None:
            self._connection.executemany(
                "INSERT OR REPLACE INTO measurement (resident, vital, measured_at, reading, value, quality)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (
                        placed.resident,
                        measurement.vital.value,
                        to_microseconds(placed.measured_at),
                        sequence,
                        measurement.value,
                        measurement.quality.value,
                    )
                    for measurement in observed
                    if measurement.usable
                ],
            )
        return sequence

    def newest_measurements(
        self, resident: str, vitals: Iterable[Vital], until: datetime
    ) -> Mapping[Vital, StoredMeasurement]:
        """For each vital the newest usable measurement not after `until`, however old.

        Of two at the same instant the one that `hub.assessment.observation_set.form` prefers.
        """
        found: dict[Vital, StoredMeasurement] = {}
        for vital in vitals:
            row = self._connection.execute(
                "SELECT m.value, m.measured_at, r.id, m.quality, r.time_quality FROM measurement m"
                " JOIN reading r ON r.sequence = m.reading"
                " WHERE m.resident = ? AND m.vital = ? AND m.measured_at <= ?"
                " ORDER BY m.measured_at DESC, m.quality = 'good' DESC, r.id DESC LIMIT 1",
                (resident, vital.value, to_microseconds(until)),
            ).fetchone()
            if row is not None:
                found[vital] = StoredMeasurement(
                    value=type_of_value(vital)(row[0]),
                    measured_at=from_microseconds(row[1]),
                    reading_id=uuid.UUID(bytes=row[2]),
                    quality=Quality(row[3]),
                    time_quality=row[4],
                )
        return found

    def add_assessment(self, resident: str, at: datetime, reading: int, band: str, body: str) -> int:
        """Store what a set of observations said; return its number."""
        cursor = self._connection.execute(
            "INSERT INTO assessment (resident, at, reading, band, body) VALUES (?, ?, ?, ?, ?)",
            (resident, to_microseconds(at), reading, band, body),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def assessments_before(
        self, resident: str, before: datetime, most: int
    ) -> Sequence[tuple[datetime, str]]:
        """The newest assessments not after `before`, newest first: their time and body."""
        rows = self._connection.execute(
            "SELECT at, body FROM assessment WHERE resident = ? AND at <= ? ORDER BY at DESC LIMIT ?",
            (resident, to_microseconds(before), most),
        )
        return [(from_microseconds(at), body) for at, body in rows]

    def newest_assessment(self, resident: str) -> tuple[datetime, str] | None:
        """The newest assessment of a resident: its time and body."""
        return newest_assessment(self._connection, resident)

    def open_alert(self, resident: str) -> AlertRow | None:
        """The resident's alert that is not resolved; there is at most one."""
        return self._alert("resident = ? AND resolved_at IS NULL", resident)

    def alert(self, alert_id: uuid.UUID) -> AlertRow | None:
        """An alert by its id."""
        return self._alert("id = ?", alert_id.bytes)

    def open_alerts(self) -> Sequence[AlertRow]:
        """Every alert that is not resolved, oldest first."""
        rows = self._connection.execute(f"{SELECT_ALERT} WHERE resolved_at IS NULL ORDER BY raised_at")
        return [alert_row(row) for row in rows]

    def _alert(self, condition: str, parameter: object) -> AlertRow | None:
        row = self._connection.execute(f"{SELECT_ALERT} WHERE {condition}", (parameter,)).fetchone()
        return alert_row(row) if row else None

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
            "UPDATE alert SET band = ?, state = ?, resolved_at = ?, body = ? WHERE id = ?",
            (
                alert.band,
                alert.state,
                to_microseconds(alert.resolved_at) if alert.resolved_at else None,
                alert.body,
                alert.id.bytes,
            ),
        )

    def assessment_of_alert(self, alert_id: uuid.UUID) -> tuple[str, uuid.UUID]:
        """The body of the assessment that raised an alert, and the reading that completed it."""
        body, reading = self._connection.execute(
            "SELECT s.body, r.id FROM alert a JOIN assessment s ON s.sequence = a.assessment"
            " JOIN reading r ON r.sequence = a.reading WHERE a.id = ?",
            (alert_id.bytes,),
        ).fetchone()
        return body, uuid.UUID(bytes=reading)

    def note_alert(self, alert_id: uuid.UUID, what: str, at: datetime, detail: Mapping[str, object]) -> None:
        """Add a line to an alert's history."""
        self._connection.execute(
            "INSERT INTO alert_history (alert, at, what, detail) VALUES (?, ?, ?, ?)",
            (alert_id.bytes, to_microseconds(at), what, json.dumps(detail)),
        )

    def history_size(self, alert_id: uuid.UUID) -> int:
        """How many lines an alert's history has."""
        (size,) = self._connection.execute(
            "SELECT count(*) FROM alert_history WHERE alert = ?", (alert_id.bytes,)
        ).fetchone()
        return int(size)

    def note_fact(self, name: str, value: str) -> str:
        """Store a fact about this database, unless it has it already; return the one that it has."""
        self._connection.execute("INSERT OR IGNORE INTO fact (name, value) VALUES (?, ?)", (name, value))
        (kept,) = self._connection.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return str(kept)

    def enqueue(self, priority: int, channel: str, event: str) -> None:
        """Put an event (CloudEvents JSON) into the outbox; a lower priority goes first."""
        self._connection.execute(
            "INSERT INTO outbox (priority, channel, event) VALUES (?, ?, ?)", (priority, channel, event)
        )
        self.outbox_grew = True

    def remove_from_outbox(self, sequences: Iterable[int]) -> None:
        """The broker has these."""
        self._connection.executemany("DELETE FROM outbox WHERE sequence = ?", [(s,) for s in sequences])

    def set_aside(self, sequence: int, reason: str, at: datetime) -> None:
        """Move an event that the broker refuses out of the way, with the reason."""
        self._connection.execute(
            "INSERT OR IGNORE INTO outbox_aside (sequence, channel, event, reason, at)"
            " SELECT sequence, channel, event, ?, ? FROM outbox WHERE sequence = ?",
            (reason, to_microseconds(at), sequence),
        )
        self.remove_from_outbox([sequence])

    def reclaim(self, channels: Iterable[str]) -> int:
        """Put what was set aside of these channels back into the outbox; return how many.

        With their sequence, and the highest priority: only what overtakes everything is ever reclaimed.
        """
        chosen = (json.dumps(list(channels)),)
        reclaimed = self._connection.execute(
            "INSERT OR IGNORE INTO outbox (sequence, priority, channel, event)"
            f" SELECT sequence, {_HIGHEST_PRIORITY}, channel, event FROM outbox_aside"
            " WHERE channel IN (SELECT value FROM json_each(?))",
            chosen,
        ).rowcount
        self._connection.execute(
            "DELETE FROM outbox_aside WHERE channel IN (SELECT value FROM json_each(?))", chosen
        )
        self.outbox_grew = self.outbox_grew or reclaimed > 0
        return reclaimed


SELECT_ALERT = (
    "SELECT id, resident, band, state, raised_at, resolved_at, reading, assessment, body FROM alert"
)
"""The columns that `alert_row` takes, in its order."""


def newest_assessment(connection: sqlite3.Connection, resident: str) -> tuple[datetime, str] | None:
    """The newest assessment of a resident: its time and body (JSON)."""
    row = connection.execute(
        "SELECT at, body FROM assessment WHERE resident = ? ORDER BY at DESC, sequence DESC LIMIT 1",
        (resident,),
    ).fetchone()
    return (from_microseconds(row[0]), row[1]) if row else None


def alert_row(row: Sequence[object]) -> AlertRow:
    """An alert from the columns of `alert`, in the order of the table."""
    identifier, resident, band, state, raised_at, resolved_at, reading, assessment, body = row
    assert isinstance(identifier, bytes)
    assert isinstance(raised_at, int)
    assert isinstance(reading, int)
    assert isinstance(assessment, int)
    return AlertRow(
        id=uuid.UUID(bytes=identifier),
        resident=str(resident),
        band=str(band),
        state=str(state),
        raised_at=from_microseconds(raised_at),
        resolved_at=from_microseconds(resolved_at) if isinstance(resolved_at, int) else None,
        reading=reading,
        assessment=assessment,
        body=str(body),
    )


def _measurement_row(measurement: Measurement) -> dict[str, object]:
    row: dict[str, object] = {"vital": measurement.vital.value}
    if measurement.absent is not None:
        row["absent"] = measurement.absent.value
    else:
        row["value"] = measurement.value
    if measurement.quality is not Quality.GOOD:
        row["quality"] = measurement.quality.value
    if measurement.site is not None:
        row["site"] = measurement.site
    return row
