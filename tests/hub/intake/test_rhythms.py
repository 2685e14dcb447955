"""Windows of a rhythm: of what is on the card and nothing else, never over a break, and never in the way."""

from __future__ import annotations

import itertools
import math
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.virtual import encoding
from hub.assessment.rhythm import LEAST_BEATS, MOST_BEATS, RhythmModel
from hub.clock import ClockQuality, ClockStamp
from hub.configuration.file import Sensor, load
from hub.intake import rhythms
from hub.intake.rhythms import Heard, completed, in_runs, load_rhythm_model
from hub.intake.streams import ClosedStretch
from hub.readings import Reading
from hub.shadow.risks import REST_SECONDS
from hub.store.rhythm import KeptWindow, kept_windows
from tests.rigs.clocks import RightClock
from tests.rigs.house import ILL, OXIMETER, WELL, House, cuff, decoded, entry, raw, write_configuration
from tests.rigs.straps import SHARED_STRAP, STRAP, STRAPS, Saying, irregular, regular, saying, strap, worn

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.fixture
def model() -> Saying:
    return Saying(0.9)


@pytest.fixture
def house(tmp_path: Path, model: Saying) -> Iterator[House]:
    house = House(tmp_path, STRAPS, rhythm=cast(RhythmModel, model))
    yield house
    house.connection.close()


def windows(house: House) -> list[KeptWindow]:
    return list(kept_windows(house.connection, 0))


def beats(house: House) -> list[int]:
    return [each.window.quality.beats for each in windows(house)]


def wear(house: House, intervals: Sequence[float], since: datetime = NOON, device: str = STRAP) -> datetime:
    """Have a strap worn, and return when its last notification came."""
    last = since
    for reading in worn(intervals, since, device):
        house.take(reading)
        last = reading.raw.received_at
    return last


# --- what they are made of


def test_sixty_beats_are_a_window_of_whose_strap_it_is_though_they_are_of_two_stretches(
    house: House, model: Saying
) -> None:
    told = irregular(130)
    wear(house, told)
    house.end_streams()
    assert len(house.stretches()) == 3
    assert [each.resident for each in windows(house)] == [ILL, ILL]
    heard = [round(each / 1000 * 1024) for window in model.asked for each in window.intervals_ms]
    assert heard == [round(each * 1024) for each in told[:120]]


def test_a_window_is_stored_with_what_the_model_says_and_which_model(house: House) -> None:
    wear(house, regular(MOST_BEATS + 5))
    house.end_streams()
    (kept,) = windows(house)
    assert (kept.window.quality.beats, kept.window.quality.used, kept.window.quality.share) == (60, 60, 1.0)
    assert (kept.window.probability, kept.threshold) == (0.9, 0.5)
    assert (kept.model.name, kept.model.sha256) == ("saying", "0" * 12)
    assert NOON <= kept.window.began < kept.window.ended <= NOON + 50 * SECOND


@pytest.mark.parametrize("says", [None, math.nan])
def test_what_the_model_cannot_say_is_kept_as_not_known(tmp_path: Path, says: float | None) -> None:
    house = House(tmp_path, STRAPS, rhythm=saying(says))
    wear(house, regular(MOST_BEATS + 5))
    house.end_streams()
    assert [each.window.probability for each in windows(house)] == [None]


@pytest.fixture(scope="module")
def worn_each_day(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, Saying, Iterator[datetime]]:
    model = Saying(0.1)
    house = House(tmp_path_factory.mktemp("house"), STRAPS, rhythm=cast(RhythmModel, model))
    return house, model, (NOON + days * timedelta(days=1) for days in itertools.count())


@settings(max_examples=15, deadline=None, database=None)
@given(
    beats=st.integers(50, 200),
    ends=st.sets(st.integers(0, 150), max_size=12),
    late=st.lists(st.floats(0, 0.9), max_size=150),
)
def test_however_a_stream_is_cut_into_stretches_no_beat_is_lost_or_heard_twice(
    worn_each_day: tuple[House, Saying, Iterator[datetime]], beats: int, ends: set[int], late: list[float]
) -> None:
    """Though its notifications come unevenly."""
    house, model, days = worn_each_day
    told = irregular(beats)
    model.asked.clear()
    for place, (reading, by) in enumerate(
        itertools.zip_longest(list(worn(told, next(days))), late, fillvalue=0.0)
    ):
        if not isinstance(reading, Reading):
            break
        assert isinstance(by, float)
        house.take(decoded(replace(reading.raw, received_at=reading.raw.received_at + by * SECOND)))
        if place in ends:
            house.end_streams()
    house.end_streams()
    heard = [each / 1000 for window in model.asked for each in window.intervals_ms]
    assert len(heard) == beats // MOST_BEATS * MOST_BEATS
    assert heard == pytest.approx(told[: len(heard)], abs=1 / 1024)


def test_a_notification_that_comes_late_hides_no_beat_of_the_next_stretch(
    house: House, model: Saying
) -> None:
    """The beats of the one after it seem to be before its own."""
    for number, reading in enumerate(worn([0.5] * 120, NOON), 1):
        late = 0.9 * SECOND if number == 30 else 0 * SECOND
        house.take(decoded(replace(reading.raw, received_at=reading.raw.received_at + late)))
        if number == 30:
            house.end_streams()
    house.end_streams()
    assert beats(house) == [60, 60]


# --- where they end


def in_two(house: House, pause: timedelta) -> None:
    """40 beats, a pause, 40 beats."""
    until = wear(house, regular(40))
    wear(house, regular(40), until + pause)
    house.end_streams()


def test_no_window_reaches_over_a_gap(house: House) -> None:
    in_two(house, 5 * SECOND)
    assert beats(house) == [40], "what was left of the first run, when it was known that it is over"


def test_a_silence_that_closes_the_stretch_leaves_the_rest_of_the_run_unjudged(house: House) -> None:
    in_two(house, 15 * SECOND)
    assert beats(house) == []


def test_without_a_gap_the_same_beats_are_one_window(house: House) -> None:
    in_two(house, 0 * SECOND)
    assert beats(house) == [60]


def test_no_window_reaches_over_a_strap_that_lost_the_skin(house: House) -> None:
    until = wear(house, regular(40))
    house.take(strap([0.8], until + SECOND, contact=False))
    wear(house, regular(40), until + SECOND)
    house.end_streams()
    assert beats(house) == [40]


def test_the_rest_of_a_run_with_few_beats_is_no_window(house: House) -> None:
    until = wear(house, regular(LEAST_BEATS - 1))
    wear(house, regular(40), until + 5 * SECOND)
    house.end_streams()
    assert beats(house) == []


def test_no_window_has_beats_of_two_people_nor_of_one_before_and_after_another(
    house: House, model: Saying
) -> None:
    until = NOON
    for resident, count in ((ILL, 40), (WELL, 4), (ILL, 40)):
        house.register.enrol(Sensor(address=STRAP, driver="heart_rate", resident=resident))
        until = wear(house, regular(count), until)
        house.end_streams()
    owners = [
        resident for resident, _ in itertools.groupby(each.placed.resident for each in house.stretches())
    ]
    assert owners == [ILL, WELL, ILL]
    assert model.asked == []


def test_nobodys_beats_are_in_no_window(house: House, model: Saying) -> None:
    wear(house, regular(100), device=SHARED_STRAP)
    house.end_streams()
    assert [each.placed.resident for each in house.stretches()] == [None, None]
    assert model.asked == []


class PlayedClock(RightClock):
    """One that starts anew, or is set."""

    boot: uuid.UUID | None = None
    quality = ClockQuality.SYNCHRONISED

    def stamp(self) -> ClockStamp:
        stamp = super().stamp()
        return ClockStamp(self.boot or stamp.boot, stamp.since_boot, self.quality)


@pytest.mark.parametrize(
    ("boot", "quality", "found"),
    [
        (None, ClockQuality.SYNCHRONISED, [60]),
        (uuid.UUID(int=9), ClockQuality.SYNCHRONISED, []),
        (None, ClockQuality.STEPPED, []),
    ],
)
def test_no_window_reaches_over_a_boot_or_a_clock_that_was_set(
    tmp_path: Path, boot: uuid.UUID | None, quality: ClockQuality, found: list[int]
) -> None:
    clock = PlayedClock()
    house = House(tmp_path, STRAPS, rhythm=saying(0.9), clock=clock)
    until = wear(house, regular(40))
    house.end_streams()
    clock.boot, clock.quality = boot, quality
    wear(house, regular(40), until)
    house.end_streams()
    assert beats(house) == found


def test_a_clock_that_is_set_back_by_some_seconds_breaks_the_run(house: House) -> None:
    until = wear(house, regular(40))
    wear(house, regular(40), until - 5 * SECOND)
    house.end_streams()
    assert beats(house) == []


# --- once


def stretches_of(house: House, intervals: Sequence[float]) -> list[ClosedStretch]:
    """What is over by a strap that is worn, not stored yet."""
    over = [
        closed
        for reading in worn(intervals, NOON)
        for closed in house.intake.streams.add(reading, house.clock.stamp())
    ]
    return over + house.intake.streams.close()


def test_a_stretch_that_is_taken_again_makes_no_window_again(house: House) -> None:
    over = stretches_of(house, regular(200))
    house.take_all(over)
    before = windows(house)
    assert len(before) == 3
    assert house.take_all(over).duplicate
    assert windows(house) == before


class PowerCutError(Exception):
    pass


def take_and_lose(house: House, closed: ClosedStretch) -> None:
    with house.transaction() as transaction:
        house.intake.take_stretch(transaction, closed)
        raise PowerCutError


def test_a_stretch_that_was_undone_makes_the_same_windows_when_it_is_taken_at_last(
    tmp_path: Path, house: House
) -> None:
    """A power cut before its commit, a card that was full: nothing is remembered of it but what is stored."""
    other = House(tmp_path / "other", STRAPS, rhythm=saying(0.9))
    over = stretches_of(house, irregular(300))
    other.take_all(over)
    for closed in over:
        with pytest.raises(PowerCutError):
            take_and_lose(house, closed)
        house.take_all([closed])
    assert [each.window for each in windows(house)] == [each.window for each in windows(other)]
    assert len(windows(house)) == 5


def test_a_hub_that_starts_again_goes_on_with_the_beats_that_are_on_the_card(tmp_path: Path) -> None:
    model = Saying(0.9)
    first = House(tmp_path, STRAPS, rhythm=cast(RhythmModel, model))
    until = wear(first, regular(40))
    first.end_streams()
    first.connection.close()
    second = House(tmp_path, STRAPS, rhythm=cast(RhythmModel, model))
    wear(second, regular(40), until)
    second.end_streams()
    assert beats(second) == [60]


# --- a shadow


GETTING_WORSE = [
    entry(NOON),
    cuff(125, NOON),
    *worn(irregular(100), NOON),
    *worn([each * 0.55 for each in irregular(400)], NOON + 3 * MINUTE),
    cuff(85, NOON + 8 * MINUTE, pulse=140),
]
"""With a strap on, whose pulse raises the first alert."""


def decided(house: House) -> tuple[object, ...]:
    for reading in GETTING_WORSE:
        house.take(reading, None if reading.streaming else ILL)
    house.end_streams()
    found = (house.alerts(), house.assessments(), house.counts(), [each.id for each in house.events()])
    house.connection.close()
    return found


@pytest.mark.parametrize(
    "says", [0.0, 1.0, None, math.nan, RuntimeError("the interpreter broke"), MemoryError()], ids=repr
)
def test_no_rhythm_changes_a_score_or_an_alert_whatever_the_model_says(
    tmp_path: Path, says: float | Exception | None
) -> None:
    without = decided(House(tmp_path / "without", STRAPS))
    assert without[0], "it raises an alert"
    assert decided(House(tmp_path / "with", STRAPS, rhythm=saying(says))) == without


def test_a_model_that_breaks_is_said_once_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(tmp_path, STRAPS, rhythm=saying(ValueError("broken")))
    wear(house, regular(300))
    house.end_streams()
    assert windows(house) == []
    assert caplog.text.count("the rhythm of a pulse could not be judged") == 1


def test_a_model_that_is_slow_rests_and_keeps_no_stretch_waiting_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    slow = Saying(0.9)
    house = House(tmp_path, STRAPS, rhythm=cast(RhythmModel, slow))
    over = stretches_of(house, regular(400))
    with monkeypatch.context() as patch:
        patch.setattr(rhythms, "PATIENCE_SECONDS", 0.0)
        house.take_all(over)
    assert len(house.stretches()) == len(over)
    assert slow.asked == [], "there is no window yet of the first, which was the last to be judged"
    assert caplog.text.count("none is judged for 10 minutes") == 1
    monkeypatch.setattr(rhythms, "monotonic", lambda: time.monotonic() + REST_SECONDS + 1)
    wear(house, regular(130), NOON + timedelta(hours=1))
    house.end_streams()
    assert slow.asked


def test_where_windows_cannot_be_stored_the_stretch_is_stored_without_them_when_it_is_tried_again(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """A damaged page of that table must not keep a heart rate, and its alerts, from the card for ever."""

    def refuse(action: int, table: str | None, *_: object) -> int:
        written = action == sqlite3.SQLITE_INSERT and table == "rhythm_window"
        return sqlite3.SQLITE_DENY if written else sqlite3.SQLITE_OK

    over = stretches_of(house, regular(200))
    house.connection.set_authorizer(refuse)
    with pytest.raises(sqlite3.DatabaseError):
        house.take_all(over)
    house.take_all(over)
    assert len(house.stretches()) == len(over)
    assert windows(house) == []
    assert caplog.text.count("there will be no more of them") == 1


def test_only_a_stretch_that_tells_of_beats_is_taken_apart_for_them(house: House) -> None:
    def over(readings: Iterable[Reading]) -> list[ClosedStretch]:
        for reading in readings:
            house.intake.streams.add(reading, house.clock.stamp())
        return house.intake.streams.close()

    payload = encoding.continuous(97, 72)
    streamed = decoded(raw(OXIMETER, "pulse_oximeter", payload, NOON, "2a5f"))
    assert [each.tells_beats for each in over([streamed])] == [False]
    assert [each.tells_beats for each in over([strap([], NOON)])] == [False]
    assert [each.tells_beats for each in over([strap([0.8], NOON), strap([], NOON + SECOND)])] == [True]


@pytest.mark.parametrize(
    ("rhythm", "said"),
    [
        ('[rhythm]\nmode = "off"\n', ""),
        ('[rhythm]\nfile = "/nowhere/rhythm.tflite"\n', "The hub goes on without it"),
        ('[rhythm]\nfile = "/"\n', "The hub goes on without it"),
        ('[rhythm]\nfile = "a\\u0000b"\n', "Invalid argument"),
    ],
)
def test_without_a_model_the_hub_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, rhythm: str, said: str
) -> None:
    config = load(write_configuration(tmp_path, model=rhythm))
    assert load_rhythm_model(config) is None
    assert said in caplog.text


# --- runs


def test_a_notification_without_beats_breaks_no_run() -> None:
    heard = [Heard(NOON + second * SECOND, True, (1.5,) if second % 2 else ()) for second in range(40)]
    (run,) = in_runs(heard)
    assert len(run) == 20


def test_a_run_that_is_over_is_cut_into_equal_windows_and_one_that_may_go_on_into_full_ones() -> None:
    run = in_runs([Heard(NOON + second * SECOND, True, (1.0,)) for second in range(100)])[0]
    assert [len(each.intervals_ms) for each in completed([run, []])] == [50, 50]
    assert [len(each.intervals_ms) for each in completed([run])] == [60]
