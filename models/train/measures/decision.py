"""Is acting on a score worth it? (Vickers and Elkin 2006, Medical Decision Making 26:565)"""

from __future__ import annotations

import numpy as np

from models.train.measures.arrays import Booleans, Floats


def net_benefit(acted: Booleans, label: Booleans, threshold: float, weight: Floats | None = None) -> float:
    """True positives less false ones, per set, a false one counting threshold / (1 - threshold).

    `threshold` is the probability at which one would act, and so how many false alarms one true
    one is worth: at 0.05, nineteen. Nobody acted on is 0. Set i counts `weight[i]` times.
    """
    weights = np.ones(len(label)) if weight is None else weight
    odds = threshold / (1 - threshold)
    return float(weights @ np.where(acted, np.where(label, 1.0, -odds), 0.0) / weights.sum())


def decision_curve(risk: Floats, label: Booleans, thresholds: Floats) -> Floats:
    """The net benefit of acting where the risk is at or above each threshold."""
    return np.array([net_benefit(risk >= at, label, float(at)) for at in thresholds])


def rule_curve(acted: Booleans, label: Booleans, thresholds: Floats) -> Floats:
    """The net benefit of a rule that is the same at every threshold, as NEWS2 at or above 5 is."""
    return np.array([net_benefit(acted, label, float(at)) for at in thresholds])
