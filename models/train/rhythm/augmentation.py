"""The same rhythm as another device, or a worse contact, would have told it.

The recordings are 9 to 61 s from one handheld device at 300 samples a second. A strap tells 1/1024 s, a
Holter 1/128 or 1/250 s; each misses beats, finds too many and places them a few milliseconds off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from hub.assessment.rhythm import MOST_BEATS
from models.train.measures.arrays import Floats

FEWEST_BEATS = 20
CLOCKS_PER_S = (1024, 360, 300, 250, 128)
JITTER_MS = (1.0, 2.0, 4.0, 8.0)
FASTER_OR_SLOWER = 0.25
"""Natural logarithm: so much faster or slower at the most."""

Generator = np.random.Generator


def disturbed(intervals_ms: Floats, generator: Generator) -> Floats:
    """A part of 20 to 60 beats of a recording, at another rate, told by another device."""
    length = int(generator.integers(FEWEST_BEATS, MOST_BEATS + 1))
    first = int(generator.integers(max(1, len(intervals_ms) - length + 1)))
    part = intervals_ms[first : first + length]
    if generator.random() < 0.2:
        part = part[::-1]
    part = part * np.exp(generator.uniform(-FASTER_OR_SLOWER, FASTER_OR_SLOWER))
    if generator.random() < 0.3:
        share = float(generator.choice((0.01, 0.03, 0.05)))
        part = (missing if generator.random() < 0.5 else extra)(part, share, generator)
    if generator.random() < 0.6:
        part = jittered(part, float(generator.choice(JITTER_MS)), generator)
    if generator.random() < 0.8:
        part = clocked(part, int(generator.choice(CLOCKS_PER_S)))
    return part


def missing(intervals_ms: Floats, share: float, generator: Generator) -> Floats:
    """With this share of the beats between them not found."""
    beats = _beats(intervals_ms)
    found = generator.random(len(beats)) >= share
    found[[0, -1]] = True
    return np.diff(beats[found])


def extra(intervals_ms: Floats, share: float, generator: Generator) -> Floats:
    """With a beat that was none (a T wave) 250 to 400 ms into this share of the intervals."""
    beats = _beats(intervals_ms)
    into = generator.uniform(250, 400, len(intervals_ms))
    at = (generator.random(len(intervals_ms)) < share) & (into < intervals_ms - 100)
    return np.diff(np.sort(np.concatenate([beats, (beats[:-1] + into)[at]])))


def jittered(intervals_ms: Floats, spread_ms: float, generator: Generator) -> Floats:
    """With each beat placed so much off (standard deviation)."""
    return np.diff(_beats(intervals_ms) + generator.normal(0, spread_ms, len(intervals_ms) + 1))


def clocked(intervals_ms: Floats, per_second: int) -> Floats:
    """As a clock of so many ticks tells the times of the beats."""
    return np.diff(np.rint(_beats(intervals_ms) * per_second / 1000)) * (1000 / per_second)


def _beats(intervals_ms: Floats) -> Floats:
    return np.concatenate([[0.0], np.cumsum(intervals_ms)])


TRIALS: Mapping[str, Callable[[Floats, Generator], Floats]] = {
    "as recorded": lambda intervals, _: intervals,
    "clock of 1/128 s": lambda intervals, _: clocked(intervals, 128),
    "clock of 1/1024 s, 4 ms off": lambda intervals, generator: clocked(
        jittered(intervals, 4, generator), 1024
    ),
    "2 % of the beats missed": lambda intervals, generator: missing(intervals, 0.02, generator),
    "2 % of the beats found twice": lambda intervals, generator: extra(intervals, 0.02, generator),
    "first 30 beats alone": lambda intervals, _: intervals[:30],
}
"""How the held-out recordings are disturbed to see how the model bears it."""
