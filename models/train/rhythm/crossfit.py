"""Every recording judged by models that were trained without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hub.assessment.beats import NAMES
from models.train.measures.arrays import Floats, Integers
from models.train.measures.calibration import Line
from models.train.rhythm.augmentation import TRIALS
from models.train.rhythm.learners import SEED, fit, grow
from models.train.rhythm.recordings import (
    FIBRILLATION,
    Recordings,
    Vectors,
    Windows,
    weights,
    windows,
)

FOLDS = 5
ENTROPY = NAMES.index("coefficient of sample entropy")
TYPICAL = NAMES.index("typical interval")


@dataclass(frozen=True)
class Trial:
    """The recordings disturbed in one way, and the network's log-odds of these windows."""

    windows: Windows
    network: Floats


@dataclass(frozen=True)
class CrossFitted:
    """Log-odds of the recordings' own windows (the rows of `Windows.features`) by each learner."""

    network: Floats
    trees: Floats
    labelled: Floats
    logistic: Floats
    without_rate: Floats
    """Boosted trees that do not see the typical interval."""
    trials: Mapping[str, Trial]

    def calibrated(self, line: Line) -> CrossFitted:
        """The same with the network's log-odds put right by this line."""

        def applied(logit: Floats) -> Floats:
            return line.slope * logit + line.intercept

        trials = {name: replace(each, network=applied(each.network)) for name, each in self.trials.items()}
        return replace(self, network=applied(self.network), trials=trials)


def folds_of(label: npt.NDArray[np.str_]) -> Integers:
    """Which part each recording is in; every label is dealt out evenly."""
    generator = np.random.default_rng(SEED)
    folds = np.empty(len(label), dtype=np.int64)
    for name in np.unique(label):
        rows = np.flatnonzero(label == name)
        folds[generator.permutation(rows)] = np.arange(len(rows)) % FOLDS
    return folds


def cross_fitted(recordings: Recordings, own: Windows, features: Vectors, of: Integers) -> CrossFitted:
    """Train on four fifths and judge the last, five times. `features` are learned from, `of` says whose."""
    label = (recordings.label == FIBRILLATION).astype(np.int64)
    folds = folds_of(recordings.label)
    generator = np.random.default_rng(SEED + 1)
    disturbed = {
        name: windows([disturb(each, generator) for each in recordings.intervals_ms])
        for name, disturb in TRIALS.items()
    }
    network, trees, labelled, logistic, without_rate = (np.full(len(own.features), np.nan) for _ in range(5))
    trials = {name: Trial(each, np.full(len(each.features), np.nan)) for name, each in disturbed.items()}
    for fold in range(FOLDS):
        rows = folds[of] != fold
        told = (features[rows], label[of[rows]], weights(of[rows]))
        fitted = fit(*told)
        judged = folds[own.of] == fold
        given = own.features[judged]
        network[judged] = fitted.network.logit(given)
        trees[judged] = fitted.trees(given)
        labelled[judged] = fitted.labelled.logit(given)
        logistic[judged] = fitted.logistic(given)
        without_rate[judged] = grow(_without_rate(told[0]), *told[1:])(_without_rate(given))
        for each in trials.values():
            inside = folds[each.windows.of] == fold
            each.network[inside] = fitted.network.logit(each.windows.features[inside])
        print(f"trained without part {fold + 1} of {FOLDS}", flush=True)
    return CrossFitted(network, trees, labelled, logistic, without_rate, trials)


def _without_rate(features: Vectors) -> Vectors:
    copy = features.copy()
    copy[:, TYPICAL] = 0
    return copy
