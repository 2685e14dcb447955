"""Which earlier sets the model sees: one of each four hours, and of how many a value may be carried."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.earlier import CARRIED, EVERY, OLDEST, Earlier, chosen

NOW = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Set:
    at: datetime


def of_ages(*hours: float) -> Earlier[Set]:
    return chosen([Set(NOW - each * HOUR) for each in sorted(hours)], NOW)


def ages(found: Earlier[Set]) -> list[float]:
    return [(NOW - each.at) / HOUR for each in found.sets]


def test_of_each_four_hours_before_the_set_the_newest_counts() -> None:
    assert ages(of_ages(4, 5, 7.9, 8, 9, 12.5, 15)) == [12.5, 8, 4]


def test_the_last_four_hours_are_of_the_set_itself() -> None:
    assert ages(of_ages(0, 0.1, 0.5, 3.9)) == []


def test_a_window_without_a_set_is_skipped() -> None:
    assert ages(of_ages(5, 30, 100)) == [100, 30, 5]


def test_of_what_is_not_older_than_a_day_a_value_may_be_carried() -> None:
    assert of_ages(5, 10, 24, 24.1, 48).carried == 3
    assert of_ages().carried == 0


def test_eight_are_enough_and_what_is_older_than_two_weeks_is_none() -> None:
    assert ages(of_ages(*range(4, 100, 4))) == [32, 28, 24, 20, 16, 12, 8, 4]
    assert ages(of_ages(5, 14 * 24, 14 * 24 + 1)) == [336, 5]


minutes = st.lists(st.integers(-600, 30_000), max_size=80)


@given(minutes, st.integers(1, 10))
def test_what_counts_is_what_the_rule_says(ages_in_minutes: list[int], most: int) -> None:
    sets = [Set(NOW - timedelta(minutes=each)) for each in sorted(ages_in_minutes)]
    windows: dict[int, Set] = {}
    for each in sets:  # reckoned the other way: all, and then the newest of each window
        age = NOW - each.at
        if EVERY <= age <= OLDEST:
            windows.setdefault(age // EVERY, each)
    expected = [windows[number] for number in sorted(windows)[:most]][::-1]
    found = chosen(sets, NOW, most)
    assert list(found.sets) == expected
    assert found.carried == sum(NOW - each.at <= CARRIED for each in expected)
    assert [*found.sets[len(found.sets) - found.carried :]] == [
        each for each in expected if NOW - each.at <= CARRIED
    ]


@given(minutes)
def test_no_more_is_looked_at_than_is_needed(ages_in_minutes: list[int]) -> None:
    sets = [Set(NOW - timedelta(minutes=each)) for each in sorted(ages_in_minutes)]
    looked_at: list[Set] = []

    def watched(each: Set) -> Set:
        looked_at.append(each)
        return each

    found = chosen(map(watched, sets), NOW, 2)
    if len(found.sets) == 2:
        assert looked_at[-1] is found.sets[0]
