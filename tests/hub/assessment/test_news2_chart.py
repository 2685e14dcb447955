"""NEWS2 against a plain reading of the chart, for whatever values there can be."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.news2 import OxygenScale, score
from hub.readings import Breathing, Consciousness, Value, Vital
from tests.hub.assessment.chart import (
    SATURATION_CELLS,
    TENTHS_OF_A_DEGREE_CELLS,
    WHOLE_NUMBER_CELLS,
    by_the_chart,
)

# Half a step beyond each cell, and the floats beside it.
EDGES = {
    **{vital: [last + 0.5 for _, last, _ in cells] for vital, cells in WHOLE_NUMBER_CELLS.items()},
    Vital.OXYGEN_SATURATION: [
        last + 0.5 for last in sorted({last for cells in SATURATION_CELLS.values() for _, last, _ in cells})
    ],
    Vital.TEMPERATURE: [float(Decimal(10 * last + 5) / 100) for _, last, _ in TENTHS_OF_A_DEGREE_CELLS],
}
BESIDE_EDGES = {
    vital: [
        near for edge in edges for near in (math.nextafter(edge, 0), edge, math.nextafter(edge, math.inf))
    ]
    for vital, edges in EDGES.items()
}
ANY_VALUE: dict[Vital, st.SearchStrategy[Value]] = {
    Vital.SUPPLEMENTAL_OXYGEN: st.sampled_from(Breathing),
    Vital.CONSCIOUSNESS: st.sampled_from(Consciousness),
    **{
        vital: st.floats(0, 300) | st.floats() | st.sampled_from(near) for vital, near in BESIDE_EDGES.items()
    },
}


@given(st.fixed_dictionaries({}, optional=ANY_VALUE), st.sampled_from(OxygenScale))
def test_whatever_the_values_the_score_is_the_charts(values: dict[Vital, Value], scale: OxygenScale) -> None:
    expected, scored = by_the_chart(values, scale), score(values, scale)
    assert scored == expected
    assert list(scored.sub_scores) == list(expected.sub_scores)  # in the order of chart 1


@pytest.mark.parametrize("scale", OxygenScale)
@pytest.mark.parametrize("breathing", [None, *Breathing])
@pytest.mark.parametrize("vital", BESIDE_EDGES)
def test_at_every_edge_of_the_chart_the_digits_decide(
    vital: Vital, breathing: Breathing | None, scale: OxygenScale
) -> None:
    for value in BESIDE_EDGES[vital]:
        values: dict[Vital, Value] = {vital: value}
        if breathing is not None:
            values[Vital.SUPPLEMENTAL_OXYGEN] = breathing
        assert score(values, scale) == by_the_chart(values, scale), value
