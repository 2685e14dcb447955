"""A sensor that is handed on brings the memory of whom it served before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hub.readings import Flag
from tests.rigs.house import CUFF, ILL, House, cuff

HOUR = timedelta(hours=1)


@pytest.fixture
def house(tmp_path: Path, noon: datetime) -> Iterator[House]:
    """Where the cuff is the resident's since noon."""
    house = House(tmp_path)
    sensor = house.intake._register.sensor(CUFF)
    assert sensor is not None
    house.intake._register.enrol(sensor, noon)
    yield house
    house.connection.close()


@pytest.mark.parametrize("hours", [0.01, 1, 3.5, 24, 24 * 20])
def test_what_it_measured_before_is_nobodys_and_raises_no_alert(
    house: House, noon: datetime, hours: float
) -> None:
    taken = house.take(cuff(70, noon + HOUR / 60, measured=noon - hours * HOUR))
    assert taken.resident is None
    assert house.alerts() == []
    assert house.count("reading") == 1, "it is kept, and waits for a person"


def test_what_it_measures_now_is_its_residents(house: House, noon: datetime) -> None:
    assert house.take(cuff(70, noon + HOUR, measured=noon + HOUR)).resident == ILL
    assert len(house.open_alerts()) == 1


def test_what_it_measures_with_no_clock_or_one_that_nobody_set_is_its_residents(
    house: House, noon: datetime
) -> None:
    """Else a cuff whose clock cannot be set would be nobody's for ever."""
    assert house.take(cuff(120, noon + HOUR)).resident == ILL
    year_2000 = cuff(121, noon + HOUR, measured=noon.replace(year=2000, month=1, day=1))
    assert Flag.CLOCK_NOT_SET not in year_2000.flags
    assert house.take(year_2000).resident == ILL


def test_a_person_may_say_whose_it_was(house: House, noon: datetime) -> None:
    before = cuff(120, noon + HOUR, measured=noon - 3 * HOUR)
    assert house.take(before, resident=ILL).resident == ILL
