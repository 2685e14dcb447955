"""The logistic regression that the network is compared with. What needs the training tools, training runs."""

from __future__ import annotations

import numpy as np
import pytest

from models.train.measures.arrays import Floats, Integers
from models.train.measures.calibration import probability
from models.train.rhythm.learners import regress
from models.train.rhythm.recordings import Vectors


def made_up(rows: int) -> tuple[Vectors, Integers, Floats]:
    generator = np.random.default_rng(1)
    features = generator.normal([5.0, -2.0], [3.0, 0.5], (rows, 2)).astype(np.float32)
    wide = features.astype(np.float64)
    logit: Floats = (wide - [5.0, -2.0]) @ np.array([0.4, -1.4]) - 1
    label = (generator.random(rows) < probability(logit)).astype(np.int64)
    return features, label, logit


def test_the_regression_finds_what_made_the_labels() -> None:
    features, label, logit = made_up(20_000)
    told = regress(features, label, np.ones(len(label)))(features)
    assert np.corrcoef(told, logit)[0, 1] > 0.999
    assert told.mean() == pytest.approx(logit.mean(), abs=0.1)


def test_at_its_solution_the_weighted_errors_come_to_nothing() -> None:
    features, label, _ = made_up(500)
    weight = np.where(label == 1, 3.0, 1.0)
    told = probability(regress(features, label, weight)(features))
    assert weight @ (label - told) == pytest.approx(0, abs=1e-6)


def test_a_recording_that_counts_twice_is_as_two() -> None:
    features, label, _ = made_up(300)
    twice = np.concatenate([features, features[:50]])
    once = regress(features, label, np.where(np.arange(300) < 50, 2.0, 1.0))
    other = regress(twice, np.concatenate([label, label[:50]]), np.ones(350))
    # The features are standardised without weights, so that the penalty differs a little.
    assert once(features) == pytest.approx(other(features), abs=0.05)
