"""A reading's place in time: its set, however late it comes and in whatever order."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest

from drivers.virtual import encoding
from hub.alerts.book import AlertBook
from hub.alerts.commands import Commands
from hub.alerts.life import AlertPolicy, Outcome
from hub.assessment.news2 import Band
from hub.cli.words import measurements_words, observations_words
from hub.clock import now
from hub.readings import Vital
from hub.store.encoding import TIME_QUALITY_NUMBERS
from hub.store.rows import newest_assessment
from hub.timekeeping.timing import TimeQuality
from hub.uplink.contract import AlertChange
from tests.rigs.house import ILL, THERMOMETER, House, cuff, decoded, entry, oximeter, raw, thermometer

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


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
        newest = newest_assessment(house.connection, ILL)
        assert newest is not None
        assert newest.total == 9, order
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
    taken = house.take(cuff(60, noon, measured=noon - 25 * HOUR))
    assert taken.outcome is Outcome.TOO_LATE
    assert house.assessments()[0]["news2"]["total"] == 3
    assert house.alerts() == []
    assert house.events("alert") == []


def test_a_reading_not_older_than_late_does_alert_and_says_its_delay(house: House, noon: datetime) -> None:
    house.take(cuff(60, noon, measured=noon - 11 * HOUR))
    (alert,) = house.alerts()
    assert "measured 660 min before this alert" in alert.words


def test_a_sensor_whose_clock_runs_ahead_is_placed_when_it_was_received(house: House, noon: datetime) -> None:
    house.take(cuff(60, noon, measured=noon + 3 * HOUR))
    (row,) = house.connection.execute("SELECT measured_at, time_quality FROM reading")
    assert row == (None, TIME_QUALITY_NUMBERS[TimeQuality.DOUBTFUL]), "no time but that of the receipt"
    assert len(house.alerts()) == 1


@pytest.mark.parametrize("slow", [HOUR, 12 * HOUR, 24 * HOUR])
def test_a_live_reading_of_a_slow_clock_is_scored_beside_the_others_alerted_and_marked(
    house: House, noon: datetime, slow: timedelta
) -> None:
    house.take(oximeter(93, noon))
    house.take(entry(noon + MINUTE, rate=22), ILL)
    house.take(cuff(85, noon + 2 * MINUTE, measured=noon + 2 * MINUTE - slow))
    (alert,) = house.open_alerts()
    assert alert.news2.total == 7
    assert alert.doubtful_time >= {Vital.SYSTOLIC_PRESSURE, Vital.PULSE_RATE}
    told = house.told_alerts(AlertChange.RAISED)[-1]
    observations = told.assessment.observations
    assert {vital for vital, said in observations.items() if said.doubtful_time} == {
        Vital.SYSTOLIC_PRESSURE, Vital.DIASTOLIC_PRESSURE, Vital.MEAN_ARTERIAL_PRESSURE, Vital.PULSE_RATE,
    }  # fmt: skip
    assert not observations[Vital.OXYGEN_SATURATION].doubtful_time
    assert told.words.endswith("clock may be wrong: systolic pressure, pulse rate")
    said = measurements_words([each.said for each in observations.values()])
    assert "[BP 85/50 mmHg: when is doubtful]" in said
    assert "[BP 85/50 mmHg: when is doubtful]" in observations_words(house.assessments()[-1]["observations"])


def test_a_cuff_whose_clock_nobody_set_ends_no_alert(house: House, noon: datetime) -> None:
    house.take(cuff(85, noon))
    unset = datetime(2020, 1, 1, tzinfo=noon.tzinfo)
    for minute in (1, 32, 63):
        house.take(cuff(130, noon + minute * MINUTE, measured=unset + minute * MINUTE))
    assert len(house.open_alerts()) == 1
    for minute in (70, 100):
        house.take(cuff(130, noon + minute * MINUTE))
    assert house.open_alerts() == []


def test_a_hub_whose_clock_was_a_year_ahead_is_silent_about_no_relapse(house: House) -> None:
    """As when a Pi starts with a wrong date, alerts, and is then put right."""
    right = now()
    house.take(oximeter(80, right + timedelta(days=365), pulse=140))
    (alert,) = house.open_alerts()
    commands = Commands(
        AlertBook(house.identity), AlertPolicy.of(house.config.alerts, house.config.observation_sets)
    )
    with house.transaction() as transaction:
        commands.acknowledge(transaction, alert.id, "carer-7", alert.raised_at, "hub")
    for hour in range(3):
        house.take(oximeter(98, right + hour * HOUR))
    assert house.open_alerts() == []
    assert house.take(oximeter(80, right + timedelta(days=30), pulse=140)).outcome is Outcome.RAISED


def test_a_thermometer_whose_clock_stands_still_loses_no_measurement(house: House, noon: datetime) -> None:
    payload = bytearray(encoding.temperature(34.8))
    payload[0] |= 0x02  # Health Thermometer Service 3.1: a time stamp follows
    payload[5:5] = (2000).to_bytes(2, "little") + bytes([1, 1, 0, 0, 0])
    for day in (0, 7):
        at = noon + timedelta(days=day)
        assert not house.take(decoded(raw(THERMOMETER, "thermometer", bytes(payload), at))).duplicate
        assert house.take(decoded(raw(THERMOMETER, "thermometer", bytes(payload), at + MINUTE))).duplicate
