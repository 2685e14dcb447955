"""Drift: whether what the model is given is like what it was trained on, and like the first month."""

from __future__ import annotations

from math import log, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.drift import (
    LEAST_VALUES,
    RISK,
    Histogram,
    InputDrift,
    Tally,
    as_number,
    drift,
    population_stability_index,
)
from hub.readings import Breathing, Consciousness

SHARES = st.lists(st.integers(0, 50), min_size=2, max_size=12).filter(any)
PULSE = "pulse_rate"
EXPECTED = {PULSE: Histogram((60.0, 80.0, 100.0), (0.25, 0.25, 0.25, 0.25), missing=0.1)}


def counted(*pulses: float | None, outside: int = 0) -> Tally:
    tally = Tally(EXPECTED)
    for number, pulse in enumerate(pulses):
        tally.add({PULSE: pulse}, [PULSE] if number < outside else [])
    return tally


def spread(*counts: int) -> Tally:
    """So many in each of the four bins."""
    return counted(
        *(value for value, count in zip((50, 70, 90, 110), counts, strict=True) for _ in range(count))
    )


def of_pulse(now: Tally, before: Tally | None = None) -> InputDrift:
    (found,) = drift(now, before)
    return found


# --- the index


@given(SHARES, st.integers(1, 1000))
def test_the_index_of_the_same_is_nothing(shares: list[int], times: int) -> None:
    assert population_stability_index(shares, [times * share for share in shares]) == pytest.approx(
        0, abs=1e-9
    )


@given(st.data())
def test_the_index_is_never_negative_and_the_same_either_way(data: st.DataObject) -> None:
    one = data.draw(SHARES)
    other = data.draw(st.lists(st.integers(0, 50), min_size=len(one), max_size=len(one)).filter(any))
    index = population_stability_index(one, other)
    assert index >= -1e-12
    assert index == pytest.approx(population_stability_index(other, one))


def test_the_index_is_the_sum_that_the_literature_has() -> None:
    """By hand: (.5-.2) ln(.5/.2) + (.5-.8) ln(.5/.8)."""
    by_hand = 0.3 * log(2.5) - 0.3 * log(0.625)
    assert population_stability_index([0.2, 0.8], [30, 30]) == pytest.approx(by_hand)


@pytest.mark.parametrize(("one", "other"), [([1], [1, 2]), ([0, 0], [1, 1]), ([1, 1], [0, 0])])
def test_nothing_is_compared_with_nothing(one: list[float], other: list[float]) -> None:
    with pytest.raises(ValueError, match="same bins"):
        population_stability_index(one, other)


@pytest.mark.parametrize(
    ("edges", "shares"),
    [((1.0,), (0.5,)), ((2.0, 1.0), (0.2, 0.3, 0.5)), ((1.0,), (0.0, 0.0)), ((1.0,), (-1.0, 2.0))],
)
def test_what_is_no_histogram_is_refused(edges: tuple[float, ...], shares: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="histogram"):
        Histogram(edges, shares)


# --- what is told of an input


def test_an_edge_belongs_to_the_bin_above_it() -> None:
    assert counted(59.9, 60, 79.9, 80, 100, 500).inputs[PULSE].counts == [1, 2, 1, 2]


def test_what_is_missing_is_counted_beside_and_is_in_no_index() -> None:
    found = of_pulse(counted(*[50, 70, 90, 110] * 50, *[None, nan] * 100))
    assert (found.known, found.missing) == (200, 200)
    assert found.index == pytest.approx(0)
    assert "not known in 50% of the sets, in training in 10%" in found.words


def test_people_like_those_in_training_do_not_differ() -> None:
    found = of_pulse(spread(55, 45, 50, 50))
    assert not found.differs
    assert "like in training" in found.words


def test_other_people_differ_and_are_said_to() -> None:
    found = of_pulse(spread(300, 20, 5, 0))
    assert found.differs
    assert not found.changed  # from training is no news: from the own first month would be
    assert "different from the people it was trained on" in found.words


def test_too_few_values_give_no_index() -> None:
    found = of_pulse(spread(LEAST_VALUES - 1, 0, 0, 0))
    assert found.index is None
    assert not found.differs
    assert "too few values to compare" in found.words


def test_a_home_that_stays_as_it_was_has_not_changed_though_it_differs_from_training() -> None:
    first = spread(300, 20, 5, 0)
    found = of_pulse(spread(290, 25, 6, 1), first)
    assert found.differs
    assert not found.changed
    assert "as in this home's first month" in found.words


def test_a_home_that_becomes_another_has_changed() -> None:
    found = of_pulse(spread(40, 50, 60, 170), spread(300, 20, 5, 0))
    assert found.changed
    assert "changed since this home's first month" in found.words


def test_with_too_short_a_first_month_nothing_is_compared() -> None:
    assert of_pulse(spread(0, 0, 0, 300), spread(100, 0, 0, 0)).own is None


def test_a_first_month_of_other_bins_is_not_compared_with() -> None:
    other = Tally({PULSE: Histogram((60.0,), (0.5, 0.5))})
    for _ in range(300):
        other.add({PULSE: 50.0})
    assert of_pulse(spread(300, 0, 0, 0), other).own is None


def test_values_outside_the_training_range_are_counted() -> None:
    found = of_pulse(counted(*[70.0] * 10, outside=3))
    assert "3 of 10 outside the training range" in found.words


def test_the_risks_themselves_are_compared_too() -> None:
    tally = Tally({RISK: Histogram((0.1,), (0.5, 0.5))})
    for _ in range(LEAST_VALUES):
        tally.add({RISK: 0.01})
    assert "different from the risks of the people it was trained on" in of_pulse(tally).words


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (72.5, 72.5),
        (Breathing.AIR, 0.0),
        (Breathing.OXYGEN, 1.0),
        (Consciousness.VOICE, 2.0),
        (None, None),
        ("x", None),
    ],
)
def test_a_coded_value_is_its_place_in_its_enumeration(value: object, number: float | None) -> None:
    assert as_number(value) == number
