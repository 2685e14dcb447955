"""What a summary says of a period; by hand, by the minute, and for any history of alerts."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.alerts.life import Alert, Resolution
from hub.assessment.news2 import PARAMETERS, Band
from hub.readings import Breathing, Consciousness, Value, Vital
from hub.store.rows import AssessmentRow
from hub.telling.summary import AlertsSummary, HighestScore, Period, ResidentSummary, Tally, of_alerts
from tests.rigs.assessments import RED, raised

SEVEN = datetime(2026, 3, 1, 7, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
DAY = Period(SEVEN, SEVEN + 12 * HOUR)
PULSE, SATURATION, TEMPERATURE = Vital.PULSE_RATE, Vital.OXYGEN_SATURATION, Vital.TEMPERATURE
WHOLE: Mapping[Vital, Value] = {
    **dict.fromkeys(PARAMETERS, 37.0),
    Vital.CONSCIOUSNESS: Consciousness.ALERT,
    Vital.SUPPLEMENTAL_OXYGEN: Breathing.AIR,
}


def row(
    at: datetime,
    values: Mapping[Vital, Value],
    band: Band = Band.ZERO,
    *,
    reading: int = 1,
    carried: Mapping[Vital, int] | None = None,
    total: int = 0,
) -> AssessmentRow:
    """What was assessed; `carried` are the vitals of earlier readings, with these."""
    observations = {vital: (value, (carried or {}).get(vital, reading)) for vital, value in values.items()}
    return AssessmentRow(1, "R-1", at, reading, uuid.UUID(int=reading), 1, observations, band.value, total)


def summed(rows: Iterable[AssessmentRow], period: Period = DAY) -> ResidentSummary:
    tally = Tally("R-1", period)
    for each in rows:
        tally.add(each)
    return tally.summary(AlertsSummary())


# --- vitals


def test_a_vital_is_counted_with_its_range_its_median_and_its_change() -> None:
    before = [row(SEVEN - n * HOUR, {PULSE: 70.0 + n}, reading=n) for n in (1, 2, 3)]
    now = [row(SEVEN + n * HOUR, {PULSE: 80.0 + n}, reading=10 + n) for n in (1, 2, 3, 4)]
    pulse = summed(before + now).vitals[PULSE]
    assert (pulse.count, pulse.lowest, pulse.highest, pulse.median) == (4, 81, 84, 82.5)
    assert pulse.change == 10.5


def test_a_vital_that_was_not_measured_before_has_no_change() -> None:
    assert summed([row(SEVEN, {PULSE: 70.0})]).vitals[PULSE].change is None


def test_what_a_set_carried_from_an_earlier_reading_is_not_counted_again() -> None:
    rows = [
        row(SEVEN, {TEMPERATURE: 37.0}, reading=1),
        row(SEVEN + MINUTE, {TEMPERATURE: 37.0, PULSE: 70.0}, reading=2, carried={TEMPERATURE: 1}),
    ]
    assert summed(rows).vitals[TEMPERATURE].count == 1


def test_a_coded_vital_is_counted_and_has_no_range() -> None:
    said = summed([row(SEVEN, {Vital.CONSCIOUSNESS: Consciousness.VOICE})]).vitals[Vital.CONSCIOUSNESS]
    assert (said.count, said.lowest, said.highest, said.median, said.change) == (1, None, None, None, None)


def test_of_a_resident_of_whom_nothing_was_measured_nothing_is_made_up() -> None:
    made = summed([])
    assert (dict(made.vitals), made.highest, made.sets, made.done) == ({}, None, 0, 0)
    assert made.due == 1.0, "and one set was due all the same"


WEIGHT, GLUCOSE = Vital.BODY_WEIGHT, Vital.GLUCOSE


def test_whoever_was_weighed_and_nothing_else_was_not_observed_and_has_no_score() -> None:
    made = summed([row(SEVEN + n * HOUR, {WEIGHT: 60.0 + n}, reading=n) for n in (1, 2, 3)])
    assert (made.vitals[WEIGHT].count, made.vitals[WEIGHT].median) == (3, 62.0)
    assert (made.sets, made.done, made.highest, made.due) == (0, 0, None, 1.0)


def test_a_weight_among_what_was_measured_before_makes_no_set_of_it_and_no_later_highest_score() -> None:
    whole = row(SEVEN + HOUR, WHOLE, Band.MEDIUM, reading=1, total=5)
    carried = dict.fromkeys(WHOLE, 1)
    weighed = row(
        SEVEN + HOUR + MINUTE, {**WHOLE, WEIGHT: 61.5}, Band.MEDIUM, reading=2, carried=carried, total=5
    )
    alone, made = summed([whole]), summed([whole, weighed])
    assert made == replace(alone, vitals=made.vitals)
    assert made.vitals.keys() - alone.vitals.keys() == {WEIGHT}


def test_a_glucose_after_a_bad_score_asks_for_no_less() -> None:
    bad = row(SEVEN + HOUR, WHOLE, Band.HIGH, reading=1, total=9)
    after = row(SEVEN + 2 * HOUR, {GLUCOSE: 5.4}, reading=2)
    assert summed([bad, after]).due == summed([bad]).due > 11


def test_what_is_measured_together_with_a_weight_is_a_set() -> None:
    assert summed([row(SEVEN, {WEIGHT: 61.5, PULSE: 72.0})]).sets == 1


# --- the boundaries of the period


@pytest.mark.parametrize(
    ("at", "counted"),
    [
        (DAY.since - timedelta(microseconds=1), 0),
        (DAY.since, 1),
        (DAY.until - timedelta(microseconds=1), 1),
        (DAY.until, 0),
    ],
)
def test_a_period_has_its_first_moment_and_not_its_last(at: datetime, counted: int) -> None:
    assert summed([row(at, {PULSE: 70.0})]).sets == counted


def test_the_period_before_is_as_long_and_ends_where_it_begins() -> None:
    assert DAY.before == Period(SEVEN - 12 * HOUR, SEVEN)


def test_what_was_measured_before_the_period_before_changes_no_median() -> None:
    old = row(SEVEN - 12 * HOUR - timedelta(microseconds=1), {PULSE: 50.0}, reading=1)
    assert summed([old, row(SEVEN, {PULSE: 70.0}, reading=2)]).vitals[PULSE].change is None


# --- the highest score


def test_the_highest_score_is_that_of_the_highest_band_then_of_the_highest_total_then_the_last() -> None:
    rows = [
        row(SEVEN, {PULSE: 1.0}, Band.LOW, total=4),
        row(SEVEN + HOUR, {PULSE: 1.0}, Band.SINGLE_RED, total=3),
        row(SEVEN + 2 * HOUR, {PULSE: 1.0}, Band.SINGLE_RED, total=3),
        row(SEVEN + 3 * HOUR, {PULSE: 1.0}, Band.ZERO, total=0),
    ]
    assert summed(rows).highest == HighestScore(3, Band.SINGLE_RED, False, SEVEN + 2 * HOUR)


def test_a_complete_score_says_so() -> None:
    highest = summed([row(SEVEN, WHOLE, Band.HIGH, total=9)]).highest
    assert highest is not None
    assert highest.complete


# --- due, by hand


@pytest.mark.parametrize(
    ("band", "due"),
    [(Band.ZERO, 1), (Band.LOW, 2), (Band.SINGLE_RED, 12), (Band.MEDIUM, 12), (Band.HIGH, 12)],
)
def test_twelve_hours_in_one_band_ask_for_what_chart_4_says(band: Band, due: float) -> None:
    assert summed([row(SEVEN - MINUTE, WHOLE, band)]).due == due


def test_each_score_asks_for_as_long_as_it_is_the_newest() -> None:
    """Low for 6 hours: 1. Medium for 4: 4. Zero for 2: 0.17."""
    rows = [
        row(SEVEN, WHOLE, Band.LOW),
        row(SEVEN + 6 * HOUR, WHOLE, Band.MEDIUM),
        row(SEVEN + 10 * HOUR, WHOLE, Band.ZERO),
    ]
    assert summed(rows).due == 5.17
    assert summed(reversed(rows)).due == 5.17, "however late each came to the hub"


def test_a_partial_score_asks_for_more_and_never_for_less() -> None:
    """Zero for 6 hours: 0.5. At least medium for 3: 3. A pulse that is well lowers nothing: 3 more."""
    rows = [
        row(SEVEN, WHOLE, Band.ZERO),
        row(SEVEN + 6 * HOUR, {SATURATION: 88.0}, Band.MEDIUM),
        row(SEVEN + 9 * HOUR, {PULSE: 70.0}, Band.ZERO),
    ]
    assert summed(rows).due == 6.5


def test_periods_that_are_short_ask_for_their_share() -> None:
    third = timedelta(hours=8)
    dues = [summed([], Period(SEVEN + n * third, SEVEN + (n + 1) * third)).due for n in range(3)]
    assert dues == [0.67] * 3


def test_the_nights_in_which_the_clock_is_set_ask_for_their_hours() -> None:
    assert summed([], Period(SEVEN, SEVEN + 11 * HOUR)).due == 0.92
    assert summed([], Period(SEVEN, SEVEN + 13 * HOUR)).due == 1.08


# --- done, by hand


def test_a_set_is_done_only_when_it_is_complete() -> None:
    almost = {vital: value for vital, value in WHOLE.items() if vital is not TEMPERATURE}
    assert summed([row(SEVEN, almost, reading=1), row(SEVEN + HOUR, WHOLE, reading=2)]).done == 1


def test_a_complete_set_counts_once_however_often_its_pulse_is_measured_anew() -> None:
    rows = [row(SEVEN, WHOLE, reading=1)]
    for n in range(2, 60):
        carried = {vital: 1 for vital in PARAMETERS if vital is not PULSE}
        rows.append(row(SEVEN + n * MINUTE, WHOLE, reading=n, carried=carried))
    made = summed(rows)
    assert (made.sets, made.done) == (59, 1)


def test_it_counts_again_once_all_seven_were_measured_anew() -> None:
    first = row(SEVEN, WHOLE, reading=1)
    half = row(SEVEN + HOUR, WHOLE, reading=2, carried={TEMPERATURE: 1})
    anew = row(SEVEN + HOUR + MINUTE, WHOLE, reading=3, carried=dict.fromkeys((PULSE, SATURATION), 2))
    assert summed([first, half, anew]).done == 2


def test_a_set_that_was_done_before_the_period_is_not_done_again_in_it() -> None:
    before = row(SEVEN - MINUTE, WHOLE, reading=1)
    after = row(SEVEN + MINUTE, WHOLE, reading=2, carried={TEMPERATURE: 1})
    assert summed([before, after]).done == 0


# --- alerts


def alert(raised_at: datetime, **changes: object) -> Alert:
    made = replace(raised(RED), id=uuid.uuid4(), raised_at=raised_at)
    return replace(made, **changes)  # type: ignore[arg-type]  # fields of many types


def test_an_alert_is_counted_when_each_thing_happened_to_it() -> None:
    late = alert(DAY.until - MINUTE, acknowledged_at=DAY.until + 40 * MINUTE, acknowledged_via="cli")
    first, second = of_alerts([late], DAY, ()), of_alerts([late], Period(DAY.until, DAY.until + HOUR), ())
    assert (first.raised, first.acknowledged, first.waiting, first.waited) == (1, 0, 1, ())
    assert (second.raised, second.acknowledged, second.waiting) == (0, 1, 0)
    assert second.longest_wait == second.median_wait == 41 * MINUTE


def test_an_alert_that_ended_before_anybody_acknowledged_it_was_never_acknowledged() -> None:
    ended = {"resolved_at": SEVEN + HOUR, "resolution": Resolution.RECOVERED}
    nobody = alert(SEVEN, **ended)
    too_late = alert(SEVEN, acknowledged_at=SEVEN + 2 * HOUR, **ended)
    in_time = alert(SEVEN, acknowledged_at=SEVEN + MINUTE, **ended)
    made = of_alerts([nobody, too_late, in_time], DAY, ())
    assert (made.resolved, made.never_acknowledged, made.acknowledged, made.waiting) == (3, 2, 2, 0)


def test_the_waits_are_told_by_their_median_and_their_longest() -> None:
    waits = (MINUTE, 14 * MINUTE, 3 * HOUR)
    made = of_alerts([alert(SEVEN, acknowledged_at=SEVEN + wait) for wait in waits], DAY, ())
    assert (made.median_wait, made.longest_wait) == (14 * MINUTE, 3 * HOUR)


def test_a_wait_that_a_set_clock_made_less_than_nothing_is_not_known() -> None:
    made = of_alerts([alert(SEVEN + HOUR, acknowledged_at=SEVEN)], DAY, ())
    assert (made.acknowledged, made.waited, made.median_wait) == (1, (), None)


def test_an_alert_escalated_in_the_period_in_which_the_trail_says_so() -> None:
    climbed, other = alert(SEVEN - 30 * HOUR, rung=2), alert(SEVEN, rung=1)
    assert of_alerts([climbed, other], DAY, {climbed.id}).escalated == 1


_moments = st.integers(0, 48).map(lambda hours: SEVEN - 12 * HOUR + hours * HOUR)


@st.composite
def _alerts(draw: st.DrawFn) -> Alert:
    made = alert(draw(_moments))
    if draw(st.booleans()):
        made = replace(made, acknowledged_at=max(made.raised_at, draw(_moments)))
    if draw(st.booleans()):
        made = replace(made, resolved_at=max(made.raised_at, draw(_moments)), resolution=Resolution.RECOVERED)
    return made


@given(st.lists(_alerts(), max_size=6), _moments)
def test_whatever_happens_is_counted_in_one_period_and_in_no_other(
    alerts: list[Alert], border: datetime
) -> None:
    begin, end = SEVEN - 12 * HOUR, SEVEN + 37 * HOUR
    whole = of_alerts(alerts, Period(begin, end), ())
    parts = [of_alerts(alerts, Period(begin, border), ()), of_alerts(alerts, Period(border, end), ())]
    for name in ("raised", "acknowledged", "resolved", "never_acknowledged"):
        assert sum(getattr(part, name) for part in parts) == getattr(whole, name)
    assert sorted(parts[0].waited + parts[1].waited) == sorted(whole.waited)
    assert whole.waiting == parts[1].waiting
    assert whole.raised == len(alerts)
