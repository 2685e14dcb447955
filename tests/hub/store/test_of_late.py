"""What the tray and a round ask of the card."""

from __future__ import annotations

import uuid

import pytest

from hub.clock import now
from hub.readings import Door
from hub.store.looking_back import record_of
from hub.store.of_late import assessments_of_late, of_nobody, open_alert_row, reading_by_id
from hub.timekeeping.present import Record, clock_rule
from tests.rigs.house import ILL, SHARED, WELL, House, cuff, door, oximeter


@pytest.fixture
def record(house: House) -> Record:
    return record_of(house.connection, clock_rule(house.config))


def waiting(house: House, record: Record, after: int = 0, most: int = 10) -> list[uuid.UUID]:
    """The ids of what waits."""
    return [each.placed.reading.id for each in of_nobody(house.connection, record, after, most=most)]


def test_what_is_nobodys_waits_the_newest_first(house: House, record: Record) -> None:
    readings = [oximeter(saturation, now(), device=SHARED) for saturation in (91, 92)]
    for each in (readings[0], cuff(128, now()), readings[1], door(Door.OPEN, now(), device=SHARED)):
        house.take(each)
    assert waiting(house, record) == [readings[1].id, readings[0].id]


def test_only_so_many_and_only_those_after_a_number(house: House, record: Record) -> None:
    readings = [oximeter(saturation, now(), device=SHARED) for saturation in (91, 92, 93)]
    for each in readings:
        house.take(each)
    assert waiting(house, record, most=2) == [readings[2].id, readings[1].id]
    assert waiting(house, record, after=2) == [readings[2].id]


def test_what_a_damaged_card_left_unreadable_hides_nothing_else(house: House, record: Record) -> None:
    readings = [oximeter(saturation, now(), device=SHARED) for saturation in (91, 92)]
    for each in readings:
        house.take(each)
    house.connection.execute("UPDATE reading SET measurements = 'x' WHERE sequence = 1")
    assert waiting(house, record) == [readings[1].id]


def test_a_reading_is_found_by_its_id(house: House, record: Record) -> None:
    reading = cuff(128, now())
    house.take(reading)
    found = reading_by_id(house.connection, record, reading.id)
    assert found is not None
    assert found.placed.resident == ILL
    assert reading_by_id(house.connection, record, uuid.uuid4()) is None


def test_an_open_alert_is_of_its_resident(house: House) -> None:
    house.take(cuff(85, now()))
    row = open_alert_row(house.connection, ILL)
    assert row is not None
    assert row.resident == ILL
    assert open_alert_row(house.connection, WELL) is None


def test_the_assessments_stored_last_come_first(house: House) -> None:
    for systolic in (120, 125, 128):
        house.take(cuff(systolic, now()))
    found = assessments_of_late(house.connection, ILL, 2)
    assert [each.sequence for each in found] == [3, 2]
