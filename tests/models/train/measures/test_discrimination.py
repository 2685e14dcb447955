"""The time-matched measure and the curves on cases that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.train.measures.discrimination import TimeMatched, auroc, curve, time_matched_curve


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


def test_where_there_is_no_pair_there_is_no_figure() -> None:
    assert np.isnan(measured([(2, 1, 3), (1, 0, 4)]))


ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 1), st.integers(3, 5), st.integers(0, 3)),
    min_size=1,
    max_size=25,
)


@given(ROWS)
def test_it_is_what_counting_every_pair_gives(rows: list[tuple[int, int, int, int]]) -> None:
    won = pairs = 0.0
    for score, label, block, times in rows:
        for other_score, other_label, other_block, other_times in rows:
            if (label, other_label) == (1, 0) and block == other_block:
                pairs += times * other_times
                won += times * other_times * ((score > other_score) + (score == other_score) / 2)
    found = measured(
        [(score, label, block) for score, label, block, _ in rows], [float(row[3]) for row in rows]
    )
    assert found == pytest.approx(won / pairs) if pairs else np.isnan(found)


def test_a_curve_has_a_point_for_each_score_and_runs_straight_through_ties() -> None:
    found = curve(np.array([3, 2, 2, 1, 1]), np.array([1, 1, 0, 0, 0]))
    assert found.sensitivity.tolist() == [0, 0.5, 1, 1]
    assert found.false_positive_rate.tolist() == pytest.approx([0, 0, 1 / 3, 1])
    assert found.area() == pytest.approx(5.5 / 6)  # of six pairs five are right and one is a tie
    # Upright at 0: the highest of the two points there; half way up the tie's straight line.
    assert found.at(np.array([0, 1 / 6, 0.5])).tolist() == pytest.approx([0.5, 0.75, 1])


def test_a_curve_of_one_kind_is_refused() -> None:
    for label in ([1, 1], [0, 0]):
        with pytest.raises(ValueError, match="both kinds"):
            curve(np.array([1.0, 2.0]), np.array(label))
    with pytest.raises(ValueError, match="no block"):
        time_matched_curve(np.array([1.0, 2.0]), np.array([0, 1]), np.array([3, 4]))


@given(ROWS)
def test_the_area_under_the_curve_is_the_plain_auroc(rows: list[tuple[int, int, int, int]]) -> None:
    scores, label = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    if 0 < label.sum() < len(label):
        assert curve(scores, label).area() == pytest.approx(auroc(scores, label))


def test_the_area_under_the_time_matched_curve_is_the_time_matched_auroc() -> None:
    generator = np.random.default_rng(5)
    block = generator.integers(3, 8, 8000)
    label = (generator.random(8000) < 0.15 * (block - 2)).astype(np.int64)
    scores = np.round(generator.normal(label + block), 1)  # the clock is in the score, with ties
    matched = TimeMatched(scores, label, block).auroc(np.ones(8000))
    assert time_matched_curve(scores, label, block).area() == pytest.approx(matched, abs=0.002)
    assert auroc(scores, label) > matched + 0.02  # so that the one is not the other
