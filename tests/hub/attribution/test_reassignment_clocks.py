"""Whose a reading is, said where the hub's clock was set between, or was not set."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from hub.alerts.book import AlertBook
from hub.alerts.life import Alert, AlertPolicy, Outcome
from hub.attribution.alerts_corrected import AlertsCorrected
from hub.attribution.reassignment import Became, Reassignment, ReassignmentError
from hub.readings import Reading
from hub.residents.care import Care
from tests.rigs.home import Home
from tests.rigs.house import ILL, SHARED, WELL, WELL_OXIMETER, oximeter
from tests.rigs.simulated_machine import MINUTE, SimulatedMachine

DAYS = timedelta(days=3)


class Desk(Home):
    """A home on a machine, and somebody who says whose readings are."""

    def _start(self) -> None:
        super()._start()
        house = self.house
        policy = AlertPolicy.of(house.config.alerts, house.config.observation_sets)
        book = AlertBook(house.identity, self.clock)
        self.reassignment = Reassignment(
            house.config,
            house.register,
            house.intake,
            house.follower,
            AlertsCorrected(book, policy, house.register),
        )

    def measured(self, saturation: float, of: str | None = None, device: str = SHARED) -> Reading:
        """What is measured a minute later."""
        self.machine.pass_time(MINUTE)
        self.watch()
        reading = oximeter(saturation, self.machine.wall, device=device)
        self.take(reading, of)
        return reading

    def assign(self, resident: str, *readings: Reading) -> Became:
        with self.house.transaction() as transaction:
            return self.reassignment.assign(transaction, [each.id for each in readings], resident, "Sam")

    def correct(self, reading: Reading, resident: str | None) -> Became:
        with self.house.transaction() as transaction:
            return self.reassignment.correct(transaction, reading.id, resident, "wrong room", "Sam")

    def open_of(self, resident: str) -> Alert | None:
        return next((each for each in self.house.open_alerts() if each.resident == resident), None)


def made(directory: Path, error: timedelta) -> Desk:
    return Desk(directory, SimulatedMachine(error, synchronised=False))


@pytest.fixture(params=[-DAYS, DAYS], ids=["behind", "ahead"])
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Desk]:
    desk = made(tmp_path, request.param)
    yield desk
    desk.house.connection.close()


def test_what_was_measured_by_an_unset_clock_is_of_when_it_was_and_can_be_assigned(tmp_path: Path) -> None:
    desk = made(tmp_path, -DAYS)
    register = desk.house.register
    register.list_resident(register.resident(ILL), Care(), since=desk.machine.true - timedelta(days=1))
    reading = desk.measured(84)
    desk.network()
    assert desk.assign(ILL, reading).outcome is Outcome.RAISED
    desk.house.connection.close()


def test_what_was_measured_before_they_were_here_is_not_theirs_by_a_clock_that_was_ahead(
    tmp_path: Path,
) -> None:
    desk = made(tmp_path, DAYS)
    reading = desk.measured(84)
    desk.network()
    register = desk.house.register
    register.list_resident(register.resident(ILL), Care(), since=desk.machine.true)
    with pytest.raises(ReassignmentError, match="before they were here"):
        desk.assign(ILL, reading)
    desk.house.connection.close()


def test_who_was_entered_while_the_clock_was_ahead_can_be_given_what_is_theirs(tmp_path: Path) -> None:
    desk = made(tmp_path, DAYS)
    register = desk.house.register
    register.list_resident(register.resident(ILL), Care(), since=desk.machine.wall)
    desk.network()
    assert desk.assign(ILL, desk.measured(84)).outcome is Outcome.RAISED
    desk.house.connection.close()


def test_an_alert_of_before_the_clock_was_set_that_anothers_good_values_ended_is_raised_again(
    desk: Desk,
) -> None:
    desk.measured(84, device=WELL_OXIMETER)
    assert desk.open_of(WELL) is not None
    desk.network()
    first = desk.measured(97, WELL)
    desk.machine.pass_time(40 * MINUTE)
    last = desk.measured(97, WELL)
    assert desk.open_of(WELL) is None, "by the values of another"
    desk.correct(last, ILL)
    desk.correct(first, ILL)
    theirs = desk.open_of(WELL)
    assert theirs is not None
    assert theirs.acknowledged_at is None


def test_a_wrong_reading_of_before_the_clock_was_set_is_taken_out_of_what_came_after(desk: Desk) -> None:
    desk.measured(84, device=WELL_OXIMETER)
    first = desk.measured(97, WELL)
    desk.network()
    desk.machine.pass_time(40 * MINUTE)
    last = desk.measured(97, WELL)
    assert desk.open_of(WELL) is None, "by the values of another"
    desk.correct(first, ILL)
    desk.correct(last, ILL)
    assert desk.open_of(WELL) is not None


def test_an_alert_that_rested_on_it_is_closed_though_the_clock_was_set_between(desk: Desk) -> None:
    wrong = desk.measured(84, WELL)
    desk.network()
    desk.measured(97, device=WELL_OXIMETER)
    desk.correct(wrong, ILL)
    assert desk.open_of(WELL) is None
