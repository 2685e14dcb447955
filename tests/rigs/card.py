"""A database that is filled row by row at chosen times, for what leaves it again."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.clock import ClockQuality, ClockStamp
from hub.readings import Breathing, Consciousness, Measurement, RawPayload, Reading, Value, Vital
from hub.store.numbers import Numbers
from hub.store.planner import Planner, Progress
from hub.store.recent import Recent
from hub.store.retention import Limits, Piece
from hub.store.rows import AlertRow
from hub.store.transaction import Transaction
from hub.timekeeping.placed import PlacedReading
from hub.timekeeping.timing import TimeQuality

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
_STAMP = ClockStamp(uuid.UUID(int=1), timedelta(0), ClockQuality.SYNCHRONISED)
VALUES: dict[Vital, Value] = {
    Vital.SUPPLEMENTAL_OXYGEN: Breathing.AIR,
    Vital.CONSCIOUSNESS: Consciousness.ALERT,
}
_PULSE = (Measurement(Vital.PULSE_RATE, 72.0),)


class Card:
    """A database with its own clock; every row is committed at once."""

    def __init__(self, connection: sqlite3.Connection, limits: Limits) -> None:
        self.connection = connection
        self.limits = limits
        self.now = BEGIN
        self.progress = Progress()
        self._transaction = Transaction(connection, Recent(connection), Numbers.of(connection))

    def reading(
        self, *, sample: bool = False, streaming: bool = False, resident: str = "R-0412", device: str = "A"
    ) -> int:
        """Receive one: a spot check; or of a stream, where a `sample` is one that was not assessed."""
        raw = RawPayload(device, "pulse_oximeter", bytes(7), self.now)
        reading = Reading(id=uuid.uuid4(), raw=raw, measurements=_PULSE)
        observed = () if sample else _PULSE if streaming else None
        received = TimeQuality.RECEIVED
        number = self._transaction.add_reading(
            PlacedReading(reading, resident, self.now, received, _STAMP, observed)
        )
        self._transaction.finish()
        return number

    def assessment(self, reading: int, sources: Mapping[Vital, int], *, at: datetime | None = None) -> int:
        """Assess at a reading, or at another moment; with values of these readings."""
        observations: dict[Vital, tuple[Value, int]] = {
            vital: (VALUES.get(vital, 72.0), source) for vital, source in sources.items()
        }
        number = self._transaction.add_assessment(
            "R-0412", at, self.now, reading, 1, observations, "low", 0, None, None, None
        )
        self._transaction.finish()
        return number

    def alert(self, reading: int, assessment: int) -> uuid.UUID:
        """Raise one, of a resident of its own, since each has one open at the most; and tell of it."""
        alert = uuid.uuid4()
        row = AlertRow(alert, str(alert), "high", "raised", self.now, None, reading, assessment, "{}")
        self._transaction.add_alert(row)
        self.tell_of(alert)
        return alert

    def tell_of(self, alert: uuid.UUID) -> None:
        """Tell of an alert once more."""
        self.tell(0, "alert", event=json.dumps({"alert": str(alert), "time": self.now.isoformat()}))

    def lose(self, alert: uuid.UUID) -> None:
        """Damage takes it from the card."""
        self.connection.execute("DELETE FROM alert WHERE id = ?", (alert.bytes,))

    def acknowledge(self, alert: uuid.UUID) -> None:
        """Somebody has taken it."""
        self._change(alert, body=f'{{"acknowledged_at": "{self.now.isoformat()}"}}')

    def resolve(self, alert: uuid.UUID) -> None:
        """It is over."""
        self._change(alert, state="resolved", resolved_at=self.now)

    def _change(self, alert: uuid.UUID, **changes: Any) -> None:
        row = self._transaction.alert(alert)
        assert row is not None
        self._transaction.update_alert(replace(row, **changes))

    def tell(
        self,
        priority: int,
        channel: str,
        *,
        event: str | None = None,
        first: int | None = None,
        last: int | None = None,
    ) -> None:
        """Put a message into the outbox."""
        self._transaction._enqueue(priority, channel, event=event, first=first, last=last)
        self._transaction.finish()

    def send(self, channel: str, *, refused: bool = False) -> None:
        """The broker takes the oldest message of a channel, or refuses it."""
        for (sequence,) in self.connection.execute(
            "SELECT sequence FROM outbox WHERE channel = ? ORDER BY sequence LIMIT 1", (channel,)
        ).fetchall():
            if refused:
                self._transaction.set_aside(sequence, "refused", self.now)
            else:
                self._transaction.remove_from_outbox([sequence])

    def refuse(self, channel: str) -> None:
        """The broker refuses all that waits of a channel."""
        waiting = "SELECT count(*) FROM outbox WHERE channel = ?"
        for _ in range(self.connection.execute(waiting, (channel,)).fetchone()[0]):
            self.send(channel, refused=True)

    def reclaim(self, channel: str) -> None:
        """What was refused of a channel is tried once more."""
        self._transaction.reclaim([channel])

    def planner(self) -> Planner:
        """What would go now."""
        return Planner(self.connection, self.limits, self.now, self.progress)

    def by_age(self) -> list[Piece]:
        """Let everything go that is too old."""
        done: list[Piece] = []
        while pieces := self.planner().by_age(7):
            done += pieces
            self.remove(pieces)
        return done

    def by_size(self) -> list[Piece]:
        """Let go what is the next to go."""
        pieces = self.planner().by_size(3)
        self.remove(pieces)
        return pieces

    def remove(self, pieces: list[Piece]) -> None:
        """Remove them."""
        for piece in pieces:
            piece.remove(self.connection)

    def numbers(self, table: str) -> list[int]:
        """The numbers of a table's rows."""
        return [number for (number,) in self.connection.execute(f"SELECT sequence FROM {table} ORDER BY 1")]
