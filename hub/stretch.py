"""What a stretch of a stream said, summed up; the samples are in its payload (`drivers/stretch.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from hub.readings import Vital


@dataclass(eq=False, slots=True)
class Fate:
    """What becomes of a stretch, for whoever handed in a sample of it."""

    is_stored: bool | None = None
    """Whether it is on the card; None until that is known."""


@dataclass(frozen=True, slots=True)
class StretchedVital:
    """One vital over a stretch, in the vital's unit: of its usable values, one at the least.

    `usable` is for how long there was such a value, `below` for how long one below `threshold`; both are None
    for a vital that has no threshold.
    """

    vital: Vital
    lowest: float
    median: float
    highest: float
    usable: timedelta
    below: timedelta | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        if (self.below is None) != (self.threshold is None):
            raise ValueError(f"{self.vital}: a time below a threshold, and the threshold, go together")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Up to a minute of a stream. `vitals` are those with a usable value; it ends with its last sample.

    Times are in whole milliseconds, as they are kept.
    """

    duration: timedelta
    samples: int
    vitals: tuple[StretchedVital, ...] = ()
