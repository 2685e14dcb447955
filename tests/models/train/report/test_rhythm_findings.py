"""Rhythm figures on recordings that can be counted by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.train.report.predictions import Rhythms
from models.train.report.rhythm_findings import MOST_FALSE, measured


def rhythms(**columns: Any) -> Rhythms:
    """Recordings with one window each, which is the recording's."""
    label = np.array(columns.pop("label"))
    probability = np.array(columns.pop("probability"), dtype=float)
    good = np.array(columns.pop("good", np.ones(len(label), dtype=bool)))
    told: dict[str, Any] = {
        "label": label,
        "probability": probability,
        "teacher": probability,
        "logistic": probability,
        "entropy": -probability,
        "good": good,
        "window_record": np.arange(len(label)),
        "window_probability": probability,
        "window_good": good,
        "threshold": np.array(0.5),
    }
    return Rhythms(**told | columns)


def test_what_has_no_answer_counts_as_nothing_found_and_is_left_out_of_one_figure() -> None:
    found = measured(rhythms(label=["A", "A", "N"], probability=[0.9, np.nan, 0.1]), rounds=20)
    assert found.figures["network, against all"].value == 0.5
    assert found.figures["network, against all, told"].value == 1
    assert found.untold == 1


def test_figures_by_hand() -> None:
    found = measured(
        rhythms(label=["A", "A", "N", "N", "O"], probability=[0.9, 0.4, 0.6, 0.1, 0.2]), rounds=50
    )
    assert found.figures["network, against all"].value == pytest.approx(5 / 6)
    assert found.figures["network, against sinus rhythm"].value == pytest.approx(3 / 4)
    assert found.figures["entropy rule, against all"].value == pytest.approx(1 / 6)
    assert found.labels["A"].share_irregular.value == 50
    assert found.labels["N"].share_irregular.value == 50
    assert found.labels["O"].share_irregular.value == 0
    assert np.isnan(found.labels["~"].share_irregular.value)
    assert found.labels["N"].recordings == found.labels["N"].windows == 2


def test_what_cannot_be_told_counts_as_nothing_found() -> None:
    found = measured(rhythms(label=["A", "A", "N"], probability=[0.9, np.nan, 0.1]), rounds=5)
    assert found.untold == 1
    assert found.figures["network, against all"].value == 0.5
    assert found.labels["A"].good_windows == 1


def test_a_bad_window_counts_for_nothing() -> None:
    found = measured(
        rhythms(label=["A", "N", "N"], probability=[0.9, 0.9, 0.1], good=[True, False, True]), rounds=5
    )
    assert found.labels["N"].share_irregular.value == 0
    assert (found.labels["N"].windows, found.labels["N"].good_windows) == (2, 1)
    assert found.figures["network, against all"].value == 0.75
    assert found.figures["network, against all, good recordings"].value == 1


def test_the_threshold_for_few_false_windows_is_the_lowest_that_keeps_to_it() -> None:
    generator = np.random.default_rng(1)
    label = np.array(["N"] * 1000 + ["A"] * 100)
    probability = np.round(generator.random(1100), 3)  # with ties
    found = measured(rhythms(label=label, probability=probability), rounds=2)
    at, sinus = found.threshold_for_most_false, probability[label == "N"]
    assert (sinus >= at).mean() <= MOST_FALSE
    lower = max(one for one in sinus if one < at)
    assert (sinus >= lower).mean() > MOST_FALSE
    assert found.figures["false at most false"].value == pytest.approx(100 * (sinus >= at).mean())
    share = (probability[label == "A"] >= at).mean()
    assert found.figures["found at most false"].value == pytest.approx(100 * share)
