"""A resident's past, as their page shows it: read from the card, put in order. It knows of no request."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.alerts.book import UnreadableAlertError, alert_of
from hub.alerts.concern import Concern, concern_of
from hub.alerts.life import Alert
from hub.configuration.file import Config, Sensor
from hub.overview.glance import Glance, KnownValue, PastScore
from hub.readings import Quality, Vital
from hub.sensors.enrolment import enrolled_sensors
from hub.store import looking_back
from hub.store.audit import AuditError, history
from hub.store.rows import AlertRow, StoredReading
from hub.timekeeping.present import clock_rule
from hub.timekeeping.timing import TimeQuality
from hub.trail import Audited
from hub.web.remembered import by_hours
from hub.web.turn import SHOWN, source_words

PERIODS: Mapping[str, timedelta] = {
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
MOST_ALERTS = 20
MOST_ENTRIES = 40
_MOST_GIVEN = 10  # entries of the trail about one reading


@dataclass(frozen=True, slots=True)
class PastAlert:
    """An alert of theirs; `alert` is None where it cannot be read."""

    row: AlertRow
    alert: Alert | None


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was measured, entered or said of them.

    `source` is what or who said it; `given` who said whose it is, where nobody knew at first or somebody
    corrected it. Where there are neither values nor a concern, `trouble` says what the sensor said.
    """

    at: datetime
    reading: uuid.UUID
    source: str
    values: tuple[KnownValue, ...] = ()
    concern: Concern | None = None
    trouble: str = ""
    doubtful_time: bool = False
    given: str = ""

    @property
    def questionable(self) -> bool:
        """Whether its sensor doubted what it measured."""
        return any(each.quality is not Quality.GOOD for each in self.values)


@dataclass(frozen=True, slots=True)
class Past:
    """What was of a resident in a period, the newest entries first; of streams are only values."""

    values: Mapping[Vital, Sequence[KnownValue]]
    scores: Sequence[PastScore]
    alerts: Sequence[PastAlert]
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class NowLine:
    """The newest value of a vital, and what to know of it.

    `points` is what it scored in the newest set, None where it is not in that; `usual` is whether it lies
    within what is normal for this person, None where nobody said what is.
    """

    vital: Vital
    known: KnownValue | None
    source: str
    points: int | None
    usual: bool | None


def past_of(config: Config, connection: sqlite3.Connection, resident: str, since: datetime) -> Past:
    """What was of a resident since then.

    Raises:
        sqlite3.Error: the card, or what is on it.
    """
    record = looking_back.record_of(connection, clock_rule(config))
    sensors = sensors_of(config, connection)
    first = looking_back.first_reading_since(connection, record, since)
    values: dict[Vital, list[KnownValue]] = {}
    single: list[StoredReading] = []
    for stored in looking_back.readings(connection, record, first, resident=resident):
        for value in looking_back.values_in(stored):
            if value.measured_at >= since:
                values.setdefault(value.vital, []).append(value)
        if stored.placed.reading.stretch is None and stored.placed.measured_at >= since:
            single.append(stored)
    scores = []
    for row in looking_back.assessments(
        connection, looking_back.first_assessment_since(connection, first), resident=resident
    ):
        with suppress(ValueError):
            past = looking_back.past_score(row, looking_back.known_at(connection, record, row))
            if past.at >= since:
                scores.append(past)
    single.sort(key=lambda each: each.placed.measured_at, reverse=True)
    return Past(
        values=values,
        scores=by_hours(scores),
        alerts=[_past_alert(row) for row in looking_back.alerts_of(connection, resident, MOST_ALERTS)],
        entries=[_entry(connection, each, sensors) for each in single[:MOST_ENTRIES]],
    )


def sensors_of(config: Config, connection: sqlite3.Connection) -> Mapping[str, Sensor]:
    """The enrolled sensors by their addresses, in capitals."""
    return {each.sensor.address.upper(): each.sensor for each in enrolled_sensors(config, connection)}


def now_lines(glance: Glance, sensors: Mapping[str, Sensor]) -> Sequence[NowLine]:
    """The newest values: what a round is about in the order of the chart, then what else is known."""
    others = [vital for vital in Vital if vital in glance.newest and vital not in SHOWN]
    return [_now_line(glance, vital, sensors) for vital in (*SHOWN, *others)]


def _now_line(glance: Glance, vital: Vital, sensors: Mapping[str, Sensor]) -> NowLine:
    known = glance.newest.get(vital)
    if known is None:
        return NowLine(vital, None, "", None, None)
    points = None
    if glance.score is not None and glance.score.values.get(vital) == known.value:
        points = glance.score.news2.sub_scores.get(vital)
    normal = glance.care.normals.get(vital)
    usual = None
    if normal is not None and isinstance(known.value, float):
        usual = normal.lowest <= known.value <= normal.highest
    return NowLine(vital, known, _source(known, sensors), points, usual)


def _source(known: KnownValue, sensors: Mapping[str, Sensor]) -> str:
    """What or who said it; who entered it stands among the entries."""
    if known.by_hand:
        return "entered by hand"
    sensor = sensors.get(known.device.upper())
    if sensor is None:
        return "a sensor that is not enrolled now"
    return sensor.label or sensor.driver.replace("_", " ")


def _past_alert(row: AlertRow) -> PastAlert:
    try:
        return PastAlert(row, alert_of(row))
    except UnreadableAlertError:
        return PastAlert(row, None)


def _entry(connection: sqlite3.Connection, stored: StoredReading, sensors: Mapping[str, Sensor]) -> Entry:
    placed = stored.placed
    reading = placed.reading
    values = tuple(looking_back.values_in(stored))
    concern = concern_of(reading)
    trouble = ""
    if not values and concern is None:
        said = ", ".join(sorted(flag.value for flag in reading.flags))
        trouble = said or (
            "it could not be read" if reading.problem else "it measured nothing that can be used"
        )
    return Entry(
        at=placed.measured_at,
        reading=reading.id,
        source=source_words(reading, sensors),
        values=values,
        concern=concern,
        trouble=trouble,
        doubtful_time=placed.time_quality is TimeQuality.DOUBTFUL,
        given=_given(connection, reading.id),
    )


def _given(connection: sqlite3.Connection, reading: uuid.UUID) -> str:
    """Who said whose a reading is; empty where nobody had to."""
    with suppress(AuditError):
        for entry in reversed(history(connection, reading)[-_MOST_GIVEN:]):
            by = entry.detail.get("by")
            name = by if isinstance(by, str) and by else "somebody"
            if entry.what == Audited.ASSIGNED:
                return f"given to them by {name}"
            if entry.what == Audited.CORRECTED:
                return f"corrected by {name}: it had been given to somebody else"
    return ""
