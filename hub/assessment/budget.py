"""How many alerts a threshold of the model's risk would have raised, and which threshold a budget affords.

Pure: a history of (resident, time, risk) in, numbers out. The model is a shadow, so that no alert here is
one: it is what would have been raised.

- **An alert** is a resident's risk that reaches the threshold after it was below. Who stays at or above it is
  not told of again, and neither is one who flaps: only a person who was seen below it for `QUIET`, and at no
  time of it above, raises another.
- **A resident-day** is a day (UTC) on which a resident had any risk.
- **The threshold** is the lowest one that is within the budget, as is each that is higher. It goes no lower
  than where alerts would stand for `STANDS_AT_MOST` times as many resident-days as the budget has alerts:
  where risks hardly move, an alert that is raised once and stands for weeks would else cost next to nothing,
  and a budget that is never spent would have everybody above the threshold.

So a higher budget never gives a higher threshold. What is looked at is the model's own probability: a site's
recalibration keeps its order, and may have changed within the history.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import inf, isfinite, nextafter
from typing import Self

import numpy
import numpy.typing

from hub.clock import to_microseconds

QUIET = timedelta(hours=12)
"""For how long somebody was below before they raise another: as far ahead as the model looks."""

STANDS_AT_MOST = 5.0
"""Days for which an alert may stand, on the average. Our own choice: no source is known to us."""

LEAST_DAYS = 14
LEAST_RESIDENT_DAYS = 100
"""Less history than these, and the card's threshold is taken: one bad week must not decide."""

_EACH, _SPREAD = 1_000, 1_000
"""Thresholds that are tried: each of the highest risks, and so many evenly among the rest."""

_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1) // _MICROSECOND
_DAYS = 1 << 20  # more than there can be between two times
_QUIET = QUIET // _MICROSECOND

Numbers = numpy.typing.NDArray[numpy.int64]
Flags = numpy.typing.NDArray[numpy.bool_]


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """What a card says of a threshold: how many alerts per 100 patient-days it raised, as trained."""

    alerts_per_100_days: float
    threshold: float


class Basis(StrEnum):
    """On what a threshold rests."""

    HISTORY = "the risks of this home"
    CARD = "the model's card"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Threshold:
    """The risk from which on an alert would be raised; `value` is None where there is none.

    `alerts` is how many it would have raised in the history, of so many resident-days on so many days; of a
    threshold that rests on the card too.
    """

    value: float | None
    basis: Basis
    alerts: int
    resident_days: int
    days: int

    @property
    def alerts_per_100_days(self) -> float | None:
        """As the budget counts them; None without a history."""
        return 100 * self.alerts / self.resident_days if self.resident_days else None


class History:
    """Risks of many residents, each resident's in the order of time; those that are no number left out."""

    def __init__(self, scored: Iterable[tuple[str, int, float]]) -> None:
        """From (resident, microseconds since 1970, risk), in any order."""
        residents: dict[str, int] = {}
        whose, when, risks = array("q"), array("q"), array("d")
        for resident, at_microseconds, risk in scored:
            if isfinite(risk):
                whose.append(residents.setdefault(resident, len(residents)))
                when.append(at_microseconds)
                risks.append(risk)
        person, at = numpy.array(whose, dtype=numpy.int64), numpy.array(when, dtype=numpy.int64)
        order = numpy.lexsort((at, person))
        self.person: Numbers = person[order]
        self.at: Numbers = at[order]
        self.risk = numpy.array(risks, dtype=numpy.float64)[order]
        days = self.at // _DAY
        self.days = len(numpy.unique(days))
        found, self._day = numpy.unique(self.person * _DAYS + days, return_inverse=True)
        self.resident_days = len(found)

    @classmethod
    def of(cls, scored: Iterable[tuple[str, datetime, float]]) -> Self:
        """From (resident, time, risk); times are aware."""
        return cls((resident, to_microseconds(at), risk) for resident, at, risk in scored)

    @property
    def is_enough(self) -> bool:
        """Whether a threshold can rest on it."""
        return self.days >= LEAST_DAYS and self.resident_days >= LEAST_RESIDENT_DAYS

    def alerts(self, threshold: float) -> int:
        """How many alerts a threshold would have raised."""
        return int(raised(self.person, self.at, self.risk >= threshold).sum())

    def days_above(self, threshold: float) -> int:
        """On how many resident-days a risk reached it."""
        return len(numpy.unique(self._day[self.risk >= threshold]))


def raised(person: Numbers, at: Numbers, above: Flags) -> Flags:
    """Which of these assessments would have raised an alert.

    Args:
        person: whose each is: all of one person one after the other, in the order of time.
        at: when, in microseconds.
        above: whether its risk reached the threshold.
    """
    which = numpy.flatnonzero(above)
    first = numpy.ones(len(which), dtype=bool)
    if len(which) > 1:
        before, now = which[:-1], which[1:]
        # Behind the one before comes the first that was below, or `now` itself: then this is nothing.
        was_below = at[now] - at[before + 1] >= _QUIET
        first[1:] = (person[now] != person[before]) | was_below
    found = numpy.zeros(len(above), dtype=bool)
    found[which[first]] = True
    return found


def afforded(history: History, per_100_days: float) -> float:
    """The lowest threshold that a budget affords, by a history that is not empty.

    Raises:
        ValueError: the history is empty.
    """
    if not len(history.risk):
        raise ValueError("a threshold cannot be found without any risk")
    budget = per_100_days * history.resident_days / 100
    found = nextafter(float(history.risk.max()), inf)
    for candidate in _candidates(history):
        if history.alerts(candidate) > budget or history.days_above(candidate) > STANDS_AT_MOST * budget:
            break
        found = candidate
    return found


def _candidates(history: History) -> Iterable[float]:
    """The risks that there were, highest first; of very many not each. They do not depend on the budget."""
    risks = numpy.unique(history.risk)[::-1]
    if len(risks) > _EACH + _SPREAD:
        spread = numpy.linspace(_EACH, len(risks) - 1, _SPREAD).astype(numpy.int64)
        risks = risks[numpy.concatenate((numpy.arange(_EACH), spread))]
    return (float(each) for each in risks)


def from_card(rows: Sequence[BudgetRow], per_100_days: float) -> float | None:
    """The threshold that a card gives for a budget: the lowest of those that raised no more alerts.

    Where each raised more, the highest that the card has; None where it has none.
    """
    if not rows:
        return None
    within = [row.threshold for row in rows if row.alerts_per_100_days <= per_100_days]
    return min(within) if within else max(row.threshold for row in rows)


def threshold(history: History, rows: Sequence[BudgetRow], per_100_days: float) -> Threshold:
    """The threshold for a budget: by the home's own history where that is enough, else by the card.

    Args:
        history: risks of this one model.
        rows: what the model's card says; empty where it says nothing.
        per_100_days: the budget, alerts per 100 resident-days.
    """
    if history.is_enough:
        value: float | None = afforded(history, per_100_days)
        basis = Basis.HISTORY
    else:
        value = from_card(rows, per_100_days)
        basis = Basis.NOTHING if value is None else Basis.CARD
    alerts = 0 if value is None else history.alerts(value)
    return Threshold(value, basis, alerts, history.resident_days, history.days)
