"""The badge never says less than is known: half a set does not hide a whole one, nor an open alert."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hub.alerts.life import Alert
from hub.assessment import news2
from hub.assessment.news2 import Band, News2, OxygenScale
from hub.configuration.file import Resident
from hub.overview.glance import Glance, ScoredSet
from hub.readings import Breathing, Consciousness, Value, Vital
from hub.web.shown_score import ShownScore, shown_score

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WELL: Mapping[Vital, Value] = {
    Vital.RESPIRATION_RATE: 16.0,
    Vital.OXYGEN_SATURATION: 97.0,
    Vital.SUPPLEMENTAL_OXYGEN: Breathing.AIR,
    Vital.SYSTOLIC_PRESSURE: 120.0,
    Vital.PULSE_RATE: 70.0,
    Vital.CONSCIOUSNESS: Consciousness.ALERT,
    Vital.TEMPERATURE: 37.0,
}
ILL = {**WELL, Vital.RESPIRATION_RATE: 26.0, Vital.OXYGEN_SATURATION: 84.0, Vital.PULSE_RATE: 112.0}
A_GOOD_PULSE: Mapping[Vital, Value] = {Vital.PULSE_RATE: 70.0}
A_BAD_SATURATION: Mapping[Vital, Value] = {Vital.OXYGEN_SATURATION: 84.0}


def scored(values: Mapping[Vital, Value], hours_ago: float) -> ScoredSet:
    return ScoredSet(NOW - hours_ago * HOUR, score(values), values, uuid.uuid4())


def score(values: Mapping[Vital, Value]) -> News2:
    return news2.score(values, OxygenScale.SCALE_1)


def shown(
    newest: ScoredSet | None, complete: ScoredSet | None = None, alert: Alert | None = None
) -> ShownScore:
    return shown_score(Glance(Resident(id="R-1"), score=newest, complete=complete, alert=alert), NOW)


def alert_of(values: Mapping[Vital, Value], hours_ago: float) -> Alert:
    at, said = NOW - hours_ago * HOUR, score(values)
    return Alert(uuid.uuid4(), "R-1", said.band, said, at, at, said.contributing, at)


def test_a_complete_set_is_what_it_is() -> None:
    newest = scored(WELL, 1)
    assert shown(newest, newest) == ShownScore(0, Band.ZERO, True, newest.at)


def test_nothing_is_known() -> None:
    assert shown(None) == ShownScore()


def test_a_good_pulse_does_not_hide_a_bad_set() -> None:
    newest, complete = scored(A_GOOD_PULSE, 0), scored(ILL, 1)
    found = shown(newest, complete)
    assert (found.total, found.complete, found.at) == (complete.news2.total, True, complete.at)
    assert found.partly_since == newest.at


def test_nor_an_open_alert() -> None:
    alert = alert_of(A_BAD_SATURATION, 1)
    found = shown(scored(A_GOOD_PULSE, 0), scored(WELL, 3), alert)
    assert (found.total, found.band, found.complete, found.of_alert) == (3, Band.SINGLE_RED, False, True)


def test_nor_an_alert_that_is_open_for_days() -> None:
    found = shown(scored(A_GOOD_PULSE, 0), None, alert_of(ILL, 50))
    assert found.of_alert
    assert found.band is Band.HIGH


def test_a_bad_value_is_shown_at_once() -> None:
    newest = scored(A_BAD_SATURATION, 0)
    found = shown(newest, scored(WELL, 1))
    assert (found.total, found.complete, found.at, found.partly_since) == (3, False, newest.at, None)


def test_who_was_measured_anew_and_is_better_is_shown_so_while_the_alert_is_open() -> None:
    newest = scored(WELL, 0)
    assert shown(newest, newest, alert_of(ILL, 1)).total == 0


def test_at_least_nothing_is_no_score() -> None:
    found = shown(scored(A_GOOD_PULSE, 0))
    assert (found.total, found.band, found.complete) == (None, None, False)


def test_what_is_older_than_a_day_is_no_score_of_now() -> None:
    old = scored(WELL, 25)
    assert shown(old, old) == ShownScore(at=old.at)
    assert shown(scored(A_GOOD_PULSE, 0), old).total is None


def test_of_equal_scores_the_complete_one_is_shown() -> None:
    newest, complete = scored(A_BAD_SATURATION, 0), scored({**WELL, **A_BAD_SATURATION}, 1)
    found = shown(newest, complete, replace(alert_of(A_BAD_SATURATION, 1)))
    assert (found.complete, found.of_alert) == (True, False)
