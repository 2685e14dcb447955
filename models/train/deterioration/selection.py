"""How the teacher is grown, chosen by nested validation: nobody who judges a model had a say in its choice.

Of five parts of the people, in a ring, each pair of neighbours is left out once, and every candidate learns
from the other three. For the model that will be judged on part k, the choice is by its two neighbours: each
was judged by candidates that saw neither it nor k. So five fits of each candidate serve all five choices, and
the mean of all of them is what the file's teacher is chosen by.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.train.deterioration import teacher, training
from models.train.deterioration.folds import FOLDS, HELD_BACK
from models.train.deterioration.sets import BLOCK_HOURS
from models.train.measures.arrays import Floats, Vectors
from models.train.measures.discrimination import TimeMatched

CANDIDATES: Mapping[str, teacher.Trees] = {
    "600 trees of 15 leaves": teacher.Trees(),
    "1,000 trees of 15 leaves": teacher.Trees(rounds=1000),
    "900 trees of 7 leaves": teacher.Trees(leaves=7, rounds=900),
    "1,500 single splits, each feature for itself": teacher.Trees(leaves=2, rounds=1500, rate=0.03),
}
"""Each with one seed while it is chosen."""

PAIRS = tuple((part, (part + 1) % FOLDS) for part in range(FOLDS))

Job = tuple[str, tuple[int, int]]
JOBS: tuple[Job, ...] = tuple(itertools.product(CANDIDATES, PAIRS))


def judge(stays: training.Material, job: Job) -> tuple[float, float]:
    """The time-matched AUROC of a candidate on each of the two parts of a pair that it did not see."""
    name, pair = job
    among = ~np.isin(stays.fold, (*pair, HELD_BACK))
    seed = teacher.SEED + FOLDS + PAIRS.index(pair)
    fitted = training.teach(stays, among, CANDIDATES[name].once(), seed)
    first, second = (_judged(stays, part, fitted.logit) for part in pair)
    return first, second


def _judged(stays: training.Material, part: int, logit: Callable[[Vectors], Floats]) -> float:
    rows = stays.in_step & (stays.fold == part)
    block = (stays.hour[rows] - 1) // BLOCK_HOURS
    told = logit(stays.vectors[rows])
    return TimeMatched(told, stays.label[rows], block).auroc(np.ones(len(told)))


@dataclass(frozen=True)
class Selection:
    """Of each candidate, for each part, the mean AUROC on its two neighbours in the ring."""

    seen: Mapping[str, tuple[float, ...]]

    def chosen(self, part: int) -> str:
        """What the neighbours of this part chose, or all of them for the file (`HELD_BACK`): of equals the
        first."""
        return max(
            self.seen,
            key=lambda name: np.mean(self.seen[name]) if part == HELD_BACK else self.seen[name][part],
        )

    def told(self) -> dict[str, Any]:
        """As the card has it."""
        return {
            "candidates": {name: [round(each, 4) for each in seen] for name, seen in self.seen.items()},
            "chosen": [self.chosen(part) for part in range(FOLDS)],
            "chosen_for_the_file": self.chosen(HELD_BACK),
        }


def select(results: Iterable[tuple[Job, tuple[float, float]]]) -> Selection:
    """The selection by the results of all `JOBS`."""
    of: dict[str, list[list[float]]] = {name: [[] for _ in range(FOLDS)] for name in CANDIDATES}
    for (name, (one, other)), (of_one, of_other) in results:
        of[name][one].append(of_other)  # judged on the other part, without this one's people
        of[name][other].append(of_one)
    return Selection({name: tuple(float(np.mean(each)) for each in parts) for name, parts in of.items()})
