"""What is told of a period: FHIR of each resident, plain JSON of the hub; heard as told; never too large."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.assessment.news2 import Band
from hub.clock import ClockQuality
from hub.readings import OF_THE_ROOM, Vital, type_of_value
from hub.telling.summary import (
    AlertsSummary,
    DeviceSummary,
    HighestScore,
    HubState,
    HubSummary,
    Period,
    ResidentSummary,
    VitalSummary,
)
from hub.uplink.cloudevents import LARGEST_EVENT, Event, from_json, to_json
from hub.uplink.feed import resident_summary_event
from hub.uplink.fhir import codes
from hub.uplink.heard import HeardError, hub_summary_heard, resident_summary_heard
from hub.uplink.hub_summary import hub_summary_event, summary_events
from hub.uplink.link import LinkStatus
from tests.rigs.contract import event_faults
from tests.rigs.fhir_bindings import faults
from tests.rigs.fhir_samples import LIVE, NOON, TEST

PERIOD = Period(datetime(2026, 3, 1, 7, tzinfo=UTC), datetime(2026, 3, 1, 19, tzinfo=UTC))
WAITS = (timedelta(minutes=1), timedelta(minutes=14), timedelta(hours=2))
ALERTS = AlertsSummary(5, 3, 2, 1, 2, 1, WAITS)
RESIDENT = ResidentSummary(
    "R-0412",
    PERIOD,
    {
        Vital.PULSE_RATE: VitalSummary(12, 60.0, 120.0, 82.5, -3.25),
        Vital.TEMPERATURE: VitalSummary(1, 37.0, 37.0, 37.0),
        Vital.CONSCIOUSNESS: VitalSummary(2),
    },
    HighestScore(7, Band.HIGH, True, NOON),
    20,
    2,
    5.17,
    ALERTS,
)
STATE = HubState(9, 1, {"readings": 7}, "12:" + "ab" * 32, ClockQuality.SYNCHRONISED)
HUB = HubSummary(
    PERIOD, 100, 3, 1,
    (DeviceSummary("C4:F2:17:00:00:01", "cuff", 97, 1, NOON), DeviceSummary("usb-3", "x", 0, 0, None)),
    ALERTS, 2, ("R-0077",), STATE,
)  # fmt: skip
LINK = LinkStatus(True, NOON, "connected to the broker", None)

_numbers = st.floats(-50, 300).map(lambda number: round(number, 2))
_counts = st.integers(0, 10**6)
_waits = st.lists(st.timedeltas(timedelta(0), timedelta(days=7)), max_size=5).map(tuple)
SUMMARIES = st.builds(
    ResidentSummary,
    st.sampled_from(["R-0412", "a.b_c"]),
    st.just(PERIOD),
    st.fixed_dictionaries(
        {},
        optional={
            vital: st.builds(VitalSummary, _counts)
            if type_of_value(vital) is not float
            else st.builds(VitalSummary, _counts, _numbers, _numbers, _numbers, st.none() | _numbers)
            for vital in Vital
            if vital not in OF_THE_ROOM
        },
    ),
    st.none()
    | st.builds(HighestScore, st.integers(0, 20), st.sampled_from(Band), st.booleans(), st.just(NOON)),
    _counts,
    _counts,
    st.floats(0, 200).map(lambda number: round(number, 2)),
    st.builds(AlertsSummary, _counts, _counts, _counts, _counts, _counts, _counts, _waits),
)  # fmt: skip


def wired(event: Event) -> Event:
    """The event as a subscriber gets it."""
    return from_json(to_json(event))


def component(event: Event, code: str) -> Any:
    """The one component of a code."""
    (found,) = (
        part
        for entry in event.data["entry"]
        for part in entry["resource"].get("component", ())
        if part["code"]["coding"][0]["code"] == code
    )
    return found


def test_a_threshold_that_was_changed_and_changed_again_is_within_the_contract() -> None:
    """A statistic more for each: the file was edited twice, and the resident's scale once."""
    below = tuple((threshold, timedelta(seconds=9)) for threshold in (85.0, 88.0, 90.0, 92.0))
    said = VitalSummary(12, 80.0, 99.0, 95.0, -1.0, timedelta(hours=1), below)
    event = resident_summary_event(LIVE, replace(RESIDENT, vitals={Vital.OXYGEN_SATURATION: said}))
    assert event_faults(event) == []
    heard = resident_summary_heard(wired(event)).vitals[Vital.OXYGEN_SATURATION]
    assert [heard[f"time-below {threshold:g}"] for threshold, _ in below] == [9, 9, 9, 9]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([LIVE, TEST]), SUMMARIES)
def test_any_resident_s_summary_is_valid_small_and_heard_as_it_was_told(
    identity: Any, told: ResidentSummary
) -> None:
    text = to_json(resident_summary_event(identity, told))
    document = json.loads(text)["data"]
    Bundle.model_validate(document)
    assert faults(document) == []
    assert event_faults(from_json(text)) == []
    assert len(text.encode()) < LARGEST_EVENT / 2
    heard = resident_summary_heard(from_json(text))
    assert (heard.resident, heard.since, heard.until) == (told.resident, PERIOD.since, PERIOD.until)
    assert (heard.site, heard.hub, heard.test_data) == ("rose-house", "hub-1", identity.test_data)
    for vital, said in told.vitals.items():
        names = {"count": said.count, "minimum": said.lowest, "maximum": said.highest,
                 "median": said.median, "median-change": said.change}  # fmt: skip
        assert heard.vitals[vital] == {name: value for name, value in names.items() if value is not None}
    assert heard.vitals.keys() == told.vitals.keys()
    if told.highest is None:
        assert (heard.highest_news2, heard.highest_at) == (None, None)
    else:
        highest = heard.highest_news2, heard.highest_is_complete, heard.highest_at
        assert highest == (told.highest.total, told.highest.complete, NOON)
    assert heard.numbers["sets-due"] == told.due
    assert heard.numbers["alerts-waiting"] == told.alerts.waiting
    assert ("longest-wait" in heard.numbers) == bool(told.alerts.waited)


def test_the_statistics_are_coded_as_hl7_has_them() -> None:
    event = resident_summary_event(TEST, RESIDENT)
    pulse = event.data["entry"][2]["resource"]
    assert pulse["code"] == codes.VITALS[Vital.PULSE_RATE].code
    system = "http://terminology.hl7.org/CodeSystem/observation-statistics"
    coded = [part["code"]["coding"][0] for part in pulse["component"]]
    assert [each["code"] for each in coded if each["system"] == system] == [
        "count", "minimum", "maximum", "median",
    ]  # fmt: skip
    assert "valueQuantity" not in pulse, "a median is nothing that was measured"
    assert pulse["effectivePeriod"] == {
        "start": "2026-03-01T07:00:00+00:00",
        "end": "2026-03-01T19:00:00+00:00",
    }


def test_the_time_to_acknowledgement_is_told_in_seconds() -> None:
    event = resident_summary_event(TEST, RESIDENT)
    for name, seconds in (("median-wait", 840.0), ("longest-wait", 7200.0)):
        quantity = component(event, name)["valueQuantity"]
        assert (quantity["value"], quantity["code"]) == (seconds, "s")


def test_a_partial_score_is_told_as_the_least_that_it_can_be() -> None:
    partial = replace(RESIDENT, highest=HighestScore(5, Band.MEDIUM, False, NOON))
    score = component(resident_summary_event(TEST, partial), "highest-news2")
    assert score["valueQuantity"] == {"comparator": ">=", "value": 5}
    assert score["interpretation"][0]["coding"][0]["code"] == "at-least-medium"


def test_a_summary_that_is_told_again_is_the_same_and_each_other_is_another() -> None:
    other = replace(RESIDENT, period=Period(PERIOD.until, PERIOD.until + timedelta(hours=12)))
    first, again, later, hub = (
        resident_summary_event(TEST, RESIDENT),
        resident_summary_event(TEST, RESIDENT),
        resident_summary_event(TEST, other),
        hub_summary_event(TEST, HUB, LINK),
    )
    assert to_json(first) == to_json(again)
    assert len({first.id, later.id, hub.id}) == 3
    names = [{entry["fullUrl"] for entry in event.data["entry"][1:]} for event in (first, later)]
    assert not names[0] & names[1]


def test_test_data_is_labelled_and_real_data_is_not() -> None:
    assert all("HTEST" in json.dumps(each) for each in resident_summary_event(TEST, RESIDENT).data["entry"])
    assert "HTEST" not in to_json(resident_summary_event(LIVE, RESIDENT))
    assert hub_summary_event(TEST, HUB, LINK).extensions == {"testdata": "true"}
    assert hub_summary_event(LIVE, HUB, LINK).data["test_data"] is False


def test_the_hub_s_summary_is_heard_as_it_was_told() -> None:
    heard = hub_summary_heard(wired(hub_summary_event(TEST, HUB, LINK)))
    assert (heard.period.since, heard.period.until) == (PERIOD.since, PERIOD.until)
    assert (heard.readings.received, heard.readings.unassigned, heard.readings.not_decoded) == (100, 3, 1)
    cuff, other = heard.devices
    assert (cuff.last_heard, cuff.battery, other.last_heard) == (NOON, None, None)
    assert (heard.alerts.median_wait_seconds, heard.alerts.longest_wait_seconds) == (840, 7200)
    assert (heard.residents.unobserved, heard.trail, heard.removed) == (
        ["R-0077"],
        STATE.trail,
        STATE.removed,
    )
    assert heard.clock is ClockQuality.SYNCHRONISED


def test_a_hub_with_a_thousand_sensors_lists_those_that_want_attention_and_says_how_many_more() -> None:
    well = [
        DeviceSummary(f"C4:F2:17:00:{n // 256:02X}:{n % 256:02X}", "b" * 40, 9, 0, NOON) for n in range(900)
    ]
    silent = [DeviceSummary(f"C4:F2:17:01:00:{n:02X}", "b" * 40, 0, 0, None) for n in range(100)]
    names = tuple(f"R-{n:062}" for n in range(900))
    event = hub_summary_event(TEST, replace(HUB, devices=(*well, *silent), unobserved=names), LINK)
    assert len(to_json(event).encode()) <= LARGEST_EVENT
    heard = hub_summary_heard(wired(event))
    assert {device.address for device in heard.devices} > {device.device for device in silent}
    assert len(heard.devices) + heard.devices_not_listed == 1000
    assert len(heard.residents.unobserved) + heard.residents.not_listed == 900


def test_a_period_s_events_are_the_hub_s_and_one_of_each_resident() -> None:
    events = summary_events(TEST, HUB, [RESIDENT, replace(RESIDENT, resident="R-0077")], LINK)
    assert [(event.type, event.subject) for event in events] == [
        ("uk.careport.summary.hub.v1", None),
        ("uk.careport.summary.resident.v1", "R-0412"),
        ("uk.careport.summary.resident.v1", "R-0077"),
    ]


@pytest.mark.parametrize("data", [{}, {"resourceType": "Bundle"}, {"site": 1}])
def test_what_no_hub_says_is_one_error(data: dict[str, object]) -> None:
    for kind, heard in (("hub", hub_summary_heard), ("resident", resident_summary_heard)):
        for said in (f"uk.careport.summary.{kind}.v1", "uk.careport.status.v1"):
            with pytest.raises(HeardError):
                heard(Event("1", "s", said, NOON, data))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda vital: vital["component"][0]["code"]["coding"][0].update(code="most"), "no code of"),
        (lambda vital: vital["effectivePeriod"].update(end="2026-03-01T06:00:00+00:00"), "per-1"),
        (lambda vital: vital.pop("effectivePeriod"), "without effectiveDateTime"),
        (lambda vital: vital["effectivePeriod"].update(start="yesterday"), "no dateTime"),
    ],
)
def test_a_fault_that_is_put_into_a_summary_is_found(spoil: Any, said: str) -> None:
    document = json.loads(to_json(resident_summary_event(TEST, RESIDENT)))["data"]
    assert faults(document) == []
    spoil(document["entry"][2]["resource"])
    assert any(said in fault for fault in faults(document))
