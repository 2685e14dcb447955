"""What was found of a resident's rhythm in a period, as one Observation: a shadow, and never final."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta

from hub.assessment.rhythm import DayFinding, Pulse
from hub.store.rows import ModelName
from hub.telling.irregular_pulse import PulseSummary
from hub.uplink.fhir import codes
from hub.uplink.fhir.codes import Json
from hub.uplink.fhir.observations import absent
from hub.uplink.fhir.resources import moment, urn_within

SHADOW = (
    "Decision support in shadow mode: it raises no alert. A finding from the times between beats, as a strap "
    "tells them, and no diagnosis: that needs an ECG that a person has read. Absence of the finding rules "
    "nothing out."
)
_SECOND = timedelta(seconds=1)


def pulse_name(summary: uuid.UUID) -> str:
    """The identifier of the Observation, within the summary that it is of."""
    return urn_within(summary, "pulse-rhythm")


def pulse_parts(pulse: PulseSummary) -> Json:
    """What the Observation has beside what every one of a summary has.

    Its value is the finding; where too little was good to say, there is none, and the reason. Where no window
    was judged it has what cuffs said and no model.
    """
    made: Json = {
        "status": "preliminary",  # "may be incomplete or unverified": no shadow is ever final
        "category": codes.SURVEY,
        "note": [{"text": pulse.words}, {"text": SHADOW}],
        "component": [*_of_windows(pulse), *_of_cuffs(pulse)],
    }
    if pulse.model is not None:
        made["extension"] = [_model(pulse.model)]
        made["method"] = {
            "coding": [{"system": codes.MODELS, "version": pulse.model.version, "code": pulse.model.name}],
            "text": f"{pulse.model.name} {pulse.model.version}, shadow",
        }
    finding = pulse.finding
    if finding is not None and finding.pulse in codes.PULSES:
        made["valueCodeableConcept"] = codes.PULSES[finding.pulse]
    else:
        made |= absent("not-performed" if finding is None else "unknown")
    return made


def _model(model: ModelName) -> Json:
    parts = [{"url": "sha256Prefix", "valueString": model.sha256}, {"url": "mode", "valueCode": "shadow"}]
    return {"url": codes.MODEL, "extension": parts}


def _of_windows(pulse: PulseSummary) -> Iterator[Json]:
    finding = pulse.finding
    if finding is None:
        return
    for name, number in (
        ("windows", finding.windows),
        ("good-windows", finding.good),
        ("irregular-windows", finding.irregular),
    ):
        yield _count(name, number)
    for name, time in (("good-time", pulse.good_time), ("irregular-time", pulse.irregular_time)):
        value = {"value": time / _SECOND, "unit": "s", "system": codes.UCUM, "code": "s"}
        yield {"code": codes.IN_PULSE[name], "valueQuantity": value}
    yield from _of_finding(finding)


def _of_finding(finding: DayFinding) -> Iterator[Json]:
    if finding.pulse is Pulse.UNKNOWN or finding.probability is None:
        return
    per_cent = {
        "value": round(finding.probability * 100, 2), "unit": "%", "system": codes.UCUM, "code": "%",
    }  # fmt: skip
    yield {"code": codes.IN_PULSE["finding-probability"], "valueQuantity": per_cent}
    if finding.since is not None and finding.until is not None:
        period = {"start": moment(finding.since), "end": moment(finding.until)}
        yield {"code": codes.IN_PULSE["finding-period"], "valuePeriod": period}


def _of_cuffs(pulse: PulseSummary) -> Iterator[Json]:
    yield _count("cuff-measured", pulse.cuff_measured)
    yield _count("cuff-irregular", pulse.cuff_irregular)


def _count(name: str, number: int) -> Json:
    return {
        "code": codes.IN_PULSE[name],
        "valueQuantity": {"value": number, "system": codes.UCUM, "code": "1"},
    }
