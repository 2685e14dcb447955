"""What a person enters becomes a reading like any other."""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Any

import pytest

from hub.assessment.news2 import OxygenScale, score
from hub.intake.manual import POSSIBLE, ObservationError, Possible, number_of, observation
from hub.readings import Breathing, Consciousness, Origin, Vital


def test_what_was_entered_is_measured_and_what_was_not_is_not(noon: datetime) -> None:
    reading = observation("K", noon, consciousness=Consciousness.NEW_CONFUSION, respiration_rate=22)
    assert {m.vital: m.value for m in reading.measurements} == {
        Vital.CONSCIOUSNESS: Consciousness.NEW_CONFUSION,
        Vital.RESPIRATION_RATE: 22.0,
    }
    assert reading.raw.origin is Origin.MANUAL
    assert json.loads(reading.raw.payload)["by"] == "K"


def test_air_is_entered_as_clearly_as_oxygen(noon: datetime) -> None:
    (air,) = observation("K", noon, breathing=Breathing.AIR).measurements
    assert air.value is Breathing.AIR


@pytest.mark.parametrize("rate", [0, -3, 81, 2200])
def test_an_impossible_respiration_rate_is_refused_with_what_is_allowed(noon: datetime, rate: int) -> None:
    with pytest.raises(ObservationError, match=f"{rate} is not possible; allowed are 1 to 80"):
        observation("K", noon, respiration_rate=rate)


def test_nothing_entered_is_no_observation(noon: datetime) -> None:
    with pytest.raises(ObservationError, match="nothing was entered"):
        observation("K", noon)


def test_two_entries_of_the_same_are_two_readings(noon: datetime) -> None:
    first, second = (observation("K", noon, breathing=Breathing.OXYGEN) for _ in range(2))
    assert first.id != second.id


def test_what_was_read_off_a_sensor_is_entered_as_what_was_counted(noon: datetime) -> None:
    reading = observation(
        "K",
        noon,
        temperature=37.2,
        oxygen_saturation=94,
        systolic_pressure=128,
        diastolic_pressure=71,
        pulse_rate=88,
    )
    assert {m.vital: m.value for m in reading.measurements} == {
        Vital.OXYGEN_SATURATION: 94.0,
        Vital.TEMPERATURE: 37.2,
        Vital.SYSTOLIC_PRESSURE: 128.0,
        Vital.DIASTOLIC_PRESSURE: 71.0,
        Vital.PULSE_RATE: 88.0,
    }


@pytest.mark.parametrize(("vital", "possible"), POSSIBLE.items())
def test_the_worst_there_is_can_be_entered_and_a_slip_cannot(
    noon: datetime, vital: Vital, possible: Possible
) -> None:
    beside: dict[str, Any] = {"systolic_pressure": 300.0} if vital is Vital.DIASTOLIC_PRESSURE else {}
    for worst in (possible.lowest, possible.highest):
        observation("K", noon, **{vital.value: worst, **beside})
    finest = 0.1 if possible.decimals else 1
    for slip in (possible.lowest - finest, possible.highest + finest, possible.lowest + finest / 2):
        with pytest.raises(ObservationError, match="is not possible; allowed are"):
            observation("K", noon, **{vital.value: slip, **beside})


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_what_is_no_number_is_no_value(noon: datetime, number: float) -> None:
    with pytest.raises(ObservationError, match="not possible"):
        observation("K", noon, temperature=number)


@pytest.mark.parametrize(
    ("pressures", "wanted"),
    [
        ({"diastolic_pressure": 80}, "give the systolic pressure too"),
        ({"systolic_pressure": 80, "diastolic_pressure": 120}, "80 over 120 is not possible"),
    ],
)
def test_pressures_that_contradict_each_other_are_refused(
    noon: datetime, pressures: dict[str, Any], wanted: str
) -> None:
    with pytest.raises(ObservationError, match=wanted):
        observation("K", noon, **pressures)


def test_a_number_is_read_as_people_type_it() -> None:
    assert [number_of(Vital.TEMPERATURE, text) for text in ("37.2", " 37,2 ", "37")] == [37.2, 37.2, 37.0]


def test_what_is_typed_and_no_number_is_refused_without_being_quoted() -> None:
    with pytest.raises(ObservationError, match="pulse rate: what was entered is not a number") as refused:
        number_of(Vital.PULSE_RATE, "Edith")
    assert "Edith" not in str(refused.value)


def test_what_is_entered_by_hand_is_scored_as_what_a_sensor_says(noon: datetime) -> None:
    """No sensor at all: a whole set of one person's eyes and hands."""
    reading = observation(
        "K",
        noon,
        consciousness=Consciousness.ALERT,
        breathing=Breathing.AIR,
        respiration_rate=25,
        temperature=39.5,
        oxygen_saturation=91,
        systolic_pressure=92,
        pulse_rate=115,
    )
    found = score(
        {each.vital: each.value for each in reading.measurements if each.value}, OxygenScale.SCALE_1
    )
    assert (found.total, found.complete) == (3 + 2 + 3 + 2 + 2, True)
