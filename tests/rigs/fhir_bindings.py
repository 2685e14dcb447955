"""What FHIR R4 asks of the feed's Bundles beyond what `fhir.resources` checks; written from HL7's pages.

`fhir.resources` refuses missing and unknown elements and wrong types; it accepts status "done". Sources,
all of R4 (http://hl7.org/fhir/R4/): the "Terminology Bindings" and "Constraints" of each resource's page
(observation.html, riskassessment.html, communicationrequest.html, communication.html, device.html,
bundle.html), datatypes.html, references.html, extensibility.html, http.html#trules,
codesystem-data-absent-reason.html, and observation-vitalsigns.html with its profiles.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

EVENT_STATUS = {
    "preparation", "in-progress", "not-done", "on-hold", "stopped", "completed", "entered-in-error",
    "unknown",
}  # fmt: skip
REQUEST_STATUS = {"draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown"}
REQUEST_PRIORITY = {"routine", "urgent", "asap", "stat"}
OBSERVATION_STATUS = {
    "registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "unknown",
}  # fmt: skip

REQUIRED = {
    "Bundle.type": {
        "document", "message", "transaction", "transaction-response", "batch", "batch-response", "history",
        "searchset", "collection",
    },
    "Bundle.entry.request.method": {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"},
    "Observation.status": OBSERVATION_STATUS,
    "RiskAssessment.status": OBSERVATION_STATUS,
    "CommunicationRequest.status": REQUEST_STATUS,
    "CommunicationRequest.priority": REQUEST_PRIORITY,
    "Communication.status": EVENT_STATUS,
    "Communication.priority": REQUEST_PRIORITY,
    "Device.status": {"active", "inactive", "entered-in-error", "unknown"},
}  # fmt: skip
"""The required bindings of the elements that the feed may have; any other element of type code is unknown."""

REQUIRED_ANYWHERE = {
    "comparator": {"<", "<=", ">=", ">"},
    "use": {"usual", "official", "temp", "secondary", "old"},  # of an Identifier
}

DATA_ABSENT_REASON = {
    "unknown", "asked-unknown", "temp-unknown", "not-asked", "asked-declined", "masked", "not-applicable",
    "unsupported", "as-text", "error", "not-a-number", "negative-infinity", "positive-infinity",
    "not-performed", "not-permitted",
}  # fmt: skip
OBSERVATION_CATEGORY = {
    "social-history", "vital-signs", "imaging", "laboratory", "procedure", "survey", "exam", "therapy",
    "activity",
}  # fmt: skip
COMMUNICATION_CATEGORY = {"alert", "notification", "reminder", "instruction"}
OBSERVATION_STATISTICS = {
    "average", "maximum", "minimum", "count", "total-count", "median", "std-dev", "sum", "variance",
    "20-percent", "80-percent", "4-lower", "4-upper", "4-dev", "5-1", "5-2", "5-3", "5-4", "skew", "kurtosis",
    "regression",
}  # fmt: skip
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
CLOSED_SYSTEMS = {
    f"{_TERMINOLOGY}/data-absent-reason": DATA_ABSENT_REASON,
    f"{_TERMINOLOGY}/observation-category": OBSERVATION_CATEGORY,
    f"{_TERMINOLOGY}/observation-statistics": OBSERVATION_STATISTICS,
    f"{_TERMINOLOGY}/communication-category": COMMUNICATION_CATEGORY,
    f"{_TERMINOLOGY}/v3-ActReason": {"HTEST"},
}
"""Code systems that the feed uses, the short ones whole, and of ActReason what it uses."""

_LOINC = "http://loinc.org"
VITAL_SIGN_UNITS = {
    "9279-1": {"/min"},
    "8867-4": {"/min"},
    "2708-6": {"%"},
    "59408-5": {"%"},
    "8310-5": {"Cel", "[degF]"},
    "8480-6": {"mm[Hg]"},
    "8462-4": {"mm[Hg]"},
    "8478-0": {"mm[Hg]"},
    "29463-7": {"kg", "g", "[lb_av]"},
}
"""The UCUM codes that the vital-signs profiles allow for each LOINC code."""

_BLOOD_PRESSURE = "85354-9"
_UCUM = "http://unitsofmeasure.org"

_ZONE = r"(Z|[+-]((0\d|1[0-3]):[0-5]\d|14:00))"
_DAY = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_TIME = r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?"
_DATE_TIME = re.compile(rf"\d{{4}}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01])(T{_TIME}{_ZONE})?)?)?")
_INSTANT = re.compile(rf"{_DAY}T{_TIME}{_ZONE}")
_CODE = re.compile(r"[^\s]+(\s[^\s]+)*")
_URI = re.compile(r"[a-z][a-z0-9+.-]*:\S+")
_DATE_TIMES = {
    "effectiveDateTime", "valueDateTime", "occurrenceDateTime", "authoredOn", "sent", "received", "time",
    "start", "end",
}  # fmt: skip
_CODES = {"valueCode", "code", "status", "priority", "method", "comparator"}
_URIS = {"system", "url", "fullUrl", "source"}

Node = dict[str, Any]


def faults(bundle: Node) -> list[str]:
    """Everything that is wrong with a Bundle, as "where: what"."""
    return [
        *binding_faults(bundle),
        *form_faults(bundle),
        *reference_faults(bundle),
        *vital_sign_faults(bundle),
    ]


def _elements(node: Any, path: str, kind: str = "") -> Iterator[tuple[str, str, Node]]:
    """Each element that has parts, with its path within its resource and within the Bundle."""
    if isinstance(node, list):
        for number, each in enumerate(node):
            yield from _elements(each, f"{path}[{number}]", kind)
    if isinstance(node, dict):
        kind = str(node.get("resourceType", kind))
        yield kind, path, node
        for key, value in node.items():
            yield from _elements(value, f"{path}.{key}", f"{kind}.{key}")


def binding_faults(bundle: Node) -> Iterator[str]:
    """Codes that a required binding, or a code system that is written down here, does not have."""
    for kind, path, node in _elements(bundle, "Bundle"):
        for key, value in node.items():
            allowed = REQUIRED.get(f"{kind}.{key}") or REQUIRED_ANYWHERE.get(key)
            if allowed is not None and value not in allowed:
                yield f"{path}.{key}: {value!r} is not in the required value set"
        known = CLOSED_SYSTEMS.get(node.get("system", ""))
        if known is not None and "code" in node and node["code"] not in known:
            yield f"{path}: {node['code']!r} is no code of {node['system']}"


def form_faults(bundle: Node) -> Iterator[str]:
    """Primitive types by their regular expressions, and the constraints of what the feed uses."""
    for kind, path, node in _elements(bundle, "Bundle"):
        if not node:
            yield f"{path}: an element is empty (ele-1)"
        for key, value in node.items():
            yield from _primitive_faults(f"{path}.{key}", key, value)
        yield from _constraint_faults(kind, path, node)


def _primitive_faults(path: str, key: str, value: Any) -> Iterator[str]:
    if value is None or value in ("", []):
        yield f"{path}: empty (ele-1)"
    if isinstance(value, float) and value != value:
        yield f"{path}: no number"
    if not isinstance(value, str):
        return
    if key in _DATE_TIMES and not _DATE_TIME.fullmatch(value):
        yield f"{path}: no dateTime"
    if key == "issued" and not _INSTANT.fullmatch(value):
        yield f"{path}: no instant"
    if key in _CODES and not _CODE.fullmatch(value):
        yield f"{path}: no code"
    if key in _URIS and not _URI.fullmatch(value) and ".extension" not in path and ".request" not in path:
        yield f"{path}: no absolute URI"


def _constraint_faults(kind: str, path: str, node: Node) -> Iterator[str]:
    values = [key for key in node if re.fullmatch(r"value[A-Z]\w*", key)]
    if len(values) > 1:
        yield f"{path}: value[x] twice"
    if kind.endswith("Period") and not node.get("start", "") <= node.get("end", "~"):
        yield f"{path}: a period ends before it begins (per-1)"
    if "dataAbsentReason" in node and values:
        yield f"{path}: dataAbsentReason beside a value (obs-6)"
    if (
        kind == "Observation"
        and values
        and node["code"] in [part["code"] for part in node.get("component", ())]
    ):
        yield f"{path}: a value, and a component of the same code (obs-7)"
    if kind.endswith("xtension") and "url" in node and bool(values) == ("extension" in node):
        yield f"{path}: an extension has a value or extensions, not both or neither (ext-1)"
    if path.endswith(("Quantity", "Duration")) and "code" in node and "system" not in node:
        yield f"{path}: a unit's code without its system (qty-3)"
    if kind == "RiskAssessment.prediction" and not 0 <= node.get("probabilityDecimal", 0) <= 100:
        yield f"{path}: a probability is at most 100 % (ras-2)"


def reference_faults(bundle: Node) -> Iterator[str]:
    """References that lead nowhere, entries that cannot be told apart, and requests that do not fit."""
    entries = bundle["entry"]
    urls = [entry["fullUrl"] for entry in entries if "fullUrl" in entry]
    yield from (f"{url}: twice (bdl-7)" for url in {url for url in urls if urls.count(url) > 1})
    for _, path, node in _elements(bundle, "Bundle"):
        target = node.get("reference")
        if isinstance(target, str) and target not in urls:
            yield f"{path}: {target} is in no entry"
        pointing = path.endswith((".subject", ".device", ".performer", ".sender", ".requester"))
        if pointing and not {"reference", "identifier"} & node.keys():
            yield f"{path}: a reference without reference or identifier (ref-1)"
    for number, entry in enumerate(entries):
        kind, request = entry["resource"]["resourceType"], entry["request"]
        known = f"identifier={_known(entry['resource'])}"
        wanted = {"POST": (kind, known), "PUT": (f"{kind}?{known}", None)}.get(request["method"])
        if (request["url"], request.get("ifNoneExist")) != wanted:
            yield f"entry[{number}]: its request does not find it by its identifier again"


def _known(resource: Node) -> str:
    identifier = resource["identifier"][0]
    escaped = "".join(f"\\{sign}" if sign in "\\$,|" else sign for sign in identifier["value"])
    return f"{identifier['system']}|{quote(escaped, safe='/:')}"


def vital_sign_faults(bundle: Node) -> Iterator[str]:
    """What the vital-signs profiles demand of an Observation of one of their LOINC codes."""
    for entry in bundle["entry"]:
        observation = entry["resource"]
        if observation["resourceType"] != "Observation":
            continue
        name = observation["identifier"][0]["value"]
        for part in [observation, *observation.get("component", ())]:
            yield from (f"{name}: {fault}" for fault in _unit_faults(part))
        loinc = _loinc(observation["code"])
        categories = {each["coding"][0]["code"] for each in observation.get("category", ())}
        if not loinc & {*VITAL_SIGN_UNITS, _BLOOD_PRESSURE} and "vital-signs" not in categories:
            continue
        if "vital-signs" not in categories:
            yield f"{name}: a vital sign without the category"
        if "59408-5" in loinc and "2708-6" not in loinc:
            yield f"{name}: a saturation without 2708-6"
        for key in ("status", "code", "subject", "effectiveDateTime"):
            if key not in observation and not (
                key.startswith("effective") and "effectivePeriod" in observation
            ):
                yield f"{name}: a vital sign without {key}"
        if _BLOOD_PRESSURE in loinc:
            parts = set().union(*(_loinc(part["code"]) for part in observation.get("component", ())))
            if not {"8480-6", "8462-4"} <= parts:
                yield f"{name}: a blood pressure without systolic or diastolic"
        for part in observation.get("component", [observation]):
            if not {"valueQuantity", "valueCodeableConcept", "dataAbsentReason"} & part.keys():
                yield f"{name}: neither a value nor why there is none (vs-2, vs-3)"


def _unit_faults(part: Node) -> Iterator[str]:
    quantity = part.get("valueQuantity")
    for code in _loinc(part["code"]) & VITAL_SIGN_UNITS.keys():
        if quantity is None:
            continue
        if quantity.get("system") != _UCUM or quantity.get("code") not in VITAL_SIGN_UNITS[code]:
            yield f"{code} in {quantity.get('code')!r}, which its profile does not allow"


def _loinc(concept: Node) -> set[str]:
    return {coding["code"] for coding in concept.get("coding", ()) if coding["system"] == _LOINC}
