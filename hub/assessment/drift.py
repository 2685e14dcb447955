"""Whether what the model is given is like what it was trained on: the population stability index.

The card has a histogram of each input (and of the risks) as it was in training. What a home measures is
counted into the same bins, and the two are compared by the population stability index (PSI):

    sum over the bins of (share now - share then) * ln(share now / share then)

It is 0 where both are alike; below 0.1 is called little and above 0.25 much. That is a custom of credit
scoring (Lewis 1994; Siddiqi 2017) and no test: it is large by chance where values are few (Yurdakul & Naranjo
2020), so that fewer than `LEAST_VALUES` give none; and the sets of few people are fewer than they seem.

A care home **will** differ from the intensive care that the model learned from. That is told, once, as what
is so. A warning is only where the home comes to differ from its own first month: then the people, the sensors
or the way of measuring have changed, or all are worse.

What is missing is counted beside it and is in no index: it tells of the kit and not of the people.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from math import isfinite, log

MUCH = 0.25
LEAST_VALUES = 200
RISK = "risk"
"""The name under which the risks themselves are compared."""

_LEAST_SHARE = 1e-4
"""Stands for a share of nothing, of which there is no logarithm."""

Known = Mapping[str, float | None]
"""One observation set: the number of each input, None where it was not known."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How an input was spread: `shares` of those known lie below the first edge, between each two (the lower
    belongs to a bin), and from the last on; so there is one more than `edges`. `missing` is of all sets."""

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    missing: float = 0.0

    def __post_init__(self) -> None:
        if len(self.shares) != len(self.edges) + 1:
            raise ValueError("a histogram has one share more than it has edges between them")
        if any(later <= earlier for earlier, later in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError("the edges of a histogram must rise")
        if not all(share >= 0 and isfinite(share) for share in self.shares) or not sum(self.shares) > 0:
            raise ValueError("the shares of a histogram must be numbers of 0 or more, not all of them 0")


@dataclass(slots=True)
class Counted:
    """How many values of an input fell into each bin, were missing, or lay outside the training range."""

    counts: list[int]
    missing: int = 0
    outside: int = 0

    @property
    def known(self) -> int:
        """How many values there were."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class InputDrift:
    """How an input is spread now. An index is None with too few values, or nothing to compare with.

    `own` is against the home's own first month. `outside` values lay beyond what the model was trained on.
    """

    name: str
    known: int
    missing: int
    outside: int
    index: float | None
    own: float | None
    missing_in_training: float

    @property
    def differs(self) -> bool:
        """Whether it is much unlike what the model was trained on."""
        return self.index is not None and self.index > MUCH

    @property
    def changed(self) -> bool:
        """Whether it is much unlike the home's own first month."""
        return self.own is not None and self.own > MUCH

    @property
    def words(self) -> str:
        """As people read it."""
        name = self.name.replace("_", " ")
        said = [f"not known in {_per_cent(self.missing, self.known + self.missing)} of the sets"]
        said.append(f"in training in {self.missing_in_training:.0%}")
        if self.outside:
            said.append(f"{self.outside} of {self.known} outside the training range")
        if self.index is None:
            said.append(f"too few values to compare ({self.known}, {LEAST_VALUES} are needed)")
        else:
            of = "people" if self.name != RISK else "risks of the people"
            unlike = f"different from the {of} it was trained on" if self.differs else "like in training"
            said.append(f"{unlike} (PSI {self.index:.2f})")
        if self.own is not None:
            changed = "changed since" if self.changed else "as in"
            said.append(f"{changed} this home's first month (PSI {self.own:.2f})")
        return f"{name}: {', '.join(said)}"


@dataclass(slots=True)
class Tally:
    """Counts observation sets into the bins of a card's histograms."""

    expected: Mapping[str, Histogram]
    inputs: dict[str, Counted] = field(default_factory=dict)
    sets: int = 0

    def __post_init__(self) -> None:
        for name, histogram in self.expected.items():
            self.inputs.setdefault(name, Counted([0] * len(histogram.shares)))

    def add(self, known: Known, outside: Iterable[str] = ()) -> None:
        """Count one set; `outside` names the inputs that were beyond the training range."""
        self.sets += 1
        for name, counted in self.inputs.items():
            value = known.get(name)
            if value is None or not isfinite(value):
                counted.missing += 1
            else:
                counted.counts[bisect_right(self.expected[name].edges, value)] += 1
        for name in outside:
            if name in self.inputs:
                self.inputs[name].outside += 1

    def fits(self, other: Tally) -> bool:
        """Whether another was counted into the same bins."""
        return {name: len(each.counts) for name, each in self.inputs.items()} == {
            name: len(each.counts) for name, each in other.inputs.items()
        }


def population_stability_index(expected: Sequence[float], found: Sequence[float]) -> float:
    """The index of two histograms over the same bins, each in any measure (shares or counts).

    Raises:
        ValueError: they have not the same bins, or one of them is empty.
    """
    if len(expected) != len(found) or not sum(expected) > 0 or not sum(found) > 0:
        raise ValueError("an index compares two histograms that have the same bins, and something in them")
    total = 0.0
    for before, now in zip(_shares(expected), _shares(found), strict=True):
        total += (now - before) * log(now / before)
    return total


def _shares(values: Sequence[float]) -> list[float]:
    whole = sum(values)
    return [max(value / whole, _LEAST_SHARE) for value in values]


def drift(now: Tally, first_month: Tally | None = None) -> tuple[InputDrift, ...]:
    """How each input is spread, against training and against the home's own first month, if that is known.

    A first month that was counted into other bins (another model's card) is not compared with.
    """
    own = first_month if first_month is not None and now.fits(first_month) else None
    return tuple(
        InputDrift(
            name=name,
            known=counted.known,
            missing=counted.missing,
            outside=counted.outside,
            index=_index(now.expected[name].shares, counted),
            own=None
            if own is None or own.inputs[name].known < LEAST_VALUES
            else _index(own.inputs[name].counts, counted),
            missing_in_training=now.expected[name].missing,
        )
        for name, counted in now.inputs.items()
    )


def _index(expected: Sequence[float], counted: Counted) -> float | None:
    if counted.known < LEAST_VALUES:
        return None
    return population_stability_index(expected, counted.counts)


def _per_cent(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "none"


def as_number(value: object) -> float | None:
    """A value as a histogram has it: a number as it is, of a coded one (oxygen, consciousness) which it is in
    the order of its enumeration; None for what has no number."""
    if isinstance(value, Enum):
        return float(list(type(value)).index(value))
    return float(value) if isinstance(value, int | float) else None
