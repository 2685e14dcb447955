"""Two independent implementations of NEWS2, asked for a complete set of whole numbers."""

from __future__ import annotations

from collections.abc import Mapping

import clincalc
from vitalscore.scores.news2 import score_news2

from hub.assessment.news2 import Band, OxygenScale
from hub.readings import Breathing, Consciousness, Value, Vital


def _number(values: Mapping[Vital, Value], vital: Vital) -> int:
    value = values[vital]
    assert isinstance(value, float)
    return int(value)


def by_vitalscore(values: Mapping[Vital, Value], scale: OxygenScale) -> tuple[list[int], str]:
    """The sub-scores in the chart's order, and the risk, by PyPI's vitalscore."""
    result = score_news2(
        respiratory_rate=_number(values, Vital.RESPIRATION_RATE),
        spo2=_number(values, Vital.OXYGEN_SATURATION),
        on_oxygen=values[Vital.SUPPLEMENTAL_OXYGEN] is Breathing.OXYGEN,
        systolic_bp=_number(values, Vital.SYSTOLIC_PRESSURE),
        heart_rate=_number(values, Vital.PULSE_RATE),
        consciousness=str(values[Vital.CONSCIOUSNESS]),
        temperature=values[Vital.TEMPERATURE],
        use_spo2_scale2=scale is OxygenScale.SCALE_2,
    )
    points = [result.rr_score, result.spo2_score, result.o2_score, result.sbp_score]
    return [*points, result.hr_score, result.consciousness_score, result.temp_score], result.risk.value


def by_clincalc(values: Mapping[Vital, Value], scale: OxygenScale) -> tuple[list[int], str]:
    """The sub-scores in the chart's order, and the band, by PyPI's clincalc."""
    alert = values[Vital.CONSCIOUSNESS] is Consciousness.ALERT
    given = {
        "respiratory_rate": _number(values, Vital.RESPIRATION_RATE),
        "spo2": _number(values, Vital.OXYGEN_SATURATION),
        "spo2_scale": str(scale.value),
        "on_oxygen": values[Vital.SUPPLEMENTAL_OXYGEN] is Breathing.OXYGEN,
        "systolic_bp": _number(values, Vital.SYSTOLIC_PRESSURE),
        "pulse": _number(values, Vital.PULSE_RATE),
        "consciousness": "alert" if alert else "confusion-or-vpu",
        "temperature": values[Vital.TEMPERATURE],
    }
    working = clincalc.calculate("news2", given)["working"]
    names = (
        "respiratory_rate",
        "spo2",
        "air_or_oxygen",
        "systolic_bp",
        "pulse",
        "consciousness",
        "temperature",
    )
    return [working[f"{name}_score"] for name in names], working["band"]


VITALSCORE_RISK = {
    Band.ZERO: "Low",
    Band.LOW: "Low",
    Band.SINGLE_RED: "Medium",
    Band.MEDIUM: "Medium",
    Band.HIGH: "High",
}
CLINCALC_BAND = {
    Band.ZERO: "routine",
    Band.LOW: "low",
    Band.SINGLE_RED: "low-medium",
    Band.MEDIUM: "medium",
    Band.HIGH: "high",
}
