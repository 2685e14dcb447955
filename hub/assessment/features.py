"""What the deterioration model sees of a resident: one vector, made by training and hub alike.

Specification 1. For each of six numeric vitals three features: its value, whether it is known, and
its change from the resident's own baseline; then oxygen, and age with whether that is known.

- The baseline of a vital is the median of its known values in the resident's earlier sets, at most
  the last `BASELINE_SETS` of them. Without one the change is 0: nothing is known of a change.
- A value is first moved to the nearer end of its `Scale`, if outside, then centred and divided, so
  that a typical value is about 0. A value that is missing or not finite gives 0 in all its features.
- Oxygen is 1 if the person is known to be given oxygen. Air and not known are both 0: the training
  data charts oxygen only where it is given, so "known" would mean "ventilated" to a model.
- Consciousness is not among the features, since the training data has none. NEWS2 scores it.
- Neither time nor the number of observations is among them: in the training data the hour of stay
  alone tells much of the outcome, which is a habit of intensive care and nothing about a resident.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan
from typing import cast

import numpy
import numpy.typing

from hub.readings import Breathing, Value, Vital

SPECIFICATION = "1"
BASELINE_SETS = 8

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

SCALES: Mapping[Vital, Scale] = {
    Vital.RESPIRATION_RATE: Scale(6, 45, 18, 6),
    Vital.OXYGEN_SATURATION: Scale(75, 100, 97, 3),
    Vital.SYSTOLIC_PRESSURE: Scale(65, 200, 120, 22),
    Vital.DIASTOLIC_PRESSURE: Scale(30, 125, 60, 13),
    Vital.PULSE_RATE: Scale(40, 150, 84, 17),
    Vital.TEMPERATURE: Scale(33.5, 40, 37, 0.7),
}
AGE_SCALE = Scale(16, 90, 65, 16)
"""Years. 90 stands for 90 and over."""

INPUT_VITALS = frozenset({*SCALES, Vital.SUPPLEMENTAL_OXYGEN})
"""Earlier sets without any of these tell nothing of a baseline: they are not to be among the last ones."""

INPUTS: tuple[str, ...] = (*SCALES, Vital.SUPPLEMENTAL_OXYGEN, "age")
"""What the features are made of, by name."""

NAMES: tuple[str, ...] = (
    *(f"{vital}{part}" for vital in SCALES for part in ("", " known", " change")),
    Vital.SUPPLEMENTAL_OXYGEN.value,
    "age",
    "age known",
)
"""What each feature is, in the order of the vector."""


def features(
    current: Mapping[Vital, Value], earlier: Sequence[Mapping[Vital, Value]], age_years: int | None
) -> Features:
    """The feature vector of one observation set, of shape (len(NAMES),), always finite.

    `current` has the values of the set to be judged; `earlier` those of the same resident's sets
    before it, oldest first, of which the last `BASELINE_SETS` count. A vital that is not known is
    not in a mapping. `age_years` is None where it is not known.
    """
    now, before = cast(Numbers, current), cast(Sequence[Numbers], earlier[-BASELINE_SETS:])
    vector: list[float] = []
    for vital, scale in SCALES.items():
        value = now.get(vital, nan)
        if not isfinite(value):
            vector += (0.0, 0.0, 0.0)
            continue
        value = scale.within(value)
        baseline = _baseline(vital, scale, before)
        change = 0.0 if baseline is None else value - baseline
        vector += ((value - scale.centre) / scale.spread, 1.0, change / scale.spread)
    vector.append(1.0 if current.get(_OXYGEN) is _GIVEN else 0.0)
    if age_years is None:
        vector += (0.0, 0.0)
    else:
        vector += ((AGE_SCALE.within(age_years) - AGE_SCALE.centre) / AGE_SCALE.spread, 1.0)
    return numpy.array(vector, dtype=numpy.float32)


def _baseline(vital: Vital, scale: Scale, before: Sequence[Numbers]) -> float | None:
    """The median of the vital's known values; None without one.

    Only what it is made of is moved within the scale, since moving keeps the order.
    """
    known: list[float] = []
    for each in before:
        value = each.get(vital, nan)
        if isfinite(value):
            known.append(value)
    if not known:
        return None
    known.sort()
    half = len(known) // 2
    upper = scale.within(known[half])
    return upper if len(known) % 2 else (scale.within(known[half - 1]) + upper) / 2


def nothing_known(current: Mapping[Vital, Value]) -> bool:
    """Whether a set has no vital at all that the model knows."""
    now = cast(Numbers, current)
    return _OXYGEN not in current and not any(isfinite(now.get(vital, nan)) for vital in SCALES)


def missing(current: Mapping[Vital, Value], age_years: int | None) -> tuple[str, ...]:
    """The inputs that are not known, in the order of `INPUTS`."""
    now = cast(Numbers, current)
    lacking: list[str] = [vital for vital in SCALES if not isfinite(now.get(vital, nan))]
    if _OXYGEN not in current:
        lacking.append(_OXYGEN)
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
