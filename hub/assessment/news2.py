"""NEWS2, exactly by the chart: Royal College of Physicians, National Early Warning Score 2 (2017).

The sub-scores are chart 1, the bands chart 4. NEWS2 is meant for people of 16 years and over who
are not pregnant. A parameter that was not measured is named, never filled in: the score is then
partial, its total and its band the least that they can be.

Values are rounded half up before they are looked up, as the chart's columns leave gaps between
them: temperature to 0.1 degC, all else to whole numbers. So a column reaches half a step beyond the
last value that it names. The decimal digits of the value's shortest form are rounded, so that 36.05
becomes 36.1 although the nearest binary number lies below it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import NamedTuple, TypeVar

from hub.readings import Breathing, Consciousness, Value, Vital


class OxygenScale(IntEnum):
    """The SpO2 scale a person is scored on: 2 only with a prescribed 88 to 92 % target."""

    SCALE_1 = 1
    SCALE_2 = 2


class Band(StrEnum):
    """The bands of NEWS2's chart 4, lowest first; compare them by `rank`, not by `<`."""

    ZERO = "zero"
    LOW = "low"
    SINGLE_RED = "single_red"  # a 3 in any one parameter, with a total below 5
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """0 for the lowest band, rising with clinical risk."""
        return _RANKS[self]

    @property
    def words(self) -> str:
        """The band as people say it."""
        return _WORDS[self]

    @property
    def response(self) -> str:
        """What chart 4 asks for at the least, in short. Who is told is the ladder's matter, not this."""
        return _RESPONSES[self]


_RANKS = {band: rank for rank, band in enumerate(Band)}
_WORDS = {
    Band.ZERO: "zero",
    Band.LOW: "low",
    Band.SINGLE_RED: "3 in one parameter",
    Band.MEDIUM: "medium",
    Band.HIGH: "high",
}
_RESPONSES = {
    Band.ZERO: "observe at least every 12 hours",
    Band.LOW: "observe at least every 4 to 6 hours",
    Band.SINGLE_RED: "observe at least every hour",
    Band.MEDIUM: "urgent assessment; observe at least every hour",
    Band.HIGH: "emergency assessment; observe continuously",
}

DUE_WITHIN: Mapping[Band, timedelta] = {
    Band.ZERO: timedelta(hours=12),
    Band.LOW: timedelta(hours=6),
    Band.SINGLE_RED: timedelta(hours=1),
    Band.MEDIUM: timedelta(hours=1),
    Band.HIGH: timedelta(hours=1),
}
"""How long after a score of that band chart 4 asks for the next observation at the latest: where it asks
for 4 to 6 hours the longer, and where it asks for continuous monitoring one hour, the least that it can
mean."""

PARAMETERS = (
    Vital.RESPIRATION_RATE,
    Vital.OXYGEN_SATURATION,
    Vital.SUPPLEMENTAL_OXYGEN,
    Vital.SYSTOLIC_PRESSURE,
    Vital.PULSE_RATE,
    Vital.CONSCIOUSNESS,
    Vital.TEMPERATURE,
)
"""The seven parameters of NEWS2, in the order of chart 1."""


@dataclass(frozen=True, slots=True)
class News2:
    """A NEWS2 score, complete or partial.

    `sub_scores` has the scored parameters, `missing` all others, both in the order of chart 1.
    `not_scorable` says, of those missing that did have a value, why it gives no sub-score.
    """

    scale: OxygenScale
    sub_scores: Mapping[Vital, int]
    missing: tuple[Vital, ...]
    not_scorable: Mapping[Vital, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """The sum of the sub-scores; of a partial score, the least that the total can be."""
        return sum(self.sub_scores.values())

    @property
    def complete(self) -> bool:
        """True where all seven parameters were scored."""
        return not self.missing

    @property
    def contributing(self) -> frozenset[Vital]:
        """The parameters that score more than 0."""
        return frozenset([vital for vital, points in self.sub_scores.items() if points])

    @property
    def band(self) -> Band:
        """The band of chart 4; of a partial score, the least that the band can be."""
        total = self.total
        if total >= 7:
            return Band.HIGH
        if total >= 5:
            return Band.MEDIUM
        if 3 in self.sub_scores.values():
            return Band.SINGLE_RED
        return Band.LOW if total else Band.ZERO

    def describe(self, questionable: Collection[Vital] = ()) -> str:
        """The score in plain words, for carers and the ICS; `questionable` parameters are marked.

        "NEWS2 at least 5 (at least medium): oxygen saturation 3, pulse rate 2; partial:
        respiration rate, consciousness not measured"
        """
        if not self.sub_scores:
            return f"NEWS2 unknown: {self._gaps()}"
        least = "" if self.complete else "at least "
        least_band = "" if self.band is Band.HIGH else least
        band = f" ({least_band}{self.band.words})" if self.total else ""
        in_chart_order = [vital for vital in PARAMETERS if vital in self.contributing]
        scored = sorted(in_chart_order, key=lambda vital: -self.sub_scores[vital])
        points = ", ".join(self._points_in_words(vital, vital in questionable) for vital in scored)
        gaps = "" if self.complete else f"; partial: {self._gaps()}"
        return f"NEWS2 {least}{self.total}{band}: {points or 'no parameter scores'}{gaps}"

    def _points_in_words(self, vital: Vital, questionable: bool) -> str:
        scale_2 = vital is Vital.OXYGEN_SATURATION and self.scale is OxygenScale.SCALE_2
        mark = " (questionable)" if questionable else ""
        return f"{in_words(vital)}{' (scale 2)' if scale_2 else ''} {self.sub_scores[vital]}{mark}"

    def _gaps(self) -> str:
        not_measured = [in_words(vital) for vital in self.missing if vital not in self.not_scorable]
        gaps = [f"{', '.join(not_measured)} not measured"] if not_measured else []
        gaps += [f"{in_words(vital)} not scored, {reason}" for vital, reason in self.not_scorable.items()]
        return "; ".join(gaps)


def in_words(vital: Vital) -> str:
    """A vital as people say it: "respiration rate"."""
    return vital.value.replace("_", " ")


_Code = TypeVar("_Code", Consciousness, Breathing)


def score(values: Mapping[Vital, Value], scale: OxygenScale) -> News2:
    """Score what was measured, each value in its vital's fixed unit; other vitals are ignored.

    A number that is not finite is no measurement. On scale 2 a saturation of 93 % or more scores 0
    on air and 1 to 3 on oxygen, so it is not scored while that is unknown. Whether a value is
    plausible is for the drivers to say, not for the chart.

    Raises:
        ValueError: a value is not of its vital's type.
    """
    sub_scores: dict[Vital, int] = {}
    missing: list[Vital] = []
    not_scorable: dict[Vital, str] = {}
    breathing = values.get(Vital.SUPPLEMENTAL_OXYGEN)
    for vital in PARAMETERS:
        value = values.get(vital)
        if value is None:
            missing.append(vital)
            continue
        points = _points(vital, value, scale, breathing)
        if isinstance(points, int):
            sub_scores[vital] = points
        else:
            missing.append(vital)
            not_scorable[vital] = points
    return News2(scale, sub_scores, tuple(missing), not_scorable)


def _points(vital: Vital, value: Value, scale: OxygenScale, breathing: Value | None) -> int | str:
    """The sub-score, or why there is none."""
    chart = _CHARTS.get(vital)
    if chart is not None:
        return chart.look_up(value)
    if vital is Vital.CONSCIOUSNESS:
        return 0 if _code(Consciousness, value) is Consciousness.ALERT else 3
    if vital is Vital.SUPPLEMENTAL_OXYGEN:
        return 0 if _code(Breathing, value) is Breathing.AIR else 2
    if scale is OxygenScale.SCALE_1:
        return _SATURATION_SCALE_1.look_up(value)
    known = None if breathing is None else _code(Breathing, breathing)
    return _SATURATION_SCALE_2[known].look_up(value)


def _code(codes: type[_Code], value: Value) -> _Code:
    if not isinstance(value, codes):
        raise ValueError(f"{value!r} is no {codes.__name__}")  # noqa: TRY004 - a wrong value, as in Measurement
    return value


class _Chart(NamedTuple):
    """One parameter's row of chart 1: `points[i]`, or why there are none, for what is below `below[i]`."""

    below: tuple[float, ...]
    points: tuple[int | str, ...]

    def look_up(self, value: Value) -> int | str:
        number = float(value)
        if not math.isfinite(number):
            return "its value is no number"
        return self.points[bisect_right(self.below, number)]


_WHOLE = Decimal("1")
_TENTH = Decimal("0.1")


def _chart(step: Decimal, *columns: tuple[str, int | str]) -> _Chart:
    """Each column: the highest value that has these points, once rounded to the step.

    What is below the float nearest to a limit of the columns has digits below it too, since every
    float's shortest form is read as that very float.
    """
    return _Chart(
        tuple(float(Decimal(highest) + step / 2) for highest, _ in columns),
        tuple(points for _, points in columns),
    )


# Chart 1.
_CHARTS = {
    Vital.RESPIRATION_RATE: _chart(_WHOLE, ("8", 3), ("11", 1), ("20", 0), ("24", 2), ("Infinity", 3)),
    Vital.SYSTOLIC_PRESSURE: _chart(_WHOLE, ("90", 3), ("100", 2), ("110", 1), ("219", 0), ("Infinity", 3)),
    Vital.PULSE_RATE: _chart(
        _WHOLE, ("40", 3), ("50", 1), ("90", 0), ("110", 1), ("130", 2), ("Infinity", 3)
    ),
    Vital.TEMPERATURE: _chart(_TENTH, ("35.0", 3), ("36.0", 1), ("38.0", 0), ("39.0", 1), ("Infinity", 2)),
}
_SATURATION_SCALE_1 = _chart(_WHOLE, ("91", 3), ("93", 2), ("95", 1), ("Infinity", 0))
_UP_TO_TARGET = (("83", 3), ("85", 2), ("87", 1), ("92", 0))
_SATURATION_SCALE_2: Mapping[Breathing | None, _Chart] = {
    Breathing.AIR: _chart(_WHOLE, *_UP_TO_TARGET, ("Infinity", 0)),
    Breathing.OXYGEN: _chart(_WHOLE, *_UP_TO_TARGET, ("94", 1), ("96", 2), ("Infinity", 3)),
    None: _chart(
        _WHOLE, *_UP_TO_TARGET, ("Infinity", "93 % or more on scale 2 needs to know if on air or oxygen")
    ),
}
