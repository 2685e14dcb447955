"""Which threshold was in force when: noted at each change, in the trail, and as long as scores are kept."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from hub.assessment.budget import Basis, Threshold
from hub.shadow import thresholds as shadow_thresholds
from hub.shadow.thresholds import Thresholds, note, thresholds
from hub.store.rows import ModelName
from hub.trail import Audited, Moment
from tests.rigs.clocks import RightClock
from tests.rigs.house import House
from tests.rigs.made_up_model import MODEL_NAME, OTHER_NAME

HOUR = timedelta(hours=1)


def noted(
    house: House, at: datetime, value: float | None, model: ModelName = MODEL_NAME, budget: float = 3.0
) -> None:
    found = Threshold(value, Basis.CARD, 0, 0, 0)
    with house.transaction() as transaction:
        note(transaction, model, found, budget, Moment(at, RightClock().stamp()))


def trail(house: House) -> list[float | None]:
    rows = house.connection.execute(
        "SELECT detail FROM audit WHERE what = ? ORDER BY sequence", (Audited.SHADOW_THRESHOLD.value,)
    )
    return [json.loads(detail)["risk"] for (detail,) in rows]


def test_a_score_is_joined_with_the_threshold_that_was_in_force(house: House, noon: datetime) -> None:
    noted(house, noon, 0.6)
    noted(house, noon + HOUR, 0.5)
    noted(house, noon + 2 * HOUR, None, OTHER_NAME)
    known = Thresholds(thresholds(house.connection))
    hours = (-1, 0, 0.5, 1, 1.5)
    assert [known.at(noon + each * HOUR, MODEL_NAME.sha256) for each in hours] == [None, 0.6, 0.6, 0.5, 0.5]
    assert known.at(noon + 2 * HOUR, MODEL_NAME.sha256) is None, "another model's was"
    assert known.at(noon + HOUR, OTHER_NAME.sha256) is None


def test_what_was_in_force_before_is_not_noted_again(house: House, noon: datetime) -> None:
    for hours, value in enumerate((0.6, 0.6, 0.5, 0.6)):
        noted(house, noon + hours * HOUR, value)
    noted(house, noon + 4 * HOUR, 0.6, OTHER_NAME)
    noted(house, noon + 5 * HOUR, 0.6, OTHER_NAME, budget=5.0)
    assert trail(house) == [0.6, 0.5, 0.6, 0.6, 0.6]
    assert [each.risk for each in thresholds(house.connection)] == trail(house)


def test_they_do_not_grow_for_ever(house: House, noon: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow_thresholds, "MOST", 3)
    for number in range(9):
        noted(house, noon + number * HOUR, number / 10)
    assert [each.risk for each in thresholds(house.connection)] == [0.6, 0.7, 0.8]


def test_by_a_clock_that_was_set_back_the_one_is_found_that_it_told_last_before_then(
    house: House, noon: datetime
) -> None:
    noted(house, noon + 9 * HOUR, 0.6)
    noted(house, noon, 0.5)
    known = Thresholds(thresholds(house.connection))
    assert [known.at(noon + each * HOUR, MODEL_NAME.sha256) for each in (1, 10)] == [0.5, 0.6]


@pytest.mark.parametrize("damaged", ["", "{}", "[7]", '[{"since": "2026-03-01T12:00:00"}]'])
def test_what_cannot_be_read_keeps_no_new_one_from_being_noted(
    house: House, noon: datetime, damaged: str
) -> None:
    with house.transaction() as transaction:
        transaction.set_fact("model watch: thresholds", damaged)
    assert thresholds(house.connection) == ()
    noted(house, noon, 0.5)
    assert [each.risk for each in thresholds(house.connection)] == [0.5]
