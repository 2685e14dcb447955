"""A reading's place in time: its set, however late it comes and in whatever order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest

from hub.alerts import Outcome
from hub.assessment.news2 import Band
from tests.rigs.house import ILL, House, cuff, entry, oximeter, thermometer

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.connection.close()


def test_a_value_older_than_its_limit_is_missing_and_never_carried_forward(
    tmp_path: Path, noon: datetime
) -> None:
    house = House(
        tmp_path, '[observation_sets]\nrecent = "30 min"\nrecent_by_vital = {temperature = "2 h"}\n'
    )
    house.take(thermometer(36.8, noon - 90 * MINUTE))
    house.take(cuff(85, noon - 31 * MINUTE))
    house.take(entry(noon - 30 * MINUTE), ILL)
    house.take(oximeter(97, noon))
    assert set(house.assessments()[-1]["observations"]) == {
        "temperature", "respiration_rate", "consciousness", "supplemental_oxygen",
        "oxygen_saturation", "pulse_rate",
    }  # fmt: skip


def test_a_late_reading_forms_its_set_in_its_own_time(house: House, noon: datetime) -> None:
    """The cuff measured two hours ago: the oximeter of two hours ago is its set, not that of now."""
    house.take(oximeter(97, noon - 2 * HOUR - MINUTE))
    house.take(oximeter(91, noon - MINUTE))
    house.take(cuff(105, noon, measured=noon - 2 * HOUR))
    late = house.assessments()[-1]
    assert late["observations"]["oxygen_saturation"]["value"] == 97
    assert late["observations"]["systolic_pressure"]["measured_at"] == (noon - 2 * HOUR).isoformat()
    assert late["news2"]["total"] == 1
    assert len(house.assessments()) == 3


def test_a_late_reading_that_is_still_recent_counts_beside_what_was_measured_since(
    house: House, noon: datetime
) -> None:
    """A cuff of 12 minutes ago (3 points) comes after the oximeter of now (3 points): together medium.

    Nothing may be measured for hours afterwards, so it cannot wait for the next reading.
    """
    house.take(oximeter(91, noon - MINUTE))
    house.take(cuff(88, noon, measured=noon - 12 * MINUTE))
    own_time, present = house.assessments()[-2:]
    assert (own_time["news2"]["total"], present["news2"]["total"]) == (3, 6)
    assert [alert.band for alert in house.open_alerts()] == [Band.MEDIUM]
    assert len({event.id for event in house.events()}) == len(house.events())


def test_whatever_the_order_of_arrival_the_newest_set_has_all_that_is_recent_and_is_alerted(
    tmp_path: Path, noon: datetime
) -> None:
    """As when readings that waited out a full disk are committed in another order."""
    readings = [
        cuff(88, noon, pulse=72),
        oximeter(91, noon + MINUTE),
        thermometer(34.9, noon + 2 * MINUTE),
        cuff(125, noon - 40 * MINUTE),  # not recent any more
    ]
    for number, order in enumerate(permutations(readings)):
        house = House(tmp_path / str(number))
        for reading in order:
            house.take(reading)
        newest = house.connection.execute(
            "SELECT body FROM assessment ORDER BY at DESC, sequence DESC LIMIT 1"
        ).fetchone()
        score = json.loads(newest[0])["news2"]
        assert score["total"] == 9, order
        assert [alert.band for alert in house.open_alerts()] == [Band.HIGH]
        house.connection.close()


def test_after_the_clock_was_set_back_readings_are_taken_and_alerted(house: House, noon: datetime) -> None:
    house.take(oximeter(97, noon))
    house.take(oximeter(91, noon - 10 * MINUTE))
    house.take(cuff(88, noon - 9 * MINUTE))
    house.take(oximeter(85, noon - 8 * MINUTE, pulse=133))
    assert [alert.band for alert in house.open_alerts()] == [Band.HIGH]
    assert house.count("reading") == 4


def test_a_late_reading_that_says_nothing_of_the_present_is_assessed_once(
    house: House, noon: datetime
) -> None:
    house.take(cuff(120, noon - MINUTE))
    house.take(cuff(88, noon, measured=noon - 12 * MINUTE))
    assert [one["news2"]["total"] for one in house.assessments()] == [0, 3]


def test_a_reading_older_than_late_is_kept_and_scored_and_raises_no_alert(
    house: House, noon: datetime
) -> None:
    taken = house.take(cuff(60, noon, measured=noon - 13 * HOUR))
    assert taken.outcome is Outcome.TOO_LATE
    assert house.assessments()[0]["news2"]["total"] == 3
    assert house.alerts() == []
    assert house.events("alert") == []


def test_a_reading_not_older_than_late_does_alert_and_says_its_delay(house: House, noon: datetime) -> None:
    house.take(cuff(60, noon, measured=noon - 11 * HOUR))
    (alert,) = house.alerts()
    assert "measured 660 min before it reached the hub" in alert.words


def test_a_sensor_whose_clock_runs_ahead_is_placed_when_it_was_received(house: House, noon: datetime) -> None:
    house.take(cuff(60, noon, measured=noon + 3 * HOUR))
    (row,) = house.connection.execute("SELECT measured_at = received_at, time_quality FROM reading")
    assert row == (1, "doubtful")
    assert len(house.alerts()) == 1
