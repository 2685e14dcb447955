"""Every payload of the feed is FHIR R4, by a library and by our own check; and both checks can fail."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.uplink.cloudevents import Event, to_json
from hub.uplink.contract import AlertChange
from hub.uplink.feed import (
    alert_event,
    amended_alert_event,
    amended_observation_event,
    observation_event,
    readings_event,
)
from hub.uplink.fhir.raw import bytes_at_most
from tests.rigs.fhir_bindings import (
    binding_faults,
    faults,
    form_faults,
    reference_faults,
    vital_sign_faults,
)
from tests.rigs.fhir_samples import (
    LIVE,
    NOON,
    TEST,
    alert,
    alerts,
    assessments,
    complete,
    partial,
    placed_readings,
    times,
)

_identities = st.sampled_from([LIVE, TEST])
_settings = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def check(event: Event) -> None:
    """As it is on the wire: valid to the library, and without a fault."""
    document = json.loads(to_json(event))["data"]
    Bundle.model_validate(document)
    assert faults(document) == []


@_settings
@given(_identities, st.lists(placed_readings(), min_size=1, max_size=4))
def test_any_readings_are_valid(identity: Any, readings: Any) -> None:
    check(readings_event(identity, readings))


@_settings
@given(_identities, assessments())
def test_any_assessment_is_valid(identity: Any, made: Any) -> None:
    check(observation_event(identity, made))


@_settings
@given(_identities, assessments())
def test_any_amended_assessment_is_valid(identity: Any, made: Any) -> None:
    check(amended_observation_event(identity, made))


@_settings
@given(st.data())
def test_any_amended_alert_is_valid(data: st.DataObject) -> None:
    raising = data.draw(assessments())
    check(
        amended_alert_event(
            data.draw(_identities),
            data.draw(st.sampled_from(AlertChange)),
            data.draw(alerts(raising)),
            data.draw(times),
            raising,
            entry_number=data.draw(st.integers(1, 99)),
            tell=data.draw(st.none() | st.sampled_from(["senior carer", ""])),
        )
    )


@_settings
@given(st.data())
def test_any_alert_is_valid(data: st.DataObject) -> None:
    raising = data.draw(assessments())
    check(
        alert_event(
            data.draw(_identities),
            data.draw(st.sampled_from(AlertChange)),
            data.draw(alerts(raising)),
            data.draw(times),
            raising,
            tell=data.draw(st.none() | st.sampled_from(["senior carer", ""])),
            newest=data.draw(st.none() | st.just(raising) | assessments()),
            repeat=data.draw(st.integers(0, 3)),
        )
    )


@_settings
@given(_identities, placed_readings())
def test_a_reading_takes_no_more_bytes_than_its_bound(identity: Any, reading: Any) -> None:
    (entry,) = readings_event(identity, [reading]).data["entry"]
    size = len(json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode())
    assert size + 1 <= bytes_at_most(reading)


# --- the checks can fail: each catches the fault that is put in


@pytest.fixture
def bundle() -> dict[str, Any]:
    """An alert's Bundle, which has every kind of resource but a Communication, as a copy to spoil."""
    told = complete()
    event = alert_event(TEST, AlertChange.RAISED, alert(told), NOON, told)
    return copy.deepcopy(dict(event.data))


def resource(bundle: dict[str, Any], kind: str, loinc: str = "") -> Any:
    return next(
        entry["resource"]
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == kind
        and loinc in json.dumps(entry["resource"].get("code", ""))
    )


HTEST = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}
Spoil = Callable[[dict[str, Any]], object]
SPOILT: list[tuple[str, Callable[[dict[str, Any]], Any], Spoil]] = [
    ("required value set", binding_faults, lambda b: resource(b, "Observation").update(status="done")),
    ("required value set", binding_faults, lambda b: resource(b, "RiskAssessment").update(status="shadow")),
    (
        "required value set",
        binding_faults,
        lambda b: resource(b, "CommunicationRequest").update(priority="high"),
    ),
    ("required value set", binding_faults, lambda b: b["entry"][0]["request"].update(method="UPSERT")),
    (
        "required value set",
        binding_faults,
        lambda b: resource(b, "Observation", "8310-5")["valueQuantity"].update(comparator="~"),
    ),
    ("no code of", binding_faults, lambda b: b["meta"]["security"].append({**HTEST, "code": "TEST"})),
    (
        "no dateTime",
        form_faults,
        lambda b: resource(b, "Observation", "8310-5").update(effectiveDateTime="2026-03-01T12:00:00"),
    ),
    ("empty", form_faults, lambda b: resource(b, "Observation", "8310-5").update(note=[])),
    (
        "obs-6",
        form_faults,
        lambda b: resource(b, "Observation", "8310-5").update(dataAbsentReason={"text": "x"}),
    ),
    (
        "ras-2",
        form_faults,
        lambda b: resource(b, "RiskAssessment")["prediction"][0].update(probabilityDecimal=101),
    ),
    ("ext-1", form_faults, lambda b: resource(b, "CommunicationRequest")["extension"].append({"url": "a:b"})),
    ("qty-3", form_faults, lambda b: resource(b, "Observation", "8310-5")["valueQuantity"].pop("system")),
    ("in no entry", reference_faults, lambda b: b["entry"].pop(2)),
    (
        "in no entry",
        reference_faults,
        lambda b: resource(b, "CommunicationRequest").update(sender={"reference": "urn:uuid:nobody"}),
    ),
    (
        "ref-1",
        reference_faults,
        lambda b: resource(b, "Observation", "8310-5").update(subject={"type": "Patient"}),
    ),
    ("by its identifier", reference_faults, lambda b: b["entry"][0]["request"].pop("ifNoneExist")),
    ("bdl-7", reference_faults, lambda b: b["entry"].append(b["entry"][0])),
    (
        "does not allow",
        vital_sign_faults,
        lambda b: resource(b, "Observation", "8310-5")["valueQuantity"].update(code="K"),
    ),
    (
        "does not allow",
        vital_sign_faults,
        lambda b: resource(b, "Observation", "85354-9")["component"][0]["valueQuantity"].update(code="kPa"),
    ),
    (
        "without the category",
        vital_sign_faults,
        lambda b: resource(b, "Observation", "2708-6").pop("category"),
    ),
    ("without subject", vital_sign_faults, lambda b: resource(b, "Observation", "2708-6").pop("subject")),
    (
        "without effectiveDateTime",
        vital_sign_faults,
        lambda b: resource(b, "Observation", "9279-1").pop("effectiveDateTime"),
    ),
    ("or diastolic", vital_sign_faults, lambda b: resource(b, "Observation", "85354-9")["component"].pop(1)),
    ("vs-2", vital_sign_faults, lambda b: resource(b, "Observation", "8310-5").pop("valueQuantity")),
]


def test_what_is_spoilt_below_was_whole(bundle: dict[str, Any]) -> None:
    Bundle.model_validate(bundle)
    assert faults(bundle) == []


@pytest.mark.parametrize(("said", "checked", "spoil"), SPOILT)
def test_a_fault_that_is_put_in_is_found(
    bundle: dict[str, Any], said: str, checked: Callable[[dict[str, Any]], Any], spoil: Spoil
) -> None:
    spoil(bundle)
    found = list(checked(bundle))
    assert len(found) >= 1
    assert all(said in fault for fault in found[:1])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda b: resource(b, "Observation", "8310-5").pop("status"),
        lambda b: resource(b, "Observation", "8310-5").update(colour="red"),
        lambda b: resource(b, "RiskAssessment").pop("subject"),
        lambda b: resource(b, "Observation", "8310-5").update(valueQuantity={"value": "hot"}),
    ],
)
def test_the_library_refuses_what_is_missing_unknown_or_of_a_wrong_type(
    bundle: dict[str, Any], spoil: Spoil
) -> None:
    spoil(bundle)
    with pytest.raises(ValidationError):
        Bundle.model_validate(bundle)


def test_the_library_alone_would_take_a_status_that_does_not_exist(bundle: dict[str, Any]) -> None:
    resource(bundle, "Observation").update(status="done")
    Bundle.model_validate(bundle)


def test_no_payload_names_more_than_a_pseudonym() -> None:
    for made in (complete(), partial()):
        text = to_json(observation_event(LIVE, made))
        assert "display" not in text
        assert "Mary" not in text
        assert b"Mary".hex() not in text
