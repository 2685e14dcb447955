"""How far a figure may be off by chance: people are drawn again, each with all their sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.train.measures.arrays import Floats


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval. All three are NaN where it cannot be told."""

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        return not np.isnan([self.value, self.low, self.high]).any()


@dataclass(frozen=True)
class PersonWeights:
    """How often each set counts in each round of a bootstrap that draws people, not sets.

    It can be gone through any number of times, and gives the same each time; the rounds are
    drawn as they are asked for, since all of them at once would not fit in memory.
    """

    person: npt.NDArray[np.generic]
    rounds: int
    seed: int

    def __len__(self) -> int:
        return self.rounds

    def __iter__(self) -> Iterator[Floats]:
        _, index = np.unique(self.person, return_inverse=True)
        people = int(index.max()) + 1
        generator = np.random.default_rng(self.seed)
        for _ in range(self.rounds):
            drawn = np.bincount(generator.integers(people, size=people), minlength=people)
            yield drawn[index].astype(np.float64)


def person_weights(person: npt.NDArray[np.generic], rounds: int, seed: int) -> PersonWeights:
    """The rounds of a bootstrap over people; `person[i]` is whose set i is."""
    return PersonWeights(person, rounds, seed)


def interval(samples: Sequence[float] | Floats) -> tuple[float, float]:
    """The middle 95 %."""
    low, high = np.percentile(samples, [2.5, 97.5])
    return float(low), float(high)


def bootstrap(
    measure: Callable[[Floats], Mapping[str, float]], weights: PersonWeights
) -> dict[str, Estimate]:
    """Each of the figures that `measure` tells for a weight per set, with its interval.

    A figure's interval is of the rounds in which it can be told (in a small group a round may
    draw nobody with an onset); where more than one round in ten cannot, it has none.
    """
    points = measure(np.ones(len(weights.person)))
    drawn: dict[str, list[float]] = {name: [] for name in points}
    for weight in weights:
        for name, value in measure(weight).items():
            drawn[name].append(value)
    return {name: _estimate(point, np.array(drawn[name])) for name, point in points.items()}


def _estimate(point: float, samples: Floats) -> Estimate:
    told = samples[~np.isnan(samples)]
    if np.isnan(point) or len(told) < 0.9 * len(samples):
        return Estimate(point, float("nan"), float("nan"))
    return Estimate(point, *interval(told))
