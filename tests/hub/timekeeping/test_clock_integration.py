"""A hub whose clock is set decides as one whose clock was always right; what it had noted is put right."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from hub.alerts.life import Outcome, Resolution
from hub.clock import ClockStamp, StepKind, to_microseconds
from hub.readings import Reading
from hub.store.audit import entries
from hub.store.rows import reading_by_number
from hub.store.steps import all_steps
from hub.store.transaction import Transaction
from hub.telling.teller import KeptReadings
from hub.timekeeping.present import Present
from hub.timekeeping.timing import TimeQuality
from hub.trail import Audited
from tests.rigs.home import Home
from tests.rigs.house import ILL, cuff, entry, oximeter
from tests.rigs.simulated_machine import HOUR, MINUTE, SECOND, SimulatedMachine

DAY = timedelta(days=1)
UNTIL_RESOLVED = timedelta(minutes=31)


@pytest.fixture
def home(tmp_path: Path, homes: list[Home]) -> Home:
    """The machine's clock is five hours behind and not synchronised."""
    homes.append(Home(tmp_path, SimulatedMachine(-5 * HOUR)))
    return homes[0]


def synchronised(tmp_path: Path, homes: list[Home]) -> Home:
    homes.append(Home(tmp_path, SimulatedMachine(synchronised=True)))
    return homes[-1]


def step_ahead(home: Home) -> None:
    home.machine.set_from_network()


def step_back(home: Home) -> None:
    home.machine.set_by_hand(-9 * HOUR)


SteppedBy = Callable[[Home], None]
STEPS = pytest.mark.parametrize("step", [step_ahead, step_back])


@STEPS
def test_what_is_measured_on_both_sides_of_a_step_is_scored_together(home: Home, step: SteppedBy) -> None:
    home.take(entry(home.machine.wall), ILL)
    home.take(cuff(105, home.machine.wall))
    home.machine.pass_time(2 * MINUTE)
    step(home)
    home.take(oximeter(91, home.machine.wall))
    observed = home.house.assessments()[-1]["observations"]
    assert observed["systolic_pressure"]["value"] == 105
    assert {"consciousness", "oxygen_saturation"} <= set(observed)


@STEPS
def test_an_alert_ends_neither_early_nor_late_by_a_step(home: Home, step: SteppedBy) -> None:
    assert home.ill().outcome is Outcome.RAISED
    home.machine.pass_time(10 * MINUTE)
    assert home.well().outcome is Outcome.UNCHANGED
    home.machine.pass_time(2 * MINUTE)
    step(home)
    assert home.well().outcome is Outcome.UNCHANGED
    home.machine.pass_time(20 * MINUTE)
    assert home.well().outcome is Outcome.UNCHANGED
    home.machine.pass_time(9 * MINUTE)
    assert home.well().outcome is Outcome.RESOLVED
    (alert,) = home.house.alerts()
    assert alert.resolution is Resolution.RECOVERED


@STEPS
def test_nothing_is_raised_twice_and_no_relapse_hidden_by_a_step(home: Home, step: SteppedBy) -> None:
    home.ill()
    home.acknowledge()
    home.machine.pass_time(10 * MINUTE)
    home.take(oximeter(98, home.machine.wall))
    step(home)
    home.machine.pass_time(5 * MINUTE)
    assert home.ill().outcome is Outcome.UNCHANGED
    home.machine.pass_time(MINUTE)
    home.take(oximeter(98, home.machine.wall))
    home.machine.pass_time(UNTIL_RESOLVED)
    assert home.ill().outcome is Outcome.SUPERSEDED


def test_a_relapse_is_told_though_the_clock_was_set_back_between(tmp_path: Path, homes: list[Home]) -> None:
    home = synchronised(tmp_path, homes)
    home.ill()
    home.acknowledge()
    home.machine.pass_time(MINUTE)
    home.take(oximeter(98, home.machine.wall))
    home.machine.set_by_hand(-5 * HOUR)
    home.watch()
    home.machine.pass_time(UNTIL_RESOLVED)
    assert home.take(oximeter(80, home.machine.wall, pulse=135)).outcome is Outcome.SUPERSEDED


@pytest.mark.parametrize("waited", [2 * DAY, 10 * SECOND])
def test_what_was_noted_before_the_clock_was_first_set_is_told_right_and_both_values_are_kept(
    home: Home, waited: timedelta
) -> None:
    true, told = home.machine.true, home.machine.wall
    home.ill()
    home.machine.pass_time(waited)
    home.machine.set_from_network()
    home.watch()
    kept = reading_by_number(home.house.connection, 3)
    known = KeptReadings(home.house.connection, home.house.follower.rule).reading(3)
    assert kept is not None
    assert known is not None
    assert (kept.placed.reading.raw.received_at, kept.placed.measured_at) == (told, told)
    assert (known.placed.reading.raw.received_at, known.placed.measured_at) == (true, true)
    assert home.alert().raised_at == true
    (row,) = home.house.connection.execute("SELECT raised_at FROM alert").fetchone()
    assert row == to_microseconds(true)
    raised = next(each for each in entries(home.house.connection) if each.what == Audited.RAISED)
    assert raised.at == told
    assert home.noted(Audited.CLOCK_SET) == 1
    assert home.noted(Audited.TIMES_CORRECTED) == 1
    observed = home.house.assessments()[-1]["observations"]
    assert observed["oxygen_saturation"]["measured_at"] == true.isoformat()
    assert [step.kind for step in all_steps(home.house.connection)] == [StepKind.FIRST_SET]


def test_a_time_put_right_changes_no_id(home: Home) -> None:
    home.ill()
    before = {event.id for event in home.house.events("observation")}
    before_readings = {event.id for event in home.house.events("reading")}
    home.machine.pass_time(MINUTE)
    home.machine.set_from_network()
    home.watch()
    assert {event.id for event in home.house.events("observation")} == before
    assert {event.id for event in home.house.events("reading")} == before_readings
    assert before


def test_a_sensors_memory_is_known_for_one_when_the_clock_is_set(home: Home) -> None:
    """The cuff's clock is right and the hub's is not: until that is set, its memory is doubtful."""
    home.take(cuff(105, home.machine.wall, measured=home.machine.true - 3 * HOUR))
    home.machine.pass_time(MINUTE)
    home.machine.set_from_network()
    home.watch()
    kept = reading_by_number(home.house.connection, 1)
    known = KeptReadings(home.house.connection, home.house.follower.rule).reading(1)
    assert kept is not None
    assert known is not None
    assert kept.placed.time_quality is TimeQuality.DOUBTFUL
    assert known.placed.time_quality is TimeQuality.SENSOR
    home.take(oximeter(97, home.machine.wall))
    assert "systolic_pressure" not in home.house.assessments()[-1]["observations"]


def test_a_step_while_no_hub_ran_is_found_and_followed_once(home: Home) -> None:
    home.ill()
    home.machine.pass_time(10 * MINUTE)
    home.well()
    home.machine.set_from_network()
    home.start_again()
    home.start_again()
    assert [step.kind for step in all_steps(home.house.connection)] == [StepKind.FIRST_SET]
    assert home.noted(Audited.TIMES_CORRECTED) == 1
    assert home.alert().raised_at == home.machine.true - 10 * MINUTE
    home.machine.pass_time(20 * MINUTE)
    assert home.well().outcome is Outcome.UNCHANGED
    home.machine.pass_time(11 * MINUTE)
    assert home.well().outcome is Outcome.RESOLVED


def test_a_window_that_takes_long_to_load_is_no_step_for_the_next_start(
    tmp_path: Path, homes: list[Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = synchronised(tmp_path, homes)
    tell_anew = Transaction.tell_anew

    def slowly(transaction: Transaction, present: Present, followed: int) -> None:
        home.machine.pass_time(10 * SECOND)
        tell_anew(transaction, present, followed)

    monkeypatch.setattr(Transaction, "tell_anew", slowly)
    home.start_again()
    home.start_again()
    assert len(all_steps(home.house.connection)) == 0


def test_steps_from_before_a_restart_are_regarded_after_it(home: Home) -> None:
    home.take(cuff(105, home.machine.wall))
    home.machine.pass_time(MINUTE)
    home.machine.set_from_network()
    home.watch()
    home.start_again()
    home.machine.pass_time(MINUTE)
    home.take(oximeter(97, home.machine.wall))
    assert "systolic_pressure" in home.house.assessments()[-1]["observations"]
    assert len(all_steps(home.house.connection)) == 1


def test_a_machine_started_again_with_a_clock_behind_carries_nothing_forward_and_hides_no_relapse(
    tmp_path: Path, homes: list[Home]
) -> None:
    home = synchronised(tmp_path, homes)
    home.ill()
    home.acknowledge()
    home.machine.pass_time(MINUTE)
    home.take(oximeter(98, home.machine.wall))
    home.boot_again(-3 * HOUR, synchronised=False)
    taken = home.take(oximeter(80, home.machine.wall, pulse=135))
    assert taken.outcome is Outcome.SUPERSEDED
    assert set(home.house.assessments()[-1]["observations"]) == {"oxygen_saturation", "pulse_rate"}


def test_after_a_boot_that_is_not_believed_an_alert_ends_late_and_not_early(
    tmp_path: Path, homes: list[Home]
) -> None:
    home = synchronised(tmp_path, homes)
    home.ill()
    home.machine.pass_time(MINUTE)
    home.well()
    home.boot_again(5 * HOUR, synchronised=False)
    assert home.well().outcome is Outcome.UNCHANGED
    home.machine.pass_time(10 * MINUTE)
    home.machine.set_from_network()
    assert home.well().outcome is Outcome.UNCHANGED
    home.machine.pass_time(10 * MINUTE)
    assert home.well().outcome is Outcome.UNCHANGED
    home.machine.pass_time(11 * MINUTE)
    assert home.well().outcome is Outcome.RESOLVED


def test_after_a_boot_that_is_believed_all_goes_on(tmp_path: Path, homes: list[Home]) -> None:
    home = synchronised(tmp_path, homes)
    home.ill()
    home.machine.pass_time(MINUTE)
    home.well()
    home.boot_again(timedelta(0), synchronised=True)
    assert home.well().outcome is Outcome.RESOLVED


def test_what_was_measured_before_a_boot_is_there_again_once_the_clock_is_believed(
    tmp_path: Path, homes: list[Home]
) -> None:
    home = synchronised(tmp_path, homes)
    home.take(cuff(105, home.machine.wall))
    home.boot_again(-3 * HOUR, synchronised=False, off=2 * MINUTE)
    home.take(oximeter(97, home.machine.wall))
    assert "systolic_pressure" not in home.house.assessments()[-1]["observations"]
    home.machine.pass_time(MINUTE)
    home.machine.set_from_network()
    home.take(oximeter(97, home.machine.wall))
    assert "systolic_pressure" in home.house.assessments()[-1]["observations"]


@pytest.mark.parametrize("again", [True, False])
@STEPS
def test_a_step_neither_hurries_nor_stops_an_escalation(home: Home, step: SteppedBy, again: bool) -> None:
    home.ill()
    assert home.escalate() == 0
    home.machine.pass_time(4 * MINUTE)
    step(home)
    if again:
        home.start_again()
    assert home.escalate() == 0
    home.machine.pass_time(61 * SECOND)
    assert home.escalate() == 1
    assert home.escalate() == 0


class CardFullError(Exception):
    """The commit fails."""


def take_in_vain(home: Home, reading: Reading, stamp: ClockStamp) -> list[bytes]:
    """Take a reading in a transaction that is undone; return the ids of the alerts that there were in it."""
    found: list[bytes] = []
    with suppress(CardFullError), home.house.transaction() as transaction:
        home.house.intake.take(transaction, reading, stamp)
        found = [row[0] for row in transaction.connection.execute("SELECT id FROM alert")]
        raise CardFullError
    return found


def test_a_step_whose_transaction_is_undone_is_followed_again_and_once(home: Home) -> None:
    home.ill()
    home.machine.pass_time(10 * MINUTE)
    home.well()
    before = home.alert()
    home.machine.set_from_network()
    for _ in range(3):
        take_in_vain(home, oximeter(98, home.machine.wall), home.clock.stamp())
        assert home.alert() == before
        assert all_steps(home.house.connection) == ()
    home.machine.pass_time(2 * MINUTE)
    assert home.well().outcome is Outcome.UNCHANGED
    assert home.noted(Audited.CLOCK_SET) == 1
    assert len(all_steps(home.house.connection)) == 1
    after = home.alert()
    assert after.raised_at == before.raised_at + 5 * HOUR
    assert after.assessed_until == home.machine.true
    assert set(home.house.assessments()[-1]["observations"]) >= {"systolic_pressure", "oxygen_saturation"}


def test_a_reading_that_waited_while_the_clock_was_set_is_placed_when_it_came_and_raises_once(
    home: Home,
) -> None:
    """The card was full when it came; it is taken after the step."""
    home.take(cuff(120, home.machine.wall))
    waiting, stamp, true = oximeter(80, home.machine.wall, pulse=135), home.clock.stamp(), home.machine.true
    (told,) = take_in_vain(home, waiting, stamp)
    home.machine.pass_time(5 * MINUTE)
    home.machine.set_from_network()
    home.watch()
    with home.house.transaction() as transaction:
        taken = home.house.intake.take(transaction, waiting, stamp)
    assert taken.outcome is Outcome.RAISED
    assert home.alert().raised_at == true
    assert home.alert().id.bytes == told
    assert "systolic_pressure" in home.house.assessments()[-1]["observations"]


def test_readings_of_the_first_schema_whose_clock_is_unknown_harm_nothing(home: Home) -> None:
    home.take(cuff(105, home.machine.wall))
    home.house.connection.execute("UPDATE reading SET boot = 0, since_boot = 0, clock = 1")
    home.start_again()
    home.machine.set_from_network()
    home.take(oximeter(97, home.machine.wall))
    assert "oxygen_saturation" in home.house.assessments()[-1]["observations"]
    known = KeptReadings(home.house.connection, home.house.follower.rule).reading(1)
    assert known == reading_by_number(home.house.connection, 1)


def test_an_alert_that_waited_while_the_machine_was_off_climbs_as_soon_as_the_clock_is_believed(
    tmp_path: Path, homes: list[Home]
) -> None:
    home = synchronised(tmp_path, homes)
    home.ill()
    assert home.escalate() == 0
    home.boot_again(-2 * HOUR, synchronised=False, off=HOUR)
    assert home.escalate() == 0  # by a clock that is behind, it was not even raised yet
    home.machine.pass_time(MINUTE)
    home.machine.set_from_network()
    assert home.escalate() == 1
    assert home.alert().rung == 2
    assert home.escalate() == 0


def test_an_alert_of_a_boot_whose_clock_was_never_set_is_not_hurried_by_one_that_is(
    tmp_path: Path, homes: list[Home]
) -> None:
    """When it was raised nobody knows."""
    homes.append(Home(tmp_path, SimulatedMachine(-20 * DAY)))
    home = homes[-1]
    home.ill()
    home.escalate()
    home.boot_again(-20 * DAY, synchronised=False, off=-20 * SECOND)
    assert home.escalate() == 0
    home.machine.pass_time(MINUTE)
    home.machine.set_from_network()
    assert home.escalate() == 0


def test_where_the_clock_is_never_set_an_alert_that_rests_on_a_cuff_with_another_time_never_ends(
    home: Home,
) -> None:
    """Nothing tells its live readings from its memory; and no relapse is hidden by that."""

    def measure(systolic: float) -> Outcome | None:
        return home.take(cuff(systolic, home.machine.wall, measured=home.machine.true)).outcome

    assert measure(85) is Outcome.RAISED
    home.acknowledge()
    for _ in range(24):
        home.machine.pass_time(HOUR)
        assert measure(120) is Outcome.UNCHANGED
    home.machine.pass_time(HOUR)
    assert measure(85) is Outcome.SUPERSEDED
    home.machine.pass_time(MINUTE)
    home.machine.set_from_network()
    home.watch()
    assert measure(120) is Outcome.UNCHANGED
    home.machine.pass_time(UNTIL_RESOLVED)
    assert measure(120) is Outcome.RESOLVED
