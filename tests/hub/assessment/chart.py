"""NEWS2's chart 1, cell by cell, and a score by it, written without a thought of speed.

The value's own digits are rounded, then its cell is sought.
"""

import math
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Context, Decimal

from hub.assessment.news2 import PARAMETERS, News2, OxygenScale
from hub.readings import Breathing, Consciousness, Value, Vital

# Chart 1 of the Royal College of Physicians' NEWS2 (2017), cell by cell: (from, to, points), ends included.
WHOLE_NUMBER_CELLS = {
    Vital.RESPIRATION_RATE: [(0, 8, 3), (9, 11, 1), (12, 20, 0), (21, 24, 2), (25, 60, 3)],
    Vital.SYSTOLIC_PRESSURE: [(40, 90, 3), (91, 100, 2), (101, 110, 1), (111, 219, 0), (220, 280, 3)],
    Vital.PULSE_RATE: [(20, 40, 3), (41, 50, 1), (51, 90, 0), (91, 110, 1), (111, 130, 2), (131, 220, 3)],
}
TENTHS_OF_A_DEGREE_CELLS = [(300, 350, 3), (351, 360, 1), (361, 380, 0), (381, 390, 1), (391, 430, 2)]
SATURATION_CELLS = {
    (1, Breathing.AIR): [(50, 91, 3), (92, 93, 2), (94, 95, 1), (96, 100, 0)],
    (1, Breathing.OXYGEN): [(50, 91, 3), (92, 93, 2), (94, 95, 1), (96, 100, 0)],
    (2, Breathing.AIR): [(50, 83, 3), (84, 85, 2), (86, 87, 1), (88, 92, 0), (93, 100, 0)],
    (2, Breathing.OXYGEN): [
        (50, 83, 3),
        (84, 85, 2),
        (86, 87, 1),
        (88, 92, 0),
        (93, 94, 1),
        (95, 96, 2),
        (97, 100, 3),
    ],
}


def points_in(cells: list[tuple[int, int, int]], value: float, steps_in_one: int) -> int:
    """The points of a value whose cells are given in steps; beyond the outermost cells, theirs."""
    in_steps = Decimal(repr(value)) * steps_in_one
    nearest = in_steps.quantize(Decimal(1), ROUND_HALF_UP, Context(prec=400))
    return next((points for _, last, points in cells if nearest <= last), cells[-1][2])


def by_the_chart(values: Mapping[Vital, Value], scale: OxygenScale) -> News2:
    points: dict[Vital, int] = {}
    reasons: dict[Vital, str] = {}
    for vital in PARAMETERS:
        match values.get(vital):
            case Consciousness() as state:
                points[vital] = 0 if state.value == "A" else 3
            case Breathing() as breathing:
                points[vital] = 2 if breathing.value == "oxygen" else 0
            case float(value) if not math.isfinite(value):
                reasons[vital] = "its value is no number"
            case float(value) if vital is Vital.TEMPERATURE:
                points[vital] = points_in(TENTHS_OF_A_DEGREE_CELLS, value, 10)
            case float(value) if vital is Vital.OXYGEN_SATURATION:
                known = values.get(Vital.SUPPLEMENTAL_OXYGEN)
                either = [each for each in Breathing if known in (None, each)]
                cells = [SATURATION_CELLS[scale.value, each] for each in either]
                possible = {points_in(each, value, 1) for each in cells}
                if len(possible) == 1:
                    points[vital] = possible.pop()
                else:
                    reasons[vital] = "93 % or more on scale 2 needs to know if on air or oxygen"
            case float(value):
                points[vital] = points_in(WHOLE_NUMBER_CELLS[vital], value, 1)
    return News2(scale, points, tuple(vital for vital in PARAMETERS if vital not in points), reasons)
