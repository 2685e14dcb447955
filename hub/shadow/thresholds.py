"""Which threshold of the model's risk was in force when: what the shadow record is joined with, to judge it.

An assessment keeps whether its risk reached the threshold, and not which that was. Each new threshold is
noted in the trail, which goes with its alerts (`keep_alerts`, a year), and here, for as long as there are
scores to judge by it (`keep_scores`): as a fact of the database, the newest last. It raises no alert.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Annotated

from pydantic import AwareDatetime, TypeAdapter

from hub import trail
from hub.assessment.budget import Threshold
from hub.store.rows import ModelName, fact_of
from hub.store.transaction import Transaction
from hub.trail import Moment

MOST = 2_000
"""That are kept: one a day, which is the most that there can be but for starts, for five years."""

_FACT = "model watch: thresholds"


@dataclass(frozen=True, slots=True)
class InForce:
    """From a moment on (by the hub's clock) the threshold of a model, the first digits of whose file's hash
    are `sha256`, for a budget in alerts per 100 resident-days. With None for `risk` there was none."""

    since: Annotated[datetime, AwareDatetime]
    sha256: str
    risk: float | None
    basis: str
    budget: float


_ALL = TypeAdapter(tuple[InForce, ...])


def thresholds(connection: sqlite3.Connection) -> tuple[InForce, ...]:
    """All that are known, in the order in which they came; none where they cannot be read."""
    kept = fact_of(connection, _FACT)
    try:
        return () if kept is None else _ALL.validate_json(kept)
    except ValueError:
        return ()


def note(transaction: Transaction, model: ModelName, found: Threshold, budget: float, moment: Moment) -> None:
    """Note a threshold that is in force from now on, here and in the trail; unless it was before."""
    known = thresholds(transaction.connection)
    now = InForce(moment.at, model.sha256, found.value, found.basis.value, budget)
    if known and (known[-1].sha256, known[-1].risk, known[-1].budget) == (now.sha256, now.risk, budget):
        return
    transaction.audit(trail.shadow_threshold(moment, now.risk, now.basis, budget, now.sha256))
    transaction.set_fact(_FACT, _ALL.dump_json((*known, now)[-MOST:]).decode())


class Thresholds:
    """Which was in force when."""

    def __init__(self, known: tuple[InForce, ...]) -> None:
        self._known = sorted(known, key=attrgetter("since"))

    def at(self, moment: datetime, sha256: str) -> float | None:
        """The threshold of a model at a moment; None where it had none, or it is not known."""
        place = bisect_right(self._known, moment, key=attrgetter("since"))
        if not place or self._known[place - 1].sha256 != sha256:
            return None
        return self._known[place - 1].risk
