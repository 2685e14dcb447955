"""The history of risks: it outlives the sets, one row an hour, and what is looked at of late is bounded."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.clock import ClockQuality, to_microseconds
from hub.readings import Vital
from hub.running.housekeeping import Housekeeping
from hub.shadow.record import AlertBudget
from hub.store import scores
from hub.store.planner import Planner, Progress
from hub.store.retention import Limits
from hub.store.scores import Score, history, keep, recent_risks, recent_sets, rows_to_keep, trim
from hub.store.writer import Writer
from tests.rigs.house import ILL, WELL, WELL_OXIMETER, House, cuff, entry, oximeter
from tests.rigs.made_up_model import MODEL_NAME, OTHER_NAME, made_up_model

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, model=made_up_model(), budget=AlertBudget(0.5))
    yield house
    house.connection.close()


def told(house: House) -> list[Score]:
    return sorted(history(house.connection), key=lambda each: (each.at, each.resident))


def all_assessments(house: House) -> list[int]:
    return [number for (number,) in house.connection.execute("SELECT sequence FROM assessment")]


def remove_all(house: House) -> None:
    """As retention does, all that there is."""
    going = all_assessments(house)
    keep(house.connection, rows_to_keep(house.connection, going))
    house.connection.execute("DELETE FROM assessment")


def test_a_set_is_in_the_history_with_what_it_is_judged_by(house: House, noon: datetime) -> None:
    house.take(cuff(120, noon, pulse=110))
    (said,) = told(house)
    assert (said.resident, said.at, said.clock) == (ILL, noon, ClockQuality.SYNCHRONISED)
    assert (said.risk, said.highest, said.would_alert) == (0.55, 0.55, True)
    assert said.model == MODEL_NAME
    assert (said.band, said.total) == ("low", 1)
    assert said.vitals >= {Vital.SYSTOLIC_PRESSURE, Vital.PULSE_RATE}
    assert Vital.TEMPERATURE not in said.vitals


def test_a_round_is_one_row_its_last_set_with_the_highest_risk_of_all(house: House, noon: datetime) -> None:
    for number, pulse in enumerate((60, 130, 80)):
        house.take(oximeter(96, noon + number * MINUTE, pulse=pulse))
    (said,) = told(house)
    assert (said.risk, said.highest, said.would_alert) == (0.4, 0.65, True)
    assert said.at == noon + 2 * MINUTE


def test_each_resident_and_hour_has_its_own_row(house: House, noon: datetime) -> None:
    for at in (noon, noon + HOUR):
        house.take(oximeter(96, at, pulse=70))
        house.take(oximeter(96, at, pulse=90, device=WELL_OXIMETER))
    assert [(each.resident, each.risk) for each in told(house)] == [(WELL, 0.45), (ILL, 0.35)] * 2


def test_the_history_is_the_same_before_and_after_the_sets_are_removed(house: House, noon: datetime) -> None:
    for number, pulse in enumerate((60, 130, 80, 70, 99)):
        house.take(oximeter(96, noon + number * 25 * MINUTE, pulse=pulse))
    house.take(cuff(100, noon + 3 * HOUR))
    before = told(house)
    remove_all(house)
    assert house.count("assessment") == 0
    assert told(house) == before
    assert len(before) == 3


def test_an_hour_of_which_half_was_removed_is_still_one_row(house: House, noon: datetime) -> None:
    house.take(oximeter(96, noon, pulse=130))
    remove_all(house)
    house.take(oximeter(96, noon + 10 * MINUTE, pulse=60))
    (said,) = told(house)
    assert (said.risk, said.highest, said.would_alert) == (0.3, 0.65, True)
    remove_all(house)
    assert told(house) == [said]


def test_what_had_no_risk_is_not_in_it(tmp_path: Path, noon: datetime) -> None:
    house = House(tmp_path)
    house.take(oximeter(96, noon))
    assert rows_to_keep(house.connection, all_assessments(house)) == []
    assert told(house) == []
    house.connection.close()


def test_without_a_budget_nothing_is_said_of_alerts(tmp_path: Path, noon: datetime) -> None:
    house = House(tmp_path, model=made_up_model())
    house.take(oximeter(96, noon, pulse=190))
    assert [each.would_alert for each in told(house)] == [None]
    house.connection.close()


def test_retention_keeps_the_history_of_what_it_removes(house: House, noon: datetime) -> None:
    for day in range(4):
        house.take(oximeter(96, noon + day * DAY, pulse=60 + day))
    before = told(house)
    limits = Limits(DAY, 2 * DAY, DAY, DAY, newest=1)
    pieces = Planner(house.connection, limits, noon + 30 * DAY, Progress()).by_age(20)
    for piece in pieces:
        piece.remove(house.connection)
    assert house.count("assessment") < 4
    assert told(house) == before


def test_it_goes_when_its_own_time_is_over(house: House, noon: datetime) -> None:
    for day in range(3):
        house.take(oximeter(96, noon + day * DAY))
    remove_all(house)
    assert trim(house.connection, noon + DAY + HOUR) == 2
    assert [each.at for each in told(house)] == [noon + 2 * DAY]


async def test_housekeeping_lets_it_go(tmp_path: Path) -> None:
    house = House(tmp_path, '[store]\nkeep_scores = "10 d"', model=made_up_model())
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    house.take(oximeter(96, long_ago))
    remove_all(house)
    async with Writer(house.path) as writer:
        await writer.write(Housekeeping(house.config, house.path, writer)._trim)
    assert told(house) == []
    house.connection.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE kept_score SET vitals = '99 x'",
        "UPDATE kept_score SET model = 77",
        "UPDATE kept_score SET clock = 9",
    ],
)
def test_a_damaged_row_is_left_out_and_hides_no_other(house: House, noon: datetime, damage: str) -> None:
    house.take(oximeter(96, noon))
    remove_all(house)
    house.take(oximeter(96, noon + 2 * HOUR))
    house.connection.execute("PRAGMA foreign_keys = OFF")
    house.connection.execute(damage)
    assert [each.at for each in told(house)] == [noon + 2 * HOUR]


# --- of late


def test_of_late_the_highest_risk_of_each_hour_counts(house: House, noon: datetime) -> None:
    for number, pulse in enumerate((60, 130, 80)):
        house.take(oximeter(96, noon + number * MINUTE, pulse=pulse))
    house.take(oximeter(96, noon + 2 * HOUR, pulse=70))
    found = list(recent_risks(house.connection, MODEL_NAME, noon - HOUR, noon + DAY))
    assert found == [(ILL, to_microseconds(noon), 0.65), (ILL, to_microseconds(noon + 2 * HOUR), 0.35)]


def test_of_late_only_what_lies_between_is_found(house: House, noon: datetime) -> None:
    for hours in range(0, 100, 7):
        house.take(oximeter(96, noon + hours * HOUR))
    since, until = noon + 30 * HOUR, noon + 99 * HOUR
    found = [at for _, at, _ in recent_risks(house.connection, MODEL_NAME, since, until)]
    assert found == [to_microseconds(noon + hours * HOUR) for hours in range(35, 100, 7)]


def test_another_models_history_does_not_count(house: House, noon: datetime) -> None:
    house.take(oximeter(96, noon))
    unlike = [OTHER_NAME, replace(MODEL_NAME, sha256="0" * 12)]
    for name in unlike:
        assert list(recent_risks(house.connection, name, noon - DAY, noon + DAY)) == []
        assert list(recent_sets(house.connection, name, noon - DAY, noon + DAY, 10)) == []


def test_a_recalibration_changes_nothing_of_it(house: House, noon: datetime) -> None:
    house.take(oximeter(96, noon, pulse=100))
    house.connection.execute("UPDATE assessment SET uncalibrated = risk, risk = 0.01")
    assert [risk for _, _, risk in recent_risks(house.connection, MODEL_NAME, noon - DAY, noon + DAY)] == [
        0.5
    ]
    assert [each.risk for each in told(house)] == [0.5]


def test_of_late_the_last_set_of_each_hour_is_what_the_model_was_given(house: House, noon: datetime) -> None:
    house.take(oximeter(93, noon, pulse=60))
    house.take(oximeter(97, noon + MINUTE, pulse=90))
    house.take(entry(noon + 2 * MINUTE, rate=18), ILL)
    (found,) = recent_sets(house.connection, MODEL_NAME, noon - DAY, noon + DAY, 10)
    assert (found.values[Vital.OXYGEN_SATURATION], found.values[Vital.RESPIRATION_RATE]) == (97.0, 18.0)
    assert found.risk == 0.45


def test_of_late_the_newest_are_taken_where_there_are_too_many(
    house: House, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hours in range(10):
        house.take(oximeter(96, noon + hours * HOUR, pulse=60 + hours))
    sets = recent_sets(house.connection, MODEL_NAME, noon - DAY, noon + DAY, 3)
    assert [each.values[Vital.PULSE_RATE] for each in sets] == [69.0, 68.0, 67.0]
    monkeypatch.setattr(scores, "MOST_LOOKED_AT", 4)
    assert len(list(recent_risks(house.connection, MODEL_NAME, noon - DAY, noon + DAY))) == 4


def test_what_a_wrong_clock_put_into_the_future_is_not_of_late(house: House, noon: datetime) -> None:
    house.take(oximeter(96, noon + 400 * DAY))
    assert list(recent_risks(house.connection, MODEL_NAME, noon - DAY, noon)) == []


@pytest.mark.parametrize("column", ["risk", "uncalibrated"])
@pytest.mark.parametrize("damaged", [b"\x00", "seven", 7.0, math.inf])
def test_a_damaged_risk_costs_its_own_set_and_no_other(
    house: House, noon: datetime, column: str, damaged: object
) -> None:
    """Else nothing would be removed from the card any more, and no threshold found."""
    for hours, pulse in ((0, 80), (1, 90)):
        house.take(oximeter(97, noon + hours * HOUR, pulse=pulse))
    house.connection.execute(f"UPDATE assessment SET {column} = ? WHERE sequence = 1", (damaged,))
    model, since, until = MODEL_NAME, noon - DAY, noon + DAY
    assert [each.risk for each in told(house)] == [0.45]
    assert [risk for _, _, risk in recent_risks(house.connection, model, since, until)] == [0.45]
    assert [each.risk for each in recent_sets(house.connection, model, since, until, 9)] == [0.45]
    remove_all(house)
    assert [each.risk for each in told(house)] == [0.45]


def test_a_damaged_row_of_the_history_costs_itself_alone(house: House, noon: datetime) -> None:
    for hours in (0, 1):
        house.take(oximeter(97, noon + hours * HOUR, pulse=80))
    remove_all(house)
    house.take(oximeter(97, noon + MINUTE, pulse=90))
    house.connection.execute("UPDATE kept_score SET highest = 'x' WHERE at = ?", (to_microseconds(noon),))
    assert [each.risk for each in told(house)] == [0.45, 0.4]
