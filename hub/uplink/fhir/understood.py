"""Reading back what the feed told: vital signs, scores and risks, out of FHIR into the hub's own words.

Each function raises `LookupError`, `TypeError`, `ValueError` or `AttributeError` at what the feed does not
write; `hub/uplink/heard.py`, where it is used, makes one error of these.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from hub.assessment.news2 import PARAMETERS, Band, OxygenScale
from hub.assessment.rhythm import Pulse
from hub.readings import OF_NO_SCORE, AbsentReason, Quality, Value, Vital
from hub.timekeeping.timing import TimeQuality
from hub.uplink.fhir import codes
from hub.uplink.fhir.codes import Json
from hub.uplink.fhir.raw import BODY_SITE
from hub.uplink.fhir.scores import AT_LEAST

_VITAL_OF = {
    (coding["system"], coding["code"]): vital
    for vital, known in codes.VITALS.items()
    for coding in known.code["coding"]
}
_VALUE_OF: dict[str, Value] = {
    known["coding"][0]["code"]: value for value, known in codes.CODED_VALUES.items()
}
_SUB_SCORE_OF = {
    codes.sub_score_code(vital, scale): (vital, scale) for scale in OxygenScale for vital in PARAMETERS
}
_BEYOND = {AbsentReason.NEGATIVE_INFINITY.value, AbsentReason.POSITIVE_INFINITY.value}
_Item = TypeVar("_Item")
_URN = "urn:uuid:"


@dataclass(frozen=True, slots=True)
class HeardMeasurement:
    """A vital as it was told. `reading` is the id of the reading that measured it, `at` when (aware)."""

    vital: Vital
    value: Value | None
    absent: str | None
    quality: Quality
    at: datetime
    reading: uuid.UUID
    doubtful_time: bool = False
    site: str | None = None

    @property
    def usable(self) -> bool:
        """True where there is a value that a score may use."""
        return self.value is not None and self.quality is not Quality.UNUSABLE

    @property
    def said(self) -> dict[str, Any]:
        """As `hub/cli/words.py` reads it."""
        value = {"absent": self.absent} if self.value is None else {"value": self.value}
        time = {"time": "doubtful"} if self.doubtful_time else {}
        return {"vital": self.vital.value, "quality": self.quality.value, **value, **time}


@dataclass(frozen=True, slots=True)
class HeardNews2:
    """A score; `total` is None where it is partial, and `least` is the least that it can be."""

    total: int | None
    least: int
    band: Band
    scale: OxygenScale
    sub_scores: Mapping[Vital, int]
    missing: tuple[Vital, ...]
    words: str

    @property
    def complete(self) -> bool:
        """True where all seven parameters were scored."""
        return self.total is not None


@dataclass(frozen=True, slots=True)
class HeardRisk:
    """The model's risk; `probability` is 0 to 1, and so is the model's own where a recalibration made that.

    `reasons` are words, None where none were given. `would_alert` is None where no threshold was in force.
    """

    probability: float
    model: str
    version: str
    sha256_prefix: str
    mode: str
    missing: tuple[str, ...]
    out_of_range: tuple[str, ...]
    uncalibrated: float | None = None
    reasons: str | None = None
    would_alert: bool | None = None


@dataclass(frozen=True, slots=True)
class HeardAssessment:
    """An observation set with its score. `reading` is the id of the reading that completed it."""

    resident: str
    at: datetime
    reading: uuid.UUID
    observations: Mapping[Vital, HeardMeasurement]
    news2: HeardNews2
    risk: HeardRisk | None


@dataclass(frozen=True, slots=True)
class HeardPulse:
    """What was found of a resident's rhythm in a period, in shadow.

    `pulse` is unknown where there was no finding. `model` is its name and version, None where only cuffs said
    anything. `numbers` are those of `codes.IN_PULSE`, times in seconds, the probability in per cent.
    """

    pulse: Pulse
    words: str
    model: tuple[str, str] | None
    numbers: Mapping[str, float]


def assessment_of(resources: Mapping[str, Json], score: Json) -> HeardAssessment:
    """The assessment of a NEWS2 Observation. `resources` has the Bundle's, by `fullUrl`."""
    completed_by, *members = score["derivedFrom"]
    news2 = _news2(score)
    risk = resources.get(f"{_URN}{uuid.uuid5(name_of(score), 'risk')}")
    return HeardAssessment(
        resident=resident_of(score),
        at=time_of(score["effectiveDateTime"]),
        reading=uuid_of(completed_by["identifier"]["value"]),
        observations=_observations([resources[each["reference"]] for each in members], news2),
        news2=news2,
        risk=None if risk is None else _risk(risk),
    )


def _observations(members: Iterable[Json], news2: HeardNews2) -> dict[Vital, HeardMeasurement]:
    """The newest usable value of each vital, as the rule of the observation set has it; or that it lay beyond
    what its sensor can say.

    A panel tells all that its cuff measured, so it may have a pressure that is too old to be of the set.
    """
    found: dict[Vital, HeardMeasurement] = {}
    for resource in members:
        for each in _vitals(resource):
            rival = found.get(each.vital)
            told = each.usable or (each.vital in OF_NO_SCORE and each.absent in _BEYOND)
            if told and (rival is None or _preference(each) > _preference(rival)):
                found[each.vital] = each
    left_out = {vital for vital in news2.missing if vital in codes.PRESSURES}
    return {vital: found[vital] for vital in Vital if vital in found and vital not in left_out}


def _preference(measured: HeardMeasurement) -> tuple[datetime, bool, uuid.UUID]:
    return measured.at, measured.quality is Quality.GOOD, measured.reading


def _vitals(resource: Json) -> Iterable[HeardMeasurement]:
    doubtful = {"url": codes.TIME_QUALITY, "valueCode": TimeQuality.DOUBTFUL.value} in resource["extension"]
    reading = uuid_of(resource["derivedFrom"][0]["identifier"]["value"])
    site = resource.get("bodySite", {}).get("text")
    for part in resource.get("component", [resource]):
        yield measurement_of(part, time_of(resource["effectiveDateTime"]), reading, doubtful, site)


def measurement_of(
    part: Json, at: datetime, reading: uuid.UUID, doubtful: bool = False, site: str | None = None
) -> HeardMeasurement:
    """What an Observation, or a component of one, measured."""
    said = part.get("extension", [])
    unusable = next((each for each in said if each["url"] == codes.UNUSABLE_VALUE), None)
    site = next((each["valueString"] for each in said if each["url"] == BODY_SITE), site)
    value = _value(part if unusable is None else unusable)
    quality = Quality.GOOD
    if unusable is not None:
        quality = Quality.UNUSABLE
    elif "interpretation" in part:
        quality = Quality.QUESTIONABLE
    absent = part["dataAbsentReason"]["coding"][0]["code"] if value is None else None
    vital = first(
        found for each in part["code"]["coding"] if (found := _VITAL_OF.get((each["system"], each["code"])))
    )
    return HeardMeasurement(vital, value, absent, quality, at, reading, doubtful, site)


def _value(part: Json) -> Value | None:
    if "valueQuantity" in part:
        return float(part["valueQuantity"]["value"])
    if "valueCodeableConcept" in part:
        return _VALUE_OF[part["valueCodeableConcept"]["coding"][0]["code"]]
    return None


def _news2(score: Json) -> HeardNews2:
    sub_scores: dict[Vital, int] = {}
    scale = OxygenScale.SCALE_1
    for part in score["component"]:
        known = _SUB_SCORE_OF.get(part["code"]["coding"][0]["code"])
        if known is None:
            continue
        vital, of_scale = known
        if vital is Vital.OXYGEN_SATURATION:
            scale = of_scale
        if "valueQuantity" in part:
            sub_scores[vital] = int(part["valueQuantity"]["value"])
    total = score.get("valueQuantity", {}).get("value")
    return HeardNews2(
        total=None if total is None else int(total),
        least=sum(sub_scores.values()),
        band=Band(score["interpretation"][0]["coding"][0]["code"].removeprefix(AT_LEAST)),
        scale=scale,
        sub_scores=sub_scores,
        missing=tuple(vital for vital in PARAMETERS if vital not in sub_scores),
        words=str(score["note"][0]["text"]),
    )


def _risk(risk: Json) -> HeardRisk:
    parts = parts_of(risk, codes.MODEL)
    model = risk["method"]["coding"][0]
    (prediction,) = risk["prediction"]
    uncalibrated = parts.get("uncalibrated")
    reasons = prediction.get("rationale")
    return HeardRisk(
        probability=_of_per_cent(prediction["probabilityDecimal"]),
        model=str(model["code"]),
        version=str(model["version"]),
        sha256_prefix=str(only(parts["sha256Prefix"])),
        mode=str(only(parts["mode"])),
        missing=tuple(parts.get("missing", ())),
        out_of_range=tuple(parts.get("outOfRange", ())),
        uncalibrated=None if uncalibrated is None else _of_per_cent(only(uncalibrated)),
        would_alert=None if "wouldAlert" not in parts else only(parts["wouldAlert"]) is True,
        reasons=None if reasons is None else str(reasons),
    )


def _of_per_cent(probability: float) -> float:
    """FHIR's is in per cent."""
    return round(float(probability) / 100, 6)


def pulse_of(resource: Json) -> HeardPulse:
    """What was found of a rhythm."""
    found = resource.get("valueCodeableConcept")
    method = resource.get("method")
    model = None if method is None else method["coding"][0]
    return HeardPulse(
        pulse=Pulse.UNKNOWN
        if found is None
        else first(pulse for pulse, code in codes.PULSES.items() if code == found),
        words=str(resource["note"][0]["text"]),
        model=None if model is None else (str(model["code"]), str(model["version"])),
        numbers={
            str(part["code"]["coding"][0]["code"]): float(part["valueQuantity"]["value"])
            for part in resource["component"]
            if "valueQuantity" in part
        },
    )


def statistics_of(resource: Json) -> tuple[Vital, dict[str, float]]:
    """The statistics of one vital, by their names; of a time below a threshold, "time-below 90"."""
    vital = first(_VITAL_OF[each["system"], each["code"]] for each in resource["code"]["coding"])
    return vital, {_statistic(part): float(part["valueQuantity"]["value"]) for part in resource["component"]}


def _statistic(part: Json) -> str:
    name = str(part["code"]["coding"][0]["code"])
    thresholds = [each["valueQuantity"]["value"] for each in part.get("extension", ())]
    return " ".join([name, *(f"{float(threshold):g}" for threshold in thresholds)])


def parts_of(resource: Json, url: str) -> dict[str, list[Any]]:
    """The parts of one of our extensions, by their name."""
    whole = first(each for each in resource["extension"] if each["url"] == url)
    parts: dict[str, list[Any]] = {}
    for part in whole["extension"]:
        value = first(part[key] for key in part if key.startswith("value"))
        parts.setdefault(part["url"], []).append(value)
    return parts


def first(found: Iterable[_Item]) -> _Item:
    """The first that there is; `StopIteration` would end a generator around it in silence."""
    for each in found:
        return each
    raise LookupError("there is none")


def only(values: list[Any]) -> Any:
    """The one value that there is."""
    (value,) = values
    return value


def name_of(resource: Json) -> uuid.UUID:
    """The UUID that a resource is identified by."""
    return uuid_of(resource["identifier"][0]["value"])


def uuid_of(urn: str) -> uuid.UUID:
    """The UUID of a `urn:uuid:`."""
    return uuid.UUID(urn.removeprefix(_URN))


def resident_of(resource: Json) -> str:
    """The pseudonym of whom a resource is about."""
    return str(resource["subject"]["identifier"]["value"]).split("/", 1)[1]


def time_of(text: str) -> datetime:
    """An aware time."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without a zone is no time")
    return time
