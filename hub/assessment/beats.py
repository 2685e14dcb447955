"""What the rhythm model sees of the intervals between beats: one vector, made by training and hub alike.

Specification "rhythm 1". All but one are made of ratios of intervals (differences of their logarithms), so
that a heart twice as fast gives the same: the rate does not say whether a rhythm is irregular, and most
residents with atrial fibrillation have it slowed by medicines. The one is the typical interval, between
`FAST_MS` and `SLOW_MS`: a fast irregular pulse is the more suspicious, a slow one no less than a usual one.
The number of beats is not among them.

Where a number comes from a paper the code names it. `change` is from one interval to the next, `level` an
interval against the window's median; quantiles and shares are used beside moments, since single ectopic,
missed or extra beats hardly move them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt
from statistics import median

import numpy
import numpy.typing

from hub.assessment.model_file import Vector

SPECIFICATION = "rhythm 1"
LEAST_USED = 6
"""Usable intervals below which there are no features."""

SHORTEST_MS, LONGEST_MS = 240.0, 2500.0
"""What a heart can have: 250 to 24 beats a minute."""

FAST_MS, SLOW_MS = 450.0, 900.0
"""Beyond these (133 and 67 beats a minute) a typical interval is told from no other."""

REGULAR = 0.15
"""Neighbours that differ by less from their median are regular: among these a missed or extra beat shows."""
_NEIGHBOURS = 2  # on either side

SMALLEST = 0.002
"""Added before a logarithm is taken: below a fifth of a percent, changes are those of the sensor's clock."""
STEADY = 0.05
"""A change smaller than a twentieth is none: breathing makes such ones, and a clock of 1/128 s."""
_CHANGE_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
_CHANGE_SHARES = (0.025, 0.05, 0.1, 0.2, 0.4)
_LEVEL_QUANTILES = (0.1, 0.25, 0.75, 0.9)
_LAGS = (1, 2, 3)
_MATCHING = (0.06, 0.12)
_COSEN_FIRST_RADIUS, _COSEN_MATCHES = 0.0375, 5
"""30 ms of 800, as in the paper, and so many matches at the least."""
_ROUNDING = 1e-9
"""What is as far apart but for the last digits, which differ from machine to machine, is as far apart."""
_CELL = 0.04
_MOST_SKEWED, _MOST_PEAKED = 4.0, 20.0

NAMES: tuple[str, ...] = (
    *(f"log change, quantile {q}" for q in _CHANGE_QUANTILES),
    "log change, root mean square",
    *(f"changes above {s}, share" for s in _CHANGE_SHARES),
    *(f"level, quantile {q}" for q in _LEVEL_QUANTILES),
    "log level, standard deviation",
    *(f"level, autocorrelation at {lag}" for lag in _LAGS),
    *(f"change, autocorrelation at {lag}" for lag in _LAGS[:2]),
    "turning points, share",
    "coefficient of sample entropy",
    *(name for r in _MATCHING for name in (f"sample entropy within {r}", f"log matches within {r}")),
    "steady beats, share",
    "cells of the Lorenz plot, share",
    "shorter twice, share",
    "longer twice, share",
    "shorter then longer, share",
    "longer then shorter, share",
    "log change over two, median",
    "unchanged over two, share",
    "log distance from local median, mean",
    "log distance from local median, median",
    "near the local median, share",
    "longest steady run, share",
    "longest unsteady run, share",
    *(f"log change over {lag}, median" for lag in (2, 3, 4)),
    "level, skewness",
    "level, kurtosis",
    "half the median, share",
    "twice the median, share",
    "typical interval",
)
"""What each feature is, in the order of the vector."""

_FASTEST, _SLOWEST = log(FAST_MS), log(SLOW_MS)
_CHANGE_LIMITS = numpy.array(_CHANGE_SHARES)
_HALF, _TWICE = -log(2), log(2)

_Numbers = numpy.typing.NDArray[numpy.float64]


def plausible(interval_ms: float) -> bool:
    """Whether a heart can have this interval."""
    return SHORTEST_MS <= interval_ms <= LONGEST_MS


def believed(intervals_ms: Sequence[float]) -> list[bool]:
    """Of each interval: it is plausible, and does not look like a beat missed or found too many.

    A sensor that misses a beat tells one interval of about twice (or thrice) its neighbours; one that finds
    a beat too many tells two that together are as long as one of them. Both are only looked for where the
    neighbours are regular: in atrial fibrillation any interval may be twice another by chance. An ectopic
    beat with its pause is two that together are as long as *two* of the neighbours, and is believed.
    """
    good = [plausible(each) for each in intervals_ms]
    for i, interval in enumerate(intervals_ms):
        before = intervals_ms[max(0, i - _NEIGHBOURS) : i]
        after = intervals_ms[i + 1 : i + 1 + _NEIGHBOURS]
        usual = _usual(before, after, interval / (2 - REGULAR))
        if usual is not None and any(abs(interval - n * usual) < REGULAR * usual for n in (2, 3)):
            good[i] = False
        if not after:
            break
        both = interval + after[0]
        usual = _usual(before, intervals_ms[i + 2 : i + 2 + _NEIGHBOURS], both / (1 - REGULAR))
        if usual is not None and abs(both - usual) < REGULAR * usual:
            good[i] = good[i + 1] = False
    return good


def _usual(before: Sequence[float], after: Sequence[float], at_most: float) -> float | None:
    """The median of regular neighbours; None where they are not, too few to tell, or above `at_most`."""
    neighbours = sorted((*before, *after))
    if len(neighbours) < 2 * _NEIGHBOURS - 1 or neighbours[0] > at_most:
        return None
    middle = median(neighbours)
    regular = middle - neighbours[0] < REGULAR * middle > neighbours[-1] - middle
    return middle if regular and middle <= at_most else None


def features(intervals_ms: Sequence[float]) -> Vector | None:
    """The feature vector of one window, of shape (len(NAMES),), always finite.

    Intervals that no heart has are left out, and no change is taken over them. None for fewer than
    `LEAST_USED` usable intervals, or where so few of them follow one another.
    """
    told = numpy.array(intervals_ms, dtype=numpy.float64)
    usable = (told >= SHORTEST_MS) & (told <= LONGEST_MS)
    used = numpy.log(told[usable])
    changes = used[1:] - used[:-1]
    if len(used) < len(told):
        changes = changes[numpy.diff(numpy.flatnonzero(usable)) == 1]
    if len(used) < LEAST_USED or len(changes) < LEAST_USED - 1:
        return None
    typical = _middle(used)
    levels = used - typical
    centred = levels - _mean(levels)
    vector = [*_of_changes(changes), *_of_levels(levels, centred, changes), *entropies(levels)]
    vector += [*_lorenz(changes), *_local(levels), *_runs(changes), *_shape(levels, centred)]
    vector.append(min(max(typical, _FASTEST), _SLOWEST) - _FASTEST)
    return numpy.array(vector, dtype=numpy.float32)


def _of_changes(changes: _Numbers) -> list[float]:
    sizes = numpy.sort(numpy.abs(changes))
    below = sizes.searchsorted(_CHANGE_LIMITS, side="right")
    return [
        *numpy.log(_quantiles(sizes, _CHANGE_QUANTILES) + SMALLEST).tolist(),
        log(_root_mean_square(changes) + SMALLEST),
        *(1 - below / len(sizes)).tolist(),
    ]


def _of_levels(levels: _Numbers, centred: _Numbers, changes: _Numbers) -> list[float]:
    """Their spread, and how far one tells another: in fibrillation not at all, in bigeminy the next but one.

    Turning points: Dash et al., Annals of Biomedical Engineering 37:1701-1709, 2009; here only unsteady ones.
    """
    unsteady = numpy.where(numpy.abs(changes) > STEADY, changes, 0.0)
    return [
        *_quantiles(numpy.sort(levels), _LEVEL_QUANTILES).tolist(),
        log(_root_mean_square(centred) + SMALLEST),
        *(_autocorrelation(centred, lag) for lag in _LAGS),
        *(_autocorrelation(changes, lag) for lag in _LAGS[:2]),
        _share(unsteady[1:] * unsteady[:-1] < 0),
    ]


def entropies(levels: _Numbers) -> list[float]:
    """Coefficient of sample entropy; sample entropy and matches within fixed radii, of one interval each.

    Lake and Moorman, American Journal of Physiology, Heart and Circulatory Physiology 300:H319-H325, 2011:
    the radius grows until enough templates match, and its logarithm is added. Theirs is of intervals less
    the logarithm of their mean; of logarithms, as here, it is the same to first order.
    """
    count = len(levels) - 1
    apart = numpy.abs(levels[:, numpy.newaxis] - levels)
    radius = _COSEN_FIRST_RADIUS
    matches, again = _matches(apart, radius)
    if again < _COSEN_MATCHES:
        both = numpy.maximum(apart[:-1, :-1], apart[1:, 1:])
        needed = min(2 * _COSEN_MATCHES + count, count * count) - 1  # each is in it twice, and itself once
        radius = float(numpy.partition(both, needed, axis=None)[needed]) + _ROUNDING
        matches, again = _matches(apart, radius)
    found = [log(2 * radius) - log(again / matches)]
    for within in _MATCHING:
        matches, again = _matches(apart, within)
        found.append(-log((again + 0.5) / (matches + 1)))
        found.append(log((matches + 1) / (count * (count - 1) / 2)))
    return found


def _matches(apart: _Numbers, within: float) -> tuple[int, int]:
    """How many pairs of templates match, and how many of these match in the next interval too."""
    near = apart <= within
    first = near[:-1, :-1]
    count = len(first)  # each matches itself
    again = int(numpy.count_nonzero(first & near[1:, 1:])) - count
    return (int(numpy.count_nonzero(first)) - count) // 2, again // 2


def _lorenz(changes: _Numbers) -> list[float]:
    """Where each change and the next fall together (Sarkar, Ritscher, Mehra, IEEE Transactions on Biomedical
    Engineering 55:1219-1224, 2008): fibrillation scatters, an ectopic beat is shorter and then longer.
    """
    one, next_one = changes[:-1], changes[1:]
    shorter, longer = one < -STEADY, one > STEADY
    next_shorter, next_longer = next_one < -STEADY, next_one > STEADY
    cells = numpy.rint(numpy.minimum(numpy.maximum(changes / _CELL, -12), 12))
    over_two = numpy.abs(one + next_one)
    return [
        _share(~(shorter | longer | next_shorter | next_longer)),
        len(set((25 * cells[:-1] + cells[1:]).tolist())) / len(one),
        _share(shorter & next_shorter),
        _share(longer & next_longer),
        _share(shorter & next_longer),
        _share(longer & next_shorter),
        log(_middle(over_two) + SMALLEST),
        _share(over_two < STEADY),
    ]


def _local(levels: _Numbers) -> list[float]:
    """How far each interval is from the median of the five about it, which no single ectopic beat moves."""
    away = numpy.abs(levels[2:-2] - _middle_of_five(levels))
    return [log(_mean(away) + SMALLEST), log(_middle(away) + SMALLEST), _share(away < STEADY)]


def _middle_of_five(values: _Numbers) -> _Numbers:
    """The median of each and the two on either side, without sorting: the middle of the fifth and of what is
    left of the other four when the least and the greatest of each pair's are gone.
    """
    least, greatest = numpy.minimum, numpy.maximum
    a, b, c, d, e = values[:-4], values[1:-3], values[3:-1], values[4:], values[2:-2]
    low = greatest(least(a, b), least(c, d))
    high = least(greatest(a, b), greatest(c, d))
    return greatest(least(low, high), least(greatest(low, high), e))


def _runs(changes: _Numbers) -> list[float]:
    """The longest run of steady changes, and of unsteady ones: fibrillation is seldom steady for long."""
    longest = {True: 0, False: 0}
    run, before = 0, True
    for steady in (numpy.abs(changes) < STEADY).tolist():
        run = run + 1 if steady is before else 1
        before = steady
        longest[steady] = max(longest[steady], run)
    return [longest[True] / len(changes), longest[False] / len(changes)]


def _shape(levels: _Numbers, centred: _Numbers) -> list[float]:
    """What repeats every second, third or fourth beat, and what lies far off on one side."""
    spread = _root_mean_square(centred) + SMALLEST
    squared = centred * centred
    return [
        *(log(_middle(numpy.abs(levels[lag:] - levels[:-lag])) + SMALLEST) for lag in (2, 3, 4)),
        min(max(float(squared @ centred) / len(centred) / spread**3, -_MOST_SKEWED), _MOST_SKEWED),
        min(float(squared @ squared) / len(centred) / spread**4, _MOST_PEAKED),
        _share(numpy.abs(levels - _HALF) < 2 * STEADY),
        _share(numpy.abs(levels - _TWICE) < 2 * STEADY),
    ]


def _mean(values: _Numbers) -> float:
    return float(numpy.add.reduce(values)) / len(values)


def _quantiles(ascending: _Numbers, quantiles: Sequence[float]) -> _Numbers:
    """The nearest below: no interpolation, so that training and hub agree to the last digit."""
    return ascending[[int(quantile * len(ascending)) for quantile in quantiles]]


def _middle(values: _Numbers) -> float:
    middle = len(values) // 2
    return float(numpy.partition(values, middle)[middle])


def _root_mean_square(values: _Numbers) -> float:
    return sqrt(float(values @ values) / len(values))


def _autocorrelation(values: _Numbers, lag: int) -> float:
    return float(values[lag:] @ values[:-lag]) / (float(values @ values) + SMALLEST**2)


def _share(which: numpy.typing.NDArray[numpy.bool_]) -> float:
    return int(numpy.count_nonzero(which)) / len(which)
