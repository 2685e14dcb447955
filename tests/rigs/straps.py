"""Heart rate straps that tell the times between beats, and models of rhythm that always say the same."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import cast

from drivers.virtual import encoding
from hub.assessment.rhythm import JudgedWindow, RhythmModel, Window, quality
from hub.readings import Reading
from tests.rigs.house import decoded, raw

STRAP, SHARED_STRAP = "C4:F2:17:00:00:21", "C4:F2:17:00:00:2F"
STRAPS = f"""
[[sensors]]
address = "{STRAP}"
driver = "heart_rate"
resident = "R-0412"
[[sensors]]
address = "{SHARED_STRAP}"
driver = "heart_rate"
"""
"""Further tables of a house: one of the ill resident's, and one that is shared."""

_SECOND = timedelta(seconds=1)


def regular(beats: int, seconds: float = 0.8) -> list[float]:
    """Intervals of a calm heart, in seconds: they come and go with the breath by a fiftieth."""
    return [seconds * (1 + 0.02 * ((n % 5) - 2) / 2) for n in range(beats)]


def irregular(beats: int, seed: int = 1) -> list[float]:
    """Intervals of which none says anything of the next, as in atrial fibrillation; in seconds."""
    chance = random.Random(seed)
    return [round(min(max(chance.gauss(0.75, 0.17), 0.4), 1.4), 3) for _ in range(beats)]


def noise(beats: int, seed: int = 1) -> list[float]:
    """What a strap tells whose skin contact comes and goes: every third interval is one that no heart has."""
    chance = random.Random(seed)
    return [chance.choice([0.15, 2.8]) if n % 3 else each for n, each in enumerate(irregular(beats, seed))]


def worn(intervals: Iterable[float], since: datetime, device: str = STRAP) -> Iterator[Reading]:
    """What a strap tells that is worn from then on: one notification a second, with the beats of it."""
    beats, at, told = since, since + _SECOND, list[float]()
    for interval in intervals:
        beats += interval * _SECOND
        while beats > at:
            yield strap(told, at, device)
            at, told = at + _SECOND, []
        told.append(interval)
    if told:
        yield strap(told, at, device)


def strap(
    intervals: Iterable[float], at: datetime, device: str = STRAP, *, contact: bool | None = None
) -> Reading:
    """One notification."""
    told = list(intervals)
    rate = round(60 * len(told) / sum(told)) if told else 72
    payload = encoding.heart_rate(max(rate, 20), contact=contact, beat_intervals=told)
    return decoded(raw(device, "heart_rate", payload, at))


class Saying:
    """A model of rhythm that says the same of each window; or raises it."""

    version, sha256, threshold = "0", "0" * 64, 0.5

    def __init__(self, says: float | Exception | None, name: str = "saying") -> None:
        self.name = name
        self.asked: list[Window] = []
        self._says = says

    def judged(self, window: Window) -> JudgedWindow:
        """Say it."""
        self.asked.append(window)
        if isinstance(self._says, Exception):
            raise self._says
        return JudgedWindow(window.began, window.ended, quality(window.intervals_ms), self._says)


def saying(says: float | Exception | None, name: str = "saying") -> RhythmModel:
    """`Saying` as an intake takes it."""
    return cast(RhythmModel, Saying(says, name))
