"""What a person enters becomes a reading like any other."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from hub.manual import ObservationError, observation
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
