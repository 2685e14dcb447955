"""The codes of the feed, and where each comes from. No rule is in here, only names.

Sources: UK Core (2025-06) and HL7's vital-signs profiles for LOINC and SNOMED CT; HL7's Personal Health
Device guide (STU 1.1) for IEEE 11073 (MDC); the NHS's NEWS2 guidance for the value of "air or oxygen".
What no standard names is in `OURS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.assessment.news2 import OxygenScale
from hub.assessment.rhythm import Pulse
from hub.readings import Breathing, Code, Consciousness, Vital

Json = dict[str, Any]
"""A FHIR element or resource. Those that this module makes are shared: never change one."""

BASE = "https://fhir.careport.uk"
"""Where our own names begin. They name and do not resolve: there is no web site behind them."""

OURS = f"{BASE}/CodeSystem/hub"
MODELS = f"{BASE}/CodeSystem/model"
RESIDENT = f"{BASE}/Id/resident"  # value: site/pseudonym, since a pseudonym is its site's own
HUB = f"{BASE}/Id/hub"  # value: site/hub
SENSOR = f"{BASE}/Id/sensor"  # value: site/hub/name, for sensors without a Bluetooth address
DUTY = f"{BASE}/Id/duty"  # value: whom a rung of the ladder tells, in the home's words ("senior carer")

UUID = "urn:ietf:rfc:3986"
"""The system of an identifier that is a URI itself, as `urn:uuid:...` is (FHIR R4, Identifier)."""

BLUETOOTH = "http://hl7.org/fhir/sid/eui-48/bluetooth"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
MDC = "urn:iso:std:iso:11073:10101"
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
GATEWAY = "http://hl7.org/fhir/StructureDefinition/observation-gatewayDevice"

# Our extensions. A receiver that does not know them loses provenance, never a value's meaning.
READING = f"{BASE}/StructureDefinition/reading"
QUALITY = f"{BASE}/StructureDefinition/quality"
UNUSABLE_VALUE = f"{BASE}/StructureDefinition/unusable-value"
STRETCH = f"{BASE}/StructureDefinition/stretch"
THRESHOLD = f"{BASE}/StructureDefinition/threshold"
TIME_QUALITY = f"{BASE}/StructureDefinition/time-quality"
ALERT = f"{BASE}/StructureDefinition/alert"
MODEL = f"{BASE}/StructureDefinition/model"
ACKNOWLEDGED_AFTER = f"{BASE}/StructureDefinition/acknowledged-after"


def concept(*codings: tuple[str, str], text: str | None = None) -> Json:
    """A CodeableConcept of (system, code) pairs and words for people."""
    made: Json = {}
    if codings:
        made["coding"] = [{"system": system, "code": code} for system, code in codings]
    if text is not None:
        made["text"] = text
    return made


TEST_DATA: Json = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}
"""The security label of test data."""

_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
VITAL_SIGNS = [concept((_CATEGORY, "vital-signs"))]
SURVEY = [concept((_CATEGORY, "survey"))]  # so the NHS's NEWS2 guidance
ALERT_CATEGORY = [concept(("http://terminology.hl7.org/CodeSystem/communication-category", "alert"))]


@dataclass(frozen=True, slots=True)
class VitalCode:
    """How a vital is coded: its CodeableConcept and, for a number, its unit as people write it."""

    code: Json
    unit: str


VITALS: Mapping[Vital, VitalCode] = {
    Vital.RESPIRATION_RATE: VitalCode(
        concept((LOINC, "9279-1"), (SNOMED, "86290005"), text="Respiratory rate"), "breaths/minute"
    ),
    Vital.OXYGEN_SATURATION: VitalCode(
        concept(
            (LOINC, "2708-6"),
            (LOINC, "59408-5"),
            (SNOMED, "103228002"),
            (MDC, "150456"),
            text="Oxygen saturation",
        ),
        "%",
    ),
    # No code names this question; the text is that of the NHS's guidance.
    Vital.SUPPLEMENTAL_OXYGEN: VitalCode(
        concept((OURS, "air-or-oxygen"), text="Air or Oxygen Observation"), ""
    ),
    Vital.SYSTOLIC_PRESSURE: VitalCode(
        concept((LOINC, "8480-6"), (SNOMED, "72313002"), (MDC, "150021"), text="Systolic arterial pressure"),
        "mmHg",
    ),
    Vital.DIASTOLIC_PRESSURE: VitalCode(
        concept(
            (LOINC, "8462-4"),
            (SNOMED, "1091811000000102"),
            (MDC, "150022"),
            text="Diastolic arterial pressure",
        ),
        "mmHg",
    ),
    Vital.MEAN_ARTERIAL_PRESSURE: VitalCode(
        concept((LOINC, "8478-0"), (MDC, "150023"), text="Mean arterial pressure"), "mmHg"
    ),
    Vital.PULSE_RATE: VitalCode(
        concept((LOINC, "8867-4"), (SNOMED, "364075005"), (MDC, "149530"), text="Heart rate (pulse)"),
        "beats/minute",
    ),
    Vital.CONSCIOUSNESS: VitalCode(concept((SNOMED, "1104441000000107"), text="ACVPU"), ""),
    Vital.TEMPERATURE: VitalCode(
        concept((LOINC, "8310-5"), (SNOMED, "276885007"), (MDC, "150364"), text="Body temperature"), "degC"
    ),
    Vital.BODY_WEIGHT: VitalCode(
        concept((LOINC, "29463-7"), (SNOMED, "27113001"), (MDC, "188736"), text="Body weight"), "kg"
    ),
    # Of any blood: that a meter's drop is capillary (14743-9, MDC 160184) only the meter knows.
    Vital.GLUCOSE: VitalCode(
        concept((LOINC, "15074-8"), (SNOMED, "434912009"), (MDC, "160020"), text="Glucose in blood"),
        "mmol/L",
    ),
}
"""Every vital of a person. What is of the room is not in the feed."""

BLOOD_PRESSURE = concept((LOINC, "85354-9"), (SNOMED, "75367002"), (MDC, "150020"), text="Blood pressure")
PRESSURES = (Vital.SYSTOLIC_PRESSURE, Vital.DIASTOLIC_PRESSURE, Vital.MEAN_ARTERIAL_PRESSURE)
"""What is said in one panel; the first two are in each, with the reason where there is no value."""

CODED_VALUES: Mapping[Code, Json] = {
    Consciousness.ALERT: concept((SNOMED, "248234008"), text="Alert"),
    Consciousness.NEW_CONFUSION: concept((SNOMED, "130987000"), text="New confusion"),
    Consciousness.VOICE: concept((SNOMED, "300202002"), text="Responds to voice"),
    Consciousness.PAIN: concept((SNOMED, "450847001"), text="Responds to pain"),
    Consciousness.UNRESPONSIVE: concept((SNOMED, "422768004"), text="Unresponsive"),
    Breathing.AIR: concept((SNOMED, "722742002"), text="Breathing room air"),
    Breathing.OXYGEN: concept((SNOMED, "371825009"), text="Patient on oxygen"),
}

NEWS2 = concept((SNOMED, "1104051000000101"), text="NEWS2 total score")
_SUB_SCORES = {
    Vital.RESPIRATION_RATE: "1104301000000104",
    Vital.SUPPLEMENTAL_OXYGEN: "1104331000000105",
    Vital.SYSTOLIC_PRESSURE: "1104341000000101",
    Vital.PULSE_RATE: "1104351000000103",
    Vital.CONSCIOUSNESS: "1104361000000100",
    Vital.TEMPERATURE: "1104371000000107",
}
_SATURATION_SCORES = {OxygenScale.SCALE_1: "1104311000000102", OxygenScale.SCALE_2: "1104321000000108"}


def sub_score_code(vital: Vital, scale: OxygenScale) -> str:
    """The SNOMED CT code of a parameter's NEWS2 sub-score; a saturation's depends on the scale."""
    return _SATURATION_SCORES[scale] if vital is Vital.OXYGEN_SATURATION else _SUB_SCORES[vital]


LEAST_TOTAL = concept((OURS, "news2-least-total"), text="The least that the NEWS2 total can be")
DEVICE_CLOCK = concept((MDC, "67975"), text="MDC_ATTR_TIME_ABS: the sensor's clock, as the gateway met it")
SENSOR_READING = concept((OURS, "reading"), text="Sensor reading, as received")

STATISTICS: Mapping[str, Json] = {
    name: concept(("http://terminology.hl7.org/CodeSystem/observation-statistics", name), text=words)
    for name, words in (
        ("count", "Count"),
        ("minimum", "Minimum"),
        ("maximum", "Maximum"),
        ("median", "Median"),
    )
}
"""HL7's codes for what FHIR's operation Observation/$stats gives."""

SUMMARY = concept((OURS, "summary"), text="Summary of a period")
MEDIAN_CHANGE = concept((OURS, "median-change"), text="Median, less that of the period before")
USABLE_TIME = concept((OURS, "usable-time"), text="Time with a usable value, in streams")
TIME_BELOW = concept((OURS, "time-below"), text="Time below a threshold, in streams")
IN_SUMMARY: Mapping[str, Json] = {
    name: concept((OURS, name), text=words)
    for name, words in (
        ("highest-news2", "Highest NEWS2"),
        ("highest-news2-at", "When the NEWS2 was highest"),
        ("sets-due", "Observation sets due, by chart 4 of NEWS2"),
        ("sets-done", "Observation sets done: complete, and all of it measured anew"),
        ("sets-formed", "Observation sets formed, complete or not"),
        ("alerts-raised", "Alerts raised"),
        ("alerts-acknowledged", "Alerts acknowledged"),
        ("alerts-never-acknowledged", "Alerts that ended before anybody acknowledged them"),
        ("alerts-escalated", "Alerts that climbed their ladder"),
        ("alerts-resolved", "Alerts resolved"),
        ("alerts-waiting", "Alerts that waited for somebody at the end"),
        ("median-wait", "Time from alert to acknowledgement, median"),
        ("longest-wait", "Time from alert to acknowledgement, longest"),
    )
}

PULSE = concept((OURS, "pulse-rhythm"), text="Rhythm of the pulse over a period, in shadow")
PULSES: Mapping[Pulse, Json] = {
    Pulse.IRREGULAR: concept((OURS, "irregular-pulse"), text="Irregular pulse: consider an ECG"),
    Pulse.NOT_IRREGULAR: concept(
        (OURS, "no-irregular-pulse-found"), text="No lasting irregular pulse found, which rules nothing out"
    ),
}
"""A finding of the rhythm model and no diagnosis; where it is not known there is none."""

IN_PULSE: Mapping[str, Json] = {
    name: concept((OURS, name), text=words)
    for name, words in (
        ("windows", "Windows of beats"),
        ("good-windows", "Windows of beats of good quality, which count for the finding"),
        ("irregular-windows", "Good windows that were irregular"),
        ("good-time", "Time of the good windows"),
        ("irregular-time", "Time of the irregular windows"),
        ("finding-probability", "Probability of the finding, as the model's card defines it"),
        ("finding-period", "The windows that the finding is of, from the first to the last"),
        ("cuff-measured", "Measurements of a blood pressure cuff"),
        ("cuff-irregular", "Of these, how often the cuff itself said: irregular pulse"),
    )
}

HUB_TYPE = concept((MDC, "531981"), text="MDC_MOC_VMS_MDS_AHD: personal health gateway")
SENSOR_TYPE = concept((MDC, "65573"), text="MDC_MOC_VMS_MDS_SIMP: personal health device")
SPECIALIZATIONS: Mapping[str, str] = {
    "blood_pressure": "528391",
    "beurer_bm85": "528391",
    "and_ua651ble": "528391",
    "pulse_oximeter": "528388",
    "nonin_3230": "528388",
    "nonin_serial": "528388",
    "nonin_df8": "528388",
    "viatom_pc60fw": "528388",
    "contec_cms50": "528388",
    "contec_cms50_classic": "528388",
    "thermometer": "528392",
    "and_ut201ble": "528392",
    "weight_scale": "528399",
    "glucose": "528401",
    "glucose_and_ketone": "528401",
    "onetouch_ultra_easy": "528401",
}
"""MDC_DEV_SPEC_PROFILE_BP, _PULS_OXIM, _TEMP, _SCALE and _GLUCOSE by driver; one that is not listed has none.

None is given to a heart rate strap: the guide's list has none for it but that of fitness equipment."""
