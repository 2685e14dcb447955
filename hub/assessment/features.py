"""What the deterioration model sees of a resident: one vector, made by training and hub alike.

Specification 2. A window is the set that is judged and at most the last `BASELINE_SETS` sets before it.

Of each of six numeric vitals (`PARTS`):

- its value; where the judged set has none, the newest of those earlier sets that may be carried;
- its change from the resident's own baseline, the median of the earlier sets;
- mean, lowest and highest of the recent sets (the judged one and the `RECENT_SETS` - 1 before it);
- the value before it, and the mean of the whole window;

all of these within the vital's `NORMAL` range: a value beyond it counts there as its limit. How far it is
below or above, now and in the worst of the recent sets, are features of their own (`BEYOND`), so that a model
can be held to this: what is beyond normal never lowers a risk.

Each value is first moved to the nearer end of its `Scale`, if outside, then centred and divided, so that a
typical value is about 0. Where the earlier sets do not know a vital, its value stands in for them: nothing is
known of a change. A vital known nowhere, or that is no finite number, gives 0 throughout, as a typical one.

Further: shock index (pulse / systolic; Allgoewer & Burri 1967), pulse pressure now and recently, saturation /
respiration rate (0 where one of the two is not known; with limits such that they too know no reassurance
beyond normal); age; whether oxygen is given (held like a value), and in which share of the earlier sets it
was; consciousness as ACVPU, now and recently, and whether it is known.

Not among them: time, the number of sets, and which vitals were charted. In the training data they tell much
of the outcome, which is a habit of intensive care and nothing about a resident. Only of consciousness is it
told whether it is known, since it was learned from other people than the rest (models/README.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan
from typing import cast

import numpy
import numpy.typing

from hub.readings import Breathing, Consciousness, Value, Vital

SPECIFICATION = "2"
BASELINE_SETS = 8
RECENT_SETS = 4

Features = numpy.typing.NDArray[numpy.float32]
Numbers = Mapping[Vital, float]
"""A set of which only vitals of `SCALES` are asked: their values are numbers."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Within which limits values are told apart, and what is subtracted and divided by, in the vital's unit.

    The limits are about the 0.1st and 99.9th centiles of the training data, rounded.
    """

    lowest: float
    highest: float
    centre: float
    spread: float

    def within(self, value: float) -> float:
        """The value, or the nearer limit."""
        if value < self.lowest:
            return self.lowest
        return self.highest if value > self.highest else value


# To look up a member of an enumeration takes longer than all else that is done with it here.
_OXYGEN, _GIVEN = Vital.SUPPLEMENTAL_OXYGEN, Breathing.OXYGEN
_CONSCIOUSNESS = Vital.CONSCIOUSNESS
_RESPIRATION, _SATURATION = Vital.RESPIRATION_RATE, Vital.OXYGEN_SATURATION
_SYSTOLIC, _DIASTOLIC, _PULSE = Vital.SYSTOLIC_PRESSURE, Vital.DIASTOLIC_PRESSURE, Vital.PULSE_RATE

SCALES: Mapping[Vital, Scale] = {
    Vital.RESPIRATION_RATE: Scale(6, 45, 18, 6),
    Vital.OXYGEN_SATURATION: Scale(75, 100, 97, 3),
    Vital.SYSTOLIC_PRESSURE: Scale(65, 200, 120, 22),
    Vital.DIASTOLIC_PRESSURE: Scale(30, 125, 60, 13),
    Vital.PULSE_RATE: Scale(40, 150, 84, 17),
    Vital.TEMPERATURE: Scale(33.5, 40, 37, 0.7),
}
NORMAL: Mapping[Vital, tuple[float, float]] = {
    Vital.RESPIRATION_RATE: (12, 20),
    Vital.OXYGEN_SATURATION: (96, inf),
    Vital.SYSTOLIC_PRESSURE: (111, inf),
    Vital.PULSE_RATE: (51, 90),
    Vital.TEMPERATURE: (36.1, 38.0),
}
"""Where NEWS2 gives no point (Royal College of Physicians 2017, chart 1, SpO2 scale 1). A systolic pressure
of 220 is beyond the scale, and the chart does not have a diastolic pressure."""

AGE_SCALE = Scale(16, 90, 65, 16)
"""Years. 90 stands for 90 and over."""

LEVELS: Mapping[Consciousness, int] = {level: number for number, level in enumerate(Consciousness)}
"""How far from alert (0) each level of ACVPU is."""

INPUT_VITALS = frozenset({*SCALES, Vital.SUPPLEMENTAL_OXYGEN, Vital.CONSCIOUSNESS})
"""Earlier sets without any of these tell nothing of a person: they are not to be among the last ones."""

INPUTS: tuple[str, ...] = (*SCALES, Vital.SUPPLEMENTAL_OXYGEN, Vital.CONSCIOUSNESS, "age")
"""What the features are made of, by name."""

PARTS = ("", " change", " recent mean", " recent lowest", " recent highest", " before", " mean")
"""What of each numeric vital is a feature."""

BEYOND: Mapping[Vital, tuple[str, ...]] = {
    vital: tuple(
        f"{vital}{part}"
        for end, parts in ((low, (" below", " recently below")), (high, (" above", " recently above")))
        if isfinite(end)
        for part in parts
    )
    for vital, (low, high) in NORMAL.items()
}
"""How far each vital is beyond its normal range: 0 within."""

COMBINED = ("shock index", "pulse pressure", "pulse pressure recent mean", "saturation to respiration")

NAMES: tuple[str, ...] = (
    *(f"{vital}{part}" for vital in SCALES for part in PARTS),
    *(name for names in BEYOND.values() for name in names),
    *COMBINED,
    "age",
    Vital.SUPPLEMENTAL_OXYGEN.value,
    f"{Vital.SUPPLEMENTAL_OXYGEN} before",
    *(f"{Vital.CONSCIOUSNESS} {level}" for level in ("not alert", "voice", "pain", "unresponsive")),
    *(f"{Vital.CONSCIOUSNESS} recently {level}" for level in ("voice", "pain", "unresponsive")),
    f"{Vital.CONSCIOUSNESS} mean",
    f"{Vital.CONSCIOUSNESS} known",
)
"""What each feature is, in the order of the vector."""

_UNKNOWN = (0.0,) * len(PARTS)
_ANYTHING = (-inf, inf)


def features(
    current: Mapping[Vital, Value],
    earlier: Sequence[Mapping[Vital, Value]],
    age_years: int | None,
    *,
    carried: int = BASELINE_SETS,
) -> Features:
    """The feature vector of one observation set, of shape (len(NAMES),), always finite.

    `current` has the values of the set to be judged; `earlier` those of the same resident's sets before it,
    oldest first, of which the last `BASELINE_SETS` count. A vital that is not known is not in a mapping.
    `age_years` is None where it is not known. Of the last `carried` earlier sets a value may stand in for one
    that the judged set lacks: the caller knows how old they are.
    """
    window = cast(list[Numbers], [current, *earlier[: -BASELINE_SETS - 1 : -1]])  # newest first
    vector: list[float] = []
    known = {vital: _known(vital, scale, window, carried) for vital, scale in SCALES.items()}
    for vital, scale in SCALES.items():
        vector += _within(scale, NORMAL.get(vital, _ANYTHING), known[vital])
    for vital, normal in NORMAL.items():
        vector += _beyond(SCALES[vital], normal, known[vital])
    vector += _combined(known)
    vector.append(
        0.0 if age_years is None else (AGE_SCALE.within(age_years) - AGE_SCALE.centre) / AGE_SCALE.spread
    )
    vector += _oxygen(current, earlier[-BASELINE_SETS:], carried)
    vector += _consciousness(current, earlier[-BASELINE_SETS:], carried)
    return numpy.array(vector, dtype=numpy.float32)


@dataclass(frozen=True, slots=True)
class _Known:
    """A vital's known values in a window, newest first: none where the newest may not be carried so far.

    `recent` of them are of the recent sets (of none, the newest stands for them); `is_now` is whether the
    newest is of the judged set.
    """

    values: list[float]
    recent: int
    is_now: bool


_NOTHING = _Known([], 0, False)


def _known(vital: Vital, scale: Scale, window: Sequence[Numbers], carried: int) -> _Known:
    values: list[float] = []
    recent = 0
    is_now = False
    for number, each in enumerate(window):
        value = each.get(vital, nan)
        if isfinite(value):
            if not values:
                if number > carried:
                    return _NOTHING
                is_now = number == 0
            values.append(scale.within(value))
            recent += number < RECENT_SETS
    return _Known(values, recent or 1, is_now) if values else _NOTHING


def _within(scale: Scale, normal: tuple[float, float], known: _Known) -> Sequence[float]:
    """The `PARTS` of one vital, of its values within the normal range."""
    if not known.values:
        return _UNKNOWN
    lowest, highest = normal
    values = [min(max(value, lowest), highest) for value in known.values]
    value = values[0]
    before = values[1:] if known.is_now else values
    lately = values[: known.recent]
    centre, spread = scale.centre, scale.spread
    return (
        (value - centre) / spread,
        (value - _median(before)) / spread if before else 0.0,
        (sum(lately) / len(lately) - centre) / spread,
        (min(lately) - centre) / spread,
        (max(lately) - centre) / spread,
        ((before[0] if before else value) - centre) / spread,
        (sum(values) / len(values) - centre) / spread,
    )


def _beyond(scale: Scale, normal: tuple[float, float], known: _Known) -> Sequence[float]:
    """How far below and above the normal range a vital is, now and in the worst of the recent sets."""
    if not known.values:
        return (0.0,) * (2 * sum(map(isfinite, normal)))
    lately = known.values[: known.recent]
    found: list[float] = []
    for limit, direction, worst in zip(normal, (-1, 1), (min, max), strict=True):
        if isfinite(limit):
            found += [
                max(direction * (value - limit), 0.0) / scale.spread
                for value in (known.values[0], worst(lately))
            ]
    return found


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _combined(known: Mapping[Vital, _Known]) -> Sequence[float]:
    """`COMBINED`: 0 is about typical, as for the vitals.

    A slow pulse and a low respiration rate count as the limit of normal, and so does a low systolic pressure
    where less of it would make a difference smaller.
    """
    shock = pressure = recent_pressure = to_respiration = 0.0
    systolic, diastolic = known[_SYSTOLIC], known[_DIASTOLIC]
    pulse, saturation, respiration = known[_PULSE], known[_SATURATION], known[_RESPIRATION]
    if systolic.values:
        if pulse.values:
            shock = (max(pulse.values[0], NORMAL[_PULSE][0]) / systolic.values[0] - 0.7) / 0.2
        if diastolic.values:
            least = NORMAL[_SYSTOLIC][0]
            upper = [max(value, least) for value in systolic.values[: systolic.recent]]
            lower = diastolic.values[: diastolic.recent]
            pressure = (upper[0] - lower[0] - 60) / 18
            recent_pressure = (sum(upper) / len(upper) - sum(lower) / len(lower) - 60) / 18
    if saturation.values and respiration.values:
        breaths = max(respiration.values[0], NORMAL[_RESPIRATION][0])
        to_respiration = (saturation.values[0] / breaths - 5.4) / 1.7
    return shock, pressure, recent_pressure, to_respiration


def _oxygen(
    current: Mapping[Vital, Value], earlier: Sequence[Mapping[Vital, Value]], carried: int
) -> Sequence[float]:
    """Whether oxygen is given, and in which share of the earlier sets it was, as far as either is known.

    It is a state: what is known of it holds until something else is.
    """
    state: Value | None = None
    age = known = given = 0
    for each in earlier:
        age += 1
        if (found := each.get(_OXYGEN)) is not None:
            state, age = found, 0
        if state is not None:
            known += 1
            given += state is _GIVEN
    now = current.get(_OXYGEN)
    if now is None and age < carried:
        now = state
    return float(now is _GIVEN), given / known if known else 0.0


def _consciousness(
    current: Mapping[Vital, Value], earlier: Sequence[Mapping[Vital, Value]], carried: int
) -> Sequence[float]:
    """How awake the person is, now and recently; all 0 where that is not known."""
    known: list[int] = []
    recent = 0
    for number, each in enumerate((current, *reversed(earlier))):
        if (found := each.get(_CONSCIOUSNESS)) is not None:
            if not known and number > carried:
                break
            known.append(LEVELS[cast(Consciousness, found)])
            recent += number < RECENT_SETS
    if not known:
        return (0.0,) * 9
    now, worst = known[0], max(known[:recent] or known[:1])
    return (
        *(float(now >= level) for level in (1, 2, 3, 4)),
        *(float(worst >= level) for level in (2, 3, 4)),
        sum(known) / len(known) / 4,
        1.0,
    )


def nothing_known(current: Mapping[Vital, Value]) -> bool:
    """Whether a set has no vital at all that the model knows."""
    now = cast(Numbers, current)
    return (
        _OXYGEN not in current
        and _CONSCIOUSNESS not in current
        and not any(isfinite(now.get(vital, nan)) for vital in SCALES)
    )


def missing(current: Mapping[Vital, Value], age_years: int | None) -> tuple[str, ...]:
    """The inputs that the set does not know, in the order of `INPUTS`, also where one is carried."""
    now = cast(Numbers, current)
    lacking: list[str] = [vital for vital in SCALES if not isfinite(now.get(vital, nan))]
    lacking += [vital for vital in (_OXYGEN, _CONSCIOUSNESS) if vital not in current]
    if age_years is None:
        lacking.append("age")
    return tuple(lacking)


def out_of_range(current: Mapping[Vital, Value], age_years: int | None) -> tuple[str, ...]:
    """The inputs that the model sees as their scale's limit, since its training hardly went beyond it.

    An age over 90 is within: the training data has it as "90 and over" too.
    """
    now = cast(Numbers, current)
    outside: list[str] = []
    for vital, scale in SCALES.items():
        value = now.get(vital, nan)
        if -inf < value < scale.lowest or scale.highest < value < inf:
            outside.append(vital)
    if age_years is not None and age_years < AGE_SCALE.lowest:
        outside.append("age")
    return tuple(outside)
