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
from functools import lru_cache
from math import inf, isfinite, nan
from typing import NamedTuple, cast

import numpy
import numpy.typing

from hub.readings import Breathing, Consciousness, Value, Vital

SPECIFICATION = "2"
BASELINE_SETS = 8
RECENT_SETS = 4
CARRIED_SETS = 4
"""Of how many of the last earlier sets a value may be carried where no times are known: of a day, with one
set in six hours, as in the training data."""

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

_RANGES: Mapping[Vital, tuple[Scale, float, float]] = {
    vital: (scale, float(low), float(high))
    for vital, scale in SCALES.items()
    for low, high in [NORMAL.get(vital, (-inf, inf))]
}

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
_NOT_BEYOND: Mapping[Vital, tuple[float, ...]] = {
    vital: (0.0,) * len(BEYOND.get(vital, ())) for vital in SCALES
}
_CONSCIOUSNESS_UNKNOWN = (0.0,) * 9
_REACHED = tuple(tuple(float(now >= level) for level in (1, 2, 3, 4)) for now in LEVELS.values())
"""Of each level of consciousness, which of the others it reaches."""


def features(
    current: Mapping[Vital, Value],
    earlier: Sequence[Mapping[Vital, Value]],
    age_years: int | None,
    *,
    carried: int = CARRIED_SETS,
) -> Features:
    """The feature vector of one observation set, of shape (len(NAMES),), always finite.

    `current` has the values of the set to be judged; `earlier` those of the same resident's sets before it,
    oldest first, of which the last `BASELINE_SETS` count. A vital that is not known is not in a mapping.
    `age_years` is None where it is not known. Of the last `carried` earlier sets a value may stand in for one
    that the judged set lacks: the caller knows how old they are.
    """
    window = [current, *earlier[: -BASELINE_SETS - 1 : -1]]  # newest first
    numbers = cast(list[Numbers], window)
    known: dict[Vital, _Known | None] = {}
    vector: list[float] = []
    beyond: list[float] = []
    for vital in SCALES:
        found = known[vital] = _known(vital, tuple([each.get(vital, nan) for each in numbers]), carried)
        vector += _UNKNOWN if found is None else found.parts
        beyond += _NOT_BEYOND[vital] if found is None else found.beyond
    vector += beyond
    vector += _combined(known)
    vector.append(
        0.0 if age_years is None else (AGE_SCALE.within(age_years) - AGE_SCALE.centre) / AGE_SCALE.spread
    )
    vector += _oxygen([each.get(_OXYGEN) for each in window], carried)
    vector += _consciousness([each.get(_CONSCIOUSNESS) for each in window], carried)
    return numpy.array(vector, dtype=numpy.float32)


class _Known(NamedTuple):
    """A numeric vital in a window: its newest value; the same and the mean of the recent sets, both within
    the normal range; its `PARTS` and its `BEYOND`."""

    value: float
    normal: float
    recent_mean: float
    parts: tuple[float, ...]
    beyond: tuple[float, ...]


@lru_cache(maxsize=512)  # from one set to the next, and as reasons are sought, most vitals stay as they are
def _known(vital: Vital, seen: tuple[float, ...], carried: int) -> _Known | None:
    """What is known of a vital that has these values in a window, the newest first; one that is no finite
    number is not known. None where nothing is, or only what may not be carried so far."""
    values: Sequence[float] = seen
    is_now, recent = True, RECENT_SETS
    if not isfinite(sum(seen)):
        values = [value for value in seen if isfinite(value)]
        if not values or (newest := seen.index(values[0])) > carried:
            return None
        is_now = newest == 0
        recent = sum(map(isfinite, seen[:RECENT_SETS])) or 1
    scale, low, high = _RANGES[vital]
    ordered = sorted(values)
    if ordered[0] < scale.lowest or ordered[-1] > scale.highest:
        values = [scale.within(value) for value in values]
        ordered = sorted(values)
    value, beyond = values[0], _NOT_BEYOND[vital]
    lately = values[:recent]
    lowest, highest = min(lately), max(lately)
    if ordered[0] <= low or ordered[-1] >= high:
        beyond = _beyond(value, lowest, highest, vital)
        values = [low if each < low else high if each > high else each for each in values]
        ordered = sorted(values)
        lately = values[:recent]
        lowest, highest = min(lately), max(lately)
    normal = before = usual = values[0]
    if is_now:
        ordered.remove(normal)
        if ordered:
            before = values[1]
    if ordered:
        half = len(ordered) // 2
        usual = ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
    centre, spread = scale.centre, scale.spread
    recent_mean = sum(lately) / len(lately)
    parts = (
        (normal - centre) / spread,
        (normal - usual) / spread,
        (recent_mean - centre) / spread,
        (lowest - centre) / spread,
        (highest - centre) / spread,
        (before - centre) / spread,
        (sum(values) / len(values) - centre) / spread,
    )
    return _Known(value, normal, recent_mean, parts, beyond)


def _beyond(value: float, lowest: float, highest: float, vital: Vital) -> tuple[float, ...]:
    """How far below and above its normal range a vital is, now and in the worst of the recent sets."""
    scale, low, high = _RANGES[vital]
    # Not low - value: at the limit itself vectors have -0.0, as long as this specification has been there.
    below = (max(-(value - low), 0.0) / scale.spread, max(-(lowest - low), 0.0) / scale.spread)
    if high == inf:
        return below
    return (*below, max(value - high, 0.0) / scale.spread, max(highest - high, 0.0) / scale.spread)


def _combined(known: Mapping[Vital, _Known | None]) -> Sequence[float]:
    """`COMBINED`: 0 is about typical, as for the vitals.

    A slow pulse and a low respiration rate count as the limit of normal, and so does a low systolic pressure
    where less of it would make a difference smaller.
    """
    shock = pressure = recent_pressure = to_respiration = 0.0
    systolic, diastolic = known[_SYSTOLIC], known[_DIASTOLIC]
    pulse, saturation, respiration = known[_PULSE], known[_SATURATION], known[_RESPIRATION]
    if systolic is not None:
        if pulse is not None:
            shock = (max(pulse.value, NORMAL[_PULSE][0]) / systolic.value - 0.7) / 0.2
        if diastolic is not None:
            pressure = (systolic.normal - diastolic.normal - 60) / 18
            recent_pressure = (systolic.recent_mean - diastolic.recent_mean - 60) / 18
    if saturation is not None and respiration is not None:
        breaths = max(respiration.value, NORMAL[_RESPIRATION][0])
        to_respiration = (saturation.value / breaths - 5.4) / 1.7
    return shock, pressure, recent_pressure, to_respiration


def _oxygen(seen: Sequence[Value | None], carried: int) -> Sequence[float]:
    """Whether oxygen is given, and in which share of the earlier sets it was, as far as either is known.

    `seen` is what each set says of it, the newest first. It is a state: what is known of it holds until
    something else is.
    """
    if _GIVEN not in seen:
        return 0.0, 0.0
    state: Value | None = None
    age = known = given = 0
    for found in seen[:0:-1]:
        age += 1
        if found is not None:
            state, age = found, 0
        if state is not None:
            known += 1
            given += state is _GIVEN
    now = seen[0]
    if now is None and age < carried:
        now = state
    return float(now is _GIVEN), given / known if known else 0.0


def _consciousness(seen: Sequence[Value | None], carried: int) -> Sequence[float]:
    """How awake the person is, now and recently, by what each set says of it, the newest first; all 0 where
    that is not known."""
    known = [LEVELS[cast(Consciousness, each)] for each in seen if each is not None]
    if not known or seen[: carried + 1].count(None) == carried + 1:
        return _CONSCIOUSNESS_UNKNOWN
    recent = len(seen[:RECENT_SETS]) - seen[:RECENT_SETS].count(None) or 1
    now, worst = known[0], max(known[:recent])
    return (*_REACHED[now], *_REACHED[worst][1:], sum(known) / len(known) / 4, 1.0)


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
