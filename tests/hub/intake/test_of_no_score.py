"""Weight and glucose: told of a person at once and with their set, and never as if they were observed."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hub.cli.event_words import event_lines
from hub.cli.words import observations_words
from hub.readings import AbsentReason, Measurement, Quality, Vital
from hub.store.recent import Recent
from hub.store.rows import newest_assessment
from hub.telling.summaries import read
from hub.telling.summary import Period
from hub.telling.teller import KeptReadings, assessment_of
from hub.uplink.cloudevents import to_json
from tests.rigs.contract import event_faults
from tests.rigs.fhir_bindings import faults
from tests.rigs.home import Home
from tests.rigs.house import (
    ILL,
    OXIMETER,
    House,
    decoded,
    measured_by,
    meter,
    oximeter,
    raw,
    scale,
)
from tests.rigs.simulated_machine import SimulatedMachine

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


# --- they are told


def test_a_glucose_is_told_at_once_with_what_else_was_measured_of_late(house: House, noon: datetime) -> None:
    """A second after an oximeter's set, whose score it does not change: nothing else may come for hours."""
    house.take(oximeter(97, noon))
    house.take(meter(2.4, noon + SECOND))
    told = house.told_observations()[-1]
    glucose = told.observations[Vital.GLUCOSE]
    assert (glucose.value, glucose.at) == (2.4, noon + SECOND)
    assert told.observations[Vital.OXYGEN_SATURATION].value == 97.0


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_glucoses_of_one_minute_each_is_told_and_nobody_was_observed_by_them(
    house: House, noon: datetime, first: int
) -> None:
    """A meter tells minutes, and who sees a 2.1 tries again at once: a set has a place for one of them."""
    at = noon - 3 * HOUR - 30 * MINUTE
    both = [meter(value, noon, measured=at, number=number) for number, value in enumerate((2.1, 5.4))]
    for reading in both[first:] + both[:first]:
        house.take(reading)
    told = [each.observations[Vital.GLUCOSE] for each in house.told_observations()]
    assert {(each.value, each.at, each.reading) for each in told} == {
        (2.1, at, both[0].id), (5.4, at, both[1].id),
    }  # fmt: skip
    with house.transaction() as transaction:
        assert transaction.newest_set(ILL) is None


def test_what_a_meter_has_stored_for_a_year_is_told_as_of_then(house: House, noon: datetime) -> None:
    """At the first link it tells all that it has: of now it would be a glucose that nobody has."""
    days = (365, 200, 40, 20, 2)
    for number, ago in enumerate(days):
        house.take(meter(2.4, noon, measured=noon - ago * 24 * HOUR - 3 * HOUR, number=number))
    told = [each.observations[Vital.GLUCOSE] for each in house.told_observations()]
    assert [each.at for each in told] == [noon - ago * 24 * HOUR - 3 * HOUR for ago in days]
    assert not any(each.doubtful_time for each in told)


def test_each_weight_is_told_however_soon_after_another(house: House, noon: datetime) -> None:
    for second in range(3):
        house.take(scale(60.0 + second, noon + second * SECOND))
    told = [each.observations[Vital.BODY_WEIGHT].value for each in house.told_observations()]
    assert told == [60.0, 61.0, 62.0]


def test_a_weight_is_told_with_what_is_measured_after_it_too(house: House, noon: datetime) -> None:
    house.take(scale(61.5, noon))
    house.take(oximeter(97, noon + 5 * MINUTE))
    assert house.told_observations()[-1].observations[Vital.BODY_WEIGHT].value == 61.5
    house.take(oximeter(97, noon + 31 * MINUTE))
    assert Vital.BODY_WEIGHT not in house.told_observations()[-1].observations


@pytest.mark.parametrize(
    "failed",
    [
        Measurement(Vital.GLUCOSE, None, AbsentReason.ERROR),
        Measurement(Vital.GLUCOSE, None, AbsentReason.NEGATIVE_INFINITY, Quality.UNUSABLE),
        Measurement(Vital.GLUCOSE, 5.4, quality=Quality.UNUSABLE),  # of control solution
    ],
)
def test_a_glucose_that_failed_is_kept_and_no_observation(
    house: House, noon: datetime, failed: Measurement
) -> None:
    house.take(measured_by("glucose", noon, failed))
    assert (house.count("reading"), house.count("assessment")) == (1, 0)


@pytest.mark.parametrize(
    ("beyond", "words"),
    [
        (AbsentReason.NEGATIVE_INFINITY, "glucose below what its sensor can say"),
        (AbsentReason.POSITIVE_INFINITY, "glucose above what its sensor can say"),
    ],
)
def test_a_glucose_beyond_what_its_meter_can_say_is_told_at_once_and_has_no_number(
    house: House, noon: datetime, beyond: AbsentReason, words: str
) -> None:
    """What a meter shows as LO or HI is no failure: it is as far from well as it can be."""
    house.take(meter(5.4, noon - MINUTE))
    house.take(measured_by("glucose", noon, Measurement(Vital.GLUCOSE, None, beyond)))
    event = house.events("observation")[-1]
    assert event_faults(event) == []
    assert faults(json.loads(to_json(event))["data"]) == []
    told = house.told_observations()[-1].observations[Vital.GLUCOSE]
    assert (told.value, told.absent, told.at) == (None, beyond.value, noon)
    assert words in observations_words(house.assessments()[-1]["observations"])
    assert words in "\n".join(event_lines(event))
    period = Period(noon - HOUR, noon + HOUR)
    summed = read(house.connection, house.config, period)[1][0].vitals[Vital.GLUCOSE]
    assert (summed.count, summed.lowest, summed.highest) == (2, 5.4, 5.4)


def test_the_bytes_of_a_meter_that_shows_lo_are_told(house: House, noon: datetime) -> None:
    """2A18: flags (a concentration, in mol/L), number 8, 2026-03-01 12:00:00, minus infinity, capillary."""
    low = bytes.fromhex("06 0800 ea07 03 01 0c 00 00 0208 11")
    house.take(decoded(raw(OXIMETER, "glucose", low, noon, "2a18")))
    assert house.told_observations()[-1].observations[Vital.GLUCOSE].absent == "negative-infinity"


def test_no_score_has_a_value_that_lay_beyond_what_its_sensor_can_say(house: House, noon: datetime) -> None:
    low = Measurement(Vital.OXYGEN_SATURATION, None, AbsentReason.NEGATIVE_INFINITY)
    house.take(measured_by("pulse_oximeter", noon, low))
    assert (house.count("reading"), house.count("assessment")) == (1, 0)


def test_that_it_lay_beyond_is_known_after_a_start(house: House, noon: datetime) -> None:
    low = Measurement(Vital.GLUCOSE, None, AbsentReason.NEGATIVE_INFINITY)
    house.take(measured_by("glucose", noon, low))
    started = Recent(house.connection)
    assert started.newest_set(ILL) is None, "and the window is loaded now"
    assert dict(started.newest(ILL, noon))[Vital.GLUCOSE].observation.value == -math.inf


# --- they do not read as if somebody had been observed


def test_whoever_was_weighed_and_nothing_else_has_no_score(house: House, noon: datetime) -> None:
    taken = house.take(scale(61.5, noon))
    (told,) = house.told_observations()
    assert (told.news2.total, told.news2.sub_scores) == (None, {})
    assert told.news2.words.startswith("NEWS2 unknown: respiration rate, ")
    assert told.news2.words == taken.words
    assert told.risk is None


def test_a_weight_is_not_shown_in_the_place_of_the_last_score(house: House, noon: datetime) -> None:
    house.take(oximeter(85, noon, pulse=140))
    house.take(scale(61.5, noon + HOUR))
    newest = newest_assessment(house.connection, ILL)
    assert newest is not None
    assert newest.at == noon


def test_a_meters_hundreds_of_records_do_not_hide_the_last_score(house: House, noon: datetime) -> None:
    house.take(oximeter(85, noon, pulse=140))
    for number in range(60):
        house.take(meter(6.1, noon + HOUR + number * SECOND, measured=noon - number * HOUR, number=number))
    newest = newest_assessment(house.connection, ILL)
    assert newest is not None
    assert newest.at == noon


def test_of_whoever_was_only_ever_weighed_the_newest_is_shown_as_not_scored(
    house: House, noon: datetime
) -> None:
    for minute in range(60):
        house.take(scale(61.5, noon + minute * MINUTE))
    newest = newest_assessment(house.connection, ILL)
    assert newest is not None
    assert newest.at == noon + 59 * MINUTE
    whole = assessment_of(KeptReadings(house.connection), newest)
    assert whole.words.startswith("NEWS2 unknown")


def test_an_escalation_tells_how_the_resident_was_last_observed_and_not_what_they_weigh(
    tmp_path: Path, homes: list[Home]
) -> None:
    homes.append(Home(tmp_path, SimulatedMachine(synchronised=True)))
    home = homes[0]
    home.take(oximeter(85, home.machine.wall))
    home.machine.pass_time(40 * MINUTE)
    home.take(scale(61.5, home.machine.wall))
    home.escalate()
    (alert,) = [each for each in home.house.told_alerts() if each.tell]
    assert alert.newest is None, "it is the set that raised it"
    assert alert.assessment.observations.keys() == {Vital.OXYGEN_SATURATION, Vital.PULSE_RATE}


# --- the clock that is set


def test_what_was_weighed_in_this_boot_has_nobody_assessed_anew_by_it_alone(
    tmp_path: Path, homes: list[Home]
) -> None:
    homes.append(Home(tmp_path, SimulatedMachine(synchronised=True)))
    home = homes[0]
    home.take(scale(61.5, home.machine.wall))
    home.boot_again(-3 * HOUR, synchronised=False, off=2 * MINUTE)
    home.take(oximeter(92, home.machine.wall))
    assessed = home.house.count("assessment")
    home.network()
    assert home.house.count("assessment") == assessed


def test_a_glucose_that_was_told_with_a_wrong_time_is_amended(tmp_path: Path, homes: list[Home]) -> None:
    homes.append(Home(tmp_path, SimulatedMachine(-3 * HOUR)))
    home = homes[0]
    home.take(oximeter(97, home.machine.wall))
    home.take(meter(2.4, home.machine.wall))
    told = home.house.events("observation")
    home.house.connection.execute("DELETE FROM outbox")
    home.network()
    amended = home.house.events("amended_observation")
    assert {each.extensions["corrects"] for each in amended} == {each.id for each in told}
    assert len(told) == 2


def test_a_set_reads_as_people_say_it(house: House, noon: datetime) -> None:
    house.take(scale(61.5, noon))
    house.take(meter(5.4, noon + MINUTE))
    words = observations_words(house.assessments()[-1]["observations"])
    assert sorted(words.split(", ")) == ["glucose 5.4 mmol/L", "weight 61.5 kg"]
