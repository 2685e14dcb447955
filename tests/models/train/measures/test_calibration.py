"""Calibration against hand-worked numbers, a brute-force likelihood and risks that are known to be true."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.recalibration import fit, log_odds
from models.train.measures.arrays import Floats, Integers
from models.train.measures.calibration import (
    Line,
    brier,
    calibration,
    equal_bins,
    fitted_line,
    probability,
    recalibrated_by_halves,
    recalibrated_crosswise,
)


def drawn(people: int = 20_000, seed: int = 3) -> tuple[Floats, Integers, Integers]:
    """True risks, and what happened by them: (risk, label, person), two sets a person."""
    generator = np.random.default_rng(seed)
    risk = probability(generator.normal(-2, 1.2, people))
    return risk, (generator.random(people) < risk).astype(np.int64), np.arange(people) // 2


@given(st.floats(-15, 15))
def test_log_odds_and_probability_undo_each_other(logit: float) -> None:
    assert log_odds(probability(np.array([logit])))[0] == pytest.approx(logit, abs=1e-6)


def test_certainty_stays_finite() -> None:
    assert np.isfinite(log_odds(np.array([0.0, 1.0]))).all()
    assert probability(np.array([-1e4, 1e4])).tolist() == [0, 1]


def test_two_groups_give_the_line_through_their_observed_log_odds() -> None:
    # Told 0.2, happened to 1 of 10; told 0.5, happened to 3 of 10: two points, one line.
    risk = np.repeat([0.2, 0.5], 10)
    label = np.array([1] + [0] * 9 + [1] * 3 + [0] * 7)
    slope = (math.log(3 / 7) - math.log(1 / 9)) / (math.log(1) - math.log(0.2 / 0.8))
    found = fitted_line(risk, label)
    assert found.slope == pytest.approx(slope)
    assert found.intercept == pytest.approx(math.log(3 / 7))
    assert found.applied(np.array([0.2, 0.5])).tolist() == pytest.approx([0.1, 0.3])


def assert_no_line_near_by_is_likelier(risk: Floats, label: Integers) -> None:
    def likelihood(line: Line) -> float:
        told = line.applied(risk)
        return float(np.log(np.where(label == 1, told, 1 - told)).sum())

    best = fitted_line(risk, label)
    for slope in (-0.01, 0, 0.01):
        for intercept in (-0.01, 0, 0.01):
            other = Line(best.slope + slope, best.intercept + intercept)
            assert likelihood(other) <= likelihood(best) + 1e-9


def test_no_line_near_by_is_likelier() -> None:
    risk, label, _ = drawn(300)
    assert_no_line_near_by_is_likelier(risk, label)


def test_where_a_step_of_newtons_goes_too_far_the_line_is_found_all_the_same() -> None:
    # Found by search: the one event has the second highest of 22 risks, so a straight Newton overshoots.
    middle = [-0.55, -0.98, -1.11, -4.74, -1.06, -0.58, -1.77, -1.57, 0.01, -2.12, 4.75, -0.09, -0.2, -0.33]
    logit = np.array([14.01, *middle, -15.0, -0.56, -0.85, 8.17, -1.21, -0.05, 12.89])
    label = np.append(np.zeros(len(logit) - 1, dtype=np.int64), 1)
    assert_no_line_near_by_is_likelier(probability(logit), label)


def test_a_risk_that_is_true_has_slope_one_and_intercept_none() -> None:
    risk, label, _ = drawn()
    found = calibration(risk, label)
    assert found.slope == pytest.approx(1, abs=0.07)
    assert found.intercept == pytest.approx(0, abs=0.12)
    assert found.expected_calibration_error < 0.01
    assert found.in_the_large == pytest.approx(0, abs=0.01)


def test_what_was_stretched_and_moved_is_found_again() -> None:
    risk, label, _ = drawn()
    told = probability(2 * log_odds(risk) + 1)  # twice too sure, and too high
    found = fitted_line(told, label)
    straight = fitted_line(risk, label)
    assert found.slope == pytest.approx(straight.slope / 2)
    assert found.intercept == pytest.approx(straight.intercept - straight.slope / 2)


def test_a_rare_outcome_far_from_zero_is_fitted_too() -> None:
    generator = np.random.default_rng(8)
    risk = probability(generator.normal(-9, 1.5, 50_000))
    label = (generator.random(50_000) < probability(log_odds(risk) * 0.5 - 1)).astype(np.int64)
    assert fitted_line(risk, label).slope == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize(
    ("risk", "label", "words"),
    [
        ([0.1, 0.2, 0.3], [0, 0, 0], "both"),
        ([0.1, 0.2, 0.3], [1, 1, 1], "both"),
        ([0.2, 0.2, 0.2], [0, 1, 0], "more than one risk"),
        ([0.1, 0.2, 0.8], [0, 0, 1], "without a mistake"),
    ],
)
def test_where_there_is_no_line_it_is_said(risk: list[float], label: list[int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fitted_line(np.array(risk), np.array(label))


def test_the_groups_are_equal_in_size_and_rise() -> None:
    risk = np.array([0.9, 0.1, 0.3, 0.2, 0.8, 0.4])
    label = np.array([1, 0, 0, 1, 0, 0])
    bins = equal_bins(risk, label, bins=3)
    assert bins.told.tolist() == pytest.approx([0.15, 0.35, 0.85])
    assert bins.happened.tolist() == pytest.approx([0.5, 0, 0.5])
    assert bins.sets.tolist() == [2, 2, 2]
    assert bins.expected_calibration_error() == pytest.approx((0.35 + 0.35 + 0.35) / 3)


def test_groups_of_unequal_size_count_by_their_sets() -> None:
    bins = equal_bins(np.array([0.0, 0.0, 0.6]), np.array([0, 0, 1]), bins=2)
    assert bins.sets.tolist() == [2, 1]
    assert bins.expected_calibration_error() == pytest.approx(0.4 / 3)


def test_fewer_sets_than_groups_make_no_empty_group() -> None:
    assert equal_bins(np.array([0.1, 0.2]), np.array([0, 1])).sets.tolist() == [1, 1]


def test_brier_is_the_mean_squared_distance() -> None:
    assert brier(np.array([0.2, 0.7]), np.array([0, 1])) == pytest.approx((0.04 + 0.09) / 2)


def test_a_site_puts_right_what_was_wrong_there() -> None:
    risk, label, person = drawn()
    told = probability(1.6 * log_odds(risk) + 1.5)
    halves = recalibrated_by_halves(told, label, person, repeats=3, seed=1)
    assert len(halves) == 3
    for half in halves:
        assert half.before.slope == pytest.approx(1 / 1.6, abs=0.06)
        assert half.before.expected_calibration_error > 0.05
        assert half.after.slope == pytest.approx(1, abs=0.12)
        assert half.after.expected_calibration_error < 0.02
    assert len({half.line for half in halves}) == 3


def test_nobody_is_in_the_site_and_among_those_it_is_judged_on() -> None:
    # Each person's two sets have the same risk, and nobody else has it, so the line of one half tells
    # on whom it was fitted: fitted again on everybody else's half it must be the other's.
    risk, label, person = drawn(600)
    generator = np.random.default_rng(7)
    site = (generator.permutation(300) < 150)[person]
    (half,) = recalibrated_by_halves(risk, label, person, repeats=1, seed=7)
    assert half.line == fitted_line(risk[site], label[site])
    assert half.before == calibration(risk[~site], label[~site])
    assert not set(person[site]) & set(person[~site])


def test_crosswise_nobody_is_put_right_by_a_line_that_was_fitted_on_them() -> None:
    risk, label, person = drawn(600)
    site = (np.random.default_rng(7).permutation(300) < 150)[person]
    found = recalibrated_crosswise(risk, label, person, seed=7)
    assert (found[site] == fitted_line(risk[~site], label[~site]).applied(risk[site])).all()
    assert (found[~site] == fitted_line(risk[site], label[site]).applied(risk[~site])).all()


def test_the_line_is_the_one_that_the_hub_fits_for_a_site() -> None:
    risk, label, _ = drawn(2000)
    of_hub = fit(
        risk.tolist(),
        [bool(one) for one in label],
        model_sha256="0" * 64,
        at=datetime(2026, 3, 1, tzinfo=UTC),
        by="a test",
    )
    line = fitted_line(risk, label)
    assert of_hub.slope == pytest.approx(line.slope, abs=1e-4)
    assert of_hub.intercept == pytest.approx(line.intercept, abs=1e-4)
    assert of_hub.applied(0.1) == pytest.approx(float(line.applied(np.array([0.1]))[0]), abs=1e-4)
