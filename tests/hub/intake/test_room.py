"""What is of the room: kept and shown, and nothing about a person follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from drivers.catalogue import GATT_DRIVERS
from hub.readings import (
    DRIVERS_OF_THE_ROOM,
    OF_THE_ROOM,
    AbsentReason,
    Button,
    Code,
    Door,
    Measurement,
    Motion,
    Reading,
    Vital,
    type_of_value,
)
from hub.store.planner import Planner, Progress
from hub.store.queries import readings, unassigned
from hub.store.retention import Kind, Limits
from hub.store.rows import reading_by_number
from tests.rigs.house import ILL, OXIMETER, SHARED, House, decoded, door, measured_by, oximeter, raw

MINUTE = timedelta(minutes=1)
VALUES: dict[Vital, float | Code] = {
    Vital.ROOM_TEMPERATURE: 39.5,
    Vital.DOOR: Door.OPEN,
    Vital.MOTION: Motion.DETECTED,
    Vital.BUTTON: Button.LONG_PRESS,
}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, "[publish]\nreading = true\n")
    yield house
    house.connection.close()


def test_each_vital_of_the_room_is_tried_here() -> None:
    assert VALUES.keys() == OF_THE_ROOM
    assert all(isinstance(value, type_of_value(vital)) for vital, value in VALUES.items())


@pytest.mark.parametrize("vital", sorted(OF_THE_ROOM))
@pytest.mark.parametrize("device", [OXIMETER, SHARED])
def test_it_is_kept_as_it_was_and_nothing_follows_from_it(
    house: House, noon: datetime, vital: Vital, device: str
) -> None:
    reading = measured_by("bthome", noon, Measurement(vital, VALUES[vital]), device=device)
    taken = house.take(reading)
    assert (taken.outcome, taken.score) == (None, None)
    assert house.counts() == {"reading": 1, "assessment": 0, "alert": 0, "audit": 0, "outbox": 0}
    kept = reading_by_number(house.connection, 1)
    assert kept is not None
    assert kept.placed.reading == reading
    assert kept.placed.resident == (ILL if device == OXIMETER else None)
    assert house.observed() == 0


def test_no_set_has_it_though_it_is_measured_with_something_of_a_person(house: House, noon: datetime) -> None:
    """A stream's, and one that says both."""
    both = measured_by(
        "both", noon, *[Measurement(*each) for each in VALUES.items()], Measurement(Vital.PULSE_RATE, 72.0)
    )
    house.take(both)
    house.take(oximeter(97, noon + MINUTE))
    told = house.told_observations()
    assert [set(each.observations) for each in told] == [
        {Vital.PULSE_RATE},
        {Vital.PULSE_RATE, Vital.OXYGEN_SATURATION},
    ]
    (reading, _) = house.told_readings()
    assert [each.vital for each in reading.measurements] == [Vital.PULSE_RATE]


def test_beside_what_failed_of_a_person_it_forms_no_set_either(house: House, noon: datetime) -> None:
    failed = Measurement(Vital.BODY_WEIGHT, None, AbsentReason.ERROR)
    house.take(measured_by("both", noon, Measurement(Vital.DOOR, Door.OPEN), failed))
    assert (house.count("reading"), house.count("assessment")) == (1, 0)


def test_a_stream_of_it_is_never_observed(house: House, noon: datetime) -> None:
    for second in range(60):
        at = noon + timedelta(seconds=second)
        warm = measured_by("bthome", at, Measurement(Vital.ROOM_TEMPERATURE, 39.5))
        house.take(Reading(warm.id, warm.raw, warm.measurements, streaming=True))
    house.end_streams()
    assert (len(house.samples()), house.count("assessment"), house.observed()) == (60, 0, 0)


def test_single_readings_are_told_without_it_though_it_comes_between_them(
    house: House, noon: datetime
) -> None:
    """One transaction tells its readings by their numbers, from the first to the last."""
    with house.transaction() as transaction:
        for minute in range(3):
            at = noon + minute * MINUTE
            house.intake.take(transaction, oximeter(97, at), house.clock.stamp())
            house.intake.take(transaction, door(Door.OPEN, at), house.clock.stamp())
    assert house.count("reading") == 6
    assert [each.driver for each in house.told_readings()] == ["pulse_oximeter"] * 3


def test_a_sensor_of_the_room_that_failed_is_of_the_room_too(house: House, noon: datetime) -> None:
    failed = Measurement(Vital.ROOM_TEMPERATURE, None, AbsentReason.ERROR)
    house.take(measured_by("bthome", noon, failed))
    assert house.counts() == {"reading": 1, "assessment": 0, "alert": 0, "audit": 0, "outbox": 0}


@pytest.mark.parametrize(
    "packet",
    [
        "40 0001 0161 3a00",  # packet id 1, battery 97 %, a button that was not pressed
        "40 0002 2e34",  # packet id 2, humidity: read over
        "40 1aff",  # a door that is neither open nor closed: refused
    ],
)
@pytest.mark.parametrize("device", [OXIMETER, SHARED])
def test_a_packet_in_which_nothing_was_measured_is_of_the_room_too(
    house: House, noon: datetime, packet: str, device: str
) -> None:
    """It is told to nobody, waits for nobody, and leaves the card with the others."""
    house.take(decoded(raw(device, "bthome", bytes.fromhex(packet), noon, "fcd2")))
    assert house.counts() == {"reading": 1, "assessment": 0, "alert": 0, "audit": 0, "outbox": 0}
    assert unassigned(house.connection, noon) == 0
    assert readings(house.connection, unassigned=True, most=9) == []
    kept = reading_by_number(house.connection, 1)
    assert kept is not None
    assert kept.placed.observed == ()


def test_the_drivers_of_the_room_are_those_that_measure_what_is_of_the_room() -> None:
    """All that advertise; a packet of theirs in which nothing was measured is of no person either."""
    assert {name for name, each in GATT_DRIVERS.items() if each.advertised} == DRIVERS_OF_THE_ROOM


def test_it_leaves_the_card_when_the_samples_of_streams_do_and_not_after_what_is_of_a_person(
    house: House, noon: datetime
) -> None:
    """A door that opens a thousand times a day takes no resident's reading from a card that is full."""
    for minute in range(4):
        house.take(door(Door.OPEN, noon + minute * MINUTE))
        house.take(oximeter(97, noon + minute * MINUTE))
    house.connection.execute("DELETE FROM outbox")
    day = timedelta(days=1)
    limits = Limits(7 * day, 90 * day, 365 * day, day, newest=1)
    going = Planner(house.connection, limits, noon + 8 * day, Progress()).by_age(10)
    assert [(piece.kind, sorted(piece.readings)) for piece in going] == [(Kind.SAMPLES, [1, 3, 5, 7])]


def test_it_waits_for_nobody_to_say_whose_it_is(house: House, noon: datetime) -> None:
    house.take(oximeter(97, noon, device=SHARED))
    house.take(door(Door.OPEN, noon, device=SHARED))
    with_a_weight = (Measurement(Vital.DOOR, Door.OPEN), Measurement(Vital.BODY_WEIGHT, 61.5))
    house.take(measured_by("both", noon, *with_a_weight, device=SHARED))
    house.take(measured_by("nothing", noon, device=SHARED))
    waiting = readings(house.connection, unassigned=True, most=9)
    assert [each.placed.reading.raw.driver for each in waiting] == ["nothing", "both", "pulse_oximeter"]
    assert unassigned(house.connection, noon) == 3


def test_what_is_damaged_waits_for_a_person_and_keeps_no_other_from_being_counted(
    house: House, noon: datetime
) -> None:
    texts = (
        "[[13,",
        '{"a": 1}',
        '{"a\'b": [1]}',
        "7",
        "null",
        '["x"]',
        '[["x", 1]]',
        "[[]]",
        b"\xff[[13,1]]",
    )
    for minute in range(len(texts)):
        house.take(door(Door.OPEN, noon + minute * MINUTE, device=SHARED))
    for number, damaged in enumerate(texts, start=1):
        house.connection.execute("UPDATE reading SET measurements = ? WHERE sequence = ?", (damaged, number))
    assert unassigned(house.connection, noon) == len(texts)
