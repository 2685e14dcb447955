"""What a chart is drawn of: values at moments. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from hub.overview.glance import KnownValue
from hub.readings import Quality


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a chart, in its vital's unit, at an aware time.

    `lowest` and `highest` are of a stretch of a stream, of which `value` is the median.
    """

    at: datetime
    value: float
    doubtful: bool = False
    lowest: float | None = None
    highest: float | None = None

    @property
    def low(self) -> float:
        """The lowest that it stands for."""
        return self.value if self.lowest is None else self.lowest

    @property
    def high(self) -> float:
        """The highest that it stands for."""
        return self.value if self.highest is None else self.highest


def point_of(known: KnownValue) -> Point | None:
    """A chart's point of what is known; None of what is no number, or lay beyond what its sensor can say."""
    if not isinstance(known.value, float) or not math.isfinite(known.value):
        return None
    doubtful = known.doubtful_time or known.quality is not Quality.GOOD
    return Point(known.measured_at, known.value, doubtful, known.lowest, known.highest)


def beyond_of(values: Iterable[KnownValue]) -> tuple[datetime, float] | None:
    """When a value last lay beyond what its sensor can say, and on which side; None where none did."""
    found = [
        (each.measured_at, each.value)
        for each in values
        if isinstance(each.value, float) and math.isinf(each.value)
    ]
    return max(found, default=None)


def inside(points: Iterable[Point], since: datetime, until: datetime) -> list[Point]:
    """Those of the period that are numbers, oldest first."""
    found = (each for each in points if since <= each.at <= until and math.isfinite(each.value))
    return sorted(found, key=lambda each: each.at)
