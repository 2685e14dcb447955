"""A house, and somebody at a desk who says whose its readings are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hub.alerts.book import AlertBook
from hub.alerts.commands import Commands
from hub.alerts.life import Alert, AlertPolicy
from hub.attribution.alerts_corrected import AlertsCorrected
from hub.attribution.reassignment import Became, Reassignment
from hub.readings import Reading, Vital
from hub.store.audit import entries
from hub.store.numbers import Numbers
from hub.store.ownership import assessments_since, reading_by_id
from hub.store.recent import Recent, StoredMeasurement
from hub.trail import Audited
from tests.rigs.clocks import RightClock
from tests.rigs.house import (
    SHARED,
    House,
    oximeter,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
BY = "Sam Senior"


class SaidClock(RightClock):
    """A clock that is right, and says what a test says."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at


class Desk:
    """A house, and somebody who says whose readings are."""

    def __init__(self, directory: Path, further: str = "") -> None:
        self.clock = SaidClock()
        self.house = house = House(directory, further, clock=self.clock)
        self.policy = policy = AlertPolicy.of(house.config.alerts, house.config.observation_sets)
        book = AlertBook(house.identity, house.clock)
        self.reassignment = Reassignment(
            house.config,
            house.register,
            house.intake,
            house.follower,
            AlertsCorrected(book, policy, house.register),
        )

    def shared(self, saturation: float, minute: float, pulse: float = 72) -> Reading:
        """What the shared oximeter measures: nobody's."""
        reading = oximeter(saturation, NOON + minute * MINUTE, pulse=pulse, device=SHARED)
        return self.take(reading)

    def take(self, reading: Reading, resident: str | None = None) -> Reading:
        self.clock.at = max(self.clock.at, reading.raw.received_at)
        self.house.take(reading, resident)
        return reading

    def assign(self, resident: str, *readings: Reading) -> Became:
        with self.house.transaction() as transaction:
            return self.reassignment.assign(transaction, [each.id for each in readings], resident, BY)

    def discard(self, *readings: Reading) -> Became:
        with self.house.transaction() as transaction:
            return self.reassignment.discard(transaction, [each.id for each in readings], "cuff slipped", BY)

    def acknowledge(self, alert: Alert) -> None:
        commands = Commands(AlertBook(self.house.identity, self.clock), self.policy, self.house.follower)
        with self.house.transaction() as transaction:
            commands.acknowledge(transaction, alert.id, BY, self.clock.at, "hub")

    def left(self, resident: str) -> None:
        """They go to hospital, and are back at once."""
        commands = Commands(AlertBook(self.house.identity, self.clock), self.policy, self.house.follower)
        with self.house.transaction() as transaction:
            commands.close_for_leaving(transaction, resident, "in hospital", BY, self.clock.at)

    def correct(self, reading: Reading, resident: str | None) -> Became:
        with self.house.transaction() as transaction:
            return self.reassignment.correct(transaction, reading.id, resident, "wrong room", BY)

    def owner(self, reading: Reading) -> str | None:
        stored = reading_by_id(self.house.connection, reading.id)
        assert stored is not None
        return stored.placed.resident

    def open_of(self, resident: str) -> Alert | None:
        return next((each for each in self.house.open_alerts() if each.resident == resident), None)

    def scores(self, resident: str) -> list[tuple[datetime, int, dict[str, object]]]:
        """Of each assessment its moment, its total, and what was observed, by moment."""
        rows = assessments_since(self.house.connection, resident, NOON - 60 * MINUTE)
        said: list[tuple[datetime, int, dict[str, object]]] = [
            (row.at, row.total, {vital.value: of for vital, of in row.values.items()}) for row in rows
        ]
        return sorted(said, key=lambda each: (each[0], str(sorted(each[2].items()))))

    def noted(self, what: Audited) -> list[dict[str, object]]:
        found = self.house.connection
        return [dict(each.detail) for each in reversed(list(entries(found))) if each.what == what]

    def newest(
        self, resident: str, moments: Iterable[datetime]
    ) -> list[list[tuple[Vital, StoredMeasurement]]]:
        """What a set of each of these moments would be formed of."""
        found, half_an_hour = [], 30 * MINUTE
        with self.house.transaction() as transaction:
            for until in moments:
                newest = transaction.newest_measurements(resident, until - half_an_hour, until)
                found.append(
                    [each for each in newest if each[1].observation.measured_at >= until - half_an_hour]
                )
        return found

    def newest_values(self, resident: str) -> object:
        """The newest set in memory, but for its number."""
        with self.house.transaction() as transaction:
            newest = transaction.newest_set(resident)
        return None if newest is None else (newest.at, newest.scale, newest.values)

    def hours(self, resident: str) -> list[tuple[object, ...]]:
        """What was measured in each hour, by what is in memory."""
        with self.house.transaction() as transaction:
            return [(each.begin, each.end, each.first, each.last) for each in transaction.hours(resident)]

    def restart(self) -> None:
        """Have all that is in memory made anew from the card."""
        house = self.house
        house._recent, house._numbers = Recent(house.connection), Numbers.of(house.connection)
