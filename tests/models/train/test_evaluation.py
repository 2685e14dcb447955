"""The time-matched measure on cases that can be counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.readings import Vital
from models.train.dataset import Sets
from models.train.evaluation import TimeMatched, interval, news2, person_weights


def measured(rows: list[tuple[float, int, int]], weight: list[float] | None = None) -> float:
    """The measure of rows of score, label and block."""
    scores, label, block = (np.array(column) for column in zip(*rows, strict=True))
    weights = np.ones(len(rows)) if weight is None else np.array(weight)
    return TimeMatched(scores.astype(float), label, block).auroc(weights)


def test_a_score_that_orders_every_pair_gets_one_and_its_reverse_none() -> None:
    rows = [(0.9, 1, 3), (0.2, 0, 3), (0.1, 0, 3)]
    assert measured(rows) == 1
    assert measured([(-score, label, block) for score, label, block in rows]) == 0


def test_a_tie_counts_half() -> None:
    assert measured([(1, 1, 3), (1, 0, 3), (0, 0, 3)]) == 0.75


def test_the_clock_alone_is_worth_nothing() -> None:
    rows = [(block, label, block) for block in (3, 4, 9) for label in (0, 0, 1) for _ in range(block)]
    assert measured([(float(score), label, block) for score, label, block in rows]) == 0.5


def test_blocks_count_by_their_pairs() -> None:
    # Block 3 has two pairs, both right; block 4 has one, wrong.
    assert measured([(2, 1, 3), (1, 0, 3), (0, 0, 3), (0, 1, 4), (1, 0, 4)]) == pytest.approx(2 / 3)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 1), st.integers(3, 5), st.integers(0, 3)),
        min_size=1,
        max_size=25,
    )
)
def test_it_is_what_counting_every_pair_gives(rows: list[tuple[int, int, int, int]]) -> None:
    won = pairs = 0.0
    for score, label, block, times in rows:
        for other_score, other_label, other_block, other_times in rows:
            if (label, other_label) == (1, 0) and block == other_block:
                pairs += times * other_times
                won += times * other_times * ((score > other_score) + (score == other_score) / 2)
    if pairs:
        found = measured(
            [(score, label, block) for score, label, block, _ in rows], [float(row[3]) for row in rows]
        )
        assert found == pytest.approx(won / pairs)


def test_the_bootstrap_draws_people_with_all_their_sets() -> None:
    person = np.array([7, 7, 9, 12, 12, 12])
    drawn = person_weights(person, rounds=50, seed=1)
    assert len(drawn) == 50
    for weight in drawn:
        assert weight[0] == weight[1]
        assert weight[3] == weight[4] == weight[5]
        assert weight[0] + weight[2] + weight[3] == 3  # as many people as there are
    assert len({tuple(weight) for weight in drawn}) > 1


def test_the_interval_is_the_middle_of_the_samples() -> None:
    assert interval([float(i) for i in range(1001)]) == (25, 975)


def test_news2_is_partial_where_a_vital_is_missing() -> None:
    values = {
        Vital.RESPIRATION_RATE: np.array([26.0, math.nan]),
        Vital.PULSE_RATE: np.array([95.0, 95.0]),
        Vital.SUPPLEMENTAL_OXYGEN: np.array([1.0, math.nan]),
    }
    sets = Sets(
        person=np.array([0, 1]),
        block=np.array([3, 3]),
        label=np.array([0, 0]),
        age=np.array([84.0, 84.0]),
        values=values,
        oxygen_charted=np.array([True, False]),
    )
    assert news2(sets).tolist() == [3 + 1 + 2, 1]
    assert news2(sets, lacking=(Vital.SUPPLEMENTAL_OXYGEN,)).tolist() == [3 + 1, 1]
