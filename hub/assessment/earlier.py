"""Which of a resident's earlier sets the model sees with a new one: at most one of each four hours.

Each reading that is sent alone forms a set, with what else was measured in the last half hour: the last eight
sets may all be of one round, and a stream makes one a minute. So the time before the new set is cut into
windows of `EVERY`, counted back from it, and the newest set of each counts; windows without one are skipped.
The first of them, of the new set's own time, is left out: it tells of the same round.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from hub.assessment.features import BASELINE_SETS

EVERY = timedelta(hours=4)
OLDEST = timedelta(days=14)
CARRIED = timedelta(hours=24)


class Timed(Protocol):
    """What was at a moment."""

    @property
    def at(self) -> datetime:
        """When; aware."""


AnySet = TypeVar("AnySet", bound=Timed)


@dataclass(frozen=True, slots=True)
class Earlier(Generic[AnySet]):
    """The earlier sets that count, oldest first, and of how many of the last a value may be carried."""

    sets: Sequence[AnySet]
    carried: int


def chosen(newest_first: Iterable[AnySet], at: datetime, most: int = BASELINE_SETS) -> Earlier[AnySet]:
    """Of sets in their order, the newest first, those that count for a set at the moment `at`, up to `most`.

    Not older than `OLDEST`; of those not older than `CARRIED` a value may be carried. No more is asked of
    `newest_first` than that takes.
    """
    found: list[AnySet] = []
    carried = 0
    next_before = at - EVERY  # not after this is the next that counts
    for each in newest_first:
        if each.at > next_before:
            continue
        age = at - each.at
        if age > OLDEST:
            break
        found.append(each)
        carried += age <= CARRIED
        if len(found) == most:
            break
        next_before = at - (age // EVERY + 1) * EVERY
    return Earlier(found[::-1], carried)
