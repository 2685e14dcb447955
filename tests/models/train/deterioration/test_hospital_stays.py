"""Observation sets and labels from hourly rows, on rows written by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hub.assessment.features import NAMES, SCALES, features
from hub.readings import Breathing, Value, Vital
from models.train.deterioration.hospital_stays import COLUMNS, Hours, judged, observation_sets, oxygen_given
from models.train.deterioration.sets import vectors


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
        for vital in (*COLUMNS, Vital.SUPPLEMENTAL_OXYGEN)
    }
    return Hours(
        person=np.array(person),
        hour=np.array(hour),
        label=np.array([one for label, _ in people for one in label]),
        age=np.full(len(person), 84.0),
        male=np.full(len(person), math.nan),
        charted=charted,
    )


def test_a_set_has_the_last_charted_value_of_its_six_hours() -> None:
    sets = observation_sets(hours(([0] * 12, {Vital.PULSE_RATE: {1: 60, 4: 70, 7: 80}})))
    assert sets.block.tolist() == [0, 1]
    assert sets.values[Vital.PULSE_RATE].tolist() == [70, 80]


def test_a_vital_not_charted_in_the_block_is_missing() -> None:
    sets = observation_sets(hours(([0] * 12, {Vital.PULSE_RATE: {1: 60}})))
    assert sets.values[Vital.PULSE_RATE].tolist() == pytest.approx([60, math.nan], nan_ok=True)


def test_oxygen_is_given_above_the_fraction_of_air_whatever_was_typed() -> None:
    fractions = np.array([math.nan, -50.0, 0.0, 0.21, 0.22, 0.4, 1.0, 4000.0])
    assert oxygen_given(fractions).tolist() == pytest.approx([math.nan, 0, 0, 0, 1, 1, 1, 1], nan_ok=True)


def test_oxygen_holds_for_a_day_until_another_fraction_is_charted_and_not_into_another_person() -> None:
    oxygen = {Vital.SUPPLEMENTAL_OXYGEN: {7: 1.0, 49: 1.0, 55: 0.0}}
    seen = vectors(observation_sets(hours(([0] * 60, oxygen), ([0] * 6, {}))))
    given = seen[:, NAMES.index(Vital.SUPPLEMENTAL_OXYGEN)].tolist()
    assert given == [0, 1, 1, 1, 1, 1, 0, 0, 1, 0, 0]


def test_in_another_phase_the_same_person_is_looked_at_at_other_hours() -> None:
    one = hours(([0] * 12, {Vital.PULSE_RATE: {1: 60, 4: 70, 7: 80}}))
    sets = observation_sets(one, 2)
    assert sets.hour.tolist() == [4, 10, 12]
    assert sets.values[Vital.PULSE_RATE].tolist() == pytest.approx([70, 80, math.nan], nan_ok=True)


def test_sets_are_judged_from_the_fourth_block_on() -> None:
    sets = observation_sets(hours(([0] * 30, {})))
    assert sets.hour[judged(sets)].tolist() == [24, 30]


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
        Vital.SUPPLEMENTAL_OXYGEN: {14: 1},
    }
    matrix = vectors(observation_sets(hours(([0] * 6, first), ([0] * 18, second))))
    sets: list[dict[Vital, Value]] = [
        {Vital.PULSE_RATE: 70.0},
        {Vital.PULSE_RATE: 90.0},
        {Vital.PULSE_RATE: 95.0, Vital.SUPPLEMENTAL_OXYGEN: Breathing.OXYGEN},
    ]
    for i, one in enumerate(sets):
        assert (matrix[1 + i] == features(one, sets[:i], 84)).all()
    alone = vectors(observation_sets(hours(([0] * 18, second))), np.array([False, False, True]))
    assert (alone[2] == features(sets[2], [], 84)).all()
