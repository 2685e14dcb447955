"""What the model sees of a resident's past: of each four hours the newest value of each vital."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.earlier import CARRIED, EVERY, OLDEST, Earlier, chosen
from hub.assessment.features import CARRIED_SETS, INPUT_VITALS, features
from hub.assessment.hour import Hour
from hub.assessment.observation_set import Observation, ObservationSet
from hub.readings import Value, Vital

PULSE, WARMTH, BREATHS = Vital.PULSE_RATE, Vital.TEMPERATURE, Vital.RESPIRATION_RATE
UNSEEN = Vital.MEAN_ARTERIAL_PRESSURE  # by the model
NOON = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
BEGIN = datetime(1970, 1, 1, tzinfo=UTC)

Told = tuple[datetime, Mapping[Vital, Value]]


def hours_of(told: Iterable[Told]) -> list[Hour]:
    """As they are remembered: by hours of the clock, oldest first."""
    numbered = sorted((at, number, values) for number, (at, values) in enumerate(told) if values)
    hours: list[Hour] = []
    for _, group in groupby(numbered, key=lambda each: (each[0] - BEGIN) // HOUR):
        first, *others = group
        hour = Hour.of_set(*first)
        for each in others:
            hour = hour.and_also(*each)
        hours.append(hour)
    return hours


def a_set(at: datetime, own: Mapping[Vital, datetime]) -> ObservationSet:
    """A set at a moment that has these vitals, measured then."""
    return ObservationSet(at, {vital: Observation(1.0, when, uuid.uuid4()) for vital, when in own.items()})


def seen(
    *told: tuple[float, Mapping[Vital, Value]], own: Mapping[Vital, float] | None = None, at: datetime = NOON
) -> Earlier:
    """What is seen of what was measured so many hours before the set, whose `own` are so many hours old."""
    of_the_set = {vital: at - hours * HOUR for vital, hours in (own or {PULSE: 0}).items()}
    return chosen(hours_of((at - hours * HOUR, values) for hours, values in told), a_set(at, of_the_set))


def pulses(found: Earlier) -> list[Value]:
    return [each[PULSE] for each in found.sets]


def test_of_each_four_hours_the_newest_value_of_each_vital_counts() -> None:
    found = seen(
        (7.9, {PULSE: 60.0, WARMTH: 36.1}),
        (7.5, {BREATHS: 15.0}),
        (5, {WARMTH: 36.5}),
        (4.5, {PULSE: 64.0}),
    )
    assert found.sets == [{PULSE: 64.0, WARMTH: 36.5, BREATHS: 15.0}]
    assert found.times == [{PULSE: NOON - 4.5 * HOUR, WARMTH: NOON - 5 * HOUR, BREATHS: NOON - 7.5 * HOUR}]


def test_windows_are_counted_back_from_the_set() -> None:
    found = seen(*((hours, {PULSE: float(hours * 10)}) for hours in (15, 12.5, 9, 8, 7.9, 5, 4)))
    assert pulses(found) == [125.0, 80.0, 40.0]


def test_what_the_set_lacks_is_seen_though_it_is_of_the_sets_own_time() -> None:
    """A cuff of 35 minutes ago, and not the one of five hours ago alone."""
    found = seen((5, {WARMTH: 36.0}), (0.6, {WARMTH: 38.0}), (0.5, {PULSE: 80.0}))
    assert found.sets == [{WARMTH: 36.0}, {WARMTH: 38.0}]
    assert found.carried == 2


def test_what_the_set_has_itself_is_not_counted_once_more_of_its_own_time() -> None:
    assert seen((2, {PULSE: 70.0}), (0, {PULSE: 80.0})).sets == []


def test_a_first_window_of_which_nothing_is_left_is_none_of_the_eight() -> None:
    told = [(hours, {PULSE: float(hours)}) for hours in range(1, 60)]
    assert pulses(seen(*told)) == [32.0, 28.0, 24.0, 20.0, 16.0, 12.0, 8.0, 4.0]
    assert pulses(seen(*told, own={WARMTH: 0})) == [28.0, 24.0, 20.0, 16.0, 12.0, 8.0, 4.0, 1.0]


def test_a_window_in_which_nothing_was_measured_that_the_model_knows_is_skipped() -> None:
    found = seen((100, {PULSE: 1.0}), (30, {UNSEEN: 90.0}), (5, {PULSE: 3.0, UNSEEN: 91.0}))
    assert pulses(found) == [1.0, 3.0]


@pytest.mark.parametrize(("minutes", "carried"), [(24 * 60 - 1, 1), (24 * 60, 0), (24 * 60 + 1, 0)])
def test_a_value_is_carried_while_it_is_younger_than_a_day(minutes: int, carried: int) -> None:
    found = seen((minutes / 60, {WARMTH: 38.0}))
    assert (len(found.sets), found.carried) == (1, carried)


def test_no_value_of_a_day_ago_is_carried_with_a_younger_one_of_its_hour() -> None:
    """They were measured within minutes, and the edge of a window is between them."""
    found = seen((24.05, {WARMTH: 38.0}), (23.95, {BREATHS: 20.0}))
    assert found.sets == [{WARMTH: 38.0}, {BREATHS: 20.0}]
    assert found.carried == 1


def test_what_is_two_weeks_old_is_not_seen() -> None:
    two_weeks = 14 * 24
    found = seen((two_weeks, {WARMTH: 37.0, PULSE: 1.0}), (two_weeks - 0.1, {PULSE: 2.0}))
    assert found.sets == [{PULSE: 2.0}]


def test_a_set_that_comes_late_sees_nothing_that_was_measured_after_it() -> None:
    """Not even in its own hour, of which something later is known."""
    late = NOON + 30 * MINUTE
    found = seen((0.4, {WARMTH: 36.0}), (-0.1, {WARMTH: 39.0, BREATHS: 30.0}), (-3, {WARMTH: 40.0}), at=late)
    assert found.sets == [{WARMTH: 36.0}]
    found = seen((-0.1, {WARMTH: 39.0}), at=late)
    assert found.sets == []


def test_what_the_set_still_has_of_long_ago_is_not_its_own_past() -> None:
    """Where a home lets a temperature count for the day (`recent_by_vital`)."""
    told = [
        (30, {WARMTH: 36.0}),
        (9.1, {WARMTH: 36.6}),
        (9, {WARMTH: 38.0, BREATHS: 15.0}),
        (5, {PULSE: 70.0}),
    ]
    found = seen(*told, own={PULSE: 0, WARMTH: 9})
    assert found.sets == [{WARMTH: 36.0}, {WARMTH: 36.6, BREATHS: 15.0}, {PULSE: 70.0}]
    assert seen((9, {WARMTH: 38.0}), own={PULSE: 0, WARMTH: 9}).sets == []


def test_sets_six_hours_apart_are_seen_as_a_tables_rows_but_for_the_one_of_a_day_ago() -> None:
    """Which a hub does not carry, being a day old, and a table's row does (`hub/tables/scoring.py`)."""
    rows: list[Mapping[Vital, Value]] = [
        {BREATHS: 26.0, PULSE: 70.0} if number % 5 == 0 else {PULSE: 70.0 + number} for number in range(20)
    ]
    for number, row in enumerate(rows):
        found = seen(*((6 * (number - before), rows[before]) for before in range(number)))
        assert found.sets == rows[max(0, number - 8) : number]
        assert found.carried == min(number, CARRIED_SETS - 1)
        hub = features(row, found.sets, 80, carried=found.carried)
        table = features(row, rows[:number], 80)
        assert (hub != table).any() == (number % 5 == 4), "breaths are known of four rows before"


# --- whatever was measured

values = st.dictionaries(st.sampled_from([PULSE, WARMTH, BREATHS, UNSEEN]), st.integers(0, 99).map(float))
ages = st.integers(-150, 2_500) | st.integers(-150, 24_000) | st.integers(0, 120).map(lambda each: each * 240)
told_of = st.lists(st.tuples(ages, values), max_size=40)
own_ages = st.dictionaries(
    st.sampled_from([PULSE, WARMTH, BREATHS]), st.sampled_from([0, 0, 0, 29, 200, 500])
)
begins = st.integers(0, 59).map(lambda minute: NOON + minute * MINUTE)


def as_told(told: Sequence[tuple[int, Mapping[Vital, Value]]], at: datetime) -> list[Told]:
    return [(at - age * MINUTE, each) for age, each in told]


def first_and_last(told: Sequence[Told]) -> list[tuple[Vital, datetime, int, Value]]:
    """What is remembered, reckoned from all there is: by vital and hour of the clock the first and last."""
    of_hours: dict[tuple[Vital, int], list[tuple[datetime, int, Value]]] = {}
    for number, (moment, each) in enumerate(told):
        for vital, value in each.items():
            of_hours.setdefault((vital, (moment - BEGIN) // HOUR), []).append((moment, number, value))
    return [(vital, *one) for (vital, _), found in of_hours.items() for one in {min(found), max(found)}]


@given(told_of, own_ages, begins, st.integers(1, 9))
def test_what_is_seen_is_what_the_rule_says(
    told: list[tuple[int, Mapping[Vital, Value]]], own: dict[Vital, int], at: datetime, most: int
) -> None:
    sets = as_told(told, at)
    windows: dict[int, dict[Vital, tuple[datetime, int, Value]]] = {}
    for vital, moment, number, value in first_and_last(sets):  # reckoned the other way: each value alone
        age = at - moment
        window = age // EVERY
        its_own = vital in own and (window == 0 or age <= own[vital] * MINUTE)
        if timedelta(0) <= age < OLDEST and not its_own:
            known = windows.setdefault(window, {})
            known[vital] = max(known.get(vital, (moment, number, value)), (moment, number, value))
    counting = [number for number in sorted(windows) if INPUT_VITALS & windows[number].keys()][:most][::-1]
    of_the_set = {vital: at - age * MINUTE for vital, age in own.items()}
    found = chosen(hours_of(sets), a_set(at, of_the_set), most)
    assert found.sets == [{v: value for v, (_, _, value) in windows[n].items()} for n in counting]
    assert found.times == [{v: moment for v, (moment, _, _) in windows[n].items()} for n in counting]
    may_be_carried = [
        all(at - moment < CARRIED for moment, _, _ in windows[number].values()) for number in counting
    ]
    assert may_be_carried == [False] * (len(counting) - found.carried) + [True] * found.carried


@given(told_of, begins)
def test_nothing_that_was_measured_is_lost_and_none_is_much_older_than_the_newest(
    told: list[tuple[int, Mapping[Vital, Value]]], at: datetime
) -> None:
    """Though not all is remembered: beside all that was measured, in whatever part of whichever hour."""
    sets = as_told(told, at)
    found = chosen(hours_of(sets), a_set(at, {}), 1_000)
    newest: dict[int, dict[Vital, datetime]] = {}
    for moment, each in sets:
        if timedelta(0) <= at - moment < OLDEST:
            known = newest.setdefault((at - moment) // EVERY, {})
            known.update({vital: max(known.get(vital, moment), moment) for vital in each})
    expected = [newest[n] for n in sorted(newest, reverse=True) if INPUT_VITALS & newest[n].keys()]
    assert [each.keys() for each in found.times] == [each.keys() for each in expected]
    for times, best in zip(found.times, expected, strict=True):
        assert all(timedelta(0) <= best[vital] - moment < HOUR for vital, moment in times.items())
