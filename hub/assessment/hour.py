"""What is remembered of an hour of a resident's: the first and the last value of each vital.

A stream measures each minute, and a round of single readings comes in pieces. The last of each vital is what
was known when the hour was over. The first is there for an hour that is cut in two, by the moment of a set
that comes late or by the edge of a window (`earlier.py`): then of each vital that was measured before the cut
a value from before it is known, and none from after it stands in for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from hub.readings import Value, Vital

When = tuple[datetime, int]
"""When a value was measured, and the number of the set that it completed.

Of two at one instant the one of the higher number is the later: which of them sets take was decided when it
was formed (`observation_set.py`).
"""


@dataclass(slots=True)  # frozen, it would take longer to make than all that is done with it
class Measured:
    """A value of each of some vitals, and when it was measured. Not to be changed."""

    values: Mapping[Vital, Value]
    when: Mapping[Vital, When]

    def only(self, vitals: Iterable[Vital]) -> Measured:
        """What it has of these."""
        of_these = tuple(vitals)
        return Measured({v: self.values[v] for v in of_these}, {v: self.when[v] for v in of_these})

    def and_then(self, other: Measured) -> Measured:
        """With what the other has, in place of its own where both have a vital."""
        return Measured({**self.values, **other.values}, {**self.when, **other.when})


@dataclass(slots=True)  # as above
class Hour:
    """Of each vital that was measured the first value and the last, which may be the same. Not to be changed.

    The first ones are from `begin` to `first_until`, the last ones from `last_since` to `end`.
    """

    first: Measured
    last: Measured
    begin: datetime
    first_until: datetime
    last_since: datetime
    end: datetime

    @classmethod
    def of(cls, first: Measured, last: Measured) -> Hour:
        """Of the two, which have the same vitals, one at least."""
        firsts, lasts = first.when.values(), last.when.values()
        return cls(first, last, min(firsts)[0], max(firsts)[0], min(lasts)[0], max(lasts)[0])

    @classmethod
    def of_set(cls, at: datetime, number: int, values: Mapping[Vital, Value]) -> Hour:
        """Of one set alone: what was measured at its moment, one value at least."""
        measured = Measured(values, dict.fromkeys(values, (at, number)))
        return cls(measured, measured, at, at, at, at)

    def and_also(self, at: datetime, number: int, values: Mapping[Vital, Value]) -> Hour:
        """With what another set measured in this hour; in whichever order they are taken in."""
        when = at, number
        measured = Measured(values, dict.fromkeys(values, when))
        first, last = self.first.when, self.last.when
        if at > self.end:
            if last.keys() == values.keys():  # the next of a stream
                return Hour(self.first, measured, self.begin, self.first_until, at, at)
            return Hour.of(measured.and_then(self.first), self.last.and_then(measured))
        sooner = measured.only(v for v in values if v not in first or when < first[v])
        later = measured.only(v for v in values if v not in last or when > last[v])
        return Hour.of(self.first.and_then(sooner), self.last.and_then(later))

    def cut(self, at: datetime) -> tuple[Measured, Measured]:
        """Of each vital the last of these values not after a moment, and the last after it."""
        if self.first_until <= at < self.last_since:
            return self.first, self.last
        first, last = self.first.when, self.last.when
        after = [v for v in last if last[v][0] > at]
        until = self.first.only(v for v in after if first[v][0] <= at)
        return until.and_then(self.last.only(last.keys() - after)), self.last.only(after)

    def before(self, at: datetime, own: Mapping[Vital, datetime]) -> Hour | None:
        """What of it was measured not after a moment, and some vitals before a moment of their own."""

        def counts(measured: Measured) -> Measured:
            return measured.only(
                vital
                for vital, (moment, _) in measured.when.items()
                if moment <= at and (vital not in own or moment < own[vital])
            )

        first = counts(self.first)
        return Hour.of(first, first.and_then(counts(self.last))) if first.when else None
