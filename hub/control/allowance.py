"""So many at once, and so many a minute from then on: what somebody outside may make the hub do."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic


class Allowance:
    """A token bucket: `at_once` to begin with and at the most, filled again by `per_minute`.

    `clock` gives monotonic seconds.
    """

    def __init__(self, at_once: int, per_minute: float, clock: Callable[[], float] = monotonic) -> None:
        self._at_once = float(at_once)
        self._per_second = per_minute / 60
        self._clock = clock
        self._left = self._at_once
        self._filled_at = clock()

    def take(self) -> bool:
        """Whether one more is allowed; it is then used up."""
        moment = self._clock()
        self._left = min(self._at_once, self._left + (moment - self._filled_at) * self._per_second)
        self._filled_at = moment
        if self._left < 1:
            return False
        self._left -= 1
        return True
