"""A card that lost a row, or has many, keeps nobody from saying whose a reading is, and closes no alert."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.alerts.life import Outcome
from hub.attribution import alerts_corrected
from tests.rigs.desk import MINUTE, NOON, Desk
from tests.rigs.house import ILL, SHARED, WELL, WELL_OXIMETER, oximeter, thermometer

DAMAGE = [
    "UPDATE assessment SET observations = 'xx' WHERE sequence = 1",
    "UPDATE assessment SET total = 'xx' WHERE sequence = 1",
    "UPDATE assessment SET scale = 9 WHERE sequence = 1",
    "UPDATE reading SET measurements = x'00ff' WHERE sequence = 1",
    "UPDATE reading SET received_at = 'xx' WHERE sequence = 1",
]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.house.connection.close()


def damage(desk: Desk, how: str) -> None:
    desk.house.connection.execute("PRAGMA ignore_check_constraints = 1")
    desk.house.connection.execute(how)
    desk.restart()


@pytest.mark.parametrize("how", DAMAGE)
def test_what_is_bad_can_be_assigned_and_calls(desk: Desk, how: str) -> None:
    desk.take(oximeter(97, NOON, device=WELL_OXIMETER))
    waits = desk.shared(84, 1)
    damage(desk, how)
    assert desk.assign(WELL, waits).outcome is Outcome.RAISED


@pytest.mark.parametrize("how", DAMAGE)
def test_what_is_wrong_can_be_corrected_and_an_alert_that_cannot_be_followed_stays(
    desk: Desk, how: str
) -> None:
    desk.take(oximeter(84, NOON, device=WELL_OXIMETER))
    wrong = desk.take(oximeter(97, NOON + MINUTE, device=SHARED), WELL)
    damage(desk, how)
    assert desk.correct(wrong, ILL).withdrawn == 1
    assert desk.owner(wrong) == ILL
    assert desk.open_of(WELL) is not None


def test_an_alert_that_has_ended_since_is_not_raised_again_where_there_is_too_much_to_look_through(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts_corrected, "_MOST_REPLAYED", 2)
    wrong = desk.take(thermometer(36.8, NOON), WELL)
    desk.take(oximeter(84, NOON + MINUTE, device=WELL_OXIMETER))
    for minute in (5, 20, 40, 45):
        desk.take(oximeter(97, NOON + minute * MINUTE, device=WELL_OXIMETER))
    assert desk.open_of(WELL) is None
    assert "An alert is raised" not in desk.correct(wrong, ILL).words
    assert desk.open_of(WELL) is None


def test_an_alert_of_what_was_taken_away_never_goes_on_unsaid(desk: Desk) -> None:
    """Given away, and back again, it was theirs before what raised the alert that is open."""
    first = desk.take(thermometer(34.0, NOON), WELL)
    desk.correct(first, ILL)
    wrong = desk.take(thermometer(34.0, NOON + 60 * MINUTE), WELL)
    desk.correct(first, WELL)
    desk.take(thermometer(34.0, NOON + 90 * MINUTE), WELL)
    alert = desk.open_of(WELL)
    assert alert is not None
    desk.acknowledge(alert)
    assert "Look at them" in desk.correct(wrong, ILL).words
    assert desk.open_of(WELL) is not None
