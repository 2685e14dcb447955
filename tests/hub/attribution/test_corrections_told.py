"""What the ICS is told where a reading was not theirs: what is in error, and what is so instead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.alerts.life import Resolution
from hub.uplink.cloudevents import Event, from_json, to_json
from hub.uplink.fhir import codes
from hub.uplink.fhir.resources import urn
from hub.uplink.heard import amended_observation_heard
from tests.rigs.contract import event_faults
from tests.rigs.desk import MINUTE, NOON, Desk
from tests.rigs.house import (
    ILL,
    SHARED,
    WELL,
    WELL_OXIMETER,
    entry,
    oximeter,
)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.house.connection.close()


def resources(event: Event) -> dict[str, dict[str, Any]]:
    """What an event has, by `fullUrl`, but for the devices."""
    return {
        each["fullUrl"]: each["resource"]
        for each in event.data["entry"]
        if each["resource"]["resourceType"] != "Device"
    }


def of_whom(resource: dict[str, Any]) -> str:
    return str(resource["subject"]["identifier"]["value"]).rpartition("/")[2]


def test_what_was_told_of_the_wrong_resident_is_told_to_be_in_error(desk: Desk) -> None:
    reading = desk.take(oximeter(84, NOON, device=SHARED), WELL)
    own = desk.take(entry(NOON + 5 * MINUTE), WELL)
    told = desk.house.events("observation")
    desk.house.connection.execute("DELETE FROM outbox")  # the broker has all of it
    desk.correct(reading, ILL)
    of_it, of_the_next = desk.house.events("amended_observation")
    assert [each.extensions["corrects"] for each in (of_it, of_the_next)] == [each.id for each in told]
    assert {each.subject for each in (of_it, of_the_next)} == {WELL}
    for event in (of_it, of_the_next):
        assert event_faults(event) == []
        assert amended_observation_heard(from_json(to_json(event))).withdrawn
    known = resources(told[1])
    for name, resource in resources(of_the_next).items():
        measured = resource.get("derivedFrom", [{}])[0].get("identifier", {}).get("value")
        if measured == urn(own.id) and resource["code"] != codes.NEWS2:
            assert resource == known[name], "what they measured themselves stays as it was told"
        else:
            assert resource == known[name] | {"status": "entered-in-error"}


def test_what_is_so_instead_is_told_under_names_of_its_own(desk: Desk) -> None:
    """A server that has what is in error would pass over anything else of that name."""
    reading = desk.take(oximeter(84, NOON, device=SHARED), WELL)
    desk.take(entry(NOON + 5 * MINUTE), WELL)
    desk.house.connection.execute("DELETE FROM outbox")
    desk.correct(reading, ILL)
    in_error = {
        name
        for event in desk.house.events("amended_observation")
        for name, resource in resources(event).items()
        if resource["status"] == "entered-in-error"
    }
    new = [*desk.house.events("observation"), *desk.house.events("alert.raised")]
    assert sorted(str(each.subject) for each in new) == sorted([WELL, ILL, ILL])
    for event in new:
        assert event_faults(event) == []
        assert in_error.isdisjoint(resources(event))
        assert {of_whom(each) for each in resources(event).values()} == {event.subject}
    (alert,) = desk.house.events("alert.resolved")
    assert event_faults(alert) == []
    (request,) = [
        each for each in resources(alert).values() if each["resourceType"] == "CommunicationRequest"
    ]
    assert (of_whom(request), request["status"]) == (WELL, "entered-in-error")


def test_back_and_forth_nothing_is_told_under_a_name_that_is_in_error(desk: Desk) -> None:
    reading = desk.take(oximeter(84, NOON, device=SHARED), WELL)
    for resident in (ILL, WELL, None):
        desk.correct(reading, resident)
    desk.assign(WELL, reading)
    errors: list[str] = []
    for event in desk.house.events("amended_observation"):
        assert event_faults(event) == []
        errors += [name for name, each in resources(event).items() if each["status"] == "entered-in-error"]
    assert len(errors) == len(set(errors)) == 3 * 3, "score, saturation and pulse, each time"
    (last,) = desk.house.events("observation")
    assert set(errors).isdisjoint(resources(last))
    assert desk.open_of(WELL) is not None
    assert len({each.id for each in desk.house.alerts()}) == 4


def test_what_waits_of_the_wrong_resident_is_not_told_any_more(desk: Desk) -> None:
    reading = desk.take(oximeter(97, NOON, device=SHARED), WELL)
    assert [each.subject for each in desk.house.events("observation")] == [WELL]
    desk.correct(reading, None)
    assert desk.house.events("observation") == []


def test_an_alert_that_was_over_before_is_told_to_have_been_in_error(desk: Desk) -> None:
    wrong = desk.take(oximeter(84, NOON, device=SHARED), WELL)
    for minute in (5, 40):
        desk.take(oximeter(97, NOON + minute * MINUTE, device=WELL_OXIMETER))
    assert desk.open_of(WELL) is None
    desk.correct(wrong, ILL)
    (over,) = [each for each in desk.house.alerts() if each.resident == WELL]
    assert over.resolution is Resolution.WITHDRAWN
    (event,) = desk.house.events("amended_alert")
    assert event_faults(event) == []
    assert event.extensions["alert"] == str(over.id)
