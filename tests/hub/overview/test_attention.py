"""Who needs somebody first, and when each is to be observed next."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.alerts.concern import Concern
from hub.alerts.life import Alert
from hub.assessment.news2 import DUE_WITHIN, PARAMETERS, Band, News2, OxygenScale
from hub.configuration.file import ObservationSets
from hub.overview.attention import (
    Done,
    Due,
    Scored,
    Standing,
    Why,
    in_order,
    next_due,
    rising_risk,
    still_to_measure,
)
from hub.readings import Value, Vital
from tests.rigs.assessments import HIGH, MINUTE, NOON, RED, raised, seen

HOUR = timedelta(hours=1)
LATER = Due(NOON + HOUR, Band.ZERO)
PULSE, WARMTH = Vital.PULSE_RATE, Vital.TEMPERATURE
_settings = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def standing(
    resident: str, room: str = "1", due: Due = LATER, alert: Alert | None = None, **more: Any
) -> Standing:
    return replace(Standing(resident, room, due, alert), **more)


def of_concern(alert: Alert) -> Alert:
    nothing = News2(OxygenScale.SCALE_1, {}, PARAMETERS)
    concern = Concern(NOON)
    return replace(alert, band=Band.ZERO, news2=nothing, contributing=frozenset(), concern=concern)


def names(standings: Sequence[Standing]) -> list[str]:
    return [each.resident for each in in_order(standings, NOON)]


# When


@pytest.mark.parametrize(("band", "hours"), [(Band.ZERO, 12), (Band.LOW, 6), (Band.HIGH, 1)])
def test_the_next_observation_is_due_as_chart_4_has_it(band: Band, hours: int) -> None:
    assert next_due([Scored(NOON, band, done=True)]) == Due(NOON + hours * HOUR, band)


def test_half_a_round_puts_nothing_off() -> None:
    scores = [Scored(NOON, Band.ZERO, done=True), Scored(NOON + HOUR, Band.ZERO, done=False)]
    assert next_due(scores).at == NOON + 12 * HOUR


def test_a_partial_score_that_is_worse_asks_for_the_next_sooner() -> None:
    scores = [Scored(NOON, Band.ZERO, done=True), Scored(NOON + HOUR, Band.MEDIUM, done=False)]
    assert next_due(scores) == Due(NOON + 2 * HOUR, Band.MEDIUM)


def test_a_stream_that_goes_on_being_bad_puts_off_nothing() -> None:
    """An oximeter on a finger makes a set a minute: the first that asked counts."""
    scores = [Scored(NOON + minute * MINUTE, Band.HIGH, done=False) for minute in range(200)]
    assert next_due(scores).at == NOON + HOUR


def test_a_whole_round_begins_anew() -> None:
    scores = [Scored(NOON, Band.HIGH, done=False), Scored(NOON + HOUR, Band.LOW, done=True)]
    assert next_due(scores) == Due(NOON + 7 * HOUR, Band.LOW)


def test_whoever_was_never_observed_is_due_now() -> None:
    due = next_due([])
    assert due.overdue(NOON)
    assert due.late_by(NOON) is None


def test_what_is_due_at_this_very_moment_is_not_late() -> None:
    due = Due(NOON, Band.ZERO)
    assert (due.overdue(NOON), due.overdue(NOON + MINUTE)) == (False, True)
    assert (due.late_by(NOON - HOUR), due.late_by(NOON + MINUTE)) == (timedelta(0), MINUTE)


def test_a_home_may_have_its_own_times() -> None:
    within = ObservationSets(due={Band.ZERO: timedelta(days=7)}).due
    assert next_due([Scored(NOON, Band.ZERO, done=True)], within).at == NOON + timedelta(days=7)
    assert within[Band.HIGH] == DUE_WITHIN[Band.HIGH], "what it leaves out is as chart 4 has it"


@given(
    st.lists(
        st.builds(
            Scored,
            st.integers(0, 3000).map(lambda minute: NOON + minute * MINUTE),
            st.sampled_from(Band),
            st.booleans(),
        ),
        min_size=1,
        max_size=6,
    ),
)
@_settings
def test_nothing_that_is_scored_puts_an_observation_off_but_a_whole_round(scores: list[Scored]) -> None:
    """And the order in which they are told means nothing."""
    due = next_due(scores)
    assert due.at is not None
    assert next_due(scores[::-1]).at == due.at
    last = max(each.at for each in scores)
    for band in Band:
        partial = next_due([*scores, Scored(last + MINUTE, band, done=False)])
        assert partial.at is not None
        assert partial.at <= due.at
        whole = next_due([*scores, Scored(last + MINUTE, band, done=True)])
        assert whole.at == last + MINUTE + DUE_WITHIN[band]


def a_set(**readings: int) -> dict[Vital, tuple[Value, int]]:
    """Of each parameter the number of its reading: 1, unless said otherwise."""
    return {vital: (0.0, readings.get(vital.value, 1)) for vital in PARAMETERS}


def test_a_set_is_done_when_all_of_it_was_measured_anew() -> None:
    done = Done()
    assert done.counts(a_set())
    assert not done.counts(a_set(pulse_rate=2)), "all but the pulse is carried"
    partial = a_set()
    del partial[WARMTH]
    assert not done.counts(partial)
    assert done.counts(a_set(**{vital.value: 3 for vital in PARAMETERS}))


# What is missing


def test_what_is_still_to_be_measured_is_what_a_set_would_lack_now() -> None:
    measured = dict.fromkeys(PARAMETERS, NOON - 10 * MINUTE)
    del measured[PULSE]
    measured[WARMTH] = NOON - 31 * MINUTE
    measured[Vital.CONSCIOUSNESS] = NOON + MINUTE
    recency = ObservationSets()
    assert still_to_measure(measured, NOON, recency) == (PULSE, Vital.CONSCIOUSNESS, WARMTH)
    longer = ObservationSets(recent_by_vital={WARMTH: HOUR})
    assert WARMTH not in still_to_measure(measured, NOON, longer)


# Risk


def risks(*values: float, hours_apart: float = 6) -> list[tuple[datetime, float]]:
    """The last of them now."""
    return [(NOON - place * hours_apart * HOUR, risk) for place, risk in enumerate(reversed(values))]


@pytest.mark.parametrize(
    ("found", "rising"),
    [
        (risks(0.02, 0.02, 0.03, 0.05), 0.05),
        (risks(0.02, 0.02, 0.02, 0.03), None),
        (risks(0.3, 0.3, 0.3, 0.3), None),
        (risks(0.02, 0.05), None),  # two have no middle
        (risks(0.01, 0.01, 0.01, 0.5, hours_apart=40), None),  # but one is of the three days before
        ([(at - 13 * HOUR, risk) for at, risk in risks(0.02, 0.02, 0.03, 0.05)], None),  # of last night
        ([], None),
        (risks(0.0, 0.0, 0.0, 1.0), 1.0),
    ],
)
def test_a_risk_rises_against_what_is_usual_for_this_person(
    found: list[tuple[datetime, float]], rising: float | None
) -> None:
    assert rising_risk(found, NOON) == rising


def test_what_a_clock_that_was_ahead_has_told_is_no_risk_of_now() -> None:
    ahead = [(NOON + HOUR, 0.9)]
    assert rising_risk([*risks(0.02, 0.02, 0.02, 0.02), *ahead], NOON) is None


# Who first

LEAST_TO_MOST = [
    standing("away", watched=False, due=Due(None, Band.ZERO)),
    standing("well"),
    standing("risk", risk=0.2),
    standing("higher risk", risk=0.4),
    standing("late", due=Due(NOON - 2 * HOUR, Band.ZERO)),
    standing("later still", due=Due(NOON - 3 * HOUR, Band.ZERO)),
    standing("never observed", due=Due(None, Band.ZERO)),
    standing("late, and scored higher", due=Due(NOON - HOUR, Band.MEDIUM)),
    standing("concern, taken", alert=seen(of_concern(raised(RED)))),
    standing("red, taken", alert=seen(raised(RED))),
    standing("high, taken", alert=seen(raised(HIGH))),
    standing("concern", alert=of_concern(raised(RED))),
    standing("red", alert=raised(RED, 5)),
    standing("red of before", alert=raised(RED)),
    standing("red and a concern", alert=replace(raised(RED, 5), concern=Concern(NOON))),
    standing("high", alert=raised(HIGH)),
    standing("unreadable", unreadable_alert=True),
]


def test_the_order_is_that_of_need() -> None:
    wanted = [each.resident for each in reversed(LEAST_TO_MOST)]
    assert names(LEAST_TO_MOST) == names(LEAST_TO_MOST[::-1]) == wanted


def test_each_is_told_why() -> None:
    why = {each.resident: each.why(NOON) for each in LEAST_TO_MOST}
    assert why["concern"] is Why.CONCERN
    assert why["red and a concern"] is why["unreadable"] is Why.ALERT
    assert why["never observed"] is Why.OVERDUE
    assert [each.words for each in (Why.OVERDUE, Why.NOTHING)] == ["observation overdue", ""]


def test_an_alert_comes_first_though_its_resident_is_said_to_be_away() -> None:
    away = standing("away", alert=raised(RED), watched=False)
    assert names([standing("late", due=Due(None, Band.HIGH)), away]) == ["away", "late"]


def test_a_closed_alert_is_none() -> None:
    closed = replace(raised(HIGH), resolved_at=NOON)
    assert standing("well", alert=closed).why(NOON) is Why.NOTHING


def test_rooms_are_counted_as_people_count_them() -> None:
    rooms = ["10", "2a", "", "2", "Garden 2", "garden 10", " 1 "]
    found = in_order([standing(f"R-{place}", room) for place, room in enumerate(rooms)], NOON)
    assert [each.room for each in found] == [" 1 ", "2", "2a", "10", "Garden 2", "garden 10", ""]


def test_rooms_in_any_writing_can_be_ordered() -> None:
    """Superscripts and digits of other scripts are no numbers that Python would read."""
    for one, other in itertools.permutations(["²", "٣", "3", "a", "", "-", "3²"], 2):
        in_order([standing("R-1", one), standing("R-2", other)], datetime.now(UTC))


@given(st.permutations(LEAST_TO_MOST), st.sets(st.integers(0, len(LEAST_TO_MOST) - 1)))
@_settings
def test_an_alert_is_never_behind_anything_else(order: list[Standing], left_out: set[int]) -> None:
    some = [each for place, each in enumerate(order) if place not in left_out]
    kinds = [each.why(NOON) <= Why.CONCERN_TAKEN for each in in_order(some, NOON)]
    assert kinds == sorted(kinds, reverse=True)
    taken = [each.why(NOON) >= Why.ALERT_TAKEN for each in in_order(some, NOON)]
    assert taken == sorted(taken)
