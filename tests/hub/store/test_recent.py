"""The window of recent measurements says what the card says: undone, made anew, or full."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hub.assessment.hour import Hour
from hub.assessment.observation_set import Observation
from hub.clock import stamp
from hub.readings import DeviceTime, Measurement, Quality, RawPayload, Reading, Value, Vital, reading_id
from hub.store import recent, recent_sets
from hub.store.database import make_schema
from hub.store.numbers import Numbers
from hub.store.recent import Recent, StoredMeasurement
from hub.store.rows import SELECT_ASSESSMENT, SELECT_READING, AssessmentRow, StoredReading
from hub.store.transaction import Transaction
from hub.timekeeping.placed import PlacedReading
from hub.timekeeping.timing import TimeQuality

BEGIN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RESIDENTS = ("R-1", "R-2")
_VITALS = (Vital.PULSE_RATE, Vital.TEMPERATURE, Vital.BODY_WEIGHT)
APART = timedelta(minutes=10)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch)


def make_small(patched: pytest.MonkeyPatch) -> None:
    """Limits that a short test reaches."""
    patched.setattr(recent, "_MEASUREMENTS_KEPT", 6)
    patched.setattr(recent_sets, "_KEPT", 4)
    patched.setattr(recent_sets, "_APART", APART)
    patched.setattr(recent_sets, "SETS_LOADED", 6)
    patched.setattr(recent, "_READINGS_LOADED", 15)
    patched.setattr(recent, "_LOADED_FOR", timedelta(0))
    patched.setattr(recent, "_READINGS_LOADED_MOST", 25)
    patched.setattr(recent, "_LOADED_AT_ONCE", 5)
    patched.setattr(recent, "REMEMBERED_FOR", timedelta(minutes=40))


def database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    make_schema(connection)
    return connection


class UndoneError(Exception):
    """Ends a piece of work."""


moments = st.integers(-60, 0).map(lambda minute: BEGIN + timedelta(minutes=minute))
measured = st.lists(
    st.tuples(st.sampled_from(_VITALS), st.integers(30, 40), st.sampled_from(Quality)), min_size=1, max_size=2
)
pieces = st.lists(
    st.tuples(st.sampled_from(RESIDENTS), moments, measured, *[st.booleans()] * 4),
    min_size=1, max_size=4,
)  # fmt: skip


class Window(RuleBasedStateMachine):
    """A transaction's answers against those that follow from all that is committed on the card."""

    def __init__(self) -> None:
        super().__init__()
        self.patched = pytest.MonkeyPatch()
        make_small(self.patched)
        self.count = 0

    def teardown(self) -> None:
        self.patched.undo()

    @initialize()
    def start(self) -> None:
        self.connection = database()
        self.restart()

    @rule()
    def restart(self) -> None:
        self.recent = Recent(self.connection)
        self.numbers = Numbers.of(self.connection)

    @rule(work=pieces, committed=st.booleans())
    def transaction(
        self,
        work: list[tuple[str, datetime, list[tuple[Vital, int, Quality]], bool, bool, bool, bool]],
        committed: bool,
    ) -> None:
        transaction = Transaction(self.connection, self.recent, self.numbers)
        self.connection.execute("BEGIN")
        for resident, at, said, formed, own, undone, compared in work:
            transaction.begin_piece()
            number = transaction.add_reading(self.placed(resident, at, said))
            if formed:
                values: dict[Vital, tuple[Value, int]] = {
                    Vital.RESPIRATION_RATE: (15.0, number - 1),  # of another reading, which has its own set
                    **{vital: (float(value), number) for vital, value, _ in said},
                }
                moment = at if own else at + timedelta(minutes=7)  # of the newest set, to which it comes late
                told = None if own else moment
                transaction.add_assessment(
                    resident, told, moment, number, 1, values, "low", 1, None, None, None
                )
            if undone:
                transaction.undo_piece()
            else:
                transaction.keep_piece()
            if compared:
                self.compare(transaction)
        if committed:
            transaction.finish()
            self.connection.execute("COMMIT")
            self.recent.settled()
        else:
            self.connection.execute("ROLLBACK")
            transaction.undo_all()

    def placed(self, resident: str, at: datetime, said: list[tuple[Vital, int, Quality]]) -> PlacedReading:
        self.count += 1
        received_at = max(at, BEGIN + timedelta(minutes=self.count))  # in the order of their numbers
        raw = RawPayload("C4:F2:17:00:00:01", "x", self.count.to_bytes(4), received_at)
        taken = tuple(Measurement(vital, float(value), quality=quality) for vital, value, quality in said)
        reading = Reading(id=reading_id(raw, None), raw=raw, measurements=taken)
        return PlacedReading(reading, resident, at, TimeQuality.RECEIVED, stamp())

    @invariant()
    def says_what_the_card_says(self) -> None:
        if hasattr(self, "recent"):
            self.compare(Transaction(self.connection, self.recent, self.numbers))

    def compare(self, transaction: Transaction) -> None:
        """What it answers first, and then what is there: to be read from the card, it is written to it."""
        since = timedelta(minutes=30)
        moments = [BEGIN + timedelta(minutes=minute) for minute in (-61, -20, 0, 25, 61)]
        measured = {
            (one, until): tuple(transaction.newest_measurements(one, until - since, until))
            for one in RESIDENTS
            for until in moments
        }
        hours = {one: [as_said(hour) for hour in transaction.hours(one)] for one in RESIDENTS}
        newest_sets = {one: transaction.newest_set(one) for one in RESIDENTS}
        connection = transaction.connection
        all_read = [StoredReading.of(row) for row in connection.execute(SELECT_READING)]
        all_sets = [AssessmentRow.of(row) for row in connection.execute(SELECT_ASSESSMENT)]
        for (resident, until), found in measured.items():
            assert all(each.observation.measured_at <= until for _, each in found)
            expected = newest(measurements(all_read, resident), until - since, until)
            assert newest(found, until - since, until) == expected
        for resident in RESIDENTS:
            # Whoever was weighed, and nothing else, was told of, and not observed.
            kept = sorted(
                (each.at, each.sequence, each)
                for each in all_sets
                if each.resident == resident and each.measured != {Vital.BODY_WEIGHT}
            )
            newest_set = newest_sets[resident]
            assert (newest_set and (newest_set.at, newest_set.sequence)) == (kept[-1][:2] if kept else None)
            assert newest_set is None or newest_set.values == kept[-1][2].values
            assert hours[resident] == hours_by_hand([each for *_, each in kept])


FirstAndLast = dict[Vital, list[tuple[datetime, int, Value]]]


def as_said(hour: Hour) -> FirstAndLast:
    return {
        vital: [(*each.when[vital], each.values[vital]) for each in (hour.first, hour.last)]
        for vital in hour.last.values
    }


def hours_by_hand(sets: Iterable[AssessmentRow]) -> list[FirstAndLast]:
    """Of each hour the first and the last value of each vital, reckoned from all sets on the card."""
    found: dict[int, FirstAndLast] = {}
    for each in sets:
        for vital, (value, source) in each.observations.items():
            if each.own and source == each.reading:
                hour = found.setdefault((each.at - EPOCH) // APART, {})
                hour.setdefault(vital, []).append((each.at, each.sequence, value))
    return [
        {vital: [min(all_of_it), max(all_of_it)] for vital, all_of_it in found[number].items()}
        for number in sorted(found)[-4:]
    ]


Found = dict[Vital, set[tuple[Value, datetime, int, Quality]]]


def measurements(
    all_read: Iterable[StoredReading], resident: str
) -> Iterable[tuple[Vital, StoredMeasurement]]:
    for stored in all_read:
        placed = stored.placed
        if placed.resident != resident:
            continue
        for each in placed.reading.measurements:
            if each.usable and each.value is not None:
                yield (
                    each.vital,
                    StoredMeasurement(
                        Observation(each.value, placed.measured_at, placed.reading.id, each.quality),
                        stored.sequence,
                    ),
                )


def newest(found: Iterable[tuple[Vital, StoredMeasurement]], since: datetime, until: datetime) -> Found:
    """For each vital those of the newest instant in the time asked for."""
    within: dict[Vital, list[StoredMeasurement]] = {}
    for vital, each in found:
        if since <= each.observation.measured_at <= until:
            within.setdefault(vital, []).append(each)
    answer: Found = {}
    for vital, several in within.items():
        last = max(each.observation.measured_at for each in several)
        answer[vital] = {
            (each.observation.value, last, each.reading, each.observation.quality)
            for each in several
            if each.observation.measured_at == last
        }
    return answer


TestWindow = Window.TestCase
TestWindow.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


def test_what_waited_for_the_card_hides_nothing_that_came_after_it() -> None:
    """It was received long before, and has a higher number."""
    connection = database()
    machine = Window()
    transaction = Transaction(connection, Recent(connection), Numbers.of(connection))
    for minute in (0, -90, 1):
        placed = machine.placed("R-1", BEGIN, [(Vital.PULSE_RATE, 60 + minute, Quality.GOOD)])
        at = BEGIN + timedelta(minutes=minute)
        raw = replace(placed.reading.raw, received_at=at)
        transaction.add_reading(replace(placed, reading=replace(placed.reading, raw=raw), measured_at=at))
    transaction.finish()
    machine.teardown()
    again = Transaction(connection, Recent(connection), Numbers.of(connection))
    since = BEGIN - timedelta(minutes=20)
    found = newest(again.newest_measurements("R-1", since, BEGIN), since, BEGIN)
    assert {value for value, *_ in found[Vital.PULSE_RATE]} == {60.0}


def test_a_moment_before_the_window_is_answered_from_the_card() -> None:
    connection = database()
    machine = Window()
    window, numbers = Recent(connection), Numbers.of(connection)
    transaction = Transaction(connection, window, numbers)
    for minute in range(40):
        transaction.add_reading(
            machine.placed(
                "R-1", BEGIN + timedelta(minutes=minute), [(Vital.PULSE_RATE, 60 + minute, Quality.GOOD)]
            )
        )
    transaction.finish()
    window.settled()
    machine.teardown()
    assert not window.covers("R-1", BEGIN, BEGIN)
    until = BEGIN + timedelta(minutes=3)
    found = newest(transaction.newest_measurements("R-1", BEGIN, until), BEGIN, until)
    assert {value for value, *_ in found[Vital.PULSE_RATE]} == {63.0}


def test_a_window_made_anew_gives_the_same_answers() -> None:
    connection = database()
    machine = Window()
    window = Recent(connection)
    transaction = Transaction(connection, window, Numbers.of(connection))
    for minute in range(5):
        transaction.add_reading(
            machine.placed(
                "R-1", BEGIN + timedelta(minutes=minute), [(Vital.PULSE_RATE, 60 + minute, Quality.GOOD)]
            )
        )
    transaction.finish()
    window.settled()
    machine.teardown()
    again = Recent(connection)
    until = BEGIN + timedelta(minutes=3)
    assert dict(again.newest("R-1", until)) == dict(window.newest("R-1", until))
    assert again.covers("R-1", BEGIN, BEGIN) is window.covers("R-1", BEGIN, BEGIN) is True


def test_the_samples_of_a_stream_do_not_crowd_out_what_was_measured_before_them() -> None:
    connection = database()
    machine = Window()
    transaction = Transaction(connection, Recent(connection), Numbers.of(connection))
    transaction.add_reading(machine.placed("R-1", BEGIN, [(Vital.PULSE_RATE, 60, Quality.GOOD)]))
    for _ in range(100):
        sample = machine.placed("R-2", BEGIN, [(Vital.TEMPERATURE, 37, Quality.GOOD)])
        transaction.add_reading(replace(sample, observed=()))
    transaction.finish()
    machine.teardown()
    again = Recent(connection)
    assert again.covers("R-1", BEGIN, BEGIN)
    assert [stored.observation.value for _, stored in again.newest("R-1", BEGIN)] == [60.0]


def test_a_window_that_was_not_looked_through_to_its_end_does_not_claim_to_know() -> None:
    connection = database()
    machine = Window()
    transaction = Transaction(connection, Recent(connection), Numbers.of(connection))
    transaction.add_reading(machine.placed("R-1", BEGIN, [(Vital.PULSE_RATE, 60, Quality.GOOD)]))
    for _ in range(200):
        sample = machine.placed("R-2", BEGIN, [(Vital.TEMPERATURE, 37, Quality.GOOD)])
        transaction.add_reading(replace(sample, observed=()))
    transaction.finish()
    machine.teardown()
    again = Transaction(connection, Recent(connection), Numbers.of(connection))
    found = newest(again.newest_measurements("R-1", BEGIN, BEGIN), BEGIN, BEGIN)
    assert {value for value, *_ in found[Vital.PULSE_RATE]} == {60.0}


def crowded(machine: Window, minutes: int) -> Recent:
    """A pulse of R-1, and many temperatures of R-2 in the minutes since; then the hub starts anew."""
    connection = database()
    transaction = Transaction(connection, Recent(connection), Numbers.of(connection))
    transaction.add_reading(machine.placed("R-1", BEGIN, [(Vital.PULSE_RATE, 60, Quality.GOOD)]))
    for number in range(minutes * 4):
        at = BEGIN + timedelta(minutes=number // 4)
        transaction.add_reading(machine.placed("R-2", at, [(Vital.TEMPERATURE, 37, Quality.GOOD)]))
    transaction.finish()
    machine.teardown()
    return Recent(connection)


def test_what_the_window_lacks_of_a_resident_is_asked_of_the_card_once() -> None:
    window = crowded(Window(), 5)
    connection = window._connection
    asked: list[str] = []
    since, until = BEGIN - timedelta(minutes=30), BEGIN + timedelta(minutes=21)
    transaction = Transaction(connection, window, Numbers.of(connection))
    assert not window.covers("R-1", since, until)
    connection.set_trace_callback(asked.append)
    for minute in range(3):
        later = timedelta(minutes=minute)
        found = dict(transaction.newest_measurements("R-1", since + later, until + later))
        assert found[Vital.PULSE_RATE].observation.value == 60.0
    assert len(asked) == 1
    assert window.covers("R-1", since, until)
    assert not window.covers("R-2", since, until)


def test_a_moment_before_the_window_is_asked_of_the_card_and_not_reached_back_to() -> None:
    """What a sensor's memory has told of may be months ago."""
    window = crowded(Window(), 5)
    transaction = Transaction(window._connection, window, Numbers.of(window._connection))
    found = dict(transaction.newest_measurements("R-1", BEGIN - timedelta(days=60), BEGIN))
    assert found[Vital.PULSE_RATE].observation.value == 60.0
    assert not window.covers("R-1", BEGIN - timedelta(days=60), BEGIN)


def test_an_hour_is_loaded_though_more_was_measured_in_it_than_is_loaded_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = crowded(Window(), 5)
    monkeypatch.setattr(recent, "_LOADED_FOR", timedelta(minutes=30))
    monkeypatch.setattr(recent, "_READINGS_LOADED_MOST", 1000)
    assert window.covers("R-1", BEGIN, BEGIN + timedelta(minutes=21))


def of_a_wrong_year(machine: Window) -> PlacedReading:
    """A live reading of a sensor whose clock was never set right: its id begins with that clock's time."""
    placed = machine.placed("R-1", BEGIN, [(Vital.PULSE_RATE, 61, Quality.GOOD)])
    reading = placed.reading
    known_by = reading_id(reading.raw, DeviceTime(2021, 5, 17, 9, 41, 3))
    doubtful = replace(placed, time_quality=TimeQuality.DOUBTFUL)
    return replace(doubtful, reading=replace(reading, id=known_by))


def test_a_sensor_whose_clock_is_years_off_is_found_though_the_window_does_not_reach_far() -> None:
    connection = database()
    machine = Window()
    transaction = Transaction(connection, Recent(connection), Numbers.of(connection))
    for _ in range(20):
        transaction.add_reading(machine.placed("R-2", BEGIN, [(Vital.TEMPERATURE, 37, Quality.GOOD)]))
    transaction.add_reading(of_a_wrong_year(machine))
    transaction.finish()
    machine.teardown()
    window = Recent(connection)
    again = Transaction(connection, window, Numbers.of(connection))
    since = BEGIN - timedelta(minutes=30)
    assert not window.covers("R-1", since, BEGIN)
    found = newest(again.newest_measurements("R-1", since, BEGIN), since, BEGIN)
    assert {value for value, *_ in found[Vital.PULSE_RATE]} == {61.0}


def test_a_damaged_reading_on_the_card_keeps_no_new_one_from_being_assessed() -> None:
    connection = database()
    machine = Window()
    transaction = Transaction(connection, Recent(connection), Numbers.of(connection))
    for minute in range(40):
        at = BEGIN + timedelta(minutes=minute)
        transaction.add_reading(machine.placed("R-1", at, [(Vital.PULSE_RATE, 60 + minute, Quality.GOOD)]))
    transaction.finish()
    machine.teardown()
    connection.execute("UPDATE reading SET measurements = 'x' WHERE sequence = 2")
    again = Transaction(connection, Recent(connection), Numbers.of(connection))
    until = BEGIN + timedelta(minutes=3)
    found = newest(again.newest_measurements("R-1", BEGIN, until), BEGIN, until)
    assert {value for value, *_ in found[Vital.PULSE_RATE]} == {63.0}


def test_what_was_reached_back_to_is_forgotten_with_the_transaction() -> None:
    """It may have been rehearsed beside the card, with an empty one, in which nothing was found."""
    window = crowded(Window(), 5)
    since, until = BEGIN - timedelta(minutes=30), BEGIN + timedelta(minutes=21)
    assert not window.covers("R-1", since, until)
    window.settled()
    beside = Transaction(database(), window, Numbers.of(database()))
    beside.newest_measurements("R-1", since, until)
    beside.undo_all()
    assert not window.covers("R-1", since, until)
    transaction = Transaction(window._connection, window, Numbers.of(window._connection))
    found = dict(transaction.newest_measurements("R-1", since, until))
    assert found[Vital.PULSE_RATE].observation.value == 60.0


def test_what_had_waited_for_the_card_does_not_end_the_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a higher number than what was measured after it, which would be taken for not measured."""
    connection = database()
    machine = Window()
    monkeypatch.setattr(recent, "_LOADED_FOR", timedelta(minutes=60))
    transaction = Transaction(connection, Recent(connection), Numbers.of(connection))
    at = {"R-1": [-45], "R-2": [-62, -60, *[0] * 20]}
    for resident, minutes in at.items():
        for minute in minutes:
            moment = BEGIN + timedelta(minutes=minute)
            made = machine.placed(resident, moment, [(Vital.PULSE_RATE, 60, Quality.GOOD)])
            raw = replace(made.reading.raw, received_at=moment)
            transaction.add_reading(replace(made, reading=replace(made.reading, raw=raw)))
    transaction.finish()
    machine.teardown()
    monkeypatch.setattr(recent, "_LOADED_FOR", timedelta(minutes=60))
    monkeypatch.setattr(recent, "REMEMBERED_FOR", timedelta(hours=25))
    again = Transaction(connection, Recent(connection), Numbers.of(connection))
    found = dict(again.newest_measurements("R-1", BEGIN - timedelta(minutes=55), BEGIN))
    assert Vital.PULSE_RATE in found
