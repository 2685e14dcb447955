"""Once the clock was first set, whoever was assessed without what was measured before the cut is so anew."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.alerts.life import Outcome, Resolution
from hub.assessment.news2 import Band
from hub.configuration.file import Resident
from hub.intake.assessing import Assessing
from hub.store.audit import entries
from hub.store.transaction import Transaction
from hub.trail import Audited
from hub.uplink.contract import AlertChange
from tests.rigs.home import Home
from tests.rigs.house import ILL, WELL, WELL_OXIMETER, House, cuff, entry, oximeter, thermometer
from tests.rigs.simulated_machine import HOUR, MINUTE, SECOND, SimulatedMachine


@pytest.fixture
def home(tmp_path: Path, homes: list[Home]) -> Home:
    homes.append(Home(tmp_path, SimulatedMachine(synchronised=True)))
    return homes[0]


def cut(home: Home, *, off: timedelta = 2 * MINUTE, error: timedelta = -3 * HOUR) -> None:
    """The plug is pulled, and the clock is wrong until the network sets it."""
    home.boot_again(error, synchronised=False, off=off)


def medium_but_for_the_cut(home: Home) -> None:
    """Two halves of a medium score: 2 for the pressure and 1 for the temperature before the cut, 2 after."""
    home.take(cuff(95, home.machine.wall))
    home.take(thermometer(38.5, home.machine.wall))
    cut(home)
    assert home.take(oximeter(92, home.machine.wall)).outcome is Outcome.NOTHING


def test_an_alert_that_was_due_is_raised_as_soon_as_the_clock_is_set(home: Home) -> None:
    medium_but_for_the_cut(home)
    assert home.house.alerts() == []
    home.network()
    (alert,) = home.house.open_alerts()
    assert alert.band is Band.MEDIUM
    assert alert.raised_at == home.machine.true
    assert alert.measured_at == home.machine.true - MINUTE
    (told,) = home.house.told_alerts(AlertChange.RAISED)
    assert told.alert == alert.id
    assert {"oxygen_saturation", "systolic_pressure", "temperature"} <= set(
        home.house.assessments()[-1]["observations"]
    )
    assert home.house.told_observations()[-1].news2.least == 5


def test_it_waits_for_nobody_longer_than_from_when_it_was_raised(home: Home) -> None:
    medium_but_for_the_cut(home)
    home.machine.pass_time(10 * MINUTE)
    home.network()
    assert home.escalate() == 0
    home.machine.pass_time(6 * MINUTE)
    home.escalate()
    assert home.alert().rung <= 1


@pytest.mark.parametrize("first", ["a reading", "a command", "the start of a hub"])
def test_whoever_notices_first_that_the_clock_was_set_has_them_assessed(home: Home, first: str) -> None:
    medium_but_for_the_cut(home)
    home.machine.pass_time(MINUTE)
    home.machine.set_from_network()
    if first == "a reading":
        home.take(oximeter(97, home.machine.wall, device=WELL_OXIMETER))
    elif first == "a command":
        home.escalate()
    else:
        home.start_again()
    assert home.alert().band is Band.MEDIUM


def test_nothing_is_assessed_raised_or_told_twice(home: Home) -> None:
    medium_but_for_the_cut(home)
    home.network()
    counts = home.house.counts()
    resident = home.house.config.residents[0]
    for _ in range(2):
        home.watch()
        home.start_again()
        with home.house.transaction() as transaction:
            home.house.follower.follow(transaction)
            assert not home.house.intake.assessing.assess_anew(transaction, resident, home.machine.boot)
    assert home.house.counts() == counts
    events = home.house.events()
    assert len({event.id for event in events}) == len(events)


def test_a_transaction_that_is_undone_assesses_again_with_the_same_ids(home: Home) -> None:
    medium_but_for_the_cut(home)
    home.machine.pass_time(MINUTE)
    home.machine.set_from_network()
    found = []
    for _ in range(2):
        with suppress(RuntimeError), home.house.transaction() as transaction:
            home.house.follower.follow(transaction)
            found.append(transaction.connection.execute("SELECT id FROM alert").fetchall())
            raise RuntimeError
    home.watch()
    assert [[(home.alert().id.bytes,)]] * 2 == found


def test_with_nothing_new_to_be_known_nothing_is_assessed_anew(home: Home) -> None:
    home.take(cuff(95, home.machine.wall))
    cut(home, off=HOUR)
    home.take(oximeter(92, home.machine.wall))
    before = home.house.count("assessment")
    home.network()
    assert home.house.count("assessment") == before
    assert home.house.alerts() == []


def test_where_the_first_clock_was_never_believed_nothing_of_it_is_known(
    tmp_path: Path, homes: list[Home]
) -> None:
    homes.append(Home(tmp_path, SimulatedMachine(-5 * HOUR)))
    home = homes[0]
    medium_but_for_the_cut(home)
    home.network()
    assert home.house.alerts() == []


def test_a_clock_that_was_right_though_nobody_knew_has_them_assessed_too(home: Home) -> None:
    home.take(cuff(95, home.machine.wall))
    home.take(thermometer(38.5, home.machine.wall))
    cut(home, error=timedelta(0))
    home.take(oximeter(92, home.machine.wall))
    home.network()
    assert home.alert().band is Band.MEDIUM
    assert noted(home)["residents assessed anew"] == 1


def noted(home: Home) -> dict[str, int]:
    (said,) = (each for each in entries(home.house.connection) if each.what == Audited.TIMES_CORRECTED)
    counts = said.detail["counts"]
    assert isinstance(counts, dict)
    return counts


def test_a_higher_band_takes_the_place_of_an_alert_that_was_raised_by_half(home: Home) -> None:
    home.take(cuff(95, home.machine.wall))
    home.take(thermometer(38.5, home.machine.wall))
    cut(home)
    assert home.take(oximeter(91, home.machine.wall)).outcome is Outcome.RAISED
    (half,) = home.house.open_alerts()
    assert half.band is Band.SINGLE_RED
    home.network()
    whole = home.alert()
    assert (whole.band, whole.supersedes) == (Band.MEDIUM, half.id)
    assert whole.id != half.id


def test_one_who_was_not_assessed_in_this_boot_is_not_assessed_anew(home: Home) -> None:
    """Though more would belong to the newest set now: the home has changed how long a value counts."""
    home.take(cuff(95, home.machine.wall))
    home.take(thermometer(38.5, home.machine.wall))
    home.machine.pass_time(40 * MINUTE)
    home.take(oximeter(92, home.machine.wall))
    cut(home)
    home.house.connection.close()
    home.house = House(home.directory, '[observation_sets]\nrecent = "60 min"\n', clock=home.clock)
    home.take(oximeter(97, home.machine.wall, device=WELL_OXIMETER))
    home.network()
    assert home.house.alerts() == []
    assert len(home.house.assessments()) == 3


def test_it_ends_no_alert_which_is_for_what_is_measured_next(home: Home) -> None:
    """The cuff's clock was doubtful while the hub's was not set, so that what it said could end nothing."""
    home.take(thermometer(37.0, home.machine.wall))
    cut(home)
    home.house.connection.close()
    home.house = House(home.directory, '[observation_sets]\nrecent = "60 min"\n', clock=home.clock)
    assert home.take(oximeter(97, home.machine.wall, pulse=135)).outcome is Outcome.RAISED
    home.machine.pass_time(MINUTE)
    home.take(oximeter(97, home.machine.wall, pulse=72))
    home.machine.pass_time(32 * MINUTE)
    last = cuff(120, home.machine.wall, measured=home.machine.true, pulse=72)
    assert home.take(last).outcome is Outcome.UNCHANGED
    home.network()
    assert noted(home)["residents assessed anew"] == 1
    assert home.alert().band is Band.SINGLE_RED
    assert home.take(oximeter(97, home.machine.wall, pulse=72)).outcome is Outcome.RESOLVED


def test_one_of_whom_the_card_cannot_be_read_keeps_no_other_from_being_assessed(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    medium_but_for_the_cut(home)
    assess = Assessing.assess_anew

    def fails_for_one(
        assessing: Assessing, transaction: Transaction, resident: Resident, boot: object
    ) -> bool:
        if resident.id == WELL:
            transaction.connection.execute("INSERT INTO fact VALUES ('half', 'done')")
            raise ValueError("QUINCEY")
        return assess(assessing, transaction, resident, boot)  # type: ignore[arg-type]  # as it was given

    monkeypatch.setattr(Assessing, "assess_anew", fails_for_one)
    with caplog.at_level(logging.ERROR):
        home.network()
    assert home.alert().resident == ILL
    assert home.noted(Audited.CLOCK_SET) == 1
    assert home.house.connection.execute("SELECT 1 FROM fact WHERE name = 'half'").fetchone() is None
    assert "QUINCEY" not in caplog.text


@pytest.mark.parametrize("fault", [sqlite3.OperationalError, sqlite3.DatabaseError])
def test_a_fault_of_the_card_leaves_the_step_to_be_followed_again(
    home: Home, fault: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    medium_but_for_the_cut(home)

    def fails(*_: object) -> bool:
        raise fault("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(Assessing, "assess_anew", fails)
        with pytest.raises(fault):
            home.network()
    assert home.noted(Audited.CLOCK_SET) == 0
    home.watch()
    assert home.alert().band is Band.MEDIUM


MEASURED = st.sampled_from(["cuff 95", "cuff 120", "warm", "hot", "low", "lower", "well", "seen"])


def measure(home: Home, what: str) -> None:
    at = home.machine.wall
    match what:
        case "cuff 95" | "cuff 120":
            home.take(cuff(float(what.split()[1]), at))
        case "warm" | "hot":
            home.take(thermometer(38.5 if what == "warm" else 39.5, at))
        case "low" | "lower" | "well":
            home.take(oximeter({"low": 92, "lower": 90, "well": 97}[what], at))
        case _:
            home.take(entry(at), ILL)
    home.machine.pass_time(SECOND)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(MEASURED, min_size=1, max_size=5),
    st.integers(0, 35),
    st.lists(MEASURED, min_size=1, max_size=3),
    st.sampled_from([-400 * HOUR, -3 * HOUR, timedelta(0), 5 * HOUR]),
)
def test_it_is_known_then_as_by_a_hub_whose_clock_was_never_wrong(
    tmp_path_factory: pytest.TempPathFactory,
    before: list[str],
    minutes_off: int,
    after: list[str],
    error: timedelta,
) -> None:
    found = []
    for of_the_cut, synchronised in ((timedelta(0), True), (error, False)):
        home = Home(tmp_path_factory.mktemp("home"), SimulatedMachine(synchronised=True))
        for what in before:
            measure(home, what)
        ended = {alert.id for alert in home.house.alerts() if not alert.open}
        home.boot_again(of_the_cut, synchronised=synchronised, off=minutes_off * MINUTE)
        for what in after:
            measure(home, what)
        home.network()
        newest = home.house.assessments()[-1]
        values = {vital: each["value"] for vital, each in newest["observations"].items()}
        bands = [alert.band for alert in home.house.open_alerts()]
        found.append((values, newest["news2"]["total"], bands))
        recovered = [each for each in home.house.alerts() if each.resolution is Resolution.RECOVERED]
        assert {each.id for each in recovered} <= ended
        home.house.connection.close()
    assert found[0] == found[1]
