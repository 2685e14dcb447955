"""Vital signs as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hub.assessment.reason import NOTHING

if TYPE_CHECKING:
    from hub.stretch import Stretch

_SECOND = timedelta(seconds=1)
_SHORT = {
    "respiration_rate": ("breathing", "/min"),
    "oxygen_saturation": ("SpO2", "%"),
    "supplemental_oxygen": ("on", ""),
    "systolic_pressure": ("systolic", "mmHg"),
    "diastolic_pressure": ("diastolic", "mmHg"),
    "mean_arterial_pressure": ("mean pressure", "mmHg"),
    "pulse_rate": ("pulse", "/min"),
    "consciousness": ("ACVPU", ""),
    "temperature": ("temperature", "degC"),
    "body_weight": ("weight", "kg"),
    "glucose": ("glucose", "mmol/L"),
    "room_temperature": ("room", "degC"),
    "door": ("door", ""),
    "motion": ("motion", ""),
    "button": ("button", ""),
}


_IN_A_PRESSURE = {"systolic_pressure", "diastolic_pressure", "mean_arterial_pressure"}


_BEYOND = {
    "negative-infinity": "below what its sensor can say",
    "positive-infinity": "above what its sensor can say",
}


def vital_words(vital: str, value: object) -> str:
    """One vital: "SpO2 91 %"."""
    name, unit = _SHORT[vital]
    shown = f"{value:g}" if isinstance(value, float | int) else str(value)
    return " ".join(part for part in (name, shown, unit) if part)


def measurements_words(measurements: Sequence[Mapping[str, Any]]) -> str:
    """What a reading measured: "BP 128/80 mmHg, pulse 72 /min"; what is doubtful in brackets, with why."""
    by_vital = {measured["vital"]: measured for measured in measurements}
    systolic, diastolic = by_vital.get("systolic_pressure"), by_vital.get("diastolic_pressure")
    said = []
    if systolic and diastolic and "value" in systolic and "value" in diastolic:
        pressure = f"BP {systolic['value']:g}/{diastolic['value']:g} mmHg"
        said.append(_marked(pressure, systolic))
        measurements = [each for each in measurements if each["vital"] not in _IN_A_PRESSURE]
    # One by one: a sensor of the room may tell of several doors at once.
    for measured in measurements:
        vital = measured["vital"]
        if "value" in measured:
            said.append(_marked(vital_words(vital, measured["value"]), measured))
        elif (reason := measured["absent"]) in _BEYOND:
            said.append(_marked(f"{_SHORT[vital][0]} {_BEYOND[reason]}", measured))
        else:
            said.append(f"{_SHORT[vital][0]}: none ({reason})")
    return ", ".join(said)


def _marked(words: str, measured: Mapping[str, Any]) -> str:
    doubts = [measured["quality"]] if measured.get("quality", "good") != "good" else []
    if measured.get("time") == "doubtful":
        doubts.append("when is doubtful")
    return f"[{words}: {', '.join(doubts)}]" if doubts else words


def stretch_words(stretch: Stretch) -> str:
    """What a stretch of a stream said beside its medians: "60 s: SpO2 88 to 97 %, 12 s below 90 %"."""
    said = []
    for each in stretch.vitals:
        name, unit = _SHORT[each.vital.value]
        words = f"{name} {each.lowest:g} to {each.highest:g} {unit}"
        if each.usable < stretch.duration:
            words += f" in {each.usable / _SECOND:.0f} s"
        if each.below:
            words += f", {each.below / _SECOND:.0f} s below {each.threshold:g} {unit}"
        said.append(words)
    return f"{stretch.duration / _SECOND:.0f} s: {'; '.join(said) or 'nothing usable'}"


def stretch_data(stretch: Stretch) -> dict[str, object]:
    """The same as plain JSON, times in seconds."""
    return {
        "seconds": stretch.duration / _SECOND,
        "samples": stretch.samples,
        "vitals": [
            {
                "vital": each.vital.value,
                "lowest": each.lowest,
                "median": each.median,
                "highest": each.highest,
                "usable_seconds": each.usable / _SECOND,
                **({} if each.below is None else {"below_seconds": each.below / _SECOND}),
                **({} if each.threshold is None else {"threshold": each.threshold}),
            }
            for each in stretch.vitals
        ],
    }


def observations_words(observations: Mapping[str, Mapping[str, Any]]) -> str:
    """An observation set in one line."""
    return measurements_words([{"vital": vital, **observed} for vital, observed in observations.items()])


def risk_words(risk: Mapping[str, Any] | None) -> str:
    """The model's risk, always with what it is: a shadow."""
    if risk is None:
        return "no model"
    how = "shadow" if risk.get("uncalibrated") is None else "shadow, recalibrated"
    words = f"{risk['probability']:.1%} ({how})"
    if (reasons := risk.get("reasons")) is None:
        return words
    return f"{words}: {'; '.join(reasons) or NOTHING}"
