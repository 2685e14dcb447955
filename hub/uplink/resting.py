"""Rows of the outbox that the broker does not take for now, or that nobody heard: tried again later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from time import monotonic

from hub.store.outbox import OutboxRow


@dataclass(slots=True)
class _Hold:
    """A row that is not to be tried before `due` (monotonic seconds)."""

    attempts: int
    due: float
    urgent: bool


class Resting:
    """The rows that rest, or that have rested and are not settled yet.

    `delay` gives the seconds of rest after so many attempts.
    """

    def __init__(self, delay: Callable[[int], float]) -> None:
        self._delay = delay
        self._holds: dict[int, _Hold] = {}
        self._unheard: set[int] = set()

    def __contains__(self, sequence: int) -> bool:
        return sequence in self._holds

    @property
    def ordinary(self) -> int:
        """How many of the rows are not urgent."""
        return sum(not hold.urgent for hold in self._holds.values())

    def hold(self, row: OutboxRow, *, urgent: bool, unheard: bool = False) -> float:
        """Let a row rest, longer each time; return until when (monotonic seconds)."""
        attempts = self._holds[row.sequence].attempts + 1 if row.sequence in self else 0
        due = monotonic() + self._delay(attempts)
        self._holds[row.sequence] = _Hold(attempts, due, urgent)
        if unheard:
            self._unheard.add(row.sequence)
        else:
            self._unheard.discard(row.sequence)
        return due

    def forget(self, sequence: int) -> None:
        """A row is delivered or set aside."""
        self._holds.pop(sequence, None)
        self._unheard.discard(sequence)

    def forget_unheard(self) -> None:
        """Somebody is subscribed: nothing keeps those rows any more."""
        for sequence in tuple(self._unheard):
            self.forget(sequence)

    def wake_unheard(self) -> None:
        """Somebody may be subscribed by now: try those rows at once, and else go on as before."""
        for sequence in self._unheard:
            self._holds[sequence].due = monotonic()

    def all(self) -> set[int]:
        """The sequences of the rows, due or not."""
        return set(self._holds)

    def not_due(self) -> set[int]:
        """The sequences not to be tried now. Forgets rows that have gone from the outbox some other way."""
        moment = monotonic()
        long_due = moment - 2 * self._delay(32)
        for sequence in [key for key, hold in self._holds.items() if hold.due < long_due]:
            self.forget(sequence)
        return {sequence for sequence, hold in self._holds.items() if hold.due > moment}

    def next_due(self) -> float:
        """When the next row is to be tried (monotonic seconds); infinity where none rests."""
        moment = monotonic()
        return min((hold.due for hold in self._holds.values() if hold.due > moment), default=inf)
