"""NEWS2 of the training sets, to compare with."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from hub.assessment.news2 import OxygenScale, score
from hub.readings import Vital
from models.train.deterioration.sets import Sets
from models.train.measures.arrays import Integers


def news2(sets: Sets, lacking: Collection[Vital] = ()) -> Integers:
    """The hub's own NEWS2 of each set (scale 1), without the vitals that are `lacking`.

    The score is partial: what is missing adds nothing.
    """
    totals = np.empty(len(sets), dtype=np.int64)
    for row in range(len(sets)):
        values = {vital: value for vital, value in sets.values_of(row).items() if vital not in lacking}
        totals[row] = score(values, OxygenScale.SCALE_1).total
    return totals
