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
        "observation.v1": _bundle(_OBSERVED, [_SCORE]),
        # As it is known now; or in error, since it was of another: then what other readings measured stays.
        "amended_observation.v1": _bundle(
            [*_OBSERVED_AMENDED, *_OBSERVED_WITHDRAWN, *_OBSERVED[len(_DEVICES) : -len(_JUDGED)]],
            [[*_SCORE_AMENDED, f"{_WITHDRAWN}.news2"]],
        ),
        **{
            f"alert.{change.value}.v1": _bundle(
                [f"fhir.alert.{change.value}", "fhir.acknowledgement", *_OBSERVED],
                [[f"fhir.alert.{change.value}"], _SCORE],
            )
            for change in AlertChange
        },
        # The score as it was told, where the hub has lost what it was made of.
        "amended_alert.v1": _bundle(
            [*_ALERTS_AMENDED, f"{_AMENDED}.acknowledgement", *_OBSERVED_AMENDED, *_SCORE],
            [_ALERTS_AMENDED, [*_SCORE, *_SCORE_AMENDED]],
        ),
        "summary.resident.v1": _bundle(
            ["fhir.hub", "fhir.summary", "fhir.summary.vital", "fhir.summary.pulse"],
            [["fhir.hub"], ["fhir.summary"]],
        ),
    }


_AMENDED = "fhir.amended"
_IN_ERROR = "entered-in-error"
_DEVICES = ("hub", "sensor")
_WITH_TIMES = ("clock", "vital-sign", "blood-pressure", "news2", "risk")
_OBSERVED = [f"fhir.{each}" for each in (*_DEVICES, *_WITH_TIMES)]
_OBSERVED_AMENDED = [
    *(f"fhir.{each}" for each in _DEVICES),
    *(f"{_AMENDED}.{each}" for each in _WITH_TIMES),
]
_WITHDRAWN = "fhir.withdrawn"
_JUDGED = ("news2", "risk")
_OBSERVED_WITHDRAWN = [f"{_WITHDRAWN}.{each}" for each in _WITH_TIMES]
_SCORE, _SCORE_AMENDED = ["fhir.news2"], [f"{_AMENDED}.news2"]
_ALERTS_AMENDED = [f"{_AMENDED}.alert.{change.value}" for change in AlertChange]


def _bundle(kinds: Sequence[str], least: Sequence[Sequence[str]] = (), most: int | None = None) -> Schema:
    """A Bundle of entries of these kinds; of each group in `least` there must be one."""
    meta = whole({"source": pattern(f"^{codes.HUB}/[^/]+/[^/]+$")}, {"security": const([codes.TEST_DATA])})
    entry = items(any_of(*(ref(f"{kind}.entry") for kind in kinds)), 1, most)
    if least:
        entry["allOf"] = [{"contains": any_of(*(ref(f"{kind}.entry") for kind in group))} for group in least]
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
    alerts = {change: judged.alert(change) for change in AlertChange}
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
        "fhir.summary.pulse": judged.summary_pulse(),
        **{f"fhir.alert.{change.value}": schema for change, schema in alerts.items()},
        # What takes the place of what was told: "corrected" where that was "final".
        f"{_AMENDED}.clock": measured.clock("corrected"),
        f"{_AMENDED}.vital-sign": measured.vital_sign("corrected"),
        f"{_AMENDED}.blood-pressure": measured.blood_pressure("corrected"),
        f"{_AMENDED}.news2": judged.news2("corrected"),
        f"{_AMENDED}.risk": judged.risk(),
        f"{_AMENDED}.acknowledgement": judged.acknowledgement(),
        **{f"{_AMENDED}.alert.{change.value}": schema for change, schema in alerts.items()},
        # What was of somebody else: "entered-in-error", whatever it was.
        f"{_WITHDRAWN}.clock": measured.clock(_IN_ERROR),
        f"{_WITHDRAWN}.vital-sign": measured.vital_sign(_IN_ERROR),
        f"{_WITHDRAWN}.blood-pressure": measured.blood_pressure(_IN_ERROR),
        f"{_WITHDRAWN}.news2": judged.news2(_IN_ERROR, _IN_ERROR),
        f"{_WITHDRAWN}.risk": judged.risk(_IN_ERROR),
    }  # fmt: skip
    entries = {}
    for name, schema in made.items():
        kind = schema["properties"]["resourceType"]["const"]
        raised = name == f"fhir.alert.{AlertChange.RAISED.value}"
        updated = name.startswith(("fhir.alert.", f"{_AMENDED}.", f"{_WITHDRAWN}."))
        entries[f"{name}.entry"] = _entry(name, kind, created=not updated or raised, updated=updated)
    return {**made, **entries}
