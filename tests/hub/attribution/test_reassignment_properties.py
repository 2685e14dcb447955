"""Whatever was measured: a mistake that is corrected leaves what would be if it had never been made."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from hub.readings import Consciousness, Reading
from tests.rigs.desk import MINUTE, NOON, Desk
from tests.rigs.house import ILL, SHARED, WELL, entry, oximeter, thermometer


@dataclass(frozen=True)
class Event:
    """A reading, and whose it is."""

    reading: Reading
    owner: str


@dataclass(frozen=True)
class History:
    """What happens in a home in its order: one reading, `wrong`, is first taken for the other resident's, and
    that is corrected after the reading `corrected`."""

    events: tuple[Event, ...]
    wrong: int
    corrected: int


def _reading(kind: tuple[str, float], minute: int) -> Reading:
    at, (what, value) = NOON + minute * MINUTE, kind
    match what:
        case "saturation":
            return oximeter(value, at, device=SHARED)
        case "pulse":
            return oximeter(97, at, pulse=value, device=SHARED)
        case "temperature":
            return thermometer(value, at)
        case _:
            return entry(at, rate=int(value), consciousness=Consciousness.ALERT)


KINDS = st.one_of(
    st.tuples(st.just("saturation"), st.sampled_from([84.0, 93.0, 97.0])),
    st.tuples(st.just("pulse"), st.sampled_from([72.0, 120.0, 140.0])),
    st.tuples(st.just("temperature"), st.sampled_from([34.0, 36.8, 39.5])),
    st.tuples(st.just("rate"), st.sampled_from([16.0, 23.0, 26.0])),
)


@st.composite
def histories(draw: st.DrawFn) -> History:
    gaps = draw(st.lists(st.integers(1, 35), min_size=1, max_size=9))
    events, minute = [], 0
    for gap in gaps:
        minute += gap
        events.append(Event(_reading(draw(KINDS), minute), draw(st.sampled_from([ILL, WELL]))))
    wrong = draw(st.integers(0, len(events) - 1))
    return History(tuple(events), wrong, draw(st.integers(wrong, len(events) - 1)))


Homes = Callable[[], Desk]


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[Homes]:
    """Makes empty homes: each a copy of one, since to make a database takes longer than to use it."""
    template = Desk(tmp_path / "template")
    template.house.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    template.house.connection.close()
    made: list[Desk] = []
    numbers = count()

    def make() -> Desk:
        for each in made[:-1]:
            each.house.connection.close()
        del made[:-1]
        directory = tmp_path / str(next(numbers))
        shutil.copytree(tmp_path / "template" / "data", directory / "data")
        made.append(Desk(directory))
        return made[-1]

    yield make
    for each in made:
        each.house.connection.close()


def right(homes: Homes, history: History) -> Desk:
    """The home where no mistake was made."""
    desk = homes()
    for event in history.events:
        desk.take(event.reading, event.owner)
    return desk


def corrected(homes: Homes, history: History, *, correct: bool = True) -> Desk:
    """The home where one was made, and corrected."""
    desk = homes()
    for number, event in enumerate(history.events):
        if number == history.wrong:
            desk.take(event.reading, other_of(event.owner))
        else:
            desk.take(event.reading, event.owner)
        if number == history.corrected and correct:
            desk.correct(history.events[history.wrong].reading, event_owner(history))
    return desk


def other_of(resident: str) -> str:
    return WELL if resident == ILL else ILL


def event_owner(history: History) -> str:
    return history.events[history.wrong].owner


def window(desk: Desk, resident: str) -> list[Any]:
    """What sets would be formed of at many moments, by what is in memory."""
    return [
        sorted(
            (vital.value, each.observation.value, each.observation.measured_at, each.reading)
            for vital, each in found
        )
        for found in desk.newest(resident, [NOON + minute * MINUTE for minute in range(0, 350, 7)])
    ]


def in_memory(desk: Desk, resident: str) -> Any:
    return window(desk, resident), desk.newest_values(resident), desk.hours(resident)


def alert_of(desk: Desk, resident: str) -> Any:
    alert = desk.open_of(resident)
    if alert is None:
        return None
    return (
        alert.band,
        alert.news2,
        alert.contributing,
        alert.assessed_until,
        alert.measured_at,
        alert.below_since,
        alert.quiet_since,
    )


def of_the_wrong(desk: Desk, history: History) -> Any:
    """All that is known of the resident whose the reading never was."""
    resident = other_of(event_owner(history))
    return desk.scores(resident), alert_of(desk, resident), window(desk, resident)


def _settings(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@_settings(40)
@given(history=histories())
def test_for_whom_it_never_was_all_is_as_if_it_had_never_been_theirs(homes: Homes, history: History) -> None:
    as_it_should_be = of_the_wrong(right(homes, history), history)
    assert of_the_wrong(corrected(homes, history), history) == as_it_should_be


@_settings(40)
@given(history=histories())
def test_for_whom_it_is_the_window_and_the_newest_score_are_as_if_it_had_always_been_theirs(
    homes: Homes, history: History
) -> None:
    """And no alert is missing that there would be: what is known late may leave one open, and hides none."""
    resident = event_owner(history)
    should, desk = right(homes, history), corrected(homes, history)
    assert window(desk, resident) == window(should, resident)
    assert max(at for at, _, _ in desk.scores(resident)) == max(at for at, _, _ in should.scores(resident))
    assert desk.newest_values(resident) == should.newest_values(resident)
    due, there = should.open_of(resident), desk.open_of(resident)
    assert due is None or (there is not None and there.band.rank >= due.band.rank)


@_settings(40)
@given(history=histories(), further=st.sets(st.integers(0, 8), min_size=1, max_size=3))
def test_a_whole_round_of_the_wrong_resident_is_put_right_reading_by_reading(
    homes: Homes, history: History, further: set[int]
) -> None:
    """Somebody was scanned, and another measured: each reading is corrected by itself, the newest first."""
    wrong = sorted({history.wrong, *(each for each in further if each < len(history.events))})
    owner = event_owner(history)
    events = [
        Event(event.reading, owner) if number in wrong else event
        for number, event in enumerate(history.events)
    ]
    should, desk = homes(), homes()
    for number, event in enumerate(events):
        should.take(event.reading, event.owner)
        desk.take(event.reading, other_of(owner) if number in wrong else event.owner)
    for number in reversed(wrong):
        desk.correct(events[number].reading, owner)
    assert of_the_wrong(desk, history) == of_the_wrong(should, history)
    assert window(desk, owner) == window(should, owner)


@_settings(25)
@given(history=histories())
def test_what_is_in_memory_is_what_a_restart_would_find(homes: Homes, history: History) -> None:
    desk = corrected(homes, history)
    before = [in_memory(desk, each) for each in (ILL, WELL)]
    desk.restart()
    assert [in_memory(desk, each) for each in (ILL, WELL)] == before


def test_without_the_correction_all_of_this_would_fail(homes: Homes) -> None:
    """The control: scores, alert and window of whom it never was each tell the difference."""
    for part in range(3):

        def differs(history: History, part: int = part) -> bool:
            mistaken = of_the_wrong(corrected(homes, history, correct=False), history)
            return bool(mistaken[part] != of_the_wrong(right(homes, history), history)[part])

        try:
            find(histories(), differs, settings=settings(_settings(60), phases=[Phase.generate]))
        except NoSuchExample:
            pytest.fail(f"part {part} of what is compared does not tell a mistake")
