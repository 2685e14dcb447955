"""Who judges whom: each of five parts of the people is judged by a model that learned from the other four.

A twentieth is in none of them. No model learns from it; the file that is shipped learned from all others.
"""

from __future__ import annotations

import numpy as np

from models.train.deterioration.teacher import SEED
from models.train.measures.arrays import Integers

FOLDS = 5
HELD_BACK = FOLDS
"""The number of the part that no model has seen."""
OF_WHICH_ONE_IS_HELD_BACK = 20


def fold_of_each(person: Integers) -> Integers:
    """The part of each row's person: 0 to FOLDS - 1, or `HELD_BACK`."""
    people, index = np.unique(person, return_inverse=True)
    place = np.arange(len(people)) - len(people) // OF_WHICH_ONE_IS_HELD_BACK
    folds = np.where(place < 0, HELD_BACK, place % FOLDS)
    np.random.default_rng(SEED).shuffle(folds)
    return np.asarray(folds[index], dtype=np.int64)
