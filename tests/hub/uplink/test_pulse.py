"""What was found of a rhythm, as it is told: FHIR, within the contract, a shadow, heard as it was told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.assessment.rhythm import DayFinding, Pulse
from hub.cli.event_words import event_lines
from hub.store.rows import ModelName
from hub.telling.irregular_pulse import PulseSummary
from hub.uplink.cloudevents import LARGEST_EVENT, from_json, to_json
from hub.uplink.feed import resident_summary_event
from hub.uplink.fhir import codes
from hub.uplink.heard import resident_summary_heard
from tests.hub.uplink.test_hub_summary import PERIOD, RESIDENT, wired
from tests.rigs.contract import data_validator, spoilt
from tests.rigs.fhir_bindings import faults
from tests.rigs.fhir_samples import LIVE, NOON, TEST

MINUTE = timedelta(minutes=1)
MODEL = ModelName("rhythm", "1", "0123456789ab")
LASTING = DayFinding(Pulse.IRREGULAR, 0.97, NOON, NOON + 7 * MINUTE, 12, 10, 9)
IRREGULAR = PulseSummary(LASTING, MODEL, 8 * MINUTE, 7 * MINUTE, 5, 2)
CUFFS = PulseSummary(cuff_measured=5, cuff_irregular=2)

_counts = st.integers(0, 10**5)
_times = st.timedeltas(timedelta(0), timedelta(days=7))


@st.composite
def findings(draw: st.DrawFn) -> DayFinding:
    pulse = draw(st.sampled_from(Pulse))
    known = pulse is not Pulse.UNKNOWN
    return DayFinding(
        pulse,
        draw(st.floats(0, 1)) if known else None,
        PERIOD.since if known else None,
        PERIOD.until if known else None,
        *(draw(_counts) for _ in range(3)),
    )


PULSES = st.builds(PulseSummary, findings(), st.just(MODEL), _times, _times, _counts, _counts) | st.builds(
    PulseSummary, cuff_measured=_counts, cuff_irregular=st.integers(1, 9)
)


def told(pulse: PulseSummary | None) -> dict[str, Any]:
    """The Observation of it in a resident's summary."""
    event = resident_summary_event(TEST, replace(RESIDENT, pulse=pulse))
    (found,) = (
        entry["resource"] for entry in event.data["entry"] if entry["resource"].get("code") == codes.PULSE
    )
    return dict(found)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([LIVE, TEST]), PULSES)
def test_any_is_valid_within_the_contract_and_heard_as_it_was_told(
    identity: Any, pulse: PulseSummary
) -> None:
    event = resident_summary_event(identity, replace(RESIDENT, pulse=pulse))
    text = to_json(event)
    document = json.loads(text)["data"]
    Bundle.model_validate(document)
    assert faults(document) == []
    assert list(data_validator(event.type).iter_errors(document)) == []
    assert len(text.encode()) < LARGEST_EVENT / 2
    heard = resident_summary_heard(from_json(text))
    assert heard.vitals.keys() == RESIDENT.vitals.keys()
    assert heard.pulse is not None
    assert heard.pulse.words == pulse.words
    assert heard.pulse.model == (None if pulse.model is None else ("rhythm", "1"))
    assert heard.pulse.pulse is (Pulse.UNKNOWN if pulse.finding is None else pulse.finding.pulse)
    assert heard.pulse.numbers["cuff-irregular"] == pulse.cuff_irregular
    if pulse.finding is not None:
        assert heard.pulse.numbers["windows"] == pulse.finding.windows
        assert heard.pulse.numbers["irregular-time"] == pulse.irregular_time / timedelta(seconds=1)


def test_the_contract_refuses_it_with_anything_else_in_it() -> None:
    event = resident_summary_event(TEST, replace(RESIDENT, vitals={}, pulse=IRREGULAR))
    data = json.loads(to_json(event))["data"]
    *_, entry = data["entry"]
    assert entry["resource"]["code"] == codes.PULSE
    place, validator = f"('entry', {len(data['entry']) - 1}", data_validator(event.type)
    wrongs = [(where, wrong) for where, wrong in spoilt(data) if where.startswith(place)]
    assert len(wrongs) > 10
    assert [where for where, wrong in wrongs[::4] if validator.is_valid(wrong)] == []


def test_the_finding_is_a_shadow_that_is_never_final_and_names_its_model() -> None:
    said = told(IRREGULAR)
    assert said["status"] == "preliminary"
    assert said["valueCodeableConcept"] == codes.PULSES[Pulse.IRREGULAR]
    assert "consider an ECG" in said["valueCodeableConcept"]["text"]
    assert said["method"]["text"] == "rhythm 1, shadow"
    (model,) = said["extension"]
    assert {"url": "mode", "valueCode": "shadow"} in model["extension"]
    assert "raises no alert" in said["note"][1]["text"]
    assert "no diagnosis" in said["note"][1]["text"]


def test_what_is_not_known_has_no_value() -> None:
    unknown = replace(LASTING, pulse=Pulse.UNKNOWN, probability=None, since=None, until=None)
    said = told(replace(IRREGULAR, finding=unknown))
    assert "valueCodeableConcept" not in said
    assert said["dataAbsentReason"]["coding"][0]["code"] == "unknown"


def test_what_cuffs_alone_said_is_no_models_finding() -> None:
    said = told(CUFFS)
    assert "method" not in said
    assert "valueCodeableConcept" not in said
    assert said["dataAbsentReason"]["coding"][0]["code"] == "not-performed"
    assert said["note"][0]["text"] == "cuff said irregular 2 of 5 times"


def test_of_whom_nothing_was_found_nothing_is_told() -> None:
    with pytest.raises(ValueError, match="not enough values"):
        told(None)
    assert resident_summary_heard(wired(resident_summary_event(TEST, RESIDENT))).pulse is None


def test_people_read_it_as_a_shadow() -> None:
    lines = event_lines(wired(resident_summary_event(TEST, replace(RESIDENT, pulse=IRREGULAR))))
    assert (
        "          rhythm (shadow): irregular pulse: consider an ECG (9 of 10 good windows irregular);"
        " cuff said irregular 2 of 5 times"
    ) in lines
