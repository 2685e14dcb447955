"""A site's recalibration: what it was fitted to it meets, and no other model's is taken."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.recalibration import (
    LEAST_EVENTS,
    Numbers,
    Recalibration,
    RecalibrationError,
    expected_calibration_error,
    fit,
)

SHA256 = "ab" * 32
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def sample(
    slope: float, intercept: float, sets: int = 20_000, seed: int = 7
) -> tuple[list[float], list[bool]]:
    """A model's probabilities, and what happened, if that follows from them with this slope and intercept."""
    generator = numpy.random.default_rng(seed)
    log_odds = generator.normal(-2.0, 1.0, sets)
    happened = generator.random(sets) < 1 / (1 + numpy.exp(-(slope * log_odds + intercept)))
    return [float(each) for each in 1 / (1 + numpy.exp(-log_odds))], [bool(each) for each in happened]


def fitted(slope: float, intercept: float, sets: int = 20_000) -> Recalibration:
    return fit(*sample(slope, intercept, sets), model_sha256=SHA256, at=AT, by="A. Nurse")


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.6, -1.5), (1.8, 0.7)])
def test_it_finds_the_slope_and_the_intercept_that_are_there(slope: float, intercept: float) -> None:
    found = fitted(slope, intercept)
    assert found.slope == pytest.approx(slope, abs=0.1)
    assert found.intercept == pytest.approx(intercept, abs=0.2)
    assert found.expected_calibration_error.after <= 0.02
    assert found.expected_calibration_error.after <= found.expected_calibration_error.before + 0.005


def test_what_happens_elsewhere_is_met_after_it_on_people_it_was_not_fitted_to() -> None:
    made = fitted(0.6, -1.5)
    own, happened = sample(0.6, -1.5, seed=8)
    label = numpy.array(happened, dtype=numpy.float64)
    applied: Numbers = numpy.array([made.applied(each) for each in own])
    assert expected_calibration_error(numpy.array(own), label) > 0.05
    assert expected_calibration_error(applied, label) <= 0.02


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.05, 20), st.floats(-20, 20))
def test_it_keeps_the_order_and_makes_a_probability(
    one: float, other: float, slope: float, intercept: float
) -> None:
    made = fitted_as(slope, intercept)
    low, high = sorted((one, other))
    assert 0 <= made.applied(low) <= made.applied(high) <= 1


def fitted_as(slope: float, intercept: float) -> Recalibration:
    return MADE.model_copy(update={"slope": slope, "intercept": intercept})


MADE = fitted(1.0, 0.0, 2_000)


def test_nothing_is_made_of_no_number() -> None:
    assert math.isnan(MADE.applied(math.nan))


def test_the_identity_changes_nothing() -> None:
    assert fitted_as(1.0, 0.0).applied(0.137) == pytest.approx(0.137)


def test_the_file_says_what_it_was_fitted_on_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "deterioration.recalibration.json"
    path.write_text(MADE.model_dump_json(indent=1))
    assert Recalibration.load(path, SHA256) == MADE
    own, happened = sample(1.0, 0.0, 2_000)
    assert (MADE.fitted_on.sets, MADE.fitted_on.events) == (len(own), sum(happened))
    assert (MADE.at, MADE.by) == (AT, "A. Nurse")


def test_another_models_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(MADE.model_dump_json())
    with pytest.raises(RecalibrationError, match=r"is of another model.*abababababab.*cdcdcdcdcdcd"):
        Recalibration.load(path, "cd" * 32)


@pytest.mark.parametrize(
    "changed",
    [
        {"slope": -1.0},
        {"slope": 0},
        {"slope": math.nan},
        {"intercept": math.inf},
        {"at": "2026-03-01T12:00:00"},
        {"format": "careport-recalibration-2"},
        {"fitted_on": {"sets": 10, "events": 0}},
        {"threshold": 0.5},
        {"model_sha256": "AB"},
        {"by": ""},
    ],
)
def test_a_file_that_is_none_is_refused_and_not_quoted(tmp_path: Path, changed: dict[str, Any]) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(json.loads(MADE.model_dump_json()) | changed))
    with pytest.raises(RecalibrationError, match="is no recalibration") as refused:
        Recalibration.load(path, SHA256)
    assert "A. Nurse" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\x00"])
def test_what_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(RecalibrationError, match="is no recalibration"):
        Recalibration.load(tmp_path / "x.json", SHA256)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecalibrationError, match=r"x\.json: the recalibration cannot be read: No such file"):
        Recalibration.load(tmp_path / "x.json", SHA256)


def fit_of(own: list[float], happened: list[bool]) -> Recalibration:
    return fit(own, happened, model_sha256=SHA256, at=AT, by="A. Nurse")


@pytest.mark.parametrize("events", [0, LEAST_EVENTS - 1, 100 - LEAST_EVENTS + 1, 100])
def test_too_few_events_or_sets_without_one_are_refused(events: int) -> None:
    own = [0.1 + each / 200 for each in range(100)]
    with pytest.raises(RecalibrationError, match=f"{events} events among 100 sets"):
        fit_of(own, [each < events for each in range(100)])


def test_a_model_whose_higher_risks_are_the_better_ones_is_not_turned_round() -> None:
    own, happened = sample(-1.0, -4.0)
    with pytest.raises(RecalibrationError, match="not, or hardly, the worse ones"):
        fit_of(own, happened)


@pytest.mark.filterwarnings("error")
def test_a_model_that_gives_everybody_the_same_risk_is_refused() -> None:
    with pytest.raises(RecalibrationError, match="the same risk"):
        fit_of([0.2] * 100, [each % 2 == 0 for each in range(100)])


def test_what_is_no_probability_and_what_is_not_as_many_are_refused() -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        fit_of([0.5, math.nan], [True, False])
    with pytest.raises(ValueError, match="2 probabilities"):
        fit_of([0.5, 0.5], [True])


def test_events_that_the_model_tells_apart_without_a_mistake_are_fitted_too() -> None:
    """No slope would be high enough for them; the one that is taken is a number all the same."""
    own = [0.1] * 50 + [0.9] * 50
    assert 1 < fit_of(own, [False] * 50 + [True] * 50).slope <= 20


def test_the_error_of_calibration_is_that_of_the_tenths() -> None:
    own: Numbers = numpy.array([0.1] * 10 + [0.5] * 10)
    happened: Numbers = numpy.array([0.0] * 9 + [1.0] + [1.0] * 10)
    assert expected_calibration_error(own, happened) == pytest.approx(
        (9 * 0.1 + 0.9 + 10 * 0.5) / 20, abs=0.05
    )
