"""A concern from its reading to what the ICS is told: stored, noted and told in one transaction, on a real
database; and nothing of it that could name somebody leaves the home."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hub.alerts.book import AlertBook
from hub.alerts.commands import Commands, UnknownAlertError
from hub.alerts.concern import SoftSign, concern_reading
from hub.alerts.life import Alert, AlertPolicy, AlertState, Outcome, Resolution
from hub.alerts.of_concern import Settled
from hub.intake.following_the_clock import alert_stamps
from hub.uplink.cloudevents import to_json
from hub.uplink.contract import AlertChange
from tests.rigs.contract import event_faults
from tests.rigs.house import ILL, WELL, House, cuff, oximeter, thermometer

MINUTE = timedelta(minutes=1)
WORDS = "Tom says his mother is not herself"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.connection.close()


@pytest.fixture
def commands(house: House) -> Commands:
    return Commands(
        AlertBook(house.identity), AlertPolicy.of(house.config.alerts, house.config.observation_sets)
    )


def say(house: House, at: datetime, *signs: SoftSign) -> Alert:
    """The resident's open alert after a concern of theirs."""
    house.take(concern_reading("Asha Karim", at, signs, WORDS), resident=ILL)
    (alert,) = house.open_alerts()
    return alert


def settle(house: House, commands: Commands, alert: Alert, at: datetime) -> Settled:
    with house.transaction() as transaction:
        return commands.settle(transaction, alert.id, "Sam Osei", at, "a bad night, better now")


def test_a_concern_about_somebody_of_whom_nothing_is_known_is_an_alert(house: House, noon: datetime) -> None:
    taken = house.take(concern_reading("Asha Karim", noon, [SoftSign.OFF_LEGS], WORDS), resident=ILL)
    (alert,) = house.open_alerts()
    assert (taken.outcome, taken.alert, alert.resident) == (Outcome.RAISED, alert.id, ILL)
    (heard,) = house.told_alerts()
    assert (heard.change, heard.soft_signs, heard.concern_said_at) == (
        AlertChange.RAISED, (SoftSign.OFF_LEGS,), noon,
    )  # fmt: skip
    assert heard.response == "see this person now, whatever the score"


def test_no_word_and_no_name_of_it_leaves_the_home(house: House, commands: Commands, noon: datetime) -> None:
    house.take(oximeter(80, noon))
    alert = say(house, noon + MINUTE, SoftSign.FAMILY)
    settle(house, commands, alert, noon + 2 * MINUTE)
    events = house.events()
    assert [each.alert for each in house.told_alerts(AlertChange.CONCERN_SETTLED)] == [alert.id]
    told = "".join(map(to_json, events))
    assert not [each for each in ("Asha", "Tom", "Sam", "herself", "better now") if each in told]


def test_each_of_its_events_is_as_the_contract_says(house: House, commands: Commands, noon: datetime) -> None:
    house.take(oximeter(80, noon))
    alert = say(house, noon + MINUTE, SoftSign.PAIN)
    say(house, noon + 2 * MINUTE)
    settle(house, commands, alert, noon + 3 * MINUTE)
    events = house.events("alert")
    assert [event.type.split(".")[3] for event in events] == [
        "raised", "concern_said", "concern_said", "concern_settled",
    ]  # fmt: skip
    assert [event.extensions.get("concern") for event in events] == [None, "true", "true", None]
    assert len({event.id for event in events}) == len(events), "none is taken for another's repetition"
    assert [event_faults(event) for event in events] == [[], [], [], []]


def test_its_urgency_is_told_though_the_score_is_good(house: House, noon: datetime) -> None:
    house.take(oximeter(97, noon))
    say(house, noon + MINUTE)
    (event,) = house.events("alert")
    assert event.data["entry"][0]["resource"]["priority"] == "urgent"


def test_the_alert_has_what_was_known_and_what_was_known_before(house: House, noon: datetime) -> None:
    """The set of two hours ago is told beside the moment's, of which nothing was measured."""
    house.take(oximeter(95, noon - 120 * MINUTE))
    say(house, noon)
    (heard,) = house.told_alerts()
    assert heard.assessment.news2.total is None
    assert heard.newest is not None
    assert 95.0 in [each.value for each in heard.newest.observations.values()]


def test_it_is_no_observation(house: House, noon: datetime) -> None:
    """Nobody was observed by it: no set is told, and the newest set is the one that was measured."""
    house.take(thermometer(37.0, noon))
    told = len(house.told_observations())
    say(house, noon + 50 * MINUTE)
    assert len(house.told_observations()) == told
    with house.transaction() as transaction:
        newest = transaction.newest_set(ILL)
        row = transaction.newest_assessment(ILL)
    assert newest is not None
    assert newest.at == noon
    assert row is not None
    assert row.sequence == newest.sequence


def test_the_trail_says_who_said_what_and_who_settled_it(
    house: House, commands: Commands, noon: datetime
) -> None:
    alert = say(house, noon, SoftSign.TIRED)
    done = settle(house, commands, alert, noon + MINUTE)
    assert done.words == "The concern is settled, and nothing else holds the alert: it is closed."
    assert house.history(alert) == [
        ("raised", {"by": "Asha Karim", "signs": ["tired"], "words": WORDS}),
        ("resolved", {"by": "Sam Osei", "note": "a bad night, better now", "concern": "settled"}),
    ]


def test_one_that_takes_a_silent_alerts_place_rests_on_what_that_rested_on(
    house: House, commands: Commands, noon: datetime
) -> None:
    house.take(oximeter(80, noon))
    (alert,) = house.open_alerts()
    with house.transaction() as transaction:
        commands.acknowledge(transaction, alert.id, "Asha", noon, "hub")
    new = say(house, noon + 60 * MINUTE)
    assert (new.supersedes, new.band, new.state) == (alert.id, alert.band, AlertState.RAISED)
    raised = house.told_alerts(AlertChange.RAISED)[-1]
    assert raised.alert == new.id
    assert raised.assessment.news2.least == new.news2.total, "what is told is the score that the alert has"


def test_the_alert_of_one_who_leaves_is_closed_and_says_why(
    house: House, commands: Commands, noon: datetime
) -> None:
    alert = say(house, noon)
    with house.transaction() as transaction:
        closed = commands.close_for_leaving(transaction, ILL, "in hospital", "Mary", noon + MINUTE)
        assert commands.close_for_leaving(transaction, WELL, "moved", "Mary", noon + MINUTE) is None
    assert closed == alert.id
    (after,) = house.alerts()
    assert after.resolution is Resolution.LEFT
    assert house.history(alert)[-1] == ("resolved", {"by": "Mary", "why": "in hospital"})
    (heard,) = house.told_alerts(AlertChange.RESOLVED)
    assert heard.resolution is Resolution.LEFT


def test_an_alert_that_is_not_known_is_settled_by_nobody(
    house: House, commands: Commands, noon: datetime
) -> None:
    with house.transaction() as transaction, pytest.raises(UnknownAlertError):
        commands.settle(transaction, uuid.UUID(int=1), "Sam", noon, "seen")


def test_which_clock_told_when_it_was_said_is_known_though_another_alert_has_it_now(
    house: House, noon: datetime
) -> None:
    """The stamps of the first alert's trail: what is put right is put right by the clock that told it."""
    say(house, noon)
    house.take(cuff(85, noon + 5 * MINUTE))
    (alert,) = house.open_alerts()
    assert alert.concerned
    assert not alert.of_concern_alone
    with house.transaction() as transaction:
        stamps = alert_stamps(transaction, alert)
    assert stamps is not None
    assert stamps.concern is not None
