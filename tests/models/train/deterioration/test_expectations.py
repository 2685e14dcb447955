"""What the card tells the hub to expect: thresholds for a budget, and how inputs were spread."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hub.assessment.expectations import Expectations
from hub.assessment.features import SCALES
from models.train.deterioration.card import BUDGETS, budget, histograms
from models.train.deterioration.sets import Sets
from models.train.measures.arrays import Floats

PEOPLE, SETS_EACH = 300, 12


def made_up() -> tuple[Sets, Floats]:
    count = PEOPLE * SETS_EACH
    generator = np.random.default_rng(0)
    values = {
        vital: np.round(generator.normal(scale.centre, scale.spread, count), 1)
        for vital, scale in SCALES.items()
    }
    block = np.tile(np.arange(SETS_EACH), PEOPLE)
    sets = Sets(
        person=np.repeat(np.arange(PEOPLE), SETS_EACH),
        block=block,
        hour=(block + 1) * 6,
        label=np.zeros(count, dtype=np.int64),
        onset=np.full(count, math.inf),
        age=np.where(generator.random(count) < 0.1, math.nan, 84.0),
        male=np.full(count, math.nan),
        values=values,
    )
    return sets, generator.beta(1, 30, count)


def test_a_greater_budget_affords_a_lower_threshold() -> None:
    sets, risk = made_up()
    rows = budget(sets.person, sets.hour, risk)
    assert [row["alerts_per_100_days"] for row in rows] == list(BUDGETS)
    thresholds = [row["threshold"] for row in rows]
    assert thresholds == sorted(thresholds, reverse=True)
    assert len(set(thresholds)) > 4


def test_the_hub_reads_what_the_card_says_and_finds_it_spread_alike() -> None:
    sets, risk = made_up()
    told = {"budget": budget(sets.person, sets.hour, risk), "drift": histograms(sets, risk)}
    expected = Expectations.of(told)
    assert not expected.lacking
    assert set(expected.histograms) == {*(vital.value for vital in SCALES), "age", "risk"}
    for name, histogram in expected.histograms.items():
        assert sum(histogram.shares) == pytest.approx(1, abs=1e-3)
        if name != "age":
            assert max(histogram.shares) < 0.35, name  # about equal bins
    assert expected.histograms["age"].missing == pytest.approx(0.1, abs=0.03)
