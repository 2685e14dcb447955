"""A model judged by what happened: which sets an event followed, and a recalibration made of both."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.recalibration import RecalibrationError
from hub.clock import ClockQuality
from hub.shadow.judging import (
    LEAST_EVENTS,
    History,
    Judged,
    Outcome,
    OutcomesError,
    judge,
    outcomes_of,
    recalibrated,
)
from hub.store.scores import Score
from tests.rigs.made_up_model import MODEL_NAME, SHA256

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LONDON = ZoneInfo("Europe/London")
TWELVE = 12 * HOUR


def score(at: datetime, risk: float = 0.1, resident: str = "R-1") -> Score:
    return Score(
        resident, at, ClockQuality.SYNCHRONISED, risk, risk, None, "zero", 0, frozenset(), 80, MODEL_NAME
    )


def judged(
    *scores: Score, events: list[Outcome], since: datetime | None = None, until: datetime = NOON + 30 * DAY
) -> History:
    return judge(scores, events, TWELVE, since=since, until=until)


# --- the list


@pytest.mark.parametrize("column", ["resident", "patient"])
def test_events_are_read_from_a_list(column: str) -> None:
    text = f"why,time,{column}\nfall,2026-07-01T14:30, R-1 \nsepsis,2026-03-01T12:00:00Z,R-2\n"
    assert outcomes_of(io.StringIO(text), LONDON) == (
        Outcome("R-1", datetime(2026, 7, 1, 13, 30, tzinfo=UTC)),
        Outcome("R-2", NOON),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must name the columns"),
        ("resident,when\nR-1,2026-03-01\n", "must name the columns"),
        ("resident,time\nR-1,yesterday\n", "line 2: give the time as"),
        ("resident,time\nR-1,2026-03-01T12:00\n ,2026-03-01T12:00\n", "line 3: there is nothing"),
        ("resident,time\nR-1,2026-03-01\n", "line 2: give the time as"),
        ("resident,time\nR-1,20260301\n", "line 2: give the time as"),
        ("resident,time\nR-1\n", "line 2: give the time as"),
    ],
)
def test_a_list_that_cannot_be_read_says_where_and_quotes_nothing(text: str, said: str) -> None:
    with pytest.raises(OutcomesError, match=said) as raised:
        outcomes_of(io.StringIO(text), LONDON)
    assert "yesterday" not in str(raised.value)


# --- which sets an event followed


@pytest.mark.parametrize(
    ("after", "followed"),
    [(-HOUR, False), (0 * HOUR, False), (HOUR, True), (TWELVE, True), (TWELVE + HOUR, False)],
)
def test_an_event_follows_a_set_that_was_within_the_horizon_before_it(
    after: timedelta, followed: bool
) -> None:
    found = judged(score(NOON), events=[Outcome("R-1", NOON + after)])
    assert [each.happened for each in found.judged] == [followed]
    assert (found.events, found.without_a_set) == ((1, 0) if followed else (0, 1))


def test_an_event_of_another_resident_does_not() -> None:
    found = judged(score(NOON), score(NOON, resident="R-2"), events=[Outcome("R-2", NOON + HOUR)])
    assert [each.happened for each in found.judged] == [False, True]


def test_what_the_list_does_not_cover_is_not_judged() -> None:
    scores = [score(NOON + number * DAY) for number in range(5)]
    found = judged(*scores, events=[], since=NOON + DAY, until=NOON + 3 * DAY + HOUR)
    assert len(found.judged) == 2, "the third's horizon ends when nobody knows yet"


def test_a_set_of_before_the_hubs_clock_was_set_is_not_judged_since_nobody_knows_when_it_was() -> None:
    unset = replace(score(NOON), clock=ClockQuality.NOT_YET)
    found = judged(unset, score(NOON + HOUR), events=[Outcome("R-1", NOON + 2 * HOUR)])
    assert (len(found.judged), found.undated) == (1, 1)


def test_an_event_of_somebody_who_was_never_judged_is_counted_apart() -> None:
    found = judged(score(NOON), events=[Outcome("Smith", NOON + HOUR), Outcome("Smith", NOON + HOUR)])
    assert (found.events, found.without_a_set, found.of_nobody) == (0, 0, 1)


@given(
    st.lists(st.tuples(st.integers(0, 99), st.sampled_from("ab")), max_size=30),
    st.lists(st.integers(0, 120), max_size=8),
)
def test_every_event_is_counted_once(hours: list[tuple[int, str]], events: list[int]) -> None:
    outcomes = [Outcome("a", NOON + hour * HOUR) for hour in events]
    found = judged(*(score(NOON + hour * HOUR, resident=who) for hour, who in hours), events=outcomes)
    assert found.events + found.without_a_set + found.of_nobody == len(set(outcomes))
    assert len(found.judged) == len(hours)


# --- the recalibration


def people(residents: int, sets: int, share: float, seed: int = 1) -> History:
    """Sets whose risk is told five times as high as it is."""
    random = Random(seed)
    found: list[Judged] = []
    for number in range(residents):
        for _ in range(sets):
            risk = random.uniform(0.02, 0.9)
            found.append(Judged(f"R-{number}", risk, random.random() < share * risk))
    return History(tuple(found), sum(each.happened for each in found), 0, 0)


def test_a_recalibration_makes_probabilities_mean_what_they_say() -> None:
    made, checked = recalibrated(people(30, 60, 0.2), model_sha256=SHA256, at=NOON, by="Dr. A")
    assert made.model_sha256 == SHA256
    assert checked.before > 0.3
    assert checked.after < 0.05


def test_too_few_events_are_refused_in_words() -> None:
    history = people(30, 60, 0.2)
    few = History(history.judged, LEAST_EVENTS - 1, 0, 0)
    with pytest.raises(
        RecalibrationError, match=f"{LEAST_EVENTS - 1} event.*at least {LEAST_EVENTS} are needed"
    ):
        recalibrated(few, model_sha256=SHA256, at=NOON, by="Dr. A")


def test_events_of_one_resident_alone_are_refused() -> None:
    """Without her there is none to fit to: how it does on others cannot be known."""
    history = people(10, 60, 0.2)
    of_her = tuple(
        Judged(each.resident, each.risk, each.resident == "R-3" and each.risk > 0.4)
        for each in history.judged
    )
    events = sum(each.happened for each in of_her)
    assert events >= LEAST_EVENTS
    with pytest.raises(RecalibrationError, match="of too few residents"):
        recalibrated(History(of_her, events, 0, 0), model_sha256=SHA256, at=NOON, by="Dr. A")


def test_the_error_is_of_residents_who_had_no_part_in_the_fit() -> None:
    """Where it is measured on those it was fitted on, it is too good: here by chance alone."""
    made, checked = recalibrated(people(8, 15, 0.5, seed=4), model_sha256=SHA256, at=NOON, by="Dr. A")
    assert checked.after != pytest.approx(made.expected_calibration_error.after)


def test_what_is_no_better_on_residents_left_out_is_refused() -> None:
    """The probabilities are right already, so that a recalibration only fits what happened by chance."""
    random = Random(2)
    right = tuple(
        Judged(f"R-{number % 20}", risk, random.random() < risk)
        for number, risk in enumerate(random.uniform(0.02, 0.9) for _ in range(1_000))
    )
    events = sum(each.happened for each in right)
    with pytest.raises(RecalibrationError, match="it is no better"):
        recalibrated(History(right, events, 0, 0), model_sha256=SHA256, at=NOON, by="Dr. A")
