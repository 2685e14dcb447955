"""Net benefit on a case worked by hand, and against its own limits."""

from __future__ import annotations

import numpy as np
import pytest

from models.train.measures.decision import decision_curve, net_benefit, rule_curve

LABEL = np.array([True, False, False, False, True, False, False, False, False, False])


def test_false_alarms_count_by_the_odds_of_the_threshold() -> None:
    acted = np.array([True, True, True, False, False, False, False, False, False, False])
    # 1 true and 2 false of 10, at 0.2 a false one counts a quarter: 0.1 - 0.2 / 4.
    assert net_benefit(acted, LABEL, 0.2) == pytest.approx(0.05)


def test_nobody_is_none_and_everybody_is_worth_nothing_at_the_prevalence() -> None:
    nobody, everybody = np.zeros(10, dtype=bool), np.ones(10, dtype=bool)
    assert rule_curve(nobody, LABEL, np.array([0.05, 0.2])).tolist() == [0, 0]
    worth = rule_curve(everybody, LABEL, np.array([0.1, 0.2, 0.4]))
    assert worth[0] == pytest.approx(0.2 - 0.8 / 9)
    assert worth[1] == pytest.approx(0)
    assert worth[2] < 0


def test_a_risk_acts_at_and_above_the_threshold() -> None:
    risk = np.where(LABEL, 0.3, 0.1)
    thresholds = np.array([0.05, 0.3, 0.31])
    assert decision_curve(risk, LABEL, thresholds).tolist() == pytest.approx([0.2 - 0.8 / 19, 0.2, 0])


def test_a_set_counts_as_often_as_its_weight_says() -> None:
    acted, weight = np.arange(10) < 3, np.array([2.0, 1, 0, 1, 1, 1, 1, 1, 1, 1])
    # 2 true and 1 false of 10, at 0.2.
    assert net_benefit(acted, LABEL, 0.2, weight) == pytest.approx(0.2 - 0.1 / 4)
