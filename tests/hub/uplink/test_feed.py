"""What the feed says, and what it must never be misread as."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.alerts.life import Resolution
from hub.assessment.news2 import Band
from hub.readings import Flag, Measurement, Origin, Vital
from hub.timekeeping.placed import PlacedReading
from hub.uplink.cloudevents import Event, from_message, json_text, to_binary, to_json
from hub.uplink.contract import AlertChange, Identity
from hub.uplink.feed import MOST_READINGS, alert_event, observation_event, readings_event
from hub.uplink.fhir.raw import reading_entry
from hub.uplink.fhir.resources import Place, bundle, bundle_text, urn_within
from tests.rigs.fhir_samples import (
    LIVE,
    MINUTE,
    NOON,
    TEST,
    alert,
    assessment,
    by_hand,
    coded,
    complete,
    cuff,
    extension,
    oximeter,
    partial,
    placed,
    placed_readings,
    resources,
)

HTEST = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}
SATURATION = Measurement(Vital.OXYGEN_SATURATION, 91.0)
WARM = Measurement(Vital.TEMPERATURE, 38.6)


# --- CloudEvents


def test_an_event_is_fhir_in_a_cloudevent_that_routes_without_parsing() -> None:
    told = complete()
    raised = alert(told)
    event = alert_event(TEST, AlertChange.RAISED, raised, NOON, told)
    assert event.datacontenttype == "application/fhir+json"
    assert event.type == "uk.careport.alert.raised.v1"
    assert event.source == "uk.careport.rose-house.hub-1"
    assert event.subject == "R-0412"
    assert event.extensions == {
        "alert": str(raised.id), "state": "raised", "band": "high", "testdata": "true",
    }  # fmt: skip
    back = from_message(to_binary(event))
    assert (back.extensions, dict(back.data)) == (event.extensions, json.loads(json.dumps(event.data)))


def test_an_event_sent_again_has_the_same_id_and_the_same_content() -> None:
    told, readings = complete(), [cuff(), oximeter()]
    raised = alert(told)
    makes: list[Callable[[], Event]] = [
        lambda: readings_event(LIVE, readings),
        lambda: observation_event(LIVE, told),
        lambda: alert_event(LIVE, AlertChange.RAISED, raised, NOON, told),
    ]
    for make in makes:
        assert to_json(make()) == to_json(make())


def test_each_step_of_an_alert_is_an_event_of_its_own_and_each_repeat_too() -> None:
    told = complete()
    raised = alert(told)
    steps = [
        alert_event(LIVE, change, made, NOON, told, repeat=repeat).id
        for change, made, repeat in (
            (AlertChange.RAISED, raised, 0),
            (AlertChange.RAISED, raised, 1),
            (AlertChange.ESCALATED, replace(raised, rung=1), 0),
            (AlertChange.ESCALATED, replace(raised, rung=2), 0),
            (AlertChange.ESCALATED, replace(raised, rung=2), 1),
            (AlertChange.STEPPED_DOWN, replace(raised, band=Band.MEDIUM), 0),
            (AlertChange.ACKNOWLEDGED, raised, 0),
            (AlertChange.RESOLVED, raised, 0),
        )
    ]
    assert len(set(steps)) == len(steps)


def test_readings_in_another_order_or_another_batch_are_another_event() -> None:
    one, two = cuff(), oximeter()
    batches = [[one, two], [two, one], [one], [two]]
    assert len({readings_event(LIVE, batch).id for batch in batches}) == len(batches)


def test_an_event_has_one_reading_at_the_least_and_no_more_than_fit() -> None:
    assert len(readings_event(LIVE, [oximeter()] * MOST_READINGS).data["entry"]) == MOST_READINGS
    for wrong in ([], [oximeter()] * (MOST_READINGS + 1)):
        with pytest.raises(ValueError, match="1 to 50 readings"):
            readings_event(LIVE, wrong)


def test_readings_of_several_people_have_no_subject_and_a_nobodys_none_either() -> None:
    one, other, nobodys = placed(SATURATION), placed(SATURATION, resident="R-2"), placed(resident=None)
    assert readings_event(LIVE, [one]).subject == "R-0412"
    assert readings_event(LIVE, [one, other]).subject is None
    assert readings_event(LIVE, [nobodys]).subject is None
    assert "subject" not in resources(readings_event(LIVE, [nobodys]), "Observation")[0]


@given(st.uuids(), st.text(max_size=20))
def test_a_name_within_another_is_its_uuid_of_version_5(namespace: uuid.UUID, name: str) -> None:
    assert urn_within(namespace, name) == f"urn:uuid:{uuid.uuid5(namespace, name)}"


@given(st.lists(placed_readings(), min_size=1, max_size=3), st.sampled_from([LIVE, TEST]))
def test_what_is_written_of_readings_is_the_bundle_of_their_entries(
    readings: list[PlacedReading], identity: Identity
) -> None:
    """The text is put together from the entries' texts; nobody could tell."""
    place = Place(identity.site, identity.hub, identity.test_data)
    entries = [reading_entry(place, each) for each in readings]
    whole = json_text(bundle(entries, place))
    assert bundle_text(map(json_text, entries), place) == whole
    assert to_binary(readings_event(identity, readings)).payload == whole.encode()


# --- test data


@pytest.mark.parametrize("event", ["readings", "observation", "alert"])
def test_test_data_is_labelled_in_every_resource_and_live_data_in_none(event: str) -> None:
    told = complete()
    taken = replace(
        alert(told), acknowledged_at=NOON + MINUTE, acknowledged_by="the desk", acknowledged_via="ics"
    )
    makes: dict[str, Callable[[Identity], Event]] = {
        "readings": lambda identity: readings_event(identity, [cuff(), by_hand()]),
        "observation": lambda identity: observation_event(identity, told),
        "alert": lambda identity: alert_event(identity, AlertChange.ACKNOWLEDGED, taken, NOON, told),
    }
    for identity, expected in ((TEST, [HTEST]), (LIVE, None)):
        data = makes[event](identity).data
        for each in [data, *(entry["resource"] for entry in data["entry"])]:
            assert each.get("meta", {}).get("security") == expected


@pytest.mark.parametrize(
    "test",
    [{"origin": Origin.REPLAY}, {"origin": Origin.VIRTUAL}, {"flags": [Flag.FOR_TESTING]}],
)
def test_a_reading_that_is_itself_a_test_is_labelled_even_in_a_live_home(test: Any) -> None:
    reading = placed(SATURATION, **test)
    assert resources(readings_event(LIVE, [reading]), "Observation")[0]["meta"] == {"security": [HTEST]}
    told = observation_event(LIVE, assessment(reading))
    assert coded(told, "2708-6")["meta"] == {"security": [HTEST]}


# --- who and what


def test_a_resident_is_a_pseudonym_of_a_site_and_nothing_else() -> None:
    event = observation_event(LIVE, complete())
    for each in resources(event, "Observation") + resources(event, "RiskAssessment"):
        assert each["subject"] == {
            "type": "Patient",
            "identifier": {"system": "https://fhir.careport.uk/Id/resident", "value": "rose-house/R-0412"},
        }


def test_the_sensors_and_the_gateway_are_devices_that_the_observations_name() -> None:
    event = observation_event(LIVE, assessment(oximeter(), placed(WARM, device="usb-3")))
    devices = {each["identifier"][0]["value"] for each in resources(event, "Device")}
    assert devices == {"rose-house/hub-1", "C4-F2-17-00-00-02", "rose-house/hub-1/usb-3"}
    urls = {e["resource"]["identifier"][0]["value"]: e["fullUrl"] for e in event.data["entry"]}
    pulse = coded(event, "8867-4")
    assert pulse["device"] == {"reference": urls["C4-F2-17-00-00-02"]}
    assert pulse["extension"][0] == {
        "url": "http://hl7.org/fhir/StructureDefinition/observation-gatewayDevice",
        "valueReference": {"reference": urls["rose-house/hub-1"]},
    }


def test_what_a_person_entered_names_neither_a_device_nor_a_person() -> None:
    event = observation_event(LIVE, assessment(by_hand()))
    assert "device" not in coded(event, "9279-1")
    raw = readings_event(LIVE, [by_hand()])
    assert "device" not in resources(raw, "Observation")[0]
    assert "payload" not in extension(resources(raw, "Observation")[0], "reading")
    assert b"Mary".hex() not in to_json(raw)


# --- alerts


def request_of(event: Event) -> Any:
    (told,) = resources(event, "CommunicationRequest")
    return told


def test_an_alert_asks_to_be_communicated_and_says_why() -> None:
    told = complete()
    raised = replace(alert(told, minutes=3), supersedes=uuid.uuid4())
    event = alert_event(LIVE, AlertChange.RAISED, raised, NOON, told)
    asked = request_of(event)
    assert (asked["status"], asked["priority"]) == ("active", "stat")
    assert asked["category"][0]["coding"][0]["code"] == "alert"
    assert [each["contentString"] for each in asked["payload"]] == [raised.words, raised.band.response]
    assert asked["reasonReference"] == [{"reference": f"urn:uuid:{told.id}"}]
    assert asked["authoredOn"] == (NOON + 3 * MINUTE).isoformat()
    assert asked["replaces"][0]["identifier"]["value"] == f"urn:uuid:{raised.supersedes}"
    assert extension(asked, "alert") == {
        "change": "raised",
        "at": NOON.isoformat(),
        "state": "raised",
        "band": "high",
        "measuredAt": NOON.isoformat(),
        "rung": 0,
        "repeat": 0,
    }


def test_each_band_has_a_priority_of_its_own() -> None:
    told = complete()
    priorities = [
        request_of(alert_event(LIVE, AlertChange.STEPPED_DOWN, replace(alert(told), band=band), NOON, told))[
            "priority"
        ]
        for band in (Band.SINGLE_RED, Band.MEDIUM, Band.HIGH)
    ]
    assert priorities == ["urgent", "asap", "stat"]


def test_an_escalation_says_whom_to_tell_how_often_and_how_the_resident_is_now() -> None:
    told, newest = complete(), partial()
    climbed = replace(alert(told), rung=2)
    event = alert_event(
        LIVE, AlertChange.ESCALATED, climbed, NOON, told, tell="senior carer", newest=newest, repeat=3
    )
    asked = request_of(event)
    said = extension(asked, "alert")
    assert (said["rung"], said["tell"], said["repeat"]) == (2, "senior carer", 3)
    assert asked["payload"][-1]["contentString"] == "nobody has acknowledged it: tell senior carer"
    assert asked["recipient"][0]["identifier"]["value"] == "senior carer"
    about = {each["reference"] for each in asked["about"]}
    assert {f"urn:uuid:{told.id}", f"urn:uuid:{newest.id}"} <= about


def test_an_acknowledged_alert_stays_active_and_its_answer_is_told_beside_it() -> None:
    told = complete()
    taken = replace(
        alert(told),
        acknowledged_at=NOON + timedelta(seconds=93.5),
        acknowledged_by="the desk",
        acknowledged_via="ics",
    )
    event = alert_event(LIVE, AlertChange.ACKNOWLEDGED, taken, NOON, told)
    assert request_of(event)["status"] == "active"
    assert request_of(event)["statusReason"]["text"] == "acknowledged"
    (answer,) = resources(event, "Communication")
    assert answer["basedOn"] == [{"reference": f"urn:uuid:{taken.id}"}]
    assert answer["note"][0]["authorString"] == "the desk"
    assert answer["received"] == (NOON + timedelta(seconds=93.5)).isoformat()
    assert answer["medium"] == [{"text": "ics"}]
    assert answer["extension"][0]["valueDuration"]["value"] == 93.5


def test_a_carers_name_stays_home() -> None:
    told = complete()
    taken = replace(alert(told), acknowledged_at=NOON, acknowledged_by="Mary Carer", acknowledged_via="cli")
    text = to_json(alert_event(LIVE, AlertChange.ACKNOWLEDGED, taken, NOON, told))
    assert "Mary" not in text
    assert '"authorString":"the home"' in text


@pytest.mark.parametrize(
    ("resolution", "status"), [(Resolution.RECOVERED, "completed"), (Resolution.SUPERSEDED, "revoked")]
)
def test_a_resolved_alert_is_no_longer_active(resolution: Resolution, status: str) -> None:
    told = complete()
    over = replace(alert(told), resolved_at=NOON + MINUTE, resolution=resolution)
    asked = request_of(alert_event(LIVE, AlertChange.RESOLVED, over, NOON, told))
    assert asked["status"] == status
    assert extension(asked, "alert")["resolution"] == resolution.value


def test_a_late_raised_event_does_not_undo_what_came_after() -> None:
    told = complete()
    raised = alert(told)
    methods = {
        (change, repeat): alert_event(LIVE, change, raised, NOON, told, repeat=repeat).data["entry"][0][
            "request"
        ]
        for change in AlertChange
        for repeat in (0, 1)
    }
    created = {key for key, request in methods.items() if request["method"] == "POST"}
    assert created == {(AlertChange.RAISED, 0)}
    assert {request["url"].split("?")[0] for request in methods.values()} == {"CommunicationRequest"}
