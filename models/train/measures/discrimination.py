"""Does the score of those before an onset lie above the score of the others?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.train.measures.arrays import Booleans, Floats, Integers

CURVE_POINTS = 201
"""At so many false positive rates, 0 and 1 among them, the time-matched curve is told."""


class TimeMatched:
    """AUROC of one score within each block of the stay, the blocks weighted by their number of pairs.

    A pair is a set with onset within the horizon and one without, in the same block; the score
    gets one for a pair that it orders rightly and a half for a tie.
    """

    def __init__(
        self, scores: npt.NDArray[np.generic], label: npt.NDArray[np.generic], block: Integers
    ) -> None:
        self._rows = np.lexsort((scores, block))
        ordered, blocks = scores[self._rows], block[self._rows]
        new_block = np.append(True, blocks[1:] != blocks[:-1])
        new_tie = new_block | np.append(True, ordered[1:] != ordered[:-1])
        self._tie = np.cumsum(new_tie) - 1  # which run of equal scores of one block each set is in
        self._first_ties = self._tie[new_block]  # the lowest run of each block
        self._runs = np.diff(self._first_ties, append=self._tie[-1] + 1)
        self._positive: Booleans = label[self._rows] == 1

    def auroc(self, weight: Floats) -> float:
        """The measure where set i counts `weight[i]` times; NaN where there is no pair."""
        weights = weight[self._rows]
        positive = np.bincount(self._tie, weights * self._positive)
        negative = np.bincount(self._tie, weights * ~self._positive)
        below = np.cumsum(negative) - negative
        below -= np.repeat(below[self._first_ties], self._runs)  # only those of the same block
        pairs = np.add.reduceat(positive, self._first_ties) @ np.add.reduceat(negative, self._first_ties)
        return float(positive @ (below + negative / 2) / pairs) if pairs else float("nan")


def auroc(scores: npt.NDArray[np.generic], label: npt.NDArray[np.generic]) -> float:
    """The plain area under the curve: over all pairs, whenever in the stay they are."""
    return TimeMatched(scores, label, np.zeros(len(scores), dtype=np.int64)).auroc(np.ones(len(scores)))


@dataclass(frozen=True)
class Curve:
    """A receiver operating characteristic, from (0, 0) to (1, 1), straight between its points."""

    false_positive_rate: Floats
    sensitivity: Floats

    def area(self) -> float:
        """The area under it."""
        heights = (self.sensitivity[1:] + self.sensitivity[:-1]) / 2
        return float(np.diff(self.false_positive_rate) @ heights)

    def at(self, false_positive_rate: Floats) -> Floats:
        """The sensitivity at these false positive rates; the highest where the curve is upright."""
        # Of several points above one another, interpolation must begin from the last.
        last = np.append(np.diff(self.false_positive_rate) > 0, True)
        return np.interp(false_positive_rate, self.false_positive_rate[last], self.sensitivity[last])


def curve(scores: npt.NDArray[np.generic], label: npt.NDArray[np.generic]) -> Curve:
    """The plain curve: a point for each distinct score, taken as the least that counts as positive.

    Raises ValueError if one of the two kinds is not there.
    """
    positive = label == 1
    if positive.all() or not positive.any():
        raise ValueError("a curve needs sets of both kinds")
    order = np.argsort(scores, kind="stable")[::-1]
    last = np.append(scores[order][1:] != scores[order][:-1], True)  # of each run of equal scores
    found = np.cumsum(positive[order])[last]
    false = np.cumsum(~positive[order])[last]
    return Curve(
        np.append(0.0, false / (~positive).sum()),
        np.append(0.0, found / positive.sum()),
    )


def time_matched_curve(
    scores: npt.NDArray[np.generic], label: npt.NDArray[np.generic], block: Integers
) -> Curve:
    """The mean of the blocks' curves at each false positive rate, each weighted by its number of pairs.

    The area under the exact mean is `TimeMatched`; told at `CURVE_POINTS` rates it is so to about 0.001.
    """
    rates = np.linspace(0, 1, CURVE_POINTS)
    total, pairs = np.zeros(CURVE_POINTS), 0
    for number in np.unique(block):
        rows = block == number
        positives = int((label[rows] == 1).sum())
        count = positives * (int(rows.sum()) - positives)
        if count:
            total += count * curve(scores[rows], label[rows]).at(rates)
            pairs += count
    if not pairs:
        raise ValueError("no block has sets of both kinds")
    # The first point is the origin, for a curve that rises at once.
    return Curve(np.append(0.0, rates), np.append(0.0, total / pairs))
