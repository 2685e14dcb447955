"""What was decided on of a resident, found on the card again: so that it can be decided anew without a
reading that was not theirs (`hub/attribution/alerts_corrected.py`)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from hub.alerts.assessed import Assessed
from hub.alerts.book import UnreadableAlertError, alert_of
from hub.alerts.concern import concern_of
from hub.alerts.life import Alert
from hub.assessment import news2
from hub.assessment.news2 import OxygenScale
from hub.assessment.observation_set import Observation, ObservationSet
from hub.attribution.replaying import Decided
from hub.intake.assessing import alert_id
from hub.readings import Quality, Vital
from hub.store.ownership import UNREADABLE
from hub.store.rows import AlertRow, AssessmentRow, StoredReading
from hub.store.transaction import Transaction
from hub.timekeeping.present import Place
from hub.timekeeping.timing import TimeQuality

_LONG_BEFORE = timedelta(days=1)


def received_at(transaction: Transaction, reading: StoredReading) -> datetime:
    """When a reading was received, as alerts tell times: put right, where the clock was set since."""
    placed, present = reading.placed, transaction.present
    place = None if present is None else present.place(placed.reading, placed.stamp, reading.place)
    return placed.reading.raw.received_at if place is None else place.received_at


def history_begins(
    alerts: Sequence[AlertRow], received_at: datetime, first: int
) -> tuple[datetime, int, bool]:
    """From when on alerts are to be decided again, and how well they can be.

    Returns a moment at which no alert was open, long before a reading was received; the number of the first
    reading that any of this rests on, `first` or before it; and whether what follows is decided by what was
    measured alone, as far as these alerts tell.

    Long before: an alert that was withdrawn since may have hidden what would have raised another. By the
    number of a reading too: it may have been received by a clock that was set since.
    """
    since, exact = received_at - _LONG_BEFORE, True
    told = [(row, readable(row)) for row in alerts]
    for row, alert in sorted(told, key=lambda each: each[0].raised_at, reverse=True):
        raised_at = row.raised_at if alert is None else min(alert.raised_at, alert.measured_at)
        if row.resolved_at is None or row.resolved_at >= since:
            since, first = min(since, raised_at), min(first, row.reading)
        if row.resolved_at is None or row.resolved_at >= received_at:
            exact = exact and alert is not None and alert.concern is None
    return since, first, exact


def readable(row: AlertRow) -> Alert | None:
    """The alert that a row keeps; None where it cannot be read."""
    try:
        return alert_of(row)
    except UnreadableAlertError:
        return None


def decided_on(
    transaction: Transaction, rows: Sequence[AssessmentRow], ids: Mapping[int, uuid.UUID]
) -> tuple[list[Decided], bool]:
    """What was decided on, as these rows have it; and whether all of it could be found."""
    found: dict[int, tuple[StoredReading, Place] | None] = {}

    def placed(number: int) -> tuple[StoredReading, Place] | None:
        if number not in found:
            stored, place, present = None, None, transaction.present
            with suppress(*UNREADABLE):
                stored = transaction.reading(number)
            if stored is not None:
                reading, stamp = stored.placed.reading, stored.placed.stamp
                place = stored.place if present is None else present.place(reading, stamp, stored.place)
            found[number] = None if stored is None or place is None else (stored, place)
        return found[number]

    decided: list[Decided] = []
    exact = True
    for row in rows:
        completing = placed(row.reading)
        moment = row.by(transaction.present)
        if completing is None or moment is None:
            exact = False
            continue
        stored, place = completing
        if not row.is_of_a_score or concern_of(stored.placed.reading) is not None:
            continue
        at = place.measured_at if row.own else moment
        observations: dict[Vital, Observation] = {}
        for vital, (value, number) in row.observations.items():
            source = placed(number)
            if source is None:
                exact = False
                observations[vital] = Observation(value, at, row.reading_id, doubtful_time=True)
                continue
            of, of_place = source
            quality = next((each.quality for each in of.placed.taken if each.vital is vital), Quality.GOOD)
            doubtful = of_place.time_quality is TimeQuality.DOUBTFUL
            measured_at, name = of_place.measured_at, of.placed.reading.id
            observations[vital] = Observation(value, measured_at, name, quality, doubtful)
        try:
            score = news2.score(row.values, OxygenScale(row.scale))
        except UNREADABLE:
            exact = False
            continue
        assessed = Assessed(row.resident, ObservationSet(at, observations), score, place.received_at)
        known_by = ids.get(row.sequence) or alert_id(row.reading_id, row.at)
        decided.append(Decided(assessed, row.sequence, row.reading, known_by))
    return decided, exact
