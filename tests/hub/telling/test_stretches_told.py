"""A stretch of a stream from the card: as it was, told to the ICS, summed up, and kept with its alert."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from drivers.recording import parse
from drivers.virtual import encoding
from hub.clock import now
from hub.readings import Flag, Vital
from hub.store.planner import Planner, Progress
from hub.store.retention import Limits
from hub.telling.summaries import read
from hub.telling.summary import Period
from hub.uplink.cloudevents import to_json
from hub.uplink.feed import resident_summary_event
from hub.uplink.fhir import codes
from hub.uplink.fhir.raw import bytes_at_most, reading_entry
from hub.uplink.fhir.resources import Place
from tests.rigs.contract import event_faults
from tests.rigs.house import OXIMETER, House, decoded, raw
from tests.rigs.hub_process import carehub_here

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, "[publish]\nreading = true\n")
    yield house
    house.connection.close()


@pytest.fixture
def start() -> datetime:
    return now().replace(microsecond=0) - timedelta(hours=2)


def stream(house: House, start: datetime, falls: int = 60, seconds: int = 120) -> None:
    """97 %, and from a second on 89 %; the light was weak in second 3."""
    for second in range(seconds):
        payload = encoding.continuous(89 if second >= falls else 97, 72)
        sample = decoded(raw(OXIMETER, "pulse_oximeter", payload, start + second * SECOND, "2a5f"))
        if second == 3:
            sample = replace(sample, flags=frozenset({Flag.LOW_PERFUSION}))
        house.take(sample)
    house.end_streams()


def parts(extension: dict[str, Any]) -> dict[str, Any]:
    """The parts of an extension by their names."""
    return {
        part["url"]: next(value for key, value in part.items() if key != "url")
        for part in extension["extension"]
    }


def resources(event: Any) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in json.loads(to_json(event))["data"]["entry"]]


def test_an_observation_tells_the_lowest_and_the_time_below_beside_the_median(
    house: House, start: datetime
) -> None:
    stream(house, start)
    events = house.events("observation")
    assert [fault for event in events for fault in event_faults(event)] == []
    told = [
        each
        for event in events
        for each in resources(event)
        if each.get("code") == codes.VITALS[Vital.OXYGEN_SATURATION].code
    ]
    fall = next(each for each in told if each["valueQuantity"]["value"] == 89)
    assert fall["method"] == {"text": "median of a stream"}
    (stretch,) = [parts(each) for each in fall["extension"] if each["url"] == codes.STRETCH]
    assert (stretch["lowest"]["value"], stretch["highest"]["value"]) == (89, 97)
    assert (stretch["below"], stretch["threshold"]["value"]) == (16, 90)
    assert stretch["usable"] == stretch["duration"] == 60
    assert "note" not in fall
    assert told[0]["note"] == [{"text": "at times: low perfusion"}]


def test_a_reading_tells_of_how_many_samples_its_payload_is(house: House, start: datetime) -> None:
    stream(house, start, seconds=40)
    events = house.events("reading")
    assert [fault for event in events for fault in event_faults(event)] == []
    assert len(events) == len(house.stretches()), "each by itself: they may be large"
    told = [each for event in events for each in resources(event)]
    first = parts(told[0]["extension"][0])
    assert (first["characteristic"], first["samples"], first["duration"]) == ("2a5f/stretch", 16, 15)
    saturation = told[0]["component"][0]
    assert saturation["valueQuantity"]["value"] == 97
    assert parts(saturation["extension"][0])["lowest"]["value"] == 97


def test_no_stretch_is_larger_than_is_thought_when_they_are_told_together(
    house: House, start: datetime
) -> None:
    stream(house, start)
    place = Place("rose-house", "hub-1", test_data=True)
    for stored in house.stretches():
        assert len(json.dumps(reading_entry(place, stored.placed))) <= bytes_at_most(stored.placed)


def test_a_summary_has_the_range_and_the_time_below_of_every_second(house: House, start: datetime) -> None:
    """Ten seconds that no observation has."""
    for second in range(300):
        saturation = 86 if 100 <= second < 110 else 97
        payload = encoding.continuous(saturation, 72)
        house.take(decoded(raw(OXIMETER, "pulse_oximeter", payload, start + second * SECOND, "2a5f")))
    house.end_streams()
    hub, (ill, _) = read(house.connection, house.config, Period(start - MINUTE, start + 10 * MINUTE))
    said = ill.vitals[Vital.OXYGEN_SATURATION]
    assert (said.lowest, said.median, said.highest) == (86, 97, 97)
    assert (said.usable, said.below) == (299 * SECOND, ((90.0, 10 * SECOND),))
    assert hub.readings == house.count("reading")
    event = resident_summary_event(house.identity, ill)
    assert event_faults(event) == []
    (told,) = [
        each for each in resources(event) if each.get("code") == codes.VITALS[Vital.OXYGEN_SATURATION].code
    ]
    by_code = {json.dumps(each["code"]): each for each in told["component"]}
    assert by_code[json.dumps(codes.STATISTICS["minimum"])]["valueQuantity"]["value"] == 86
    below = by_code[json.dumps(codes.TIME_BELOW)]
    assert below["valueQuantity"]["value"] == 10
    assert below["extension"][0]["valueQuantity"]["value"] == 90
    assert by_code[json.dumps(codes.USABLE_TIME)]["valueQuantity"]["value"] == 299


def test_a_stretch_outside_a_period_is_not_in_its_summary_and_one_that_is_damaged_is_left_out(
    house: House, start: datetime
) -> None:
    stream(house, start)
    _, (ill, _) = read(house.connection, house.config, Period(start + MINUTE * 10, start + 20 * MINUTE))
    assert ill.vitals == {}
    house.connection.execute("UPDATE reading SET stretch = '[1' WHERE sequence = 1")
    _, (ill, _) = read(house.connection, house.config, Period(start, start + 10 * MINUTE))
    assert ill.vitals[Vital.OXYGEN_SATURATION].lowest == 89


def test_the_stretches_behind_an_alert_stay_with_it(house: House, start: datetime) -> None:
    """The observation of thirty seconds that raised it reaches into the stretch before."""
    stream(house, start, falls=80, seconds=100)
    (alert,) = house.alerts()
    house.connection.execute("DELETE FROM outbox")
    raised = [each for each in house.stretches() if each.placed.measured_at == alert.measured_at]
    assert len(raised) == 1
    hour, year = timedelta(hours=1), timedelta(days=365)
    limits = Limits(keep_streams=hour, keep_readings=hour, keep_alerts=year, window=MINUTE, newest=0)
    planner = Planner(house.connection, limits, start + timedelta(days=30), Progress())
    going = {number for piece in planner.by_age(100) for number in piece.readings}
    behind = [
        each.sequence
        for each in house.stretches()
        if raised[0].placed.measured_at - 30 * SECOND <= each.placed.measured_at <= alert.measured_at
    ]
    assert len(behind) == 2
    assert going.isdisjoint(behind)
    assert going


def test_each_sample_is_recorded_by_itself_and_can_be_replayed(house: House, start: datetime) -> None:
    stream(house, start, seconds=40)
    config = house.path.parent.parent / "hub.toml"
    ended = carehub_here("record", "--since", "3h", "--for", "0s", "--config", config)
    assert (ended.code, ended.errors) == (0, "")
    recorded = [parse(line) for line in ended.output.splitlines()]
    assert [(each.payload, each.received_at, each.characteristic) for each in recorded] == [
        (each.payload, each.received_at, "2a5f") for each in house.samples()
    ]
    assert len(recorded) == 40


def test_of_a_stretch_only_what_came_since_then_is_recorded(house: House, start: datetime) -> None:
    stream(house, start, seconds=75)
    config = house.path.parent.parent / "hub.toml"
    ended = carehub_here("record", "--since", "7170s", "--for", "0s", "--config", config)
    times = [parse(line).received_at for line in ended.output.splitlines()]
    assert 0 < len(times) <= 45
    assert min(times) >= start + 30 * SECOND


def test_readings_are_listed_with_what_their_stretch_said(house: House, start: datetime) -> None:
    stream(house, start)
    config = house.path.parent.parent / "hub.toml"
    listed = carehub_here("readings", "--config", config)
    assert "16 s below 90 %" in listed.output.replace("\n", " ")
    (newest, *_) = json.loads(carehub_here("readings", "--json", "--config", config).output)
    assert newest["stretch"]["vitals"][0]["threshold"] == 90
