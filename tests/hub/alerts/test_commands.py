"""What happens to an alert beside readings: each change, its history and its event are one transaction."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hub.alerts.book import AlertBook, UnreadableAlertError
from hub.alerts.commands import Commands, UnknownAlertError
from hub.alerts.life import Alert, AlertError, AlertPolicy, AlertState, Outcome
from hub.readings import Vital
from hub.store.transaction import Transaction
from hub.uplink.cloudevents import to_json
from hub.uplink.contract import AlertChange
from hub.uplink.heard import HeardAcknowledgement
from tests.rigs.house import NAMES, WELL_OXIMETER, House, cuff, oximeter

MINUTE = timedelta(minutes=1)


@pytest.fixture
def house(tmp_path: Path, noon: datetime) -> Iterator[House]:
    """A house with one open alert of the band "high": told on after 5 and 10 minutes."""
    house = House(tmp_path)
    house.take(cuff(105, noon - MINUTE))
    house.take(oximeter(80, noon, pulse=135))
    yield house
    house.connection.close()


@pytest.fixture
def commands(house: House) -> Commands:
    policy = AlertPolicy.of(house.config.alerts, house.config.observation_sets)
    return Commands(AlertBook(house.identity), policy)


def only(house: House) -> Alert:
    (alert,) = house.alerts()
    return alert


def test_an_acknowledgement_is_recorded_with_who_and_when_and_told(
    house: House, commands: Commands, noon: datetime
) -> None:
    alert = only(house)
    with house.transaction() as transaction:
        done = commands.acknowledge(
            transaction, alert.id, "the ICS desk", noon + MINUTE, "ics", "on my way", noon
        )
    assert done.accepted
    after = only(house)
    assert after.state is AlertState.ACKNOWLEDGED
    assert (after.acknowledged_by, after.acknowledged_at, after.acknowledged_via) == (
        "the ICS desk", noon + MINUTE, "ics",
    )  # fmt: skip
    assert house.history(after)[-1] == (
        "acknowledged",
        {"by": "the ICS desk", "via": "ics", "note": "on my way", "claimed_at": noon.isoformat()},
    )
    (told,) = house.told_alerts(AlertChange.ACKNOWLEDGED)
    assert told.alert == alert.id
    assert told.acknowledged == HeardAcknowledgement("the ICS desk", noon + MINUTE, "ics", 60.0)


def test_a_second_acknowledgement_changes_nothing_and_is_noted(
    house: House, commands: Commands, noon: datetime
) -> None:
    alert = only(house)
    for minute, by in enumerate(("first", "second")):
        with house.transaction() as transaction:
            done = commands.acknowledge(transaction, alert.id, by, noon + minute * MINUTE, "ics")
    assert not done.accepted
    assert only(house).acknowledged_by == "first"
    assert [what for what, _ in house.history(alert)][-2:] == ["acknowledged", "acknowledged again"]
    assert len(house.events("alert.acknowledged")) == 1


def test_an_acknowledgement_of_an_unknown_alert_is_refused_by_its_id(
    house: House, commands: Commands, noon: datetime
) -> None:
    unknown = uuid.uuid4()
    with pytest.raises(UnknownAlertError, match=str(unknown)), house.transaction() as transaction:
        commands.acknowledge(transaction, unknown, "x", noon, "ics")


def test_an_acknowledgement_must_name_somebody(house: House, commands: Commands, noon: datetime) -> None:
    with pytest.raises(AlertError, match="by whom"), house.transaction() as transaction:
        commands.acknowledge(transaction, only(house).id, "  ", noon, "hub")
    assert only(house).acknowledged_at is None


def test_a_late_acknowledgement_of_a_superseded_alert_does_not_count_for_its_successor(
    tmp_path: Path, noon: datetime, commands: Commands
) -> None:
    house = House(tmp_path / "late")
    house.take(cuff(105, noon - MINUTE))
    house.take(oximeter(91, noon))
    house.take(oximeter(80, noon + MINUTE, pulse=135))
    lower, higher = house.alerts()
    with house.transaction() as transaction:
        commands.acknowledge(transaction, lower.id, "the ICS desk", noon + 2 * MINUTE, "ics")
        assert commands.escalate(transaction, noon + 7 * MINUTE, 7 * 60.0) == 1
    lower, higher = house.alerts()
    assert (lower.state, lower.acknowledged_by) == (AlertState.RESOLVED, "the ICS desk")
    assert higher.acknowledged_at is None
    assert house.told_alerts(AlertChange.ESCALATED)[0].alert == higher.id


def test_who_acknowledged_in_the_home_stays_there(house: House, commands: Commands, noon: datetime) -> None:
    with house.transaction() as transaction:
        commands.acknowledge(transaction, only(house).id, NAMES[0], noon, "hub", f"asked {NAMES[1]}")
    (event,) = house.events("alert.acknowledged")
    (told,) = house.told_alerts(AlertChange.ACKNOWLEDGED)
    assert told.acknowledged is not None
    assert told.acknowledged.by == "the home"
    assert not any(name in to_json(event) for name in NAMES)
    assert house.history(only(house))[-1][1]["by"] == NAMES[0]


def test_the_first_delivery_is_recorded_and_further_ones_change_nothing(
    house: House, commands: Commands, noon: datetime
) -> None:
    alert = only(house)
    for minute in (1, 2):
        with house.transaction() as transaction:
            commands.deliver(transaction, [alert.id, uuid.uuid4()], noon + minute * MINUTE)
    assert only(house).delivered_at == noon + MINUTE
    assert only(house).state is AlertState.DELIVERED
    assert [what for what, _ in house.history(alert)] == ["raised", "delivered"]
    assert len(house.events("alert")) == 1


def test_a_delivery_that_is_known_after_the_acknowledgement_keeps_it(
    house: House, commands: Commands, noon: datetime
) -> None:
    with house.transaction() as transaction:
        commands.acknowledge(transaction, only(house).id, "x", noon, "ics")
        commands.deliver(transaction, [only(house).id], noon + MINUTE)
    assert only(house).state is AlertState.ACKNOWLEDGED
    assert only(house).acknowledged_by == "x"


def test_an_alert_that_nobody_acknowledges_climbs_each_rung_once(
    house: House, commands: Commands, noon: datetime
) -> None:
    climbed = []
    for minute in (4, 5, 6, 10, 11, 600):
        with house.transaction() as transaction:
            climbed.append(commands.escalate(transaction, noon + minute * MINUTE, minute * 60.0))
    assert climbed == [0, 1, 0, 1, 0, 0]
    told = [(alert.rung, alert.tell) for alert in house.told_alerts(AlertChange.ESCALATED)]
    assert told == [(1, "senior carer"), (2, "999")]
    assert [what for what, _ in house.history(only(house))] == ["raised", "escalated", "escalated"]
    assert len({event.id for event in house.events()}) == len(house.events())


def test_after_an_outage_all_rungs_that_are_due_are_told_at_once(
    house: House, commands: Commands, noon: datetime
) -> None:
    with house.transaction() as transaction:
        commands.escalate(transaction, noon + 60 * MINUTE, 60 * 60.0)
    (told,) = house.told_alerts(AlertChange.ESCALATED)
    assert (told.rung, told.tell) == (2, "senior carer, 999")


@pytest.mark.parametrize(
    "step", [timedelta(days=-400), timedelta(days=-1), timedelta(days=3), timedelta(days=20000)]
)
def test_a_wall_clock_that_is_set_meanwhile_neither_hurries_nor_stops_the_ladder(
    house: House, commands: Commands, noon: datetime, step: timedelta
) -> None:
    climbed = []
    for minute, wall in ((0, noon), (4, noon + step), (5, noon + step), (9, noon + step), (10, noon + step)):
        with house.transaction() as transaction:
            climbed.append(commands.escalate(transaction, wall + minute * MINUTE, 1000 + minute * 60.0))
    assert climbed == [0, 0, 1, 0, 1]


def test_an_acknowledged_alert_climbs_no_further(house: House, commands: Commands, noon: datetime) -> None:
    with house.transaction() as transaction:
        commands.acknowledge(transaction, only(house).id, "x", noon, "ics")
        assert commands.escalate(transaction, noon + 60 * MINUTE, 60 * 60.0) == 0
    assert house.events("alert.escalated") == []


def test_an_alert_that_cannot_be_read_keeps_no_other_from_climbing(
    house: House, commands: Commands, noon: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    unreadable = only(house)
    house.take(oximeter(80, noon, device=WELL_OXIMETER))
    house.connection.execute("UPDATE alert SET body = '{}' WHERE id = ?", (unreadable.id.bytes,))
    with house.transaction() as transaction:
        assert commands.escalate(transaction, noon + 60 * MINUTE, 60 * 60.0) == 1
    assert house.told_alerts(AlertChange.ESCALATED)[0].resident == "R-0077"
    assert str(unreadable.id) in caplog.text


def test_an_alert_that_cannot_be_read_does_not_silence_its_resident(
    house: House, commands: Commands, noon: datetime
) -> None:
    """As after a downgrade: the row is of another version of the hub."""
    unreadable = only(house)
    house.connection.execute("UPDATE alert SET body = '{}' WHERE id = ?", (unreadable.id.bytes,))
    with house.transaction() as transaction:
        commands.deliver(transaction, [unreadable.id], noon)  # the outbox must get rid of its event
        with pytest.raises(UnreadableAlertError):
            commands.acknowledge(transaction, unreadable.id, "x", noon, "ics")
    taken = house.take(oximeter(79, noon + MINUTE, pulse=135))
    assert taken.outcome is Outcome.RAISED
    (state,) = house.connection.execute(
        "SELECT state FROM alert WHERE id = ?", (unreadable.id.bytes,)
    ).fetchone()
    assert state == "resolved"


def test_whoever_is_called_is_told_how_the_resident_is_now(
    house: House, commands: Commands, noon: datetime
) -> None:
    house.take(oximeter(70, noon + 2 * MINUTE, pulse=135))
    with house.transaction() as transaction:
        commands.escalate(transaction, noon + 6 * MINUTE, 6 * 60.0)
    (told,) = house.told_alerts(AlertChange.ESCALATED)
    assert told.assessment.observations[Vital.OXYGEN_SATURATION].value == 80
    assert told.newest is not None
    assert told.newest.observations[Vital.OXYGEN_SATURATION].value == 70


def test_acknowledgements_that_change_nothing_fill_no_card(
    house: House, commands: Commands, noon: datetime
) -> None:
    alert = only(house)
    with house.transaction() as transaction:
        for _ in range(300):
            commands.acknowledge(transaction, alert.id, "x", noon, "ics")
    assert len(house.history(alert)) == 100


@pytest.mark.parametrize("fails", ["audit", "tell"])
def test_a_change_its_history_and_its_event_are_stored_together_or_not_at_all(
    house: House, commands: Commands, noon: datetime, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    before, counts = only(house), house.counts()

    def broken(*_: object) -> None:
        raise sqlite3.IntegrityError("broken")

    monkeypatch.setattr(Transaction, fails, broken)
    for work in (
        lambda transaction: commands.acknowledge(transaction, before.id, "x", noon, "ics"),
        lambda transaction: commands.escalate(transaction, noon + 60 * MINUTE, 60 * 60.0),
    ):
        with pytest.raises(sqlite3.IntegrityError), house.transaction() as transaction:
            work(transaction)
        assert only(house) == before
        assert house.counts() == counts
