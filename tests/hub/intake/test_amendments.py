"""What the ICS was told before the clock was first set is told again with its times put right; no more."""

from __future__ import annotations

import json
import logging
import sqlite3
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub import trail
from hub.alerts.life import AlertState, Resolution
from hub.intake import amending
from hub.store.audit import entries
from hub.store.outbox import CannotBeToldError
from hub.trail import Audited, Moment
from hub.uplink.cloudevents import Event, from_json, to_json
from hub.uplink.contract import AlertChange, Channel
from hub.uplink.fhir import codes
from hub.uplink.heard import HeardError, alert_heard, amended_alert_heard, amended_observation_heard
from tests.rigs.contract import event_faults
from tests.rigs.fhir_bindings import faults
from tests.rigs.home import Home
from tests.rigs.house import ILL, OXIMETER, WELL_OXIMETER, House, cuff, entry, oximeter, thermometer
from tests.rigs.simulated_machine import HOUR, MINUTE, SECOND, SimulatedMachine

BEHIND = 5 * HOUR
_LEAF = 0x0D  # the type of a page of a table with its rows: https://www.sqlite.org/fileformat2.html


@pytest.fixture
def home(tmp_path: Path, homes: list[Home]) -> Home:
    """The machine's clock is five hours behind and not synchronised."""
    homes.append(Home(tmp_path, SimulatedMachine(-BEHIND)))
    return homes[0]


def delivered(home: Home) -> list[Event]:
    """The broker takes all that waits."""
    events = home.house.events()
    home.house.connection.execute("DELETE FROM outbox")
    return events


def amended_sets(home: Home) -> list[Event]:
    return home.house.events("amended_observation")


def amended_alerts(home: Home) -> list[Event]:
    return home.house.events("amended_alert")


def on_the_wire(event: Event) -> dict[str, Any]:
    """Its data as a FHIR server gets it, valid by every check that there is."""
    said: dict[str, Any] = json.loads(to_json(event))["data"]
    Bundle.model_validate(said)
    assert faults(said) == []
    assert event_faults(event) == []
    return said


def counted(home: Home) -> dict[str, int]:
    (said,) = (each for each in entries(home.house.connection) if each.what == Audited.TIMES_CORRECTED)
    counts = said.detail["counts"]
    assert isinstance(counts, dict)
    return counts


def test_a_set_that_was_delivered_is_amended_in_place_of_what_a_server_has(home: Home) -> None:
    home.take(entry(home.machine.wall), ILL)
    home.take(thermometer(37.0, home.machine.wall))
    home.take(oximeter(97, home.machine.wall))
    true = home.machine.true
    home.take(cuff(120, home.machine.wall, measured=true))
    told = delivered(home)
    assert told[-1].time == true - BEHIND
    home.network()
    events = amended_sets(home)
    assert {event.extensions["corrects"] for event in events} == {event.id for event in told}
    last = events[0]
    assert (last.extensions["corrects"], last.time) == (told[-1].id, true)
    assert last.id not in {event.id for event in told}
    was, now = (
        {each["resource"]["identifier"][0]["value"]: each for each in on_the_wire_or_not["entry"]}
        for on_the_wire_or_not in (json.loads(to_json(told[-1]))["data"], on_the_wire(last))
    )
    assert was.keys() == now.keys()
    for name, said in now.items():
        if said["resource"]["resourceType"] == "Device":
            assert said == was[name]
            continue
        assert said["request"]["method"] == "PUT"
        before = was[name]["resource"]["status"]
        assert said["resource"]["status"] == ("corrected" if before == "final" else before)
    heard = amended_observation_heard(from_json(to_json(last))).assessment
    assert heard.news2.complete
    assert {each.at for each in heard.observations.values()} == {true}
    assert not any(each.doubtful_time for each in heard.observations.values())


def test_a_partial_score_stays_preliminary_and_without_a_number(home: Home) -> None:
    home.take(oximeter(97, home.machine.wall))
    delivered(home)
    home.network()
    (event,) = amended_sets(home)
    (score,) = (
        each["resource"]
        for each in on_the_wire(event)["entry"]
        if each["resource"].get("code") == codes.NEWS2
    )
    assert score["status"] == "preliminary"
    assert "valueQuantity" not in score


def test_what_is_told_after_the_clock_was_set_is_not_amended(home: Home) -> None:
    home.take(oximeter(97, home.machine.wall))
    (before,) = delivered(home)
    home.network()
    home.take(oximeter(80, home.machine.wall, pulse=135))
    home.watch()
    assert [event.extensions["corrects"] for event in amended_sets(home)] == [before.id]
    assert amended_alerts(home) == []


@pytest.mark.parametrize("error", [timedelta(0), SECOND, -SECOND])
def test_where_the_clock_was_right_nothing_is_amended(
    tmp_path: Path, homes: list[Home], error: timedelta
) -> None:
    homes.append(Home(tmp_path, SimulatedMachine(error)))
    home = homes[0]
    home.ill()
    delivered(home)
    home.network()
    assert home.house.events() == []


def test_what_still_waits_is_right_when_it_is_sent_and_is_not_amended(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the first that wait: those may be on their way."""
    monkeypatch.setattr(amending, "_UNDER_WAY", 3)
    for _ in range(8):
        home.take(oximeter(97, home.machine.wall))
        home.machine.pass_time(MINUTE)
    waiting = [event.id for event in home.house.events()]
    home.network()
    told = [event for event in home.house.events() if event.type == "uk.careport.observation.v1"]
    assert [event.id for event in told] == waiting
    assert told[0].time == home.machine.true - 9 * MINUTE
    assert [event.extensions["corrects"] for event in amended_sets(home)] == waiting[2::-1]


def test_an_alert_is_amended_and_calls_nobody_anew(home: Home) -> None:
    home.ill()
    raised_at = home.machine.true
    (told,) = (event for event in delivered(home) if event.type.startswith("uk.careport.alert"))
    home.network()
    assert home.house.events("alert") == []
    (event,) = amended_alerts(home)
    assert event.extensions["corrects"] == told.id
    assert event.extensions["alert"] == told.extensions["alert"]
    heard = amended_alert_heard(from_json(to_json(event)))
    assert (heard.change, heard.at, heard.raised_at) == (AlertChange.RAISED, raised_at, raised_at)
    assert heard.assessment.at == raised_at
    requests = {
        each["resource"]["resourceType"]: each["request"]["method"] for each in on_the_wire(event)["entry"]
    }
    assert requests.pop("Device") == "POST"
    assert set(requests.values()) == {"PUT"}
    with pytest.raises(HeardError):
        alert_heard(from_json(to_json(event)))


def test_an_amendment_goes_behind_every_alert_and_every_observation_that_waits(home: Home) -> None:
    home.ill()
    home.take(oximeter(97, home.machine.wall, device=WELL_OXIMETER))
    delivered(home)
    home.machine.pass_time(SECOND)
    home.take(oximeter(85, home.machine.wall, device=WELL_OXIMETER))
    home.network()
    home.take(oximeter(91, home.machine.wall, device=WELL_OXIMETER))
    order = [
        channel
        for (channel,) in home.house.connection.execute("SELECT channel FROM outbox ORDER BY sequence")
    ]
    assert order[0] == Channel.ALERT
    first_amended = min(order.index(Channel.AMENDED_ALERT), order.index(Channel.AMENDED_OBSERVATION))
    assert Channel.ALERT not in order[first_amended:]
    assert order.index(Channel.OBSERVATION) < first_amended


def test_what_became_of_an_alert_before_the_clock_was_set_is_put_right_with_it(home: Home) -> None:
    home.ill()
    home.machine.pass_time(5 * MINUTE)
    home.acknowledge()
    acknowledged_at = home.machine.true
    home.machine.pass_time(10 * MINUTE)
    home.well()
    home.machine.pass_time(31 * MINUTE)
    home.well()
    resolved_at = home.machine.true
    delivered(home)
    assert home.house.open_alerts() == []
    home.network()
    (alert,) = home.house.alerts()
    assert (alert.acknowledged_at, alert.resolved_at) == (acknowledged_at, resolved_at)
    (event,) = amended_alerts(home)
    on_the_wire(event)
    heard = amended_alert_heard(from_json(to_json(event)))
    assert (heard.change, heard.at) == (AlertChange.RESOLVED, resolved_at)
    assert (heard.state, heard.resolution) == (AlertState.RESOLVED, Resolution.RECOVERED)
    assert heard.acknowledged is not None
    assert heard.acknowledged.at == acknowledged_at


def test_an_amendment_that_waits_takes_nothing_back_that_was_told_since(home: Home) -> None:
    home.ill()
    delivered(home)
    home.network()
    home.acknowledge()
    (event,) = amended_alerts(home)
    heard = amended_alert_heard(from_json(to_json(event)))
    assert (heard.change, heard.state) == (AlertChange.ACKNOWLEDGED, AlertState.ACKNOWLEDGED)
    assert heard.at == home.machine.true
    assert event.extensions["state"] == AlertState.ACKNOWLEDGED


def test_an_escalation_is_amended_with_whom_it_told(home: Home) -> None:
    home.ill()
    home.escalate()
    home.machine.pass_time(6 * MINUTE)
    assert home.escalate() == 1
    at = home.machine.true
    (told,) = home.house.told_alerts(AlertChange.ESCALATED)
    delivered(home)
    home.network()
    heard = amended_alert_heard(from_json(to_json(amended_alerts(home)[0])))
    assert (heard.change, heard.at, heard.tell) == (AlertChange.ESCALATED, at, told.tell)


def test_an_alert_of_an_earlier_boot_is_amended_if_something_became_of_it(
    tmp_path: Path, homes: list[Home]
) -> None:
    homes.append(Home(tmp_path, SimulatedMachine(synchronised=True)))
    home = homes[0]
    home.ill()
    raised_at = home.machine.true
    home.boot_again(-3 * HOUR, synchronised=False, off=2 * MINUTE)
    home.acknowledge()
    acknowledged_at = home.machine.true
    delivered(home)
    home.network()
    (event,) = amended_alerts(home)
    heard = amended_alert_heard(from_json(to_json(event)))
    assert heard.raised_at == raised_at
    assert heard.acknowledged is not None
    assert heard.acknowledged.at == acknowledged_at
    home.boot_again(-3 * HOUR, synchronised=False, off=2 * MINUTE)
    delivered(home)
    home.network()
    assert amended_alerts(home) == []


def test_amendments_are_the_same_each_time_and_each_is_there_once(home: Home) -> None:
    home.ill()
    home.acknowledge()
    before = delivered(home)
    home.network()
    events = [to_json(event) for event in home.house.events()]
    home.watch()
    home.start_again()
    assert [to_json(event) for event in home.house.events()] == events
    ids = [from_json(event).id for event in events]
    assert len({*ids, *(event.id for event in before)}) == len(ids) + len(before)


def test_only_the_newest_are_amended_and_the_trail_says_how_many_are_not(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amending, "MOST_SETS", 2)
    monkeypatch.setattr(amending, "MOST_ALERTS", 1)
    home.ill()
    home.take(oximeter(80, home.machine.wall, device=WELL_OXIMETER))
    told = delivered(home)
    home.network()
    sets = [event.id for event in told if event.type == "uk.careport.observation.v1"]
    assert len(sets) == 4
    assert [event.extensions["corrects"] for event in amended_sets(home)] == sets[:1:-1]
    (newest,) = amended_alerts(home)
    assert newest.subject != ILL
    assert counted(home) == {
        "open alerts": 2,
        "residents assessed anew": 0,
        "alerts amended": 1,
        "alerts not amended": 1,
        "observation sets amended": 2,
        "observation sets not amended": 2,
    }


def test_who_is_told_of_no_sets_is_told_of_no_amended_ones(home: Home) -> None:
    home.house.connection.close()
    home.house = House(home.directory, "[publish]\nobservation = false\n", clock=home.clock)
    home.ill()
    delivered(home)
    home.network()
    assert amended_sets(home) == []
    assert len(amended_alerts(home)) == 1


def test_where_what_raised_it_is_lost_a_server_keeps_what_it_has_of_that(home: Home) -> None:
    home.ill()
    delivered(home)
    home.network()
    home.house.connection.execute("DELETE FROM assessment")
    (event,) = amended_alerts(home)
    methods = [
        each["request"]["method"]
        for each in on_the_wire(event)["entry"]
        if each["resource"]["resourceType"] == "Observation"
    ]
    assert methods == ["POST"]


@pytest.mark.parametrize("table", ["alert", "audit"])
def test_an_alert_that_is_no_longer_kept_says_so(home: Home, table: str) -> None:
    home.ill()
    delivered(home)
    home.network()
    home.house.connection.execute(f"DELETE FROM {table}")
    with pytest.raises(CannotBeToldError, match="no longer kept"):
        amended_alerts(home)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE audit SET detail = 'QUINCEY' WHERE sequence = 1",
        "UPDATE alert SET body = 'QUINCEY' WHERE resident = 'R-0412'",
        "UPDATE assessment SET observations = 'QUINCEY' WHERE sequence = 3",
        "UPDATE assessment SET scale = 9 WHERE sequence = 3",
        "UPDATE reading SET received_at = 9223372036854775807 WHERE sequence = 3",
        "UPDATE reading SET received_at = 253402300799000000 WHERE sequence = 3",
    ],
)
def test_what_is_damaged_is_not_amended_and_keeps_no_other_from_it(
    home: Home, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    home.ill()
    home.take(oximeter(85, home.machine.wall, device=WELL_OXIMETER))
    told = delivered(home)
    home.house.connection.execute(damage)
    with caplog.at_level(logging.ERROR):
        home.network()
    assert home.house.count("clock_step") == 1
    assert "QUINCEY" not in caplog.text
    numbers = [
        number
        for (number,) in home.house.connection.execute(
            "SELECT first FROM outbox WHERE channel = 'amended_observation' ORDER BY first"
        )
    ]
    of_a_set = "assessment" in damage or "reading" in damage
    assert numbers == ([1, 2, 4] if of_a_set else [1, 2, 3, 4])
    (other,) = (
        event for event in told if event.type.startswith("uk.careport.alert") and event.subject != ILL
    )
    rows = home.house.connection.execute(
        "SELECT a.subject FROM outbox o JOIN audit a ON a.sequence = o.first"
        " WHERE o.channel = 'amended_alert'"
    )
    amended = {str(uuid.UUID(bytes=subject)) for (subject,) in rows}
    assert other.extensions["alert"] in amended
    assert len(amended) == (2 if of_a_set else 1)


@pytest.mark.parametrize("part", ["_told_sets", "_changed_alerts"])
def test_a_fault_that_nobody_foresaw_keeps_no_step_from_being_followed(
    home: Home, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.ill()
    delivered(home)

    def fails(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(amending, part, fails)
    home.network()
    assert home.noted(Audited.CLOCK_SET) == 1
    assert bool(amended_sets(home)) is (part != "_told_sets")
    assert bool(amended_alerts(home)) is (part == "_told_sets")


@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([91, 95, 97]),
            st.booleans(),
            st.timedeltas(SECOND, 90 * SECOND),
            st.booleans(),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_whatever_was_told_is_amended_and_nothing_that_was_not(
    tmp_path_factory: pytest.TempPathFactory, measured: list[tuple[int, bool, timedelta, bool]]
) -> None:
    """Not each set is told: see `worth_telling`."""
    home = Home(tmp_path_factory.mktemp("home"), SimulatedMachine(-BEHIND - 17 * SECOND))
    for saturation, of_another, after, again in measured:
        home.machine.pass_time(after)
        device = WELL_OXIMETER if of_another else OXIMETER
        home.take(oximeter(saturation, home.machine.wall, device=device))
        if again:
            home.start_again()
    told = delivered(home)
    home.network()
    wrong: dict[str, datetime] = {event.id: event.time for event in told if "alert" not in event.extensions}
    amended = {event.extensions["corrects"]: event.time for event in amended_sets(home)}
    assert amended == {name: at + BEHIND + 17 * SECOND for name, at in wrong.items()}
    raised = {event.id for event in told if event.type == "uk.careport.alert.raised.v1"}
    assert {event.extensions["corrects"] for event in amended_alerts(home)} == raised
    home.house.connection.close()


def test_damage_of_an_old_page_of_the_trail_keeps_no_reading_from_being_stored(tmp_path: Path) -> None:
    """It is met when the clock is set first, in the transaction of whoever comes next; and then left out."""
    home = Home(tmp_path, SimulatedMachine(synchronised=True))
    home.ill()
    with home.house.transaction() as transaction:
        for _ in range(400):
            moment = Moment(home.machine.wall, home.clock.stamp())
            transaction.audit(trail.clock_set(moment, "stepped", timedelta(0)))
    home.boot_again(-3 * HOUR, synchronised=False, off=2 * MINUTE)
    home.take(oximeter(80, home.machine.wall, pulse=135, device=WELL_OXIMETER))
    home.house.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (size,) = home.house.connection.execute("PRAGMA page_size").fetchone()
    pages = home.house.path.read_bytes()
    of_the_trail = [
        at
        for at in range(0, len(pages), size)
        if pages[at] == _LEAF and pages[at : at + size].count(b"clock") > 2
    ]
    home.watch()
    with home.house.path.open("r+b") as file:
        file.seek(of_the_trail[len(of_the_trail) // 2])
        file.write(bytes(size))
    home.machine.pass_time(MINUTE)
    home.machine.set_from_network()
    home.clock.look()
    faults_met = 0
    for saturation in (97, 96, 95):
        home.machine.pass_time(10 * SECOND)
        reading = oximeter(saturation, home.machine.wall, device=WELL_OXIMETER)
        try:
            home.take(reading)
        except sqlite3.DatabaseError:
            faults_met += 1
            home.take(reading)  # tried again, as by the reception
    assert faults_met == 1
    home.house.connection.close()
