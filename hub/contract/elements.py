"""What several of the feed's resources have: elements and resources as JSON Schemas."""

from __future__ import annotations

from collections.abc import Sequence

from hub.assessment.news2 import Band
from hub.contract.forms import (
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
from hub.uplink.fhir import codes
from hub.uplink.fhir.scores import AT_LEAST

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
"""How one is written, as a regular expression."""
URN = pattern(f"^urn:uuid:{UUID}$")
META = ref("fhir.test-data")
NOTE = items(whole({"text": TEXT}), 1, 1)
BANDS = [*(band.value for band in Band), *(f"{AT_LEAST}{band.value}" for band in Band)]
"""The bands, certain and uncertain."""
VALUE: dict[str, object] = {
    "valueQuantity": {"type": "object"},
    "valueCodeableConcept": {"type": "object"},
    "interpretation": {"type": "array"},
    "dataAbsentReason": ref("fhir.absent"),
}
"""The keys of a value, or of why there is none; `fhir.value.*` says more of each."""

NAMED: dict[str, object] = {
    "identifier": items(ref("fhir.identifier"), 1, 1),
    "subject": ref("fhir.subject"),
}
"""What tells a resource of ours, and of whom it is."""


def resource(kind: str, required: dict[str, object], optional: dict[str, object] | None = None) -> Schema:
    """A resource, its `meta` that of test data or none."""
    return whole({"resourceType": kind, **required}, {"meta": META, **(optional or {})})


def beside(name: str) -> Schema:
    """A reference beside other keywords, which draft 7 would leave unread beside `$ref`."""
    return {"allOf": [ref(name)]}


def component_of(code: object, value: str) -> Schema:
    """A component whose value is of a schema."""
    return {**whole({"code": code}, {"extension": {"type": "array"}, **VALUE}), **beside(value)}


def extension_of(url: str, parts: dict[str, tuple[str, object]], least: Sequence[str]) -> Schema:
    """One of our extensions, of parts; those in `least` must be there."""
    each = any_of(*(whole({"url": name, key: said}) for name, (key, said) in parts.items()))
    listed = items(each)
    listed["allOf"] = [{"contains": {"properties": {"url": const(name)}}} for name in least]
    return whole({"url": url, "extension": listed})


def band_of(*, at_least: bool | None = None) -> Schema:
    """The band of a score: all, or only the certain or uncertain ones."""
    known = [band for band in BANDS if at_least is None or band.startswith(AT_LEAST) == at_least]
    coding = items(whole({"system": codes.OURS, "code": one_of(*known)}), 1, 1)
    return items(whole({"coding": coding, "text": TEXT}), 1, 1)
