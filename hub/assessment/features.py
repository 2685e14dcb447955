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

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy
import numpy.typing

from hub.readings import Breathing, Value, Vital

SPECIFICATION = "1"
BASELINE_SETS = 8

Features = numpy.typing.NDArray[numpy.float32]


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
        return min(max(value, self.lowest), self.highest)


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
    recent = earlier[-BASELINE_SETS:]
    vector: list[float] = []
    for vital, scale in SCALES.items():
        value = number(current, vital)
        if value is None:
            vector += (0.0, 0.0, 0.0)
            continue
        value = scale.within(value)
        before = [scale.within(known) for one in recent if (known := number(one, vital)) is not None]
        change = value - median(before) if before else 0.0
        vector += ((value - scale.centre) / scale.spread, 1.0, change / scale.spread)
    vector.append(float(current.get(Vital.SUPPLEMENTAL_OXYGEN) is Breathing.OXYGEN))
    if age_years is None:
        vector += (0.0, 0.0)
    else:
        vector += ((AGE_SCALE.within(age_years) - AGE_SCALE.centre) / AGE_SCALE.spread, 1.0)
    return numpy.array(vector, dtype=numpy.float32)


def missing(current: Mapping[Vital, Value], age_years: int | None) -> tuple[str, ...]:
    """The inputs that are not known, in the order of `INPUTS`."""
    known = {vital for vital in SCALES if number(current, vital) is not None}
    if Vital.SUPPLEMENTAL_OXYGEN in current:
        known.add(Vital.SUPPLEMENTAL_OXYGEN)
    return tuple(name for name in INPUTS if (age_years is None if name == "age" else name not in known))


def out_of_range(current: Mapping[Vital, Value], age_years: int | None) -> tuple[str, ...]:
    """The inputs that the model sees as their scale's limit, since its training hardly went beyond it.

    An age over 90 is within: the training data has it as "90 and over" too.
    """
    outside: list[str] = [
        vital
        for vital, scale in SCALES.items()
        if (value := number(current, vital)) is not None and value != scale.within(value)
    ]
    if age_years is not None and age_years < AGE_SCALE.lowest:
        outside.append("age")
    return tuple(outside)


def number(values: Mapping[Vital, Value], vital: Vital) -> float | None:
    """The value of a numeric vital; None if it is not known or not finite."""
    value = values.get(vital)
    if value is None:
        return None
    value = float(value)
    return value if math.isfinite(value) else None
