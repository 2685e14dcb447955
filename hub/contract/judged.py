"""What came of it: scores, risks, alerts, their acknowledgements and summaries, as JSON Schemas."""

from __future__ import annotations

from hub.alerts.concern import SoftSign
from hub.alerts.life import AlertState, Resolution
from hub.assessment.news2 import PARAMETERS, Band, OxygenScale
from hub.contract.elements import (
    NAMED,
    NOTE,
    band_of,
    extension_of,
    resource,
)
from hub.contract.forms import (
    COUNT,
    DATE_TIME,
    NUMBER,
    TEXT,
    Schema,
    any_of,
    const,
    items,
    one_of,
    pattern,
    ref,
    whole,
)
from hub.readings import Vital, type_of_value
from hub.uplink.contract import AlertChange
from hub.uplink.fhir import codes


def _points() -> Schema:
    """The seven sub-scores by their codes, and the least total."""
    known = {
        codes.sub_score_code(vital, scale): {"minimum": 0, "maximum": 3}
        for vital in PARAMETERS
        for scale in OxygenScale
    }
    coding = items(whole({"system": codes.SNOMED, "code": one_of(*known)}), 1, 1)
    value = whole({"value": {"type": "integer", "minimum": 0, "maximum": 3}})
    sub_score = {
        **whole(
            {"code": whole({"coding": coding, "text": TEXT})},
            {"valueQuantity": value, "dataAbsentReason": ref("fhir.absent")},
        ),
        "oneOf": [{"required": ["valueQuantity"]}, {"required": ["dataAbsentReason"]}],
    }
    least = whole({"code": codes.LEAST_TOTAL, "valueQuantity": whole({"comparator": ">=", "value": COUNT})})
    return items(any_of(sub_score, least), 7, 8)


def news2(complete: str = "final", partial: str = "preliminary") -> Schema:
    """The NEWS2 score; `complete` is the status of one with nothing missing, `partial` of any other."""
    schema = resource(
        "Observation",
        {
            **NAMED,
            "status": one_of(*dict.fromkeys((complete, partial))),
            "category": codes.SURVEY,
            "code": codes.NEWS2,
            "effectiveDateTime": DATE_TIME,
            "device": ref("fhir.reference"),
            "interpretation": band_of(),
            "note": NOTE,
            "component": _points(),
            "derivedFrom": {
                "type": "array",
                "minItems": 1,
                "items": [ref("fhir.other")],
                "additionalItems": ref("fhir.reference"),
            },
        },
        {
            "valueQuantity": whole({"value": {"type": "integer", "minimum": 0, "maximum": 20}}),
            "dataAbsentReason": ref("fhir.absent"),
        },
    )
    # A value if and only if the score is complete: nobody shall chart the least total as the total.
    return {
        **schema,
        "oneOf": [
            {"properties": {"status": const(complete), "interpretation": band_of(at_least=False)},
             "required": ["valueQuantity"], "not": {"required": ["dataAbsentReason"]}},
            {"properties": {"status": const(partial)}, "required": ["dataAbsentReason"],
             "not": {"required": ["valueQuantity"]}},
        ],
    }  # fmt: skip


def _method() -> Schema:
    """Which model says so."""
    coding = whole({"system": codes.MODELS, "version": TEXT, "code": TEXT})
    return whole({"coding": items(coding, 1, 1), "text": TEXT})


def risk(status: str = "preliminary") -> Schema:
    """The model's risk."""
    parts: dict[str, tuple[str, object]] = {
        "sha256Prefix": ("valueString", pattern("^[0-9a-f]+$")),
        "mode": ("valueCode", "shadow"),
        "missing": ("valueString", TEXT),
        "outOfRange": ("valueString", TEXT),
        "uncalibrated": ("valueDecimal", {"type": "number", "minimum": 0, "maximum": 100}),
        "wouldAlert": ("valueBoolean", {"type": "boolean"}),
    }
    prediction = {
        "outcome": whole({"text": TEXT}),
        "probabilityDecimal": {"type": "number", "minimum": 0, "maximum": 100},
    }
    return resource(
        "RiskAssessment",
        {
            **NAMED,
            "extension": items(extension_of(codes.MODEL, parts, ["sha256Prefix", "mode"]), 1, 1),
            "status": status,
            "method": _method(),
            "occurrenceDateTime": DATE_TIME,
            "performer": ref("fhir.reference"),
            "prediction": items(whole(prediction, {"rationale": TEXT}), 1, 1),
            "note": NOTE,
        },
        {"basis": items(ref("fhir.reference"))},
    )


def alert(change: AlertChange) -> Schema:
    """An alert of which a change is told."""
    parts: dict[str, tuple[str, object]] = {
        "change": ("valueCode", change.value),
        "at": ("valueDateTime", DATE_TIME),
        "state": ("valueCode", one_of(*(each.value for each in AlertState))),
        "band": ("valueCode", one_of(*(each.value for each in Band))),
        "measuredAt": ("valueDateTime", DATE_TIME),
        "rung": ("valueUnsignedInt", COUNT),
        "repeat": ("valueUnsignedInt", COUNT),
        "tell": ("valueString", TEXT),
        "resolution": ("valueCode", one_of(*(each.value for each in Resolution))),
        "resolvedAt": ("valueDateTime", DATE_TIME),
        "softSign": ("valueCode", one_of(*(each.value for each in SoftSign))),
        "concernSaidAt": ("valueDateTime", DATE_TIME),
        "concernSettledAt": ("valueDateTime", DATE_TIME),
    }
    told = ["change", "at", "state", "band", "measuredAt", "rung", "repeat"]
    states = [each.value for each in (*AlertState, *Resolution)]
    words = whole({"id": one_of("words", "response", "tell"), "contentString": TEXT})
    payload = items(words, 2, 3)
    payload["allOf"] = [{"contains": {"properties": {"id": const(each)}}} for each in ("words", "response")]
    replaced = whole({"type": "CommunicationRequest", "identifier": ref("fhir.identifier")})
    return resource(
        "CommunicationRequest",
        {
            **NAMED,
            "extension": items(extension_of(codes.ALERT, parts, told), 1, 1),
            "status": one_of("active", "completed", "revoked", "entered-in-error"),
            "statusReason": whole(
                {"coding": items(whole({"system": codes.OURS, "code": one_of(*states)}), 1, 2), "text": TEXT}
            ),
            "category": codes.ALERT_CATEGORY,
            "priority": one_of("routine", "urgent", "asap", "stat"),
            "about": items(ref("fhir.reference")),
            "payload": payload,
            "authoredOn": DATE_TIME,
            "requester": ref("fhir.reference"),
            "sender": ref("fhir.reference"),
            "reasonReference": items(ref("fhir.reference"), 1, 1),
        },
        {
            "replaces": items(replaced, 1, 1),
            "recipient": items(whole({"identifier": whole({"system": codes.DUTY, "value": TEXT})}), 1, 1),
        },
    )


def acknowledgement() -> Schema:
    """That somebody has taken an alert."""
    seconds = whole({"value": NUMBER, "unit": "s", "system": codes.UCUM, "code": "s"})
    after = whole({"url": codes.ACKNOWLEDGED_AFTER, "valueDuration": seconds})
    note = whole({"authorString": TEXT, "time": DATE_TIME, "text": "acknowledged the alert"})
    return resource(
        "Communication",
        {
            **NAMED,
            "extension": items(after, 1, 1),
            "basedOn": items(ref("fhir.reference"), 1, 1),
            "status": "completed",
            "category": codes.ALERT_CATEGORY,
            "received": DATE_TIME,
            "sender": ref("fhir.reference"),
            "note": items(note, 1, 1),
        },
        {"medium": items(whole({"text": TEXT}), 1, 1)},
    )


def _of_period() -> dict[str, object]:
    return {
        **NAMED,
        "status": "final",
        "effectivePeriod": whole({"start": DATE_TIME, "end": DATE_TIME}),
        "device": ref("fhir.reference"),
    }


_RANGE = [codes.STATISTICS[name] for name in ("minimum", "maximum", "median")]


def summary_vital() -> Schema:
    """The statistics of a vital."""

    def of(vital: Vital) -> Schema:
        unit = codes.VITALS[vital].unit
        value = whole({"value": NUMBER, "unit": unit, "system": codes.UCUM, "code": vital.unit})
        count = whole({"code": codes.STATISTICS["count"], "valueQuantity": ref("fhir.number")})
        numbers = [whole({"code": code, "valueQuantity": value}) for code in (*_RANGE, codes.MEDIAN_CHANGE)]
        seconds = {"valueQuantity": ref("fhir.seconds")}
        number = whole({"value": NUMBER, "system": codes.UCUM, "code": vital.unit})
        threshold = items(whole({"url": codes.THRESHOLD, "valueQuantity": number}), 1, 1)
        numbers.append(whole({"code": codes.USABLE_TIME, **seconds}))
        numbers.append(whole({"code": codes.TIME_BELOW, "extension": threshold, **seconds}))
        component = items(any_of(count, *(numbers if type_of_value(vital) is float else [])))
        component["contains"] = {"properties": {"code": const(codes.STATISTICS["count"])}}
        return {"properties": {"code": const(codes.VITALS[vital].code), "component": component}}

    loose: dict[str, object] = {"code": {"type": "object"}, "component": {"type": "array"}}
    schema = resource("Observation", {**_of_period(), "category": codes.VITAL_SIGNS, **loose})
    return {**schema, "anyOf": [of(vital) for vital in codes.VITALS]}


def summary_pulse() -> Schema:
    """What was found of a rhythm: by a model, or by cuffs alone."""
    model: dict[str, tuple[str, object]] = {
        "sha256Prefix": ("valueString", pattern("^[0-9a-f]+$")),
        "mode": ("valueCode", "shadow"),
    }
    parts = []
    for name, code in codes.IN_PULSE.items():
        if name.endswith("-time"):
            value = {"valueQuantity": ref("fhir.seconds")}
        elif name == "finding-probability":
            number = {"type": "number", "minimum": 0, "maximum": 100}
            per_cent = {"value": number, "unit": "%", "system": codes.UCUM, "code": "%"}
            value = {"valueQuantity": whole(per_cent)}
        elif name == "finding-period":
            value = {"valuePeriod": whole({"start": DATE_TIME, "end": DATE_TIME})}
        else:
            value = {"valueQuantity": ref("fhir.number")}
        parts.append(whole({"code": code, **value}))
    component = items(any_of(*parts), 2, len(codes.IN_PULSE))
    always = [code for name, code in codes.IN_PULSE.items() if name.startswith("cuff-")]
    component["allOf"] = [{"contains": {"properties": {"code": const(code)}}} for code in always]
    note = items(whole({"text": TEXT}), 2, 2)
    schema = resource(
        "Observation",
        {
            **_of_period(),
            "status": "preliminary",
            "category": codes.SURVEY,
            "code": codes.PULSE,
            "note": note,
            "component": component,
        },
        {
            "extension": items(extension_of(codes.MODEL, model, ["sha256Prefix", "mode"]), 1, 1),
            "method": _method(),
            "valueCodeableConcept": one_of(*codes.PULSES.values()),
            "dataAbsentReason": ref("fhir.absent"),
        },
    )
    # A finding is some model's, and there is one or the reason for its absence.
    return {
        **schema,
        "oneOf": [{"required": ["valueCodeableConcept", "method"]}, {"required": ["dataAbsentReason"]}],
    }


def summary() -> Schema:
    """The rest of a resident's summary."""
    score = whole({"value": COUNT}, {"comparator": const(">=")})
    parts = []
    for name, code in codes.IN_SUMMARY.items():
        if name == "highest-news2":
            said = whole({"code": code, "valueQuantity": score, "interpretation": band_of()})
            parts += [said, whole({"code": code, "dataAbsentReason": ref("fhir.absent")})]
        elif name == "highest-news2-at":
            parts.append(whole({"code": code, "valueDateTime": DATE_TIME}))
        elif name.endswith("-wait"):
            parts.append(whole({"code": code, "valueQuantity": ref("fhir.seconds")}))
            parts.append(whole({"code": code, "dataAbsentReason": ref("fhir.absent")}))
        else:
            parts.append(whole({"code": code, "valueQuantity": ref("fhir.number")}))
    component = items(any_of(*parts), len(codes.IN_SUMMARY) - 1, len(codes.IN_SUMMARY))
    always = [code for name, code in codes.IN_SUMMARY.items() if name != "highest-news2-at"]
    component["allOf"] = [{"contains": {"properties": {"code": const(code)}}} for code in always]
    return resource(
        "Observation",
        {**_of_period(), "category": codes.SURVEY, "code": codes.SUMMARY, "component": component},
        {"hasMember": items(ref("fhir.reference"))},
    )
