"""Measurements as people read them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from hub.cli.words import measurements_words, stretch_data, stretch_words, vital_words
from hub.readings import Button, Door, Measurement, Motion, Vital
from hub.stretch import Stretch, StretchedVital
from hub.uplink.contract import measurement_data
from tests.rigs.fhir_samples import NOON
from tests.rigs.house import SHARED, House, door, meter, oximeter, scale
from tests.rigs.hub_process import carehub_here


def words(*said: Measurement) -> str:
    return measurements_words([measurement_data(each) for each in said])


def test_every_vital_has_its_words() -> None:
    for vital in Vital:
        assert vital_words(vital.value, 1.0)


def test_weight_and_glucose_are_said_with_their_units() -> None:
    said = words(Measurement(Vital.BODY_WEIGHT, 102.35), Measurement(Vital.GLUCOSE, 5.4))
    assert said == "weight 102.35 kg, glucose 5.4 mmol/L"


def test_what_is_of_the_room_is_said_as_it_is() -> None:
    said = words(
        Measurement(Vital.DOOR, Door.OPEN),
        Measurement(Vital.MOTION, Motion.DETECTED),
        Measurement(Vital.BUTTON, Button.LONG_PRESS),
        Measurement(Vital.ROOM_TEMPERATURE, 19.5),
    )
    assert said == "door open, motion detected, button long press, room 19.5 degC"


def test_of_two_doors_neither_hides_the_other() -> None:
    doors = (Measurement(Vital.DOOR, Door.OPEN, site="1"), Measurement(Vital.DOOR, Door.CLOSED, site="2"))
    assert words(*doors) == "door open, door closed"


def test_a_pressure_is_said_in_one_with_what_else_there_is() -> None:
    said = words(
        Measurement(Vital.SYSTOLIC_PRESSURE, 120.0),
        Measurement(Vital.DIASTOLIC_PRESSURE, 80.0),
        Measurement(Vital.MEAN_ARTERIAL_PRESSURE, 93.0),
        Measurement(Vital.PULSE_RATE, 72.0),
    )
    assert said == "BP 120/80 mmHg, pulse 72 /min"


def test_readings_are_listed_with_the_room_as_what_it_is(tmp_path: Path) -> None:
    house = House(tmp_path)
    for reading in (
        door(Door.OPEN, NOON, device=SHARED),
        scale(61.5, NOON),
        meter(2.4, NOON),
        oximeter(97, NOON, device=SHARED),
    ):
        house.take(reading)
    listed = carehub_here("readings", "--config", tmp_path / "hub.toml").output
    (row,) = (line for line in listed.splitlines() if "door open" in line)
    assert "the room" in row
    for expected in ("door open, room 19.5 degC", "weight 61.5 kg", "glucose 2.4 mmol/L", "nobody yet"):
        assert expected in listed
    waiting = carehub_here("readings", "--unassigned", "--config", tmp_path / "hub.toml").output
    assert "SpO2" in waiting
    assert "door" not in waiting


def test_residents_are_listed_with_their_score_and_not_with_a_weight(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.take(oximeter(85, NOON))
    house.take(scale(61.5, NOON.replace(hour=15)))
    listed = carehub_here("residents", "--config", tmp_path / "hub.toml").output
    assert "oxygen saturation 3" in listed
    assert "NEWS2 unknown" not in listed


def test_a_stretch_is_said_with_its_range_and_the_time_below() -> None:
    second = timedelta(seconds=1)
    stretch = Stretch(
        60 * second,
        60,
        (
            StretchedVital(Vital.OXYGEN_SATURATION, 88.0, 96.5, 97.0, 58 * second, 12 * second, 90.0),
            StretchedVital(Vital.PULSE_RATE, 70.0, 72.0, 74.0, 60 * second),
        ),
    )
    assert stretch_words(stretch) == "60 s: SpO2 88 to 97 % in 58 s, 12 s below 90 %; pulse 70 to 74 /min"
    assert stretch_words(Stretch(5 * second, 5)) == "5 s: nothing usable"
    data = stretch_data(stretch)
    assert json.loads(json.dumps(data)) == data
    assert (data["samples"], data["seconds"]) == (60, 60)
