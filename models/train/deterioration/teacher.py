"""The teacher: boosted trees (LightGBM), held to what is never reassuring.

A vital further beyond its normal range, oxygen given, less consciousness and more years never lower its risk:
left free, it learns from intensive care that a low saturation is a good sign, because ventilated people have
a high one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hub.assessment.features import BEYOND, NAMES
from hub.readings import Vital
from models.train.measures.arrays import Booleans, Floats, Integers, Vectors

SEED = 20190801
NEGATIVES_FOR_EACH_POSITIVE = 20

NEVER_REASSURING: Mapping[str, int] = {
    **{name: 1 for names in BEYOND.values() for name in names},
    "saturation to respiration": -1,
    "shock index": 1,
    Vital.SUPPLEMENTAL_OXYGEN.value: 1,
    "age": 1,
    **{
        name: 1 for name in NAMES if name.startswith(f"{Vital.CONSCIOUSNESS} ") and not name.endswith("known")
    },
}
"""Of which features the risk may only rise (1) or only fall (-1) with the value."""

OF_CONSCIOUSNESS = tuple(i for i, name in enumerate(NAMES) if name.startswith(f"{Vital.CONSCIOUSNESS} "))
OF_VITALS = tuple(i for i in range(len(NAMES)) if i not in OF_CONSCIOUSNESS)
KNOWN = NAMES.index(f"{Vital.CONSCIOUSNESS} known")


@dataclass(frozen=True)
class Trees:
    """How the trees are grown; the rest is fixed."""

    rounds: int = 600
    leaves: int = 15
    rate: float = 0.015
    smallest_leaf: int = 800
    held: bool = True
    seeds: int = 2
    columns: tuple[int, ...] = field(default=OF_VITALS)

    def once(self) -> Trees:
        """The same with one seed."""
        return replace(self, seeds=1)


def time_matched(
    label: Integers, block: Integers, among: Booleans, generator: np.random.Generator
) -> Integers:
    """Rows to learn from: all positives, and of each block of the stay negatives in proportion to its
    positives, so that the block says nothing about the label and nothing is gained by guessing it."""
    positive, negative = among & (label == 1), among & (label == 0)
    size = int(block.max()) + 1
    positives, negatives = (
        np.bincount(block[positive], minlength=size),
        np.bincount(block[negative], minlength=size),
    )
    share = np.minimum(1.0, NEGATIVES_FOR_EACH_POSITIVE * positives / np.maximum(negatives, 1))
    return np.flatnonzero(positive | (negative & (generator.random(len(label)) < share[block])))


@dataclass(frozen=True)
class Teacher:
    """Boosters whose log-odds are averaged."""

    boosters: Sequence[Any]
    columns: tuple[int, ...]

    def logit(self, features: Vectors) -> Floats:
        """The log-odds of vectors of shape (rows, features)."""
        given = features[:, self.columns]
        told = [booster.predict(given, raw_score=True) for booster in self.boosters]
        return np.asarray(np.mean(told, axis=0), dtype=np.float64)


def grow(
    features: Vectors, label: Integers, trees: Trees, *, start: Floats | None = None, seed: int = SEED
) -> Teacher:
    """Grow on all these rows; with `start` on what these log-odds leave over."""
    import lightgbm  # only training has it

    names = [NAMES[column] for column in trees.columns]
    boosters = []
    for number in range(trees.seeds):
        told = {
            "objective": "binary",
            "learning_rate": trees.rate,
            "num_leaves": trees.leaves,
            "min_data_in_leaf": trees.smallest_leaf,
            "feature_fraction": 0.15,
            "bagging_fraction": 0.5,
            "bagging_freq": 1,
            "lambda_l2": 50.0,
            "monotone_constraints": [NEVER_REASSURING.get(name, 0) if trees.held else 0 for name in names],
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,  # the same bytes on any machine with the same library; folds run side by side
            "seed": seed + number,
            "verbose": -1,
        }
        given = lightgbm.Dataset(features[:, trees.columns], label, init_score=start)
        boosters.append(lightgbm.train(told, given, trees.rounds))
    return Teacher(boosters, trees.columns)
