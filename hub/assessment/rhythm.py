"""Is the pulse irregular? From the intervals between beats: signal quality first, then the model, then rules.

The order is always the same: `windows` cuts what a sensor told into windows of 30 to 60 beats; `quality`
says how far each can be believed; `RhythmModel` gives the probability that its rhythm is atrial
fibrillation, as learned from the intervals of one-lead ECGs (models/rhythm.json); and `judge` says what
the windows of a day come to, by a rule that no single noisy minute can meet.

It is a finding, "irregular pulse: consider an ECG", and no diagnosis: that of atrial fibrillation needs an
ECG (Hindricks et al., European Heart Journal 42:373-498, 2021). It runs in shadow: nothing here raises an
alert. That nothing is found rules nothing out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from math import exp, log
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, Field

from hub.assessment.beats import NAMES, SPECIFICATION, believed, features, plausible
from hub.assessment.model_file import MODELS, Card, ModelFile, beside

SHIPPED_MODEL = MODELS / "rhythm.tflite"
SHIPPED_CARD = MODELS / "rhythm.json"

MOST_BEATS = 60
"""Of one window. A longer run is cut into equal ones, which so have 30 or more: half a minute to a minute, as
the training recordings are. More would tell more, but nothing was learned of more."""
LEAST_BEATS = 24
"""Usable intervals that a good window has at the least."""
LEAST_BELIEVED = 0.8
"""Share of a good window's intervals that are plausible and look like no missed and no extra beat."""
GAP = timedelta(seconds=3)
"""Between two intervals, beyond the later one's own length: more breaks the run."""

RULE_WINDOWS, RULE_IRREGULAR = 6, 5
"""Of so many good windows one after the other so many must be irregular (Apple Heart Study: 5 of 6
tachograms; Perez et al., New England Journal of Medicine 381:1909-1917, 2019)."""
RULE_SPAN = timedelta(minutes=5)
"""From the first of those windows to the last: a shorter run needs more windows. The tachograms of that
study were a quarter of an hour apart; those of Lubitz et al. (Circulation 146:1415-1424, 2022) had to be
irregular for half an hour. A strap on a resident is seldom worn that long, so this is ours."""

_PRECISION = 1e-6


@dataclass(frozen=True, slots=True)
class Interval:
    """Between two beats, in milliseconds as the sensor told it, and when the later beat was (aware)."""

    ended: datetime
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Window:
    """Up to `MOST_BEATS` intervals of one run, oldest first."""

    began: datetime
    ended: datetime
    intervals_ms: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SignalQuality:
    """How far the intervals of a window can be believed.

    `beats` is how many intervals were told, `used` how many of them a heart can have (240 to 2500 ms: the
    model sees these alone), and `share` (0 to 1) how many of those told also look like no missed and no
    extra beat of the sensor's.
    """

    beats: int
    used: int
    share: float

    @property
    def good(self) -> bool:
        """Whether the window counts for a finding."""
        return not self.doubts

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why it does not, in words; none for a good one."""
        few = ("too few beats",) if self.used < LEAST_BEATS else ()
        noisy = ("poor signal",) if self.share < LEAST_BELIEVED else ()
        return few + noisy


@dataclass(frozen=True, slots=True)
class JudgedWindow:
    """What one window says; `probability` is None where it had too little for the model."""

    began: datetime
    ended: datetime
    quality: SignalQuality
    probability: float | None

    @property
    def counts(self) -> bool:
        """Whether it counts for a finding, either way."""
        return self.quality.good and self.probability is not None


class Pulse(StrEnum):
    """What the windows of a day come to."""

    IRREGULAR = "irregular"
    NOT_IRREGULAR = "not found irregular"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class DayFinding:
    """What the windows of a day come to, by the rule of `judge`.

    `probability` is that of the day: the threshold at which the rule would just have been met; None where
    there were too few good windows for it. `since` and `until` are of the run of windows that it is of.
    `windows` counts all, `good` those that count, `irregular` those of these that reach the threshold.
    """

    pulse: Pulse
    probability: float | None
    since: datetime | None
    until: datetime | None
    windows: int
    good: int
    irregular: int

    @property
    def words(self) -> str:
        """The finding as a carer reads it."""
        counted = f"{self.irregular} of {self.good} good windows irregular"
        if self.pulse is Pulse.IRREGULAR:
            return f"irregular pulse: consider an ECG ({counted})"
        if self.pulse is Pulse.NOT_IRREGULAR:
            return f"no lasting irregular pulse found, which rules nothing out ({counted})"
        return f"too few beats of good quality to say whether the pulse is irregular ({counted})"


class _Decision(BaseModel):
    threshold: Annotated[float, Field(gt=0, lt=1)]


class RhythmCard(Card):
    """With the probability from which on a window is irregular."""

    decision: _Decision


def quality(intervals_ms: Sequence[float]) -> SignalQuality:
    """How far these successive intervals can be believed."""
    told = len(intervals_ms)
    good = sum(believed(intervals_ms))
    return SignalQuality(told, sum(map(plausible, intervals_ms)), good / told if told else 0.0)


def cut(intervals_ms: Sequence[float]) -> list[tuple[float, ...]]:
    """One run of intervals in equal parts of `MOST_BEATS` at the most (sizes differ by one)."""
    count = -(-len(intervals_ms) // MOST_BEATS)
    edges = [i * len(intervals_ms) // count for i in range(count + 1)] if count else [0]
    return [tuple(intervals_ms[a:b]) for a, b in pairwise(edges)]


def windows(intervals: Sequence[Interval]) -> list[Window]:
    """Windows of what one sensor told of one person, oldest first. No window reaches over a gap."""
    runs: list[list[Interval]] = []
    for interval in intervals:
        between = timedelta(milliseconds=interval.milliseconds) + GAP
        if not runs or interval.ended - runs[-1][-1].ended > between:
            runs.append([])
        runs[-1].append(interval)
    found = []
    for run in runs:
        first = 0
        for part in cut([interval.milliseconds for interval in run]):
            last = first + len(part) - 1
            began = run[first].ended - timedelta(milliseconds=part[0])
            found.append(Window(began, run[last].ended, part))
            first = last + 1
    return found


class RhythmModel:
    """One loaded model, for any thread."""

    def __init__(self, file: ModelFile[RhythmCard]) -> None:
        self._file = file
        self.name = file.name
        self.version = file.version
        self.sha256 = file.sha256
        self.threshold = file.card.decision.threshold

    @classmethod
    def load(cls, path: Path, card: Path) -> Self:
        """Load a model file and check it against its card.

        Raises:
            ModelError: as `ModelFile.load`.
        """
        file = ModelFile.load(
            path, card, RhythmCard, specification=SPECIFICATION, names=NAMES, setting="rhythm.mode"
        )
        return cls(file)

    @classmethod
    def configured(cls, file: Path | None) -> Self:
        """The model of the configuration, its card beside it; None for the one that comes with the hub.

        Raises:
            ModelError: as `load`.
        """
        model = file or SHIPPED_MODEL
        return cls.load(model, beside(model, ".json"))

    def probability(self, intervals_ms: Sequence[float]) -> float | None:
        """That the rhythm of one window is atrial fibrillation, 0 to 1; None where it has too few intervals.

        Fewer than `hub.assessment.beats.LEAST_USED` usable ones, that is. It says nothing of how far the
        window can be believed: see `quality`.
        """
        vector = features(intervals_ms)
        return None if vector is None else self._file.answer(vector)

    def judged(self, window: Window) -> JudgedWindow:
        """Quality and probability of one window."""
        intervals = window.intervals_ms
        return JudgedWindow(window.began, window.ended, quality(intervals), self.probability(intervals))

    def of_recording(self, intervals_ms: Sequence[float]) -> float | None:
        """The probability of a recording of any length: its windows' `together`. None if none has one."""
        return together([each for part in cut(intervals_ms) if (each := self.probability(part)) is not None])


def together(probabilities: Sequence[float]) -> float | None:
    """The probability of several windows of one rhythm: that of their mean log-odds. None for no window."""
    if not probabilities:
        return None
    inside = (min(max(each, _PRECISION), 1 - _PRECISION) for each in probabilities)
    mean = sum(log(each / (1 - each)) for each in inside) / len(probabilities)
    return 1 / (1 + exp(-mean))


def judge(judged: Sequence[JudgedWindow], threshold: float) -> DayFinding:
    """What the windows of a day, oldest first, come to; `threshold` is the model's.

    The rule: of good windows one after the other, `RULE_WINDOWS` or as many more as it takes to span
    `RULE_SPAN`, `RULE_IRREGULAR` in six or more reach the threshold. So no single noisy minute is a finding,
    nor are some ectopic beats now and then. Windows of poor quality count for nothing, neither way.
    """
    counted = [
        (each, each.probability) for each in judged if each.quality.good and each.probability is not None
    ]
    best: tuple[float, datetime, datetime] | None = None
    last = 0
    for first, (window, _) in enumerate(counted):
        last = max(last, first + RULE_WINDOWS - 1)
        while last < len(counted) and counted[last][0].ended - window.began < RULE_SPAN:
            last += 1
        if last >= len(counted):
            break
        run = sorted(probability for _, probability in counted[first : last + 1])
        spared = len(run) * (RULE_WINDOWS - RULE_IRREGULAR) // RULE_WINDOWS
        if best is None or run[spared] > best[0]:
            best = (run[spared], window.began, counted[last][0].ended)
    irregular = sum(probability >= threshold for _, probability in counted)
    if best is None:
        return DayFinding(Pulse.UNKNOWN, None, None, None, len(judged), len(counted), irregular)
    pulse = Pulse.IRREGULAR if best[0] >= threshold else Pulse.NOT_IRREGULAR
    return DayFinding(pulse, *best, len(judged), len(counted), irregular)
