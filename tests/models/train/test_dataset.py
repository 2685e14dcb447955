"""Observation sets and labels from hourly rows, on rows written by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.features import INPUTS, NAMES, SCALES, features
from hub.readings import Breathing, Value, Vital
from models.train.dataset import (
    COLUMNS,
    Hours,
    observation_sets,
    vectors,
    without,
    without_baseline,
)


def hours(*people: tuple[list[int], dict[Vital, dict[int, float]]]) -> Hours:
    """Rows of people, each given by the label of each hour and what was charted at which hour (from 1)."""
    person = [who for who, (label, _) in enumerate(people) for _ in label]
    hour = [when for label, _ in people for when in range(1, len(label) + 1)]
    charted = {
        vital: np.array(
            [
                chart.get(vital, {}).get(when, math.nan)
                for label, chart in people
                for when in range(1, len(label) + 1)
            ]
        )
        for vital in COLUMNS
    }
    return Hours(
        person=np.array(person),
        hour=np.array(hour),
        label=np.array([one for label, _ in people for one in label]),
        age=np.full(len(person), 84.0),
        charted=charted,
    )


def test_a_set_has_the_last_charted_value_of_its_six_hours() -> None:
    sets = observation_sets(hours(([0] * 12, {Vital.PULSE_RATE: {1: 60, 4: 70, 7: 80}})))
    assert sets.block.tolist() == [0, 1]
    assert sets.values[Vital.PULSE_RATE].tolist() == [70, 80]


def test_a_vital_not_charted_in_the_block_is_missing() -> None:
    sets = observation_sets(hours(([0] * 12, {Vital.PULSE_RATE: {1: 60}})))
    assert sets.values[Vital.PULSE_RATE].tolist() == pytest.approx([60, math.nan], nan_ok=True)


def test_oxygen_holds_until_another_fraction_is_charted_and_not_into_another_person() -> None:
    oxygen = {Vital.SUPPLEMENTAL_OXYGEN: {7: 0.4, 19: 0.21}}
    sets = observation_sets(hours(([0] * 24, oxygen), ([0] * 6, {})))
    assert sets.values[Vital.SUPPLEMENTAL_OXYGEN].tolist() == pytest.approx(
        [math.nan, 1, 1, 0, math.nan], nan_ok=True
    )
    assert sets.oxygen_charted.tolist() == [False, True, False, True, False]


def test_positive_is_a_set_with_the_onset_within_twelve_hours_and_none_follows_it() -> None:
    # The label turns 1 at hour 25, thus the onset is at hour 31.
    sets = observation_sets(hours(([0] * 24 + [1] * 12, {})))
    assert sets.block.tolist() == [0, 1, 2, 3, 4]
    assert sets.label.tolist() == [0, 0, 0, 1, 1]  # ending at hours 6, 12, 18, 24, 30


def test_a_person_labelled_from_the_first_row_is_left_out() -> None:
    sets = observation_sets(hours(([1] * 12, {}), ([0] * 6, {})))
    assert sets.person.tolist() == [1]


def test_training_sees_a_set_as_the_hub_does() -> None:
    first = {vital: {1: 20.0 + i} for i, vital in enumerate(SCALES)}
    second: dict[Vital, dict[int, float]] = {
        Vital.PULSE_RATE: {1: 70, 8: 90, 14: 95},
        Vital.SUPPLEMENTAL_OXYGEN: {14: 0.5},
    }
    matrix = vectors(observation_sets(hours(([0] * 6, first), ([0] * 18, second))))
    sets: list[dict[Vital, Value]] = [
        {Vital.PULSE_RATE: 70.0},
        {Vital.PULSE_RATE: 90.0},
        {Vital.PULSE_RATE: 95.0, Vital.SUPPLEMENTAL_OXYGEN: Breathing.OXYGEN},
    ]
    for i, one in enumerate(sets):
        assert (matrix[1 + i] == features(one, sets[:i], 84)).all()


numbers = st.dictionaries(st.sampled_from(list(SCALES)), st.floats(0, 300))


@given(numbers, numbers, st.sampled_from(INPUTS))
def test_a_gap_made_in_training_is_a_gap_on_the_hub(
    now: dict[Vital, Value], before: dict[Vital, Value], name: str
) -> None:
    now[Vital.SUPPLEMENTAL_OXYGEN] = Breathing.OXYGEN
    matrix = features(now, [before], 84)[None].copy()
    without(matrix, name, np.array([True]))
    fewer = {vital: value for vital, value in now.items() if vital != name}
    assert (matrix[0] == features(fewer, [before], None if name == "age" else 84)).all()


@given(numbers, numbers)
def test_a_history_taken_away_in_training_is_none_on_the_hub(
    now: dict[Vital, Value], before: dict[Vital, Value]
) -> None:
    matrix = np.array([features(now, [before], 84)] * 2)
    without_baseline(matrix, np.array([True, False]))
    assert (matrix[0] == features(now, [], 84)).all()
    assert (matrix[1] == features(now, [before], 84)).all()
    assert matrix.shape == (2, len(NAMES))
