"""What the watch over the model finds: the threshold of its budget, and what it is given against what it was
trained on and against the home's first month."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hub.assessment.budget import Basis
from hub.assessment.deterioration import SHIPPED_CARD
from hub.assessment.expectations import Expectations
from hub.shadow.watch import WINDOW, first_month, look
from tests.rigs.house import House
from tests.rigs.made_up_model import MODEL_NAME, OTHER_NAME, made_up_model
from tests.rigs.watched_home import PULSE, evenly, expectations, fill

DAY = timedelta(days=1)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, model=made_up_model())
    yield house
    house.connection.close()


# --- what is found


def test_the_threshold_is_of_this_homes_risks_where_they_are_enough(house: House, noon: datetime) -> None:
    fill(house, noon, 28, evenly, risk=lambda number: 0.9 if number % 151 == 0 else 0.1)
    found, _ = look(house.connection, MODEL_NAME, expectations(), 3.0, noon + 28 * DAY, believed=True)
    assert (found.threshold.basis, found.threshold.value) == (Basis.HISTORY, 0.9)
    assert found.threshold.alerts <= 0.03 * found.threshold.resident_days
    assert "would alert from a risk of 90.0% on, by the risks of this home" in found.threshold_words
    assert "the budget is 3 per 100 resident-days" in found.threshold_words


def test_with_too_little_history_it_is_the_cards_and_said_to_be(house: House, noon: datetime) -> None:
    fill(house, noon, 5, evenly)
    found, _ = look(house.connection, MODEL_NAME, expectations(), 3.0, noon + 5 * DAY, believed=True)
    assert (found.threshold.basis, found.threshold.value) == (Basis.CARD, 0.6)
    assert "by the model's card, as measured where it was trained" in found.threshold_words
    assert "resident-days of risks on 6 days" in found.threshold_words


def test_history_of_another_model_does_not_count(house: House, noon: datetime) -> None:
    fill(house, noon, 28, evenly)
    found, _ = look(house.connection, OTHER_NAME, expectations(), 3.0, noon + 28 * DAY, believed=True)
    assert found.threshold.basis is Basis.CARD
    assert [each.known for each in found.inputs] == [0, 0, 0]


def test_an_old_card_switches_the_features_off_and_that_is_said(house: House, noon: datetime) -> None:
    fill(house, noon, 5, evenly)
    found, _ = look(house.connection, MODEL_NAME, Expectations.of({}), 3.0, noon + 5 * DAY, believed=True)
    assert (found.threshold.value, found.inputs) == (None, ())
    assert "no threshold: the model's card gives none" in found.threshold_words
    assert "that inputs differ is not found out" in found.inputs_words
    assert len(found.lacking) == 2


@pytest.mark.parametrize(
    "card",
    [
        {
            "budget": [{"alerts_per_100_days": -1, "threshold": 0.5}],
            "drift": {PULSE: {"edges": [1], "shares": [1]}},
        },
        {"budget": "3", "drift": [1]},
        {"budget": [{"threshold": 0.5}], "drift": {PULSE: {"edges": [2, 1], "shares": [1, 1, 1]}}},
    ],
)
def test_what_a_card_says_wrongly_is_as_if_it_did_not_say_it(card: dict[str, object]) -> None:
    found = Expectations.of(card)
    assert (found.budget, dict(found.histograms)) == ((), {})
    assert all("cannot be read" in each for each in found.lacking)
    assert len(found.lacking) == 2


def test_the_card_that_comes_with_the_hub_has_a_budget_and_histograms() -> None:
    found = Expectations.read(SHIPPED_CARD)
    assert found.lacking == ()
    assert {"risk", "age", PULSE} <= found.histograms.keys()
    thresholds = [row.threshold for row in sorted(found.budget, key=lambda row: row.alerts_per_100_days)]
    assert thresholds == sorted(thresholds, reverse=True)


def test_a_card_that_cannot_be_read_is_no_card(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[]")
    for name in ("none.json", "list.json"):
        assert len(Expectations.read(tmp_path / name).lacking) == 1


def test_people_like_those_in_training_do_not_differ(house: House, noon: datetime) -> None:
    fill(house, noon, 28, evenly)
    found, _ = look(house.connection, MODEL_NAME, expectations(), 3.0, noon + 28 * DAY, believed=True)
    assert PULSE not in found.differing
    assert "risk" not in found.differing


def test_a_care_home_differs_from_training_which_is_information_and_no_change(
    house: House, noon: datetime
) -> None:
    fill(house, noon, 28, evenly, age=88)
    found, _ = look(house.connection, MODEL_NAME, expectations(), 3.0, noon + 28 * DAY, believed=True)
    assert (found.differing, found.changed) == (("age",), ())
    assert found.inputs_words == "inputs differ from training: age"


# --- the first month


def through(house: House, begin: datetime, *days: int, believed: bool = True) -> None:
    """Look on these days, and keep what is to be kept."""
    for day in days:
        _, month = look(
            house.connection, MODEL_NAME, expectations(), 3.0, begin + day * DAY, believed=believed
        )
        if month is not None:
            with house.transaction() as transaction:
                transaction.set_fact("model watch: first month", month.to_json())


def test_the_first_month_is_waited_for_and_then_stays(house: House, noon: datetime) -> None:
    fill(house, noon, 40, evenly)
    through(house, noon, 0, 1, 27)
    month = first_month(house.connection)
    assert month is not None
    assert (month.since, month.until) == (noon, None)
    through(house, noon, 28, 29, 36)
    month = first_month(house.connection)
    assert month is not None
    assert month.until == noon + WINDOW
    assert month.inputs is not None
    assert sum(month.inputs[PULSE]) == (28 * 4 + 1) * 4 + 1


def test_a_home_that_stays_as_it_was_is_not_warned_of(house: House, noon: datetime) -> None:
    fill(house, noon, 60, evenly, age=88)
    through(house, noon, 0, 28)
    found, _ = look(house.connection, MODEL_NAME, expectations(), 3.0, noon + 60 * DAY, believed=True)
    assert (found.differing, found.changed) == (("age",), ())


def test_a_home_that_becomes_another_is_warned_of(house: House, noon: datetime) -> None:
    """A new oximeter that reads pulses ten too high would do."""
    fill(house, noon, 60, lambda number: evenly(number) if number < 30 * 16 else 105.0)
    through(house, noon, 0, 28)
    found, _ = look(house.connection, MODEL_NAME, expectations(), 3.0, noon + 60 * DAY, believed=True)
    assert PULSE in found.changed
    assert "changed since this home's first month: pulse rate" in found.inputs_words


def test_without_a_synchronised_clock_no_first_month_is_begun(house: House, noon: datetime) -> None:
    fill(house, noon, 40, evenly)
    through(house, noon, 0, 28, 35, believed=False)
    assert first_month(house.connection) is None


def test_another_model_begins_its_first_month_anew(house: House, noon: datetime) -> None:
    fill(house, noon, 30, evenly)
    through(house, noon, 0, 28)
    later = noon + 31 * DAY
    _, month = look(house.connection, OTHER_NAME, expectations(), 3.0, later, believed=True)
    assert month is not None
    assert (month.model, month.since, month.inputs) == (OTHER_NAME, later, None)
