"""The alert budget: what counts as an alert, and which threshold a budget affords."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.budget import (
    QUIET,
    STANDS_AT_MOST,
    Basis,
    BudgetRow,
    History,
    afforded,
    from_card,
    threshold,
)

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CARD = (BudgetRow(1.0, 0.5), BudgetRow(3.0, 0.3), BudgetRow(10.0, 0.1))

Told = tuple[str, datetime, float]
RISKS = st.integers(0, 20).map(lambda twentieth: twentieth / 20)
HISTORIES = st.lists(
    st.tuples(
        st.sampled_from(["R-1", "R-2", "R-3"]),
        st.integers(0, 40 * 24).map(lambda hours: BEGIN + hours * HOUR),
        RISKS,
    ),
    min_size=1,
    max_size=60,
    unique_by=lambda each: each[:2],
)
BUDGETS = st.floats(0.1, 100)


def course(*risks: float, every: timedelta = 6 * HOUR, of: str = "R-1") -> list[Told]:
    return [(of, BEGIN + number * every, risk) for number, risk in enumerate(risks)]


def alerts_one_by_one(told: Sequence[Told], at_least: float) -> int:
    """The rule as a state machine, one resident after the other: what the other is held to."""
    count = 0
    for resident in {whose for whose, _, _ in told}:
        standing, below_since = False, None
        for _, at, risk in sorted(each for each in told if each[0] == resident):
            if risk < at_least:
                below_since = below_since or at
            else:
                if not standing or (below_since is not None and at - below_since >= QUIET):
                    count += 1
                standing, below_since = True, None
    return count


# --- what an alert is


@pytest.mark.parametrize(
    ("risks", "alerts"),
    [
        ((0.1, 0.2, 0.1), 0),
        ((0.1, 0.5, 0.1), 1),
        ((0.5, 0.5, 0.9, 0.5), 1),
        ((0.5, 0.1, 0.5, 0.1, 0.5), 1),
        ((0.5, 0.1, 0.1, 0.5), 2),
        ((0.5, 0.1, 0.1, 0.1, 0.5, 0.5, 0.1, 0.5), 2),
    ],
    ids=["below", "reached", "stays", "flaps", "was well for 12 h", "and stays"],
)
def test_who_comes_to_be_above_alerts_once_until_they_were_below_for_twelve_hours(
    risks: tuple[float, ...], alerts: int
) -> None:
    assert History.of(course(*risks)).alerts(0.5) == alerts


def test_each_resident_alerts_for_themselves_in_whatever_order_it_is_told() -> None:
    told = [*course(0.9, 0.1, of="R-1"), *course(0.1, 0.9, of="R-2")]
    assert History.of(told).alerts(0.5) == History.of(reversed(told)).alerts(0.5) == 2


@given(HISTORIES, RISKS)
def test_alerts_are_counted_as_the_rule_says_step_by_step(told: list[Told], at_least: float) -> None:
    assert History.of(told).alerts(at_least) == alerts_one_by_one(told, at_least)


def test_a_day_counts_once_for_each_resident_who_was_scored_on_it() -> None:
    history = History.of([*course(0.1, 0.1, 0.1, 0.1, 0.1, of="R-1"), *course(0.1, of="R-2")])
    assert (history.resident_days, history.days) == (3, 2)


def test_what_is_no_number_is_left_out() -> None:
    assert History.of(course(0.9, float("nan"), float("inf"))).alerts(0.5) == 1


# --- the threshold


@given(HISTORIES, BUDGETS)
def test_the_alerts_of_the_threshold_are_within_the_budget(told: list[Told], budget: float) -> None:
    history = History.of(told)
    found = afforded(history, budget)
    allowed = budget * history.resident_days / 100
    assert alerts_one_by_one(told, found) <= allowed
    assert history.days_above(found) <= STANDS_AT_MOST * allowed
    # ... and of each that is higher
    assert all(alerts_one_by_one(told, risk) <= allowed for _, _, risk in told if risk > found)


@given(HISTORIES, BUDGETS, BUDGETS)
def test_a_higher_budget_never_gives_a_higher_threshold(told: list[Told], one: float, other: float) -> None:
    history = History.of(told)
    assert afforded(history, max(one, other)) <= afforded(history, min(one, other))
    assert (from_card(CARD, max(one, other)) or 0) <= (from_card(CARD, min(one, other)) or 0)


def test_a_budget_is_spent_as_far_as_it_goes() -> None:
    """Ten residents for ten days; each falls ill once, and their worst risks are .91 to 1."""
    told = [
        each
        for number in range(10)
        for each in course(
            *[0.1] * number, 0.91 + number / 100, *[0.1] * (9 - number), every=DAY, of=str(number)
        )
    ]
    history = History.of(told)
    assert history.resident_days == 100
    assert [afforded(history, budget) for budget in (1, 3, 9)] == pytest.approx([1.0, 0.98, 0.92])


def test_where_no_alert_is_afforded_no_risk_of_the_history_reaches_the_threshold() -> None:
    history = History.of(course(0.2, 0.9, 0.1))
    assert history.alerts(afforded(history, 0.1)) == 0


def test_a_budget_that_is_never_spent_does_not_put_everybody_above() -> None:
    """Thirty people whose risks stand still: at 0 each alerts once, 1.7 in 100 days, and stands for ever."""
    told = [each for number in range(30) for each in course(*[number / 100] * 60, every=DAY, of=str(number))]
    history = History.of(told)
    assert history.alerts(0.0) * 100 / history.resident_days < 3
    found = afforded(history, 3)
    assert history.days_above(found) <= 0.15 * history.resident_days
    assert found > 0.2


def test_of_very_many_risks_it_is_found_too() -> None:
    told = [
        each
        for of in range(5)
        for each in course(*((n * 7919 % 4001) / 4001 for n in range(900)), of=str(of))
    ]
    history = History.of(told)
    found = afforded(history, 3)
    assert 0 < history.alerts(found) <= 3 * history.resident_days / 100


def test_without_any_risk_there_is_none() -> None:
    with pytest.raises(ValueError, match="without any risk"):
        afforded(History(()), 3)


# --- what it rests on


def test_too_little_history_takes_the_threshold_of_the_card() -> None:
    for told in (
        course(*[0.2] * 50, every=DAY),
        [each for of in "abcdefghij" for each in course(*[0.2] * 10, every=DAY, of=of)],
    ):
        found = threshold(History.of(told), CARD, 3)
        assert (found.value, found.basis) == (0.3, Basis.CARD)


def test_enough_history_decides_whatever_the_card_says() -> None:
    told = [each for of in range(10) for each in course(*[0.01 * of] * 14, every=DAY, of=str(of))]
    found = threshold(History.of(told), CARD, 10)
    assert (found.basis, found.resident_days, found.days) == (Basis.HISTORY, 140, 14)
    assert found.value is not None
    assert found.value < 0.1
    assert found.alerts_per_100_days == pytest.approx(100 * found.alerts / 140)


def test_a_card_without_a_budget_and_no_history_give_no_threshold() -> None:
    found = threshold(History(()), (), 3)
    assert (found.value, found.basis, found.alerts_per_100_days) == (None, Basis.NOTHING, None)


@pytest.mark.parametrize(("budget", "value"), [(0.5, 0.5), (3, 0.3), (9.9, 0.3), (50, 0.1)])
def test_a_card_gives_the_lowest_threshold_that_raised_no_more(budget: float, value: float) -> None:
    assert from_card(CARD, budget) == value
