"""A reading with its owner and its place in time: what the store keeps and the feed tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.clock import ClockStamp
from hub.readings import Measurement, Reading
from hub.timekeeping.timing import TimeQuality


@dataclass(frozen=True, slots=True)
class PlacedReading:
    """A reading with its owner (None: nobody yet) and its place in time.

    `measured_at` is aware; `stamp` is when the hub took it, without its wall clock. `observed` is what
    observation sets may take from it, where that is not what it says itself (a stream's median). `corrected`
    is how often it was taken from somebody whose it was said to be: what is told of it then has another name.
    """

    reading: Reading
    resident: str | None
    measured_at: datetime
    time_quality: TimeQuality
    stamp: ClockStamp
    observed: tuple[Measurement, ...] | None = None
    corrected: int = 0

    @property
    def taken(self) -> tuple[Measurement, ...]:
        """What observation sets may take from it."""
        return self.reading.measurements if self.observed is None else self.observed
