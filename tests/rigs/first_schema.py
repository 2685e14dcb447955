"""A database as a hub of schema 1 wrote it (commit 870b752): its statements, over its first step alone."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hub.clock import to_microseconds
from hub.readings import Measurement, Quality, Reading
from hub.store.database import make_schema


@dataclass(frozen=True)
class OldReading:
    """A reading as the old transaction was given it."""

    reading: Reading
    resident: str | None
    measured_at: datetime
    time_quality: str
    observed: tuple[Measurement, ...] | None = None


class OldHub:
    """Writes as the old hub did; every piece is a transaction of its own."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA foreign_keys = ON")
        make_schema(self.connection, 1)

    def add_reading(self, placed: OldReading) -> int:
        """As `Transaction.add_reading`."""
        reading, raw = placed.reading, placed.reading.raw
        observed = reading.measurements if placed.observed is None else placed.observed
        cursor = self.connection.execute(
            "INSERT INTO reading (id, resident, device, driver, characteristic, origin, payload,"
            " received_at, device_time, measured_at, time_quality, measurements, flags, user_id, problem)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                reading.id.bytes, placed.resident, raw.device, raw.driver, raw.characteristic,
                raw.origin.value, raw.payload, to_microseconds(raw.received_at),
                str(reading.device_time) if reading.device_time else None,
                to_microseconds(placed.measured_at), placed.time_quality,
                json.dumps([_measurement_row(m) for m in reading.measurements], separators=(",", ":")),
                json.dumps(sorted(reading.flags), separators=(",", ":")),
                reading.user_id, reading.problem,
            ),
        )  # fmt: skip
        assert cursor.lastrowid is not None
        if placed.resident is not None:
            self.connection.executemany(
                "INSERT OR REPLACE INTO measurement (resident, vital, measured_at, reading, value, quality)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (
                        placed.resident, measurement.vital.value, to_microseconds(placed.measured_at),
                        cursor.lastrowid, measurement.value, measurement.quality.value,
                    )
                    for measurement in observed
                    if measurement.usable
                ],
            )  # fmt: skip
        return cursor.lastrowid

    def add_assessment(self, resident: str, at: datetime, reading: int, body: Mapping[str, Any]) -> int:
        """As `Transaction.add_assessment`, with what `Intake._assess` gave it."""
        text = json.dumps(body, separators=(",", ":"))
        cursor = self.connection.execute(
            "INSERT INTO assessment (resident, at, reading, band, body) VALUES (?, ?, ?, ?, ?)",
            (resident, to_microseconds(at), reading, body["news2"]["band"], text),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def add_alert(self, columns: Sequence[object]) -> None:
        """As `Transaction.add_alert`: the columns of the table."""
        self.connection.execute(
            "INSERT INTO alert (id, resident, band, state, raised_at, resolved_at, reading, assessment, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            columns,
        )

    def note_alert(self, alert: uuid.UUID, what: str, at: datetime, detail: Mapping[str, object]) -> None:
        """As `Transaction.note_alert`."""
        self.connection.execute(
            "INSERT INTO alert_history (alert, at, what, detail) VALUES (?, ?, ?, ?)",
            (alert.bytes, to_microseconds(at), what, json.dumps(detail)),
        )

    def enqueue(self, priority: int, channel: str, event: str) -> None:
        """As `Transaction.enqueue`."""
        self.connection.execute(
            "INSERT INTO outbox (priority, channel, event) VALUES (?, ?, ?)", (priority, channel, event)
        )

    def set_aside(self, sequence: int, reason: str, at: datetime) -> None:
        """As `Transaction.set_aside`."""
        self.connection.execute(
            "INSERT OR IGNORE INTO outbox_aside (sequence, channel, event, reason, at)"
            " SELECT sequence, channel, event, ?, ? FROM outbox WHERE sequence = ?",
            (reason, to_microseconds(at), sequence),
        )
        self.connection.execute("DELETE FROM outbox WHERE sequence = ?", (sequence,))

    def close(self) -> None:
        """Stop it."""
        self.connection.close()


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
