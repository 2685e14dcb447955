"""The Bundles of the feed as JSON Schemas: what this hub sends of FHIR R4, and nothing that it does not.

Narrower than FHIR's own schema, and no substitute for it (https://hl7.org/fhir/R4/fhir.schema.json.zip has
the types and HL7's pages the invariants): all codes are those of `hub/uplink/fhir/codes.py`, every element
that is not sent is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from hub.contract import judged, measured
from hub.contract.elements import (
    URN,
    UUID,
)
from hub.contract.forms import (
    Schema,
    any_of,
    const,
    items,
    pattern,
    ref,
    whole,
)
from hub.uplink.contract import AlertChange
from hub.uplink.feed import MOST_READINGS
from hub.uplink.fhir import codes


def definitions() -> dict[str, Schema]:
    """Every schema of the feed's FHIR, by its name; those of events and those that they are made of."""
    return {
        **measured.parts(),
        **_resources(),
        "reading.v1": _bundle(["fhir.reading"], most=MOST_READINGS),
        "observation.v1": _bundle(_OBSERVED, ["fhir.news2"]),
        **{
            f"alert.{change.value}.v1": _bundle(
                [f"fhir.alert.{change.value}", "fhir.acknowledgement", *_OBSERVED],
                [f"fhir.alert.{change.value}", "fhir.news2"],
            )
            for change in AlertChange
        },
        "summary.resident.v1": _bundle(
            ["fhir.hub", "fhir.summary", "fhir.summary.vital"], ["fhir.hub", "fhir.summary"]
        ),
    }


_OBSERVED = (
    "fhir.hub",
    "fhir.sensor",
    "fhir.clock",
    "fhir.vital-sign",
    "fhir.blood-pressure",
    "fhir.news2",
    "fhir.risk",
)


def _bundle(kinds: Sequence[str], least: Sequence[str] = (), most: int | None = None) -> Schema:
    meta = whole({"source": pattern(f"^{codes.HUB}/[^/]+/[^/]+$")}, {"security": const([codes.TEST_DATA])})
    entry = items(any_of(*(ref(f"{kind}.entry") for kind in kinds)), 1, most)
    if least:
        entry["allOf"] = [{"contains": ref(f"{kind}.entry")} for kind in least]
    return whole({"resourceType": "Bundle", "meta": meta, "type": "transaction", "entry": entry})


def _entry(kind: str, resource: str, *, created: bool = True, updated: bool = False) -> Schema:
    requests = []
    if created:
        known = pattern(r"^identifier=.+\|.+$")
        requests.append(whole({"method": "POST", "url": resource, "ifNoneExist": known}))
    if updated:
        found = pattern(rf"^{resource}\?identifier={codes.UUID}\|urn:uuid:{UUID}$")
        requests.append(whole({"method": "PUT", "url": found}))
    parts: dict[str, object] = {"resource": ref(kind), "request": any_of(*requests)}
    return whole(parts if kind == "fhir.reading" else {"fullUrl": URN, **parts})


def _resources() -> dict[str, Schema]:
    made = {
        "fhir.hub": measured.hub(),
        "fhir.sensor": measured.sensor(),
        "fhir.clock": measured.clock(),
        "fhir.vital-sign": measured.vital_sign(),
        "fhir.blood-pressure": measured.blood_pressure(),
        "fhir.news2": judged.news2(),
        "fhir.risk": judged.risk(),
        "fhir.reading": measured.reading(),
        "fhir.acknowledgement": judged.acknowledgement(),
        "fhir.summary": judged.summary(),
        "fhir.summary.vital": judged.summary_vital(),
        **{f"fhir.alert.{change.value}": judged.alert(change) for change in AlertChange},
    }  # fmt: skip
    entries = {}
    for name, schema in made.items():
        kind = schema["properties"]["resourceType"]["const"]
        raised = name == f"fhir.alert.{AlertChange.RAISED.value}"
        is_alert = name.startswith("fhir.alert.")
        entries[f"{name}.entry"] = _entry(name, kind, created=not is_alert or raised, updated=is_alert)
    return {**made, **entries}
