"""The time-matched measure, with its confidence interval, and NEWS2 to compare with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hub.assessment.news2 import OxygenScale, score
from hub.readings import Vital
from models.train.dataset import Floats, Integers, Sets


def news2(sets: Sets, lacking: Collection[Vital] = ()) -> Floats:
    """The hub's own NEWS2 of each set (scale 1, no consciousness), without the vitals that are `lacking`.

    The score is partial: what is missing adds nothing.
    """
    totals = np.empty(len(sets))
    for row in range(len(sets)):
        values = {vital: value for vital, value in sets.values_of(row).items() if vital not in lacking}
        totals[row] = score(values, OxygenScale.SCALE_1).total
    return totals


@dataclass(frozen=True)
class _Block:
    rows: Integers  # the sets of one block, by rising score
    tie: Integers  # which run of equal scores each is in
    positive: npt.NDArray[np.bool_]


class TimeMatched:
    """AUROC of one score within each block of the stay, the blocks weighted by their number of pairs.

    A pair is a set with onset within the horizon and one without, in the same block; the score
    gets one for a pair that it orders rightly and a half for a tie.
    """

    def __init__(self, scores: Floats, label: Integers, block: Integers) -> None:
        self._blocks = []
        for number in np.unique(block):
            rows = np.flatnonzero(block == number)
            rows = rows[np.argsort(scores[rows], kind="stable")]
            tie = np.cumsum(np.diff(scores[rows], prepend=scores[rows[0]]) != 0)
            self._blocks.append(_Block(rows, tie, label[rows] == 1))

    def auroc(self, weight: Floats) -> float:
        """The measure where set i counts `weight[i]` times."""
        won = pairs = 0.0
        for one in self._blocks:
            positive = np.bincount(one.tie, weight[one.rows] * one.positive)
            negative = np.bincount(one.tie, weight[one.rows] * ~one.positive)
            below = np.cumsum(negative) - negative
            won += float(positive @ (below + negative / 2))
            pairs += float(positive.sum() * negative.sum())
        return won / pairs


def person_weights(person: Integers, rounds: int, seed: int) -> list[Floats]:
    """How often each set counts in each round of a bootstrap that draws people, not sets."""
    _, index = np.unique(person, return_inverse=True)
    people = int(index.max()) + 1
    generator = np.random.default_rng(seed)
    return [
        np.bincount(generator.integers(people, size=people), minlength=people)[index].astype(np.float64)
        for _ in range(rounds)
    ]


def interval(samples: list[float]) -> tuple[float, float]:
    """The middle 95 %."""
    low, high = np.percentile(samples, [2.5, 97.5])
    return float(low), float(high)
