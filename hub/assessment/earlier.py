"""What the model sees of a resident's past with a new set: the newest value of each vital in each four hours.

It was trained on such sets: what was charted last of each vital in a block of hours. On a hub each reading
that is sent alone forms a set with what else was measured in the last half hour, so that its last eight sets
may all be of one round, and each has only a part of it. So the time before the new set is cut into windows of
`EVERY`, counted back from it, and each is one earlier set: of each vital that was measured in it the newest
value. Windows in which nothing was measured that the model knows are skipped. (Training has blocks of six
hours; rounds that are about six hours apart must not meet in one window, so these are shorter.)

- The first window, the new set's own time, gives only what the set itself lacks: the same round counts once.
- A value counts by when it was measured, not by when a set had it. So it is in one window only; none is later
  than the new set, whenever that comes; and what the set itself still has of long ago
  (`observation_sets.recent_by_vital`) is not its own past.
- Windows end at whole multiples of `EVERY`, and so do `CARRIED` and `OLDEST`. So every value of a window from
  which one may be carried is younger than `CARRIED`, and no value that is younger is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.assessment.features import BASELINE_SETS, INPUT_VITALS
from hub.assessment.hour import Hour, Measured, When
from hub.assessment.observation_set import ObservationSet
from hub.readings import Value, Vital

EVERY = timedelta(hours=4)
OLDEST = timedelta(days=14)
CARRIED = timedelta(hours=24)

_WINDOWS_CARRIED = CARRIED // EVERY
_WINDOWS = OLDEST // EVERY


@dataclass(frozen=True, slots=True)
class Earlier:
    """The earlier sets that count, oldest first, and of how many of the last a value may be carried."""

    sets: Sequence[Mapping[Vital, Value]]
    carried: int
    _windows: Sequence[Sequence[Measured]]

    @property
    def times(self) -> list[dict[Vital, datetime]]:
        """When each value was measured."""
        return [
            {vital: when[vital][0] for vital in values}
            for values, when in zip(self.sets, map(_when, self._windows), strict=True)
        ]


def chosen(hours: Sequence[Hour], observations: ObservationSet, most: int = BASELINE_SETS) -> Earlier:
    """Of what was measured, by hours, oldest first, what counts for a set: up to `most` windows.

    All values are younger than `OLDEST`; of the windows that are younger than `CARRIED` a value may be
    carried. No hour may be longer than `EVERY`, and none may reach into another.
    """
    at, own = observations.at, observations.observations
    newest_first: Iterable[Hour] = reversed(hours)
    held = {vital: each.measured_at for vital, each in own.items() if each.measured_at <= at - EVERY}
    if held or (hours and hours[-1].end > at):
        newest_first = (before for hour in newest_first if (before := hour.before(at, held)) is not None)
    sets: list[Mapping[Vital, Value]] = []
    windows: list[list[Measured]] = []
    carried = 0
    for number, window in _windows(newest_first, at):
        if number >= _WINDOWS:
            break
        values = window[0].values
        if len(window) > 1:
            values = {}
            for measured in reversed(window):
                values.update(measured.values)
        if number == 0:
            values = {vital: value for vital, value in values.items() if vital not in own}
        if not INPUT_VITALS.isdisjoint(values):
            sets.append(values)
            windows.append(window)
            carried += number < _WINDOWS_CARRIED
            if len(sets) == most:
                break
    return Earlier(sets[::-1], carried, windows[::-1])


def _windows(newest_first: Iterable[Hour], at: datetime) -> Iterator[tuple[int, list[Measured]]]:
    """The windows in which anything was measured, the newest first, and what, likewise; number 0 ends at the
    moment `at`."""
    number, begins = 0, at - EVERY  # of the window that is being filled: what was measured then is before it
    window: list[Measured] = []
    for hour in newest_first:
        if hour.end <= begins:
            if window:
                yield number, window
            number, window = (at - hour.end) // EVERY, []
            begins = at - (number + 1) * EVERY
        if hour.begin > begins:
            window.append(hour.last)
            continue
        until, after = hour.cut(begins)
        window.append(after)
        yield number, window
        number, window = number + 1, [until]
        begins -= EVERY
    if window:
        yield number, window


def _when(window: Sequence[Measured]) -> dict[Vital, When]:
    newest: dict[Vital, When] = {}
    for measured in reversed(window):
        newest.update(measured.when)
    return newest
