"""What is remembered of an hour: the first and the last value of each vital, in whichever order they come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.hour import Hour, Measured
from hub.readings import Value, Vital

NOON = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
VITALS = (Vital.PULSE_RATE, Vital.TEMPERATURE, Vital.RESPIRATION_RATE)
Set = tuple[datetime, int, Mapping[Vital, Value]]

moments = st.integers(0, 12).map(lambda minute: NOON + timedelta(minutes=minute))
numbers = st.integers(0, 99).map(float)
some_values: st.SearchStrategy[Mapping[Vital, Value]] = st.dictionaries(
    st.sampled_from(VITALS), numbers, min_size=1
)
some_sets = st.lists(st.tuples(moments, some_values), min_size=1, max_size=9).map(
    lambda found: [(at, number, values) for number, (at, values) in enumerate(found)]
)


def hour_of(sets: Sequence[Set]) -> Hour:
    first, *others = sets
    hour = Hour.of_set(*first)
    for each in others:
        hour = hour.and_also(*each)
    return hour


def of_each_vital(sets: Sequence[Set], *, last: bool) -> dict[Vital, tuple[datetime, int, Value]]:
    """Reckoned from all of them: the first or the last of each vital, if any was measured."""
    found = {}
    for vital in VITALS:
        all_of_it = sorted((at, number) for at, number, values in sets if vital in values)
        if all_of_it:
            at, number = all_of_it[-1 if last else 0]
            found[vital] = at, number, sets[number][2][vital]
    return found


def said(measured: Measured) -> dict[Vital, tuple[datetime, int, Value]]:
    assert measured.values.keys() == measured.when.keys()
    return {vital: (*measured.when[vital], value) for vital, value in measured.values.items()}


def remembered(sets: Sequence[Set]) -> list[Set]:
    """Each value of them that is the first or the last of its vital; alone, with what else is needed gone."""
    kept = [of_each_vital(sets, last=last) for last in (False, True)]
    return [
        (at, number, {v: x for v, x in values.items() if (at, number, x) in [each[v] for each in kept]})
        for at, number, values in sets
    ]


@given(some_sets, st.randoms(use_true_random=False))
def test_it_has_the_first_and_the_last_of_each_vital_in_whichever_order_they_come(
    sets: list[Set], order: Random
) -> None:
    shuffled = [*sets]
    order.shuffle(shuffled)
    hour = hour_of(shuffled)
    assert said(hour.first) == of_each_vital(sets, last=False)
    assert said(hour.last) == of_each_vital(sets, last=True)
    firsts = [at for at, _, _ in of_each_vital(sets, last=False).values()]
    lasts = [at for at, _, _ in of_each_vital(sets, last=True).values()]
    assert (hour.begin, hour.first_until) == (min(firsts), max(firsts))
    assert (hour.last_since, hour.end) == (min(lasts), max(lasts))


@given(some_sets, moments)
def test_cut_in_two_each_part_has_the_last_of_what_is_remembered_of_it(sets: list[Set], at: datetime) -> None:
    until, after = hour_of(sets).cut(at)
    kept = remembered(sets)
    assert said(until) == of_each_vital([each if each[0] <= at else (at, 0, {}) for each in kept], last=True)
    assert said(after) == of_each_vital([each if each[0] > at else (at, 0, {}) for each in kept], last=True)


@given(some_sets, moments)
def test_whatever_was_measured_before_a_cut_something_from_before_it_is_known(
    sets: list[Set], at: datetime
) -> None:
    until, after = hour_of(sets).cut(at)
    assert until.values.keys() == {v for moment, _, values in sets for v in values if moment <= at}
    assert after.values.keys() == {v for moment, _, values in sets for v in values if moment > at}
    assert all(moment <= at for moment, _ in until.when.values())
    assert all(moment > at for moment, _ in after.when.values())


@given(some_sets, moments, st.dictionaries(st.sampled_from(VITALS), moments))
def test_what_is_before_a_moment_and_of_some_vitals_before_another(
    sets: list[Set], at: datetime, own: dict[Vital, datetime]
) -> None:
    left = [
        (
            moment,
            number,
            {
                v: x
                for v, x in values.items()
                if moment <= at and moment < own.get(v, datetime.max.replace(tzinfo=UTC))
            },
        )
        for moment, number, values in remembered(sets)
    ]
    hour = hour_of(sets).before(at, own)
    if hour is None:
        assert not any(values for _, _, values in left)
    else:
        assert said(hour.first) == of_each_vital(left, last=False)
        assert said(hour.last) == of_each_vital(left, last=True)
        assert hour.end <= at
