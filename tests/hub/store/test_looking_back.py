"""What the page asks of the past: all of a period is found, whatever the hub's clock said meanwhile."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hub.assessment.news2 import PARAMETERS
from hub.clock import now, to_microseconds
from hub.configuration.file import load
from hub.readings import Vital
from hub.store.looking_back import (
    assessments,
    first_assessment_since,
    first_reading_since,
    known_at,
    newest_stretches,
    past_score,
    readings,
    record_of,
    scored,
    values_in,
)
from hub.timekeeping.present import clock_rule
from tests.rigs.furnished_home import furnished, pseudonyms
from tests.rigs.home import Home
from tests.rigs.house import ILL, House, oximeter, thermometer
from tests.rigs.simulated_machine import HOUR, MINUTE, SimulatedMachine

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Two residents of whom is known what was measured four times a day for ninety days."""
    house = furnished(tmp_path_factory.mktemp("lived_in"), residents=2, days=90, present=False)
    assert house.count("reading") > 2_500, "more than there are places that are looked at"
    return house


@pytest.mark.parametrize("days", [0, 1, 7, 30, 89, 400])
def test_all_of_a_period_is_found_and_little_more(lived_in: House, days: int) -> None:
    connection, since = lived_in.connection, now() - days * DAY
    record = record_of(connection, clock_rule(lived_in.config))
    first = first_reading_since(connection, record, since)
    (earliest, highest) = connection.execute(
        "SELECT min(sequence), max(sequence) FROM reading WHERE received_at >= ?", (to_microseconds(since),)
    ).fetchone()
    if earliest is None:
        assert highest is None
        (highest,) = connection.execute("SELECT max(sequence) FROM reading").fetchone()
        earliest = highest + 1
    assert first < earliest
    assert earliest - first <= 20
    assert first_assessment_since(connection, first) <= first, "each reading completed a set here"


def test_where_the_clock_was_wrong_for_a_while_nothing_is_lost(lived_in: House) -> None:
    connection = lived_in.connection
    record = record_of(connection, clock_rule(lived_in.config))
    since = now() - 7 * DAY
    (earliest,) = connection.execute(
        "SELECT min(sequence) FROM reading WHERE received_at >= ?", (to_microseconds(since),)
    ).fetchone()
    connection.execute("BEGIN")
    # Some of these days are told years ago: whatever stands before them is of then all the same.
    connection.execute("UPDATE reading SET received_at = 0 WHERE sequence >= ?", (earliest + 60,))
    assert first_reading_since(connection, record, since) < earliest
    connection.execute("ROLLBACK")


def test_the_rows_of_the_furnished_home_are_the_hubs_own(lived_in: House) -> None:
    connection = lived_in.connection
    record = record_of(connection, clock_rule(lived_in.config))
    found = list(readings(connection, record, 0))
    assert len(found) == lived_in.count("reading")
    rows = list(assessments(connection, 0, resident=ILL))
    assert all(each.resident == ILL for each in rows)
    newest = rows[-1]
    whole = scored(newest, known_at(connection, record, newest))
    assert (whole.news2.total, whole.news2.band.value) == (newest.total, newest.band)
    assert whole.complete
    assert past_score(newest, whole.at).complete
    measured = {value.vital for each in found[-4:] for value in values_in(each)}
    assert measured >= set(PARAMETERS)


def test_one_residents_readings_are_theirs_alone(lived_in: House) -> None:
    record = record_of(lived_in.connection, clock_rule(lived_in.config))
    found = list(readings(lived_in.connection, record, 0, resident=ILL))
    assert {each.placed.resident for each in found} == {ILL}
    assert 0 < len(found) < lived_in.count("reading")


def test_a_set_of_before_the_clock_was_set_is_put_right(tmp_path: Path) -> None:
    machine = SimulatedMachine(-5 * HOUR)
    home = Home(tmp_path, machine)
    home.watch()
    true = machine.true
    home.take(thermometer(37.0, machine.wall))
    machine.pass_time(MINUTE)
    home.take(oximeter(97, machine.wall))
    home.network()
    connection = home.house.connection
    record = record_of(connection, home.house.follower.rule)
    moments = [known_at(connection, record, row) for row in assessments(connection, 0)]
    assert [round((at - true) / MINUTE) for at in moments] == [0, 1]
    assert first_reading_since(connection, record, true - MINUTE) == 0, "they are of today, as is known now"


def test_there_is_nothing_to_find(tmp_path: Path) -> None:
    house = House(tmp_path)
    record = record_of(house.connection, clock_rule(house.config))
    assert first_reading_since(house.connection, record, now()) == 0
    assert first_assessment_since(house.connection, 0) == 0
    assert list(readings(house.connection, record, 0)) == []
    assert list(newest_stretches(house.connection, record, 0)) == []


def test_a_home_is_furnished_as_it_is_asked_for(tmp_path: Path) -> None:
    house = furnished(tmp_path, residents=4, days=2, rounds=2)
    config = load(tmp_path / "hub.toml")
    assert [each.id for each in config.residents] == pseudonyms(4)
    assert {alert.resident for alert in house.open_alerts()} == set(pseudonyms(2))
    nobodys = [each for each in house.readings() if each.placed.resident is None]
    assert [each.placed.taken[0].vital for each in nobodys] == [Vital.OXYGEN_SATURATION]
