"""The wire contract: valid CloudEvents, no names, and acknowledgements that are what they must be."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.alert_book import AlertBook
from hub.alerts import AlertPolicy
from hub.assessment.deterioration import Risk
from hub.commands import Commands
from hub.readings import Consciousness
from hub.uplink.cloudevents import Event, from_json, from_message, to_binary, to_json, to_structured
from hub.uplink.contract import (
    Acknowledgement,
    Channel,
    ContractError,
    Identity,
    acknowledgement_event,
    acknowledgement_of,
    risk_data,
    status_event,
)
from tests.rigs.house import ILL, NAMES, OXIMETER, SHARED, House, cuff, decoded, entry, oximeter, raw

MINUTE = timedelta(minutes=1)
IDENTITY = Identity("rose-house", "hub-1", True)
ALERT = uuid.UUID("5b0c4c52-4d5c-5b43-8a59-2f3a1d1f6c11")
NOW = datetime.fromisoformat("2026-03-01T12:00:00Z")


@pytest.fixture
def everything(tmp_path: Path, noon: datetime) -> list[Event]:
    """One of each event that a hub sends, from a house whose residents and carers have names."""
    house = House(tmp_path, "[publish]\nreading = true\n")
    carer, note = NAMES[0], f"{NAMES[1]} in {NAMES[2]} was asked by {NAMES[3]}"
    commands = Commands(
        AlertBook(house.identity), AlertPolicy.of(house.config.alerts, house.config.observation_sets)
    )
    house.take(oximeter(91, noon))
    house.take(oximeter(91, noon, device=SHARED))
    house.take(decoded(raw(OXIMETER, "pulse_oximeter", b"\x00", noon)))
    house.take(cuff(85, noon, measured=noon - 40 * MINUTE))
    with house.transaction() as transaction:
        commands.escalate(transaction, noon + 31 * MINUTE, 31 * 60.0)
    house.take(entry(noon + MINUTE, consciousness=Consciousness.PAIN, rate=30, by=carer), ILL)
    with house.transaction() as transaction:
        for alert in house.open_alerts():
            commands.deliver(transaction, [alert.id], noon)
            commands.acknowledge(transaction, alert.id, carer, noon, "hub", note)
    for minute in range(32, 200, 10):
        at = noon + minute * MINUTE
        house.take(
            entry(at, by=carer, consciousness=Consciousness.VOICE if minute < 90 else Consciousness.ALERT),
            ILL,
        )
        house.take(oximeter(97, at))
        house.take(cuff(120, at))
    return house.events()


def test_everything_that_a_hub_tells_was_there_to_be_looked_at(everything: list[Event]) -> None:
    assert {event.type for event in everything} == {
        f"uk.careport.{kind}.v1"
        for kind in (
            "alert.raised",
            "alert.escalated",
            "alert.acknowledged",
            "alert.stepped_down",
            "alert.resolved",
            "observation",
            "reading",
        )
    }


def test_no_name_of_a_resident_a_room_or_a_carer_is_in_any_event(everything: list[Event]) -> None:
    for event in everything:
        text = to_json(event).lower()
        for name in NAMES:
            assert name.lower() not in text
            assert name.encode().hex() not in text  # a person's entry is kept as bytes
            assert name.split()[0].encode().hex() not in text


def test_every_event_is_a_cloudevent_that_comes_back_as_it_went(everything: list[Event]) -> None:
    for event in everything:
        for back in (
            from_json(to_json(event)),
            from_message(to_binary(event)),
            from_message(to_structured(event)),
        ):
            assert (back.id, back.source, back.type, back.time, back.subject, dict(back.data)) == (
                event.id, event.source, event.type, event.time, event.subject, dict(event.data),
            )  # fmt: skip


def test_every_event_says_that_it_is_test_data_and_names_its_hub(everything: list[Event]) -> None:
    assert {event.source for event in everything} == {"uk.careport.rose-house.hub-1"}
    assert {event.data["test_data"] for event in everything} == {True}


def test_no_two_events_share_an_id(everything: list[Event]) -> None:
    assert len({event.id for event in everything}) == len(everything)


def test_a_sensors_bytes_are_told_and_a_persons_entry_is_not(everything: list[Event]) -> None:
    readings = [event.data for event in everything if event.type == "uk.careport.reading.v1"]
    assert {reading["payload"] is None for reading in readings if reading["driver"] == "manual"} == {True}
    assert all(reading["payload"] for reading in readings if reading["driver"] != "manual")


def test_an_alert_goes_before_all_else() -> None:
    assert sorted(Channel, key=lambda channel: channel.priority)[:2] == [Channel.ALERT, Channel.STATUS]
    assert IDENTITY.topic(Channel.ALERT) == "careport/v1/rose-house/hub-1/alert"


def test_the_models_risk_is_always_named_with_its_model_and_marked_as_a_shadow() -> None:
    said = risk_data(Risk(0.123456, "deterioration", "1", "abc", ("age",), ()))
    assert said == {
        "probability": 0.1235, "model": "deterioration", "version": "1", "sha256_prefix": "abc",
        "missing": ["age"], "out_of_range": [], "mode": "shadow",
    }  # fmt: skip


def test_a_status_says_who_and_how(noon: datetime) -> None:
    event = status_event(IDENTITY, "online", noon, {"version": "1"})
    assert event.data == {
        "site": "rose-house", "hub": "hub-1", "state": "online", "test_data": True, "version": "1",
    }  # fmt: skip


# --- acknowledgements


def acknowledging(**data: Any) -> Event:
    event = acknowledgement_event("uk.example.ics", ALERT, "the desk", NOW)
    return replace(event, data={**event.data, **data})


def test_an_acknowledgement_comes_back_as_it_was_sent() -> None:
    event = acknowledgement_event("uk.example.ics", ALERT, "the desk", NOW, "on my way")
    assert acknowledgement_of(from_json(to_json(event))) == Acknowledgement(
        alert=ALERT, by="the desk", note="on my way"
    )


def test_an_acknowledgement_sent_again_has_the_same_id() -> None:
    first, second = (acknowledgement_event("ics", ALERT, "desk", NOW + n * MINUTE) for n in (0, 1))
    assert first.id == second.id


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        ({"alert": "SECRET"}, "alert"),
        ({"alert": 5}, "alert"),
        ({"by": ""}, "by"),
        ({"by": None}, "by"),
        ({"by": "SECRET" * 100}, "by"),
        ({"by": ["SECRET"]}, "by"),
        ({"note": "SECRET" * 1000}, "note"),
        ({"SECRET": 1}, "a key that is not known"),
        ({"by": 1, "note": 2, "SECRET": 3}, "by, note, a key that is not known"),
    ],
)
def test_a_wrong_acknowledgement_is_refused_by_the_key_and_never_quoted(
    data: dict[str, Any], wrong: str
) -> None:
    with pytest.raises(ContractError, match=f"wrong in: {wrong}$") as refused:
        acknowledgement_of(acknowledging(**data))
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize("key", ["alert", "by"])
def test_an_acknowledgement_that_lacks_a_key_is_refused(key: str) -> None:
    event = acknowledging()
    with pytest.raises(ContractError, match=key):
        acknowledgement_of(replace(event, data={k: v for k, v in event.data.items() if k != key}))


def test_an_event_of_another_type_is_no_acknowledgement() -> None:
    with pytest.raises(ContractError, match="another type"):
        acknowledgement_of(replace(acknowledging(), type="uk.careport.alert.raised.v1"))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
ANYTHING = st.dictionaries(st.sampled_from(["alert", "by", "note"]) | st.text(min_size=8), JSON, max_size=4)


@given(ANYTHING)
def test_any_data_is_an_acknowledgement_or_refused_without_quoting_it(data: dict[str, Any]) -> None:
    said = None
    refusal = ""
    try:
        said = acknowledgement_of(replace(acknowledging(), data=data))
    except ContractError as error:
        refusal = str(error)
    foreign = [key for key in data if key not in Acknowledgement.model_fields]
    texts = [value for value in data.values() if isinstance(value, str) and len(value) >= 8]
    assert not any(text in refusal for text in foreign + texts)
    assert (said is None) == bool(refusal)
    assert said is None or 1 <= len(said.by) <= 200


def test_control_characters_in_an_acknowledgement_never_reach_a_terminal(noon: datetime) -> None:
    event = acknowledgement_event("uk.example.ics", uuid.uuid4(), "desk\x1b[2J", noon, "on\nmy\x07way")
    said = acknowledgement_of(event)
    assert (said.by, said.note) == ("desk [2J", "on my way")
