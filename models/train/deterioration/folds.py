"""Who judges whom: people are dealt into parts, and each part is judged by a model that saw the others."""

from __future__ import annotations

import numpy as np

from models.train.deterioration.sets import Integers
from models.train.deterioration.teacher import SEED

FOLDS = 5
HELD_BACK = 0
"""The part that the shipped file has not seen."""


def fold_of_each(person: Integers) -> Integers:
    """The part (0 to FOLDS - 1) of each row's person."""
    people, index = np.unique(person, return_inverse=True)
    folds = np.arange(len(people)) % FOLDS
    np.random.default_rng(SEED).shuffle(folds)
    return np.asarray(folds[index], dtype=np.int64)
