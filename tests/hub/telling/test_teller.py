"""What is told from the card is what was known when it was stored; what cannot be read says so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hub.alerts.book import AlertBook
from hub.alerts.commands import Commands
from hub.alerts.life import AlertPolicy
from hub.assessment import news2
from hub.assessment.observation_set import ObservationSet
from hub.intake.assessing import Assessing
from hub.store.outbox import CannotBeToldError
from hub.store.rows import SELECT_ASSESSMENT, AssessmentRow, reading_rows
from hub.telling import teller as telling
from hub.telling.teller import KeptReadings, Teller, assessment_of
from hub.uplink.contract import Channel
from tests.rigs.house import ILL, House, cuff, entry, oximeter, thermometer


@pytest.fixture
def house(tmp_path: Path, noon: datetime) -> House:
    house = House(tmp_path, "[publish]\nreading = true\n")
    house.take(entry(noon))
    house.take(thermometer(38.4, noon + timedelta(minutes=1)))
    house.take(oximeter(91, noon + timedelta(minutes=2)))
    house.take(cuff(95, noon + timedelta(minutes=3), measured=noon + timedelta(minutes=2)))
    return house


def newest(house: House) -> AssessmentRow:
    rows = house.connection.execute(f"{SELECT_ASSESSMENT} WHERE a.resident = ? ORDER BY a.sequence", (ILL,))
    return [AssessmentRow.of(row) for row in rows][-1]


def test_an_assessment_is_told_as_it_was_formed(
    tmp_path: Path, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each set as the intake formed it, against the same one made from the card."""
    formed: list[ObservationSet] = []
    form: Callable[..., tuple[ObservationSet, object]] = Assessing._observations

    def noted(self: Assessing, *arguments: object) -> tuple[ObservationSet, object]:
        found = form(self, *arguments)
        formed.append(found[0])
        return found

    monkeypatch.setattr(Assessing, "_observations", noted)
    house = House(tmp_path)
    house.take(entry(noon))
    house.take(thermometer(38.4, noon + timedelta(minutes=1)))
    house.take(oximeter(91, noon + timedelta(minutes=2)))
    house.take(cuff(95, noon + timedelta(minutes=3), measured=noon + timedelta(minutes=2)))
    house.take(cuff(96, noon + timedelta(minutes=4), measured=noon - timedelta(days=400)))
    monkeypatch.undo()
    rows = house.connection.execute(f"{SELECT_ASSESSMENT} ORDER BY a.sequence")
    wholes = [assessment_of(KeptReadings(house.connection), AssessmentRow.of(row)) for row in rows]
    assert {whole.observations.at for whole in wholes} <= {each.at for each in formed}
    by_moment = [each for each in formed if each in [whole.observations for whole in wholes]]
    assert [whole.observations for whole in wholes] == by_moment
    for whole in wholes:
        values = whole.observations.values
        assert whole.news2 == news2.score(values, whole.news2.scale)
        assert set(whole.sources) == {each.reading_id for each in whole.observations.observations.values()}


def test_an_event_made_twice_is_the_same(house: House) -> None:
    assert [event.id for event in house.events()] == [event.id for event in house.events()]
    assert len({event.id for event in house.events()}) == len(house.events())


def test_a_source_that_is_no_longer_kept_leaves_its_value(house: House) -> None:
    row = newest(house)
    before = assessment_of(KeptReadings(house.connection), row)
    first = min(sequence for _, sequence in row.observations.values())
    house.connection.execute("DELETE FROM reading WHERE sequence = ?", (first,))
    after = assessment_of(KeptReadings(house.connection), row)
    assert after.observations.values == before.observations.values
    assert after.news2 == before.news2
    assert len(after.sources) == len(before.sources) - 1


@pytest.mark.parametrize("channel", [Channel.READING, Channel.OBSERVATION])
def test_what_is_no_longer_kept_says_so(house: House, channel: str) -> None:
    with pytest.raises(CannotBeToldError, match="no longer kept"):
        Teller(house.identity).event(house.connection, channel, 900, 901)


def test_a_range_tells_of_those_that_are_left(house: House) -> None:
    house.connection.execute("DELETE FROM reading WHERE sequence = 2")
    event = Teller(house.identity).event(house.connection, Channel.READING, 1, 3)
    assert event is not None
    assert len(reading_rows(house.connection, 1, 3)) == 2


@pytest.mark.parametrize(
    ("channel", "change"),
    [
        (Channel.READING, "UPDATE reading SET measurements = '[[4,\"QUINCEY\"]]'"),
        (Channel.READING, "UPDATE reading SET measurements = 'QUINCEY'"),
        (Channel.READING, "UPDATE reading SET received_at = 9223372036854775807"),
        (Channel.READING, "UPDATE reading SET time_quality = 77"),
        (Channel.READING, "UPDATE reading SET id = x'00'"),
        (Channel.READING, "UPDATE reading SET measurements = CAST(x'5b5b342c80' AS TEXT)"),
        (Channel.OBSERVATION, "UPDATE assessment SET observations = '[[77,\"QUINCEY\"]]'"),
        (Channel.OBSERVATION, "UPDATE assessment SET scale = 9"),
        (Channel.OBSERVATION, "UPDATE assessment SET at = -9223372036854775807"),
    ],
)
def test_an_unreadable_row_says_so_and_quotes_nothing(house: House, channel: str, change: str) -> None:
    house.connection.execute(f"{change} WHERE sequence = 1")
    with pytest.raises(CannotBeToldError) as refused:
        Teller(house.identity).event(house.connection, channel, 1, 1)
    assert "cannot be read" in str(refused.value)
    assert "QUINCEY" not in str(refused.value)


def test_one_damaged_row_does_not_keep_the_hub_from_starting(house: House) -> None:
    for change in (
        "UPDATE reading SET received_at = 9223372036854775807 WHERE sequence = 1",
        "UPDATE reading SET measurements = CAST(x'5b5b342c80' AS TEXT) WHERE sequence = 2",
        "UPDATE assessment SET observations = '[[77,1]]' WHERE sequence = 1",
    ):
        house.connection.execute(change)
    house.connection.close()
    again = House(house.path.parent.parent, "[publish]\nreading = true\n")
    assert again.count("reading") == 4


def test_nothing_is_told_of_an_alert_by_its_number(house: House) -> None:
    with pytest.raises(CannotBeToldError, match="by its number"):
        Teller(house.identity).event(house.connection, Channel.ALERT, 1, 1)


def test_an_unreadable_assessment_does_not_keep_an_alert_from_being_told(
    house: House, noon: datetime
) -> None:
    house.take(oximeter(80, noon + timedelta(minutes=5)))
    (alert,) = house.open_alerts()
    house.connection.execute("UPDATE assessment SET observations = 'x'")

    policy = AlertPolicy.of(house.config.alerts, house.config.observation_sets)
    commands = Commands(AlertBook(house.identity), policy)
    with house.transaction() as transaction:
        assert commands.escalate(transaction, noon + timedelta(hours=5), 0.0) == 1
    (escalated,) = house.events("alert.escalated")
    assert escalated.extensions["alert"] == str(alert.id)


def test_a_fault_that_nobody_foresaw_is_the_rows_own(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would end the forwarder, and the alerts behind it would wait."""

    def fails(*_: object) -> None:
        raise AssertionError("QUINCEY")

    monkeypatch.setattr(telling, "told_readings_event", fails)
    with pytest.raises(CannotBeToldError) as refused:
        Teller(house.identity).event(house.connection, Channel.READING, 1, 1)
    assert "QUINCEY" not in str(refused.value)
