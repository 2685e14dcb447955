"""What was measured, and with what: Devices and Observations of readings, as JSON Schemas."""

from __future__ import annotations

from hub.clock import ClockQuality
from hub.contract.elements import (
    NAMED,
    NOTE,
    URN,
    UUID,
    VALUE,
    beside,
    component_of,
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
from hub.readings import AbsentReason, Vital, type_of_value
from hub.timekeeping.timing import TimeQuality
from hub.uplink.fhir import codes
from hub.uplink.fhir.raw import BODY_SITE

REASONS = sorted(
    {reason.value for reason in AbsentReason} | {"unknown", "not-performed", "not-applicable", "error"}
)


def parts() -> dict[str, Schema]:
    """What the resources are made of, by its name."""
    quantity = {"value": NUMBER, "system": codes.UCUM}
    return {
        "fhir.test-data": whole({"security": const([codes.TEST_DATA])}),
        "fhir.identifier": whole({"system": codes.UUID, "value": URN}),
        "fhir.reference": whole({"reference": URN}),
        "fhir.subject": whole(
            {
                "type": "Patient",
                "identifier": whole({"system": codes.RESIDENT, "value": pattern("^[^/]+/[^/]+$")}),
            }
        ),
        "fhir.other": whole({"type": "Observation", "identifier": ref("fhir.identifier")}),
        "fhir.known-device": any_of(
            whole({"system": codes.BLUETOOTH, "value": pattern("^([0-9A-F]{2}-){5}[0-9A-F]{2}$")}),
            whole({"system": codes.SENSOR, "value": pattern("^[^/]+/[^/]+/.+$")}),
        ),
        "fhir.absent": whole(
            {"coding": items(whole({"system": codes.ABSENT, "code": one_of(*REASONS)}), 1, 1)},
            {"text": TEXT},
        ),
        "fhir.seconds": whole({**quantity, "unit": "s", "code": "s"}),
        "fhir.number": whole({**quantity, "code": "1"}),
        "fhir.gateway": whole({"url": codes.GATEWAY, "valueReference": ref("fhir.reference")}),
        "fhir.stretch": _stretch(),
        **{f"fhir.value.{vital.value}": any_of(*_values(vital)) for vital in codes.VITALS},
    }


def _values(vital: Vital) -> list[Schema]:
    """What may stand for the value of a vital: the value of an Observation, or of a component."""
    coded, unusable = codes.VITALS[vital], codes.UNUSABLE_VALUE
    kind = type_of_value(vital)
    if kind is float:
        key, value = (
            "valueQuantity",
            whole(
                {"value": NUMBER, "system": codes.UCUM, "code": vital.unit}, {"unit": const(coded.unit)}
            ),
        )  # fmt: skip
    else:
        key = "valueCodeableConcept"
        value = one_of(*(known for each, known in codes.CODED_VALUES.items() if isinstance(each, kind)))
    questionable = codes.concept(
        (codes.OURS, "questionable"), text="questionable: the sensor doubted it"
    )  # fmt: skip
    kept = whole({"url": unusable, key: value})
    site = whole({"url": BODY_SITE, "valueString": TEXT})
    further = items(any_of(site, *_observation_extensions()))
    return [
        {"required": [key],
         "properties": {key: value, "interpretation": const([questionable]), "extension": further},
         "not": {"required": ["dataAbsentReason"]}},
        {"required": ["dataAbsentReason"],
         "properties": {
             "dataAbsentReason": ref("fhir.absent"),
             "extension": items(any_of(kept, site, *_observation_extensions()), 0),
         },
         "not": {"anyOf": [{"required": [key]}, {"required": ["interpretation"]}]}},
    ]  # fmt: skip


def _stretch() -> Schema:
    """What a stretch of a stream said beside the median; `below` is in seconds, as the other times."""
    seconds: dict[str, object] = {"type": "number", "minimum": 0}
    number = whole({"value": NUMBER, "system": codes.UCUM, "code": TEXT})
    parts: dict[str, tuple[str, object]] = {
        "duration": ("valueDecimal", seconds),
        "usable": ("valueDecimal", seconds),
        "lowest": ("valueQuantity", number),
        "highest": ("valueQuantity", number),
        "below": ("valueDecimal", seconds),
        "threshold": ("valueQuantity", number),
    }
    return extension_of(codes.STRETCH, parts, ["duration", "usable", "lowest", "highest"])


def _observation_extensions() -> list[Schema]:
    time = whole({"url": codes.TIME_QUALITY, "valueCode": one_of(*(each.value for each in TimeQuality))})
    return [ref("fhir.gateway"), time, ref("fhir.stretch")]


def hub() -> Schema:
    """The hub's own Device."""
    known = whole({"system": codes.HUB, "value": pattern("^[^/]+/[^/]+$")})
    return resource("Device", {"identifier": items(known, 1, 1), "type": codes.HUB_TYPE})


def sensor() -> Schema:
    """A sensor's Device."""
    kinds = [codes.concept((codes.MDC, code)) for code in sorted({*codes.SPECIALIZATIONS.values()})]
    return resource(
        "Device",
        {"identifier": items(ref("fhir.known-device"), 1, 1), "type": codes.SENSOR_TYPE},
        {"specialization": items(whole({"systemType": one_of(*kinds)}), 1, 1)},
    )


def clock(status: str = "final") -> Schema:
    """A sensor's clock against the hub's."""
    schema = resource(
        "Observation",
        {
            **NAMED,
            "extension": items(ref("fhir.gateway"), 1, 1),
            "status": status,
            "code": codes.DEVICE_CLOCK,
            "effectiveDateTime": DATE_TIME,
        },
        {
            "device": ref("fhir.reference"),
            "valueDateTime": DATE_TIME,
            "valueString": TEXT,
            "dataAbsentReason": ref("fhir.absent"),
        },
    )
    keys = ("valueDateTime", "valueString", "dataAbsentReason")
    return {**schema, "oneOf": [{"required": [key]} for key in keys]}


def _measured(status: str, further: dict[str, object]) -> Schema:
    """What every Observation of a reading has; the code is left to the caller."""
    return resource(
        "Observation",
        {
            **NAMED,
            "extension": items(any_of(*_observation_extensions()), 1, 3),
            "status": status,
            "category": codes.VITAL_SIGNS,
            "code": {"type": "object"},
            "effectiveDateTime": DATE_TIME,
            "derivedFrom": items(any_of(ref("fhir.other"), ref("fhir.reference")), 1, 2),
        },
        {
            "issued": DATE_TIME,
            "method": whole({"text": "median of a stream"}),
            "device": ref("fhir.reference"),
            "note": NOTE,
            **further,
        },
    )


def vital_sign(status: str = "final") -> Schema:
    """A vital sign that is an Observation of its own."""
    return {
        **_measured(status, {"bodySite": whole({"text": TEXT}), **VALUE}),
        "anyOf": [
            {"properties": {"code": const(codes.VITALS[vital].code)}, **beside(f"fhir.value.{vital.value}")}
            for vital in codes.VITALS
            if vital not in codes.PRESSURES
        ],
    }


def blood_pressure(status: str = "final") -> Schema:
    """The panel of a cuff."""
    parts = [component_of(codes.VITALS[each].code, f"fhir.value.{each.value}") for each in codes.PRESSURES]
    schema = _measured(status, {})
    schema["required"].append("component")
    schema["properties"] |= {
        "code": const(codes.BLOOD_PRESSURE),
        "component": {
            **items(any_of(*parts), 2, 3),
            "allOf": [
                {"contains": {"properties": {"code": const(codes.VITALS[each].code)}}}
                for each in (Vital.SYSTOLIC_PRESSURE, Vital.DIASTOLIC_PRESSURE)
            ],
        },
    }
    return schema


def reading() -> Schema:
    """A reading as it came."""
    first = {vital: {"coding": known.code["coding"][:1]} for vital, known in codes.VITALS.items()}
    parts: dict[str, tuple[str, object]] = {
        "driver": ("valueString", TEXT),
        "time": ("valueCode", one_of(*(each.value for each in TimeQuality))),
        "boot": ("valueString", pattern(f"^{UUID}$")),
        "sinceBoot": ("valueDecimal", {"type": "number", "minimum": 0}),
        "clock": ("valueCode", one_of(*(each.value for each in ClockQuality))),
        "characteristic": ("valueString", TEXT),
        "payload": ("valueString", pattern("^([0-9a-f]{2})+$")),
        "samples": ("valueUnsignedInt", COUNT),
        "duration": ("valueDecimal", {"type": "number", "minimum": 0}),
        "deviceTime": ("valueString", TEXT),
        "flag": ("valueString", TEXT),
    }
    told = ["driver", "time", "boot", "sinceBoot", "clock"]
    schema = resource(
        "Observation",
        {
            "extension": items(extension_of(codes.READING, parts, told), 1, 1),
            "identifier": items(ref("fhir.identifier"), 1, 1),
            "status": "preliminary",
            "code": {"const": {"coding": codes.SENSOR_READING["coding"]}},
            "effectiveDateTime": DATE_TIME,
            "issued": DATE_TIME,
        },
        {
            "subject": ref("fhir.subject"),
            "device": whole({"identifier": ref("fhir.known-device")}),
            "component": items(
                any_of(*(component_of(code, f"fhir.value.{vital.value}") for vital, code in first.items()))
            ),
            "dataAbsentReason": ref("fhir.absent"),
        },
    )
    return {**schema, "oneOf": [{"required": ["component"]}, {"required": ["dataAbsentReason"]}]}
