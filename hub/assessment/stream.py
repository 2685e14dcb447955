"""What a sensor that streams says of a person: the middle of its last values, never one of them alone.

NEWS2 is for observations: a value that somebody looked at for a while and wrote down. A stream says
something every second, and one second of it is often a finger that moved. The rule: a streamed vital is
observed as the median of that sensor's usable values over the last `over` (`observation_sets.stream` in
the configuration, 30 seconds unless set), and only where they cover at least half of that time. Each
value covers the time until the next one, an eighth of `over` at the most; so they are never fewer than
five, and a gap (no finger) covers next to nothing. Until then nothing is observed: not yet, or no more.

So a value that lasts is observed after little more than half of `over`, and one that lasts for less
than half of the values is not observed at all. The median is questionable unless more than half of the
values are good.

A sensor that sends less often than every quarter of `over` never covers enough: `over` must be longer.
The rule is ours, not the charts': the Royal College of Physicians says nothing of streams.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from hub.readings import OF_THE_ROOM, Measurement, Quality, Vital

_COVERS_AT_MOST = 8  # this part of `over`; half of it then takes four values, and one to end with


@dataclass(frozen=True, slots=True)
class Sample:
    """What a stream said at one moment. `at` is aware."""

    at: datetime
    measurements: tuple[Measurement, ...]


def medians(samples: Iterable[Sample], at: datetime, over: timedelta) -> tuple[Measurement, ...]:
    """What one sensor's samples of one person say at the moment `at`, by the rule above.

    One measurement of each vital that can be observed, in the order of `Vital`; coded vitals have no
    median, and what is of the room is no observation. The order of `samples` means nothing.
    """
    usable: dict[Vital, list[tuple[datetime, float, bool]]] = defaultdict(list)
    for sample in samples:
        if timedelta(0) <= at - sample.at <= over:
            for said in sample.measurements:
                if said.usable and isinstance(said.value, float):
                    usable[said.vital].append((sample.at, said.value, said.quality is Quality.GOOD))
    return tuple(
        median_of(vital, [(value, good) for _, value, good in usable[vital]])
        for vital in Vital
        if vital in usable
        and vital not in OF_THE_ROOM
        and _covered([when for when, _, _ in usable[vital]], over) >= over / 2
    )


def median_of(vital: Vital, said: Sequence[tuple[float, bool]]) -> Measurement:
    """The middle of these values, each with whether it is good; good where more than half of them are."""
    mostly_good = 2 * sum(good for _, good in said) > len(said)
    quality = Quality.GOOD if mostly_good else Quality.QUESTIONABLE
    return Measurement(vital, median(value for value, _ in said), quality=quality)


def covers_at_most(over: timedelta) -> timedelta:
    """For how long one value can speak."""
    return over / _COVERS_AT_MOST


def _covered(times: Iterable[datetime], over: timedelta) -> timedelta:
    """How much time the values of these times speak for."""
    gaps = (later - earlier for earlier, later in pairwise(sorted(times)))
    return sum((min(gap, covers_at_most(over)) for gap in gaps), timedelta(0))
