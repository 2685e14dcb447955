"""The contract holds what a hub really sends: every message, on its topic, by an independent validator."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.alerts.life import Alert, Resolution
from hub.clock import now, to_microseconds
from hub.contract.document import EVENTS, document
from hub.readings import OF_THE_ROOM, Vital
from hub.store.database import FILE_NAME, open_for_writing
from hub.uplink.cloudevents import Event, Message, from_message, to_binary, to_json
from hub.uplink.contract import (
    AlertChange,
    Channel,
    Identity,
    acknowledgement_event,
    event_type,
    update_event,
)
from hub.uplink.feed import (
    CORRECTS,
    alert_event,
    amended_alert_event,
    amended_observation_event,
    observation_event,
    readings_event,
)
from hub.uplink.fhir import codes
from hub.uplink.plain import UpdateAsked
from hub.uplink.unkept import COMMITTED
from tests.rigs.broker import Ics, Mosquitto, Received, until
from tests.rigs.contract import (
    TOLD,
    channels_of,
    data_validator,
    event_faults,
    header_validator,
    in_words,
    spoilt,
)
from tests.rigs.fhir_samples import (
    LIVE,
    NOON,
    TEST,
    alert,
    alerts,
    assessments,
    complete,
    placed_readings,
    times,
)
from tests.rigs.house import cuff, oximeter, thermometer, write_configuration
from tests.rigs.hub_process import HubProcess

_PATIENCE = 30.0  # seconds: a bound for a busy machine, no measurement
SERVED = "careport/v1/rose-house/hub-1"
QUICK = """
[publish]
reading = true
[alerts]
resolve_after = "1 s"
[[alerts.ladder.single_red]]
after = "1 s"
tell = "senior carer"
[[alerts.ladder.medium]]
after = "1 s"
tell = "senior carer"
[[alerts.ladder.high]]
after = "1 s"
tell = "senior carer"
[[alerts.concern_ladder]]
after = "1 h"
tell = "GP or 111"
"""
_settings = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def event_of(message: Received) -> Event:
    return from_message(
        Message(message.payload, message.content_type, tuple(message.user_properties.items()))
    )


def message_faults(message: Received) -> list[str]:
    """What is wrong with a message as it came, by the contract."""
    event = event_of(message)
    told = TOLD[event.type]
    faults = in_words(data_validator(event.type), json.loads(message.payload))
    faults += in_words(header_validator(event.type), message.user_properties)
    faults += event_faults(event)
    if told not in channels_of(message.topic):
        faults.append(f"{message.topic} has no {event.type}")
    if message.content_type != told.content_type:
        faults.append(f"{message.content_type} is not {told.content_type}")
    return faults


def never_told_a_summary_since_yesterday(directory: Path) -> None:
    path = directory / "data" / FILE_NAME
    path.parent.mkdir()
    connection = open_for_writing(path)
    day_before = to_microseconds(now()) - 24 * 3600 * 10**6
    connection.execute("INSERT INTO fact VALUES ('summaries told', ?)", (str(day_before),))
    connection.close()


AMENDED = (Channel.AMENDED_OBSERVATION, Channel.AMENDED_ALERT)


def have_something_amended(directory: Path) -> None:
    """As where this machine's clock had been set, which a test cannot do."""
    connection = open_for_writing(directory / "data" / FILE_NAME)
    (assessment,) = connection.execute("SELECT min(sequence) FROM assessment").fetchone()
    (entry,) = connection.execute("SELECT max(sequence) FROM audit WHERE what = 'alert raised'").fetchone()
    for place, (channel, number) in enumerate(zip(AMENDED, (assessment, entry), strict=True)):
        connection.execute(
            "INSERT INTO outbox (sequence, channel, first, last) VALUES (?, ?, ?, ?)",
            (channel.priority << 48 | 9_000_000 + place, channel, number, number),
        )
    connection.close()


def kinds(ics: Ics) -> set[str]:
    return {message.user_properties.get("type", "") for message in list(ics.received)}


async def all_that_a_hub_says(directory: Path, broker: Mosquitto, ics: Ics) -> list[Received]:
    """A day in the life of a hub: alerts that climb, are taken, step down and end; and it is killed once."""
    never_told_a_summary_since_yesterday(directory)
    hub = HubProcess(write_configuration(directory, QUICK, port=broker.port, model=""))
    async with hub:
        await until(lambda: event_type(Channel.STATUS) in kinds(ics), _PATIENCE)
        await hub.feed([cuff(120, now()), thermometer(36.8, now()), oximeter(91, now())])
        await hub.ask(
            "observe",
            resident="R-0412",
            by="a carer",
            consciousness="V",
            breathing="air",
            respiration_rate=16,
            systolic_pressure=118,
            diastolic_pressure=70,
            pulse_rate="88",
        )
        await until(lambda: event_type(Channel.ALERT, AlertChange.ESCALATED) in kinds(ics), _PATIENCE)
        # The first is another alert in place of the one that has climbed its ladder, the second joins it.
        for sign in ("off legs", "tired"):
            concern = await hub.ask("concern", resident="R-0412", by="a carer", signs=[sign], words="not her")
        await hub.ask("settle", alert=concern["alert"], by="a senior carer", note="it is the chest again")
        await until(lambda: event_type(Channel.ALERT, AlertChange.CONCERN_SETTLED) in kinds(ics), _PATIENCE)
        raised = [message for message in ics.on("alert") if "raised" in message.user_properties["type"]]
        identity = uuid.UUID(raised[-1].user_properties["alert"])
        said = acknowledgement_event("uk.example.ics", identity, "the ICS desk", now(), "on my way")
        binary = to_binary(said)
        ics.publish(
            f"{SERVED}/ack",
            binary.payload,
            ContentType=binary.content_type,
            UserProperty=list(binary.user_properties),
        )
        ics.publish(f"{SERVED}/ack", "nonsense")
        await until(lambda: len(ics.on("answer")) == 2, _PATIENCE)
        answer = event_type(Channel.ALERT, AlertChange.RESOLVED)
        while answer not in kinds(ics):
            await hub.feed([oximeter(97, now()), cuff(121, now()), thermometer(36.9, now())])
            await hub.ask(
                "observe",
                resident="R-0412",
                by="a carer",
                consciousness="A",
                breathing="air",
                respiration_rate=15,
            )
        await until(
            lambda: len({"summary.hub", "summary.resident"} & {kind[12:-3] for kind in kinds(ics)}) == 2
        )
        await hub.kill()
        have_something_amended(directory)
        await until(lambda: any(b'"lost"' in message.payload for message in ics.on("status")), _PATIENCE)
        await hub.start()
        await until(lambda: json.loads(ics.on("status")[-1].payload)["state"] == "online", _PATIENCE)
        await until(lambda: {event_type(channel) for channel in AMENDED} <= kinds(ics), _PATIENCE)
        assert await hub.stop() == 0
        await until(lambda: json.loads(ics.on("status")[-1].payload)["state"] == "offline", _PATIENCE)
    return list(ics.received)


async def test_every_message_of_a_real_hub_is_as_the_contract_says(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker, Ics(broker) as ics:
        received = await all_that_a_hub_says(tmp_path, broker, ics)
    checked: set[str] = set()
    for message in received:
        if message.payload == b"nonsense":
            continue
        assert message_faults(message) == []
        checked.add(message.user_properties["type"])
    unseen = TOLD.keys() - checked
    assert unseen <= {
        event_type(Channel.ALERT, AlertChange.STEPPED_DOWN),
        event_type(Channel.ACKNOWLEDGEMENT),
        event_type(Channel.UPDATE),
    }
    # Each schema can fail: whatever is spoilt in what was really sent is found.
    of_each = {
        message.user_properties["type"]: message
        for message in received
        if message.user_properties.get("type")
    }
    for kind in checked:
        data = json.loads(of_each[kind].payload)
        for what, wrong in list(spoilt(data))[::10]:
            assert not data_validator(kind).is_valid(wrong), f"{kind}: {what}"


# --- what the feed can make, seen above or not


def any_alert(change: AlertChange) -> Event:
    told = complete()
    made = replace(alert(told), acknowledged_at=NOON, acknowledged_by="x", acknowledged_via="ics")
    if change is AlertChange.RESOLVED:
        made = replace(made, resolved_at=NOON, resolution=Resolution.RECOVERED)
    return alert_event(TEST, change, made, NOON, told, tell="GP", newest=complete())


@pytest.mark.parametrize("change", AlertChange)
def test_each_change_of_an_alert_is_as_the_contract_says_and_a_spoilt_one_is_not(change: AlertChange) -> None:
    event = any_alert(change)
    assert event_faults(event) == []
    # Each fifth fault, from another on for each change: together all of them.
    faults = list(spoilt(json.loads(to_json(event))["data"]))[list(AlertChange).index(change) :: 5]
    assert len(faults) > 10
    for what, wrong in faults:
        assert not data_validator(event.type).is_valid(wrong), what


@pytest.mark.parametrize("change", AlertChange)
def test_an_alert_of_one_change_is_not_taken_for_another(change: AlertChange) -> None:
    data = json.loads(to_json(any_alert(change)))["data"]
    others = (other for other in AlertChange if other is not change)
    assert not any(data_validator(event_type(Channel.ALERT, other)).is_valid(data) for other in others)


@pytest.mark.parametrize("attribute", ["id", "subject", "testdata", "alert", "state", "band"])
def test_an_alert_without_one_of_its_attributes_is_refused(attribute: str) -> None:
    event = any_alert(AlertChange.RAISED)
    properties = dict(to_binary(event).user_properties)
    validator = header_validator(event.type)
    assert in_words(validator, properties) == []
    assert in_words(validator, {**properties, COMMITTED: "false"}) == []
    assert not validator.is_valid({**properties, COMMITTED: "true"})
    assert not validator.is_valid({name: said for name, said in properties.items() if name != attribute})


def test_an_acknowledgement_is_as_the_contract_says_and_a_spoilt_one_is_not() -> None:
    event = acknowledgement_event("uk.example.ics", uuid.uuid4(), "the ICS desk", NOON, "on my way")
    assert event_faults(event) == []
    valid = data_validator(event.type).is_valid
    data = dict(event.data)
    for wrong in ({}, {**data, "colour": "red"}, {**data, "by": ""}, {**data, "alert": "x"}, {"by": "x"}):
        assert not valid(wrong), wrong


def test_what_a_centre_asks_is_as_the_contract_says_and_a_spoilt_one_is_not() -> None:
    event = update_event(
        "uk.example.ics", UpdateAsked(manifest_sha256="a" * 64, version="1", build="b"), NOON
    )
    assert event_faults(event) == []
    valid = data_validator(event.type).is_valid
    data = dict(event.data)
    url = {"url": "https://elsewhere.example"}
    for wrong in ({}, {**data, **url}, {**data, "build": ""}, {**data, "manifest_sha256": "x"}):
        assert not valid(wrong), wrong


@_settings
@given(st.sampled_from([LIVE, TEST]), st.data())
def test_whatever_the_feed_makes_is_as_the_contract_says(identity: Identity, data: st.DataObject) -> None:
    made = data.draw(assessments())
    assert event_faults(observation_event(identity, made)) == []
    assert (
        event_faults(readings_event(identity, data.draw(st.lists(placed_readings(), min_size=1, max_size=3))))
        == []
    )
    changed: Alert = data.draw(alerts(made))
    tell = data.draw(st.none() | st.just("GP"))
    change, at = data.draw(st.sampled_from(AlertChange)), data.draw(times)
    assert event_faults(alert_event(identity, change, changed, at, made, tell=tell)) == []
    assert event_faults(amended_observation_event(identity, made)) == []
    amended = amended_alert_event(identity, change, changed, at, made, entry_number=7, tell=tell)
    assert event_faults(amended) == []


def any_amendments() -> list[Event]:
    told = complete()
    made = replace(alert(told), acknowledged_at=NOON, acknowledged_by="x", acknowledged_via="ics")
    return [
        amended_observation_event(TEST, told),
        amended_alert_event(TEST, AlertChange.ESCALATED, made, NOON, told, entry_number=7, tell="GP"),
    ]


@pytest.mark.parametrize("event", any_amendments(), ids=lambda event: event.type)
def test_an_amendment_says_what_it_corrects_and_a_spoilt_one_is_refused(event: Event) -> None:
    properties = dict(to_binary(event).user_properties)
    validator = header_validator(event.type)
    assert in_words(validator, properties) == []
    for attribute in ("subject", "testdata", "band", CORRECTS):
        assert not validator.is_valid({name: said for name, said in properties.items() if name != attribute})
    assert not validator.is_valid({**properties, CORRECTS: "nothing"})
    for what, wrong in list(spoilt(json.loads(to_json(event))["data"]))[::4]:
        assert not data_validator(event.type).is_valid(wrong), what


@pytest.mark.parametrize("event", any_amendments(), ids=lambda event: event.type)
def test_an_amendment_is_taken_for_no_other_event_and_creates_nothing_that_may_be_there(event: Event) -> None:
    data = json.loads(to_json(event))["data"]
    others = (told.type for told in EVENTS if told.type != event.type)
    assert not any(data_validator(other).is_valid(data) for other in others)
    put = [entry for entry in data["entry"] if entry["request"]["method"] == "PUT"]
    devices = [entry for entry in data["entry"] if entry["resource"]["resourceType"] == "Device"]
    assert len(put) + len(devices) == len(data["entry"])
    for entry in put:
        kind, known = entry["resource"]["resourceType"], entry["resource"]["identifier"][0]
        created = {
            "method": "POST",
            "url": kind,
            "ifNoneExist": f"identifier={known['system']}|{known['value']}",
        }
        as_it_was, entry["request"] = entry["request"], created
        assert not data_validator(event.type).is_valid(data)
        entry["request"] = as_it_was
    assert data_validator(event.type).is_valid(data)


def test_a_partial_score_with_a_value_is_refused() -> None:
    event = observation_event(TEST, complete())
    data = json.loads(to_json(event))["data"]
    assert data_validator(event.type).is_valid(data)
    (score,) = (e["resource"] for e in data["entry"] if e["resource"].get("code") == codes.NEWS2)
    score["status"] = "preliminary"
    assert not data_validator(event.type).is_valid(data)


def test_what_is_of_the_room_is_in_no_schema() -> None:
    values = {name for name in document()["components"]["schemas"] if name.startswith("fhir.value.")}
    assert values == {f"fhir.value.{vital.value}" for vital in Vital if vital not in OF_THE_ROOM}


def test_every_event_type_of_the_wire_is_in_the_document() -> None:
    made = {event_type(Channel.ALERT, change) for change in AlertChange}
    made |= {event_type(channel) for channel in Channel if channel not in (Channel.ALERT, Channel.SUMMARY)}
    made |= {f"uk.careport.summary.{what}.v1" for what in ("resident", "hub")}
    assert {told.type for told in EVENTS} == made
