"""What the ICS is told, made from what the store keeps: an event is made when it is sent, and not before.

So the card keeps what was measured once, and not once more in the words of the wire. What has been told
differently before (times, since the hub's clock was set) is told as it is known now, under the same id.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Protocol

from hub.alerts.assessed import Assessment
from hub.alerts.life import Alert
from hub.assessment import news2
from hub.assessment.deterioration import HASH_PREFIX, Risk
from hub.assessment.features import missing, out_of_range
from hub.assessment.news2 import OxygenScale
from hub.assessment.observation_set import Observation, ObservationSet
from hub.readings import OF_NO_SCORE, Quality, Vital
from hub.store.outbox import CannotBeToldError
from hub.store.recent_sets import StoredSet
from hub.store.rows import (
    AssessmentRow,
    StoredReading,
    assessment_by_number,
    reading_by_number,
    reading_rows,
)
from hub.store.steps import steps_of
from hub.telling.told_readings import as_told, told_reading
from hub.timekeeping.placed import PlacedReading
from hub.timekeeping.present import Record
from hub.timekeeping.timing import ClockRule, TimeQuality
from hub.uplink.cloudevents import Event
from hub.uplink.contract import Channel, Identity
from hub.uplink.feed import observation_event, readings_event, told_readings_event

_MINUTE = timedelta(minutes=1)
NO_READING = uuid.UUID(int=0)


class Kept(Protocol):
    """Where readings are found: a transaction, or a connection that only reads."""

    def reading(self, sequence: int) -> StoredReading | None:
        """A reading by its number."""


@dataclass(frozen=True, slots=True)
class KeptReadings:
    """The readings that a connection finds: their times put right by a rule; without one, as told.

    `before_entry` is of the trail: whose they are was corrected as often as it had been by then.
    """

    connection: sqlite3.Connection
    rule: ClockRule | None = None
    before_entry: int | None = None

    def reading(self, sequence: int) -> StoredReading | None:
        """A reading by its number; None where retention has removed it."""
        until = {} if self.before_entry is None else {"before_entry": self.before_entry}
        stored = reading_by_number(self.connection, sequence, **until)
        return None if stored is None else put_right(self.connection, self.rule, [stored])[0]


def put_right(
    connection: sqlite3.Connection, rule: ClockRule | None, readings: Iterable[StoredReading]
) -> list[StoredReading]:
    """Readings from the card with their times as they are known now (`hub/timekeeping/correction.py`);
    without a rule as they were told."""
    if rule is None:
        return list(readings)
    record = Record(rule, cache(partial(steps_of, connection)))
    return [StoredReading(stored.sequence, record.placed(stored.placed)) for stored in readings]


class Teller:
    """Makes the events that outbox rows refer to."""

    def __init__(self, identity: Identity, rule: ClockRule | None = None) -> None:
        self._identity = identity
        self._rule = rule

    def event(self, connection: sqlite3.Connection, channel: str, first: int, last: int) -> Event:
        """The event of an outbox row.

        Raises:
            CannotBeToldError: it refers to what is no longer there, or cannot be read.
        """
        try:
            return self._made(connection, channel, first, last)
        except (CannotBeToldError, sqlite3.Error):
            raise  # the latter is the card's, and may pass
        except Exception as error:  # noqa: BLE001  # no row may keep the rows behind it, or alerts, from being told
            # Not chained: the text could quote what is in the row.
            raise CannotBeToldError(
                f"{channel} {first}: what the database has of it cannot be read ({type(error).__name__})"
            ) from None

    def _made(self, connection: sqlite3.Connection, channel: str, first: int, last: int) -> Event:
        match channel:
            case Channel.OBSERVATION:
                return observation_event(self._identity, self._assessment(connection, first))
            case Channel.READING:
                return self._readings(connection, first, last)
            case _:
                raise CannotBeToldError(f"nothing is told of on {channel} by its number")

    def _readings(self, connection: sqlite3.Connection, first: int, last: int) -> Event:
        rows = reading_rows(connection, first, last)
        if not rows:
            raise CannotBeToldError(f"readings {first} to {last} are no longer kept")
        if self._rule is None or as_told(connection, rows):
            return told_readings_event(self._identity, [told_reading(self._identity, row) for row in rows])
        found = put_right(connection, self._rule, map(StoredReading.of, rows))
        return readings_event(self._identity, [stored.placed for stored in found])

    def _assessment(self, connection: sqlite3.Connection, sequence: int) -> Assessment:
        row = assessment_by_number(connection, sequence)
        if row is None:
            raise CannotBeToldError(f"assessment {sequence} is no longer kept")
        return assessment_of(KeptReadings(connection, self._rule), row)


def assessment_of(kept: Kept, row: AssessmentRow) -> Assessment:
    """An assessment whole, from its row and the readings that it refers to.

    A reading that retention has removed is missing among the sources; its value is still there.

    Raises:
        ValueError, TypeError, LookupError: what is stored cannot be read.
    """
    sources: dict[int, StoredReading] = {}
    for _, sequence in row.observations.values():
        if sequence not in sources and (found := kept.reading(sequence)) is not None:
            sources[sequence] = found
    observations: dict[Vital, Observation] = {}
    for vital, (value, sequence) in row.observations.items():
        stored = sources.get(sequence)
        observations[vital] = (
            Observation(value, row.at, row.reading_id)
            if stored is None
            else Observation(
                value=value,
                measured_at=stored.placed.measured_at,
                reading_id=stored.placed.reading.id,
                quality=_quality(stored.placed, vital),
                doubtful_time=stored.placed.time_quality is TimeQuality.DOUBTFUL,
            )
        )
    values = row.values
    at = _known_at(sources.get(row.reading) or kept.reading(row.reading), row)
    risk = None
    if row.risk is not None and row.model is not None:
        risk = Risk(
            probability=row.risk,
            model=row.model.name,
            version=row.model.version,
            sha256_prefix=row.model.sha256[:HASH_PREFIX],
            missing=missing(values, row.age),
            out_of_range=out_of_range(values, row.age),
            uncalibrated=row.uncalibrated,
            reasons=row.reasons,
            would_alert=row.would_alert,
        )
    return Assessment(
        id=assessment_id(row.reading_id, row.at, row.withdrawn_before),
        resident=row.resident,
        observations=ObservationSet(at, observations),
        news2=news2.score(values, OxygenScale(row.scale)),
        risk=risk,
        reading=row.reading_id,
        sources={stored.placed.reading.id: stored.placed for stored in sources.values()},
    )


def worth_telling(
    before: StoredSet | None, moment: datetime, score: news2.News2, measured: Collection[Vital]
) -> bool:
    """An observation set is told when it says something new, or a minute after the last one told nothing.

    A streaming sensor makes a set every few seconds; the ICS is told of those that change the score or
    what is missing, and otherwise of one a minute. A weight or a glucose is always told: no score changes
    with it, and there may be no other set to tell it with. `before` is the newest set that there was,
    `measured` what the reading that completes this one has measured.
    """
    if not OF_NO_SCORE.isdisjoint(measured):
        return True
    if before is None:
        return True
    if abs(moment - before.at) >= _MINUTE or moment.minute != before.at.minute:
        return True
    return news2.score(before.values, OxygenScale(before.scale)) != score


def alert_alone(alert: Alert) -> Assessment:
    """What an alert says of itself, where the assessment that raised it is lost: its score, and no values.

    Its reading is the nil UUID, which names none.
    """
    return Assessment(
        id=NO_READING,
        resident=alert.resident,
        observations=ObservationSet(alert.measured_at, {}),
        news2=alert.news2,
        risk=None,
        reading=NO_READING,
        sources={},
    )


def assessment_id(reading: uuid.UUID, at: datetime, withdrawn_before: int = 0) -> uuid.UUID:
    """It follows from the reading that formed the set, and its time as it was told: put right, an assessment
    that is told again keeps its id. One in the place of one that was withdrawn has its own."""
    again = f":{withdrawn_before}" if withdrawn_before else ""
    return uuid.uuid5(reading, f"observation:{at.isoformat()}{again}")


def _known_at(reading: StoredReading | None, row: AssessmentRow) -> datetime:
    """The moment assessed as it is known now, from the reading that completed the set."""
    if reading is None or row.received_at is None:
        return row.at
    if row.own:
        return reading.placed.measured_at
    return row.at + (reading.placed.reading.raw.received_at - row.received_at)


def _quality(placed: PlacedReading, vital: Vital) -> Quality:
    return next((each.quality for each in placed.taken if each.vital is vital), Quality.GOOD)
