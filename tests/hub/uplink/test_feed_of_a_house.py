"""All that a hub tells in a life of an alert, from a real database: nobody's name, and always whose it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hub.alerts.book import AlertBook
from hub.alerts.commands import Commands
from hub.alerts.life import AlertPolicy
from hub.clock import stamp
from hub.readings import Consciousness
from hub.uplink.cloudevents import Event, from_json, from_message, to_binary, to_json, to_structured
from hub.uplink.heard import (
    HeardAlert,
    HeardObservation,
    HeardReading,
    alert_heard,
    observation_heard,
    readings_heard,
)
from tests.rigs.house import ILL, NAMES, OXIMETER, SHARED, House, cuff, decoded, entry, oximeter, raw

MINUTE = timedelta(minutes=1)


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
            assert (back.attributes(), dict(back.data)) == (event.attributes(), dict(event.data))


def heard(event: Event) -> list[HeardAlert | HeardObservation | HeardReading]:
    match event.type.split(".")[2]:
        case "alert":
            return [alert_heard(event)]
        case "observation":
            return [observation_heard(event)]
        case _:
            return list(readings_heard(event))


def test_every_event_says_that_it_is_test_data_and_names_its_hub(everything: list[Event]) -> None:
    for event in everything:
        assert event.source == "uk.careport.rose-house.hub-1"
        assert event.extensions["testdata"] == "true"
        for each in heard(event):
            assert (each.site, each.hub, each.test_data) == ("rose-house", "hub-1", True)


def test_no_two_events_share_an_id_and_no_reading_is_told_twice(everything: list[Event]) -> None:
    assert len({event.id for event in everything}) == len(everything)
    readings = [
        each.reading for event in everything for each in heard(event) if isinstance(each, HeardReading)
    ]
    assert len(readings) == len(set(readings))


def test_a_sensors_bytes_are_told_and_a_persons_entry_is_not(everything: list[Event]) -> None:
    readings = [each for event in everything for each in heard(event) if isinstance(each, HeardReading)]
    by_hand = [reading for reading in readings if reading.driver == "manual"]
    assert by_hand
    assert {(reading.payload, reading.device) for reading in by_hand} == {(None, None)}
    assert all(reading.payload and reading.device for reading in readings if reading.driver != "manual")


def test_an_alert_leads_back_to_the_reading_that_raised_it(everything: list[Event]) -> None:
    told = [each for event in everything for each in heard(event)]
    readings = {each.reading for each in told if isinstance(each, HeardReading)}
    alerts = [each for each in told if isinstance(each, HeardAlert)]
    assert alerts
    assert {alert.assessment.reading for alert in alerts} <= readings


def test_what_is_told_in_one_event_is_told_again_as_one_event(tmp_path: Path, noon: datetime) -> None:
    """Readings that were committed together are one event, and it is the same each time that it is made."""
    house = House(tmp_path, "[publish]\nreading = true\n")
    with house.transaction() as transaction:
        for second in range(3):
            house.intake.take(transaction, oximeter(97, noon + timedelta(seconds=second)), stamp())
    (event,) = house.events("reading")
    assert [reading.received_at.second for reading in house.told_readings()] == [0, 1, 2]
    assert [to_json(each) for each in house.events("reading")] == [to_json(event)]
    house.connection.close()
