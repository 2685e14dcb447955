"""A reading that is told straight from its row is told letter by letter as it would be after it was read."""

from __future__ import annotations

import math
import sqlite3
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.clock import ClockQuality, ClockStamp, Step, StepKind, from_microseconds
from hub.readings import Breathing, Consciousness, DeviceTime, Flag, Measurement, Origin, Quality, Vital
from hub.store.database import make_schema
from hub.store.numbers import Numbers
from hub.store.recent import Recent
from hub.store.rows import StoredReading, reading_rows
from hub.store.steps import add_step
from hub.store.transaction import Transaction
from hub.telling.told_readings import Row, _template, as_told, told_reading
from hub.timekeeping.correction import Told, corrected
from hub.timekeeping.placed import PlacedReading
from hub.timekeeping.timing import TimeQuality
from hub.uplink import feed
from hub.uplink.contract import Identity
from hub.uplink.feed import ToldReading
from hub.uplink.fhir.raw import reading_entry
from tests.rigs.fhir_samples import LIVE, NOON, TEST, by_hand, cuff, oximeter, placed, placed_readings

MINUTE = timedelta(minutes=1)
BOOT = uuid.UUID(int=7)
identities = st.sampled_from([LIVE, TEST, Identity('%s"é', "{0}\\", test_data=False)])
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    [
        '"',
        "\\",
        "%s%(id)s",
        "{0}",
        "\0" + "1\0",
        "\n\x7f",
        "urn:uuid:",
        "é漢🙂",
        "0",
        "1.0",
        "null",
        "x" * 300,
    ]
)
numbers = (
    st.floats()
    | st.integers(-300, 300).map(float)
    | st.sampled_from([0.0, -0.0, 1e300, 5e-324, 36.6, 120.0, math.nan, math.inf])
)
times = st.integers(0, 2**52).map(from_microseconds) | st.integers(0, 2**30).map(
    lambda seconds: from_microseconds(seconds * 1_000_000)
)


def opened() -> tuple[sqlite3.Connection, Transaction]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    make_schema(connection)
    return connection, Transaction(connection, Recent(connection), Numbers.of(connection))


def row_of(reading: PlacedReading) -> Row:
    """The row of a reading that was stored."""
    connection, transaction = _STORE
    sequence = transaction.add_reading(reading)
    transaction.finish()
    (row,) = reading_rows(connection, sequence, sequence)
    return row


_STORE = opened()


@st.composite
def with_hostile_words(draw: st.DrawFn) -> PlacedReading:
    """Any reading, and whatever is a word in it is any word."""
    made = draw(placed_readings())
    raw = replace(
        made.reading.raw, device=draw(words), driver=draw(words), characteristic=draw(words),
        received_at=draw(times),
    )  # fmt: skip
    measurements = [replace(each, site=draw(st.none() | words)) for each in made.reading.measurements]
    reading = replace(
        made.reading, raw=raw, measurements=tuple(measurements), problem=draw(st.none() | words)
    )
    return replace(made, reading=reading, resident=draw(st.none() | words), measured_at=draw(times))


@st.composite
def alike(draw: st.DrawFn, made: PlacedReading) -> PlacedReading:
    """A reading that differs from another in what a template leaves open, and perhaps in one thing more."""
    raw = replace(made.reading.raw, received_at=draw(times), payload=draw(st.binary(max_size=20)))
    reading = replace(
        made.reading,
        id=draw(st.uuids()),
        raw=raw,
        measurements=tuple(
            [
                replace(each, value=draw(numbers)) if isinstance(each.value, float) else each
                for each in made.reading.measurements
            ]
        ),
        device_time=draw(
            st.none() | st.builds(DeviceTime, *[st.integers(0, 9999)] + [st.integers(0, 59)] * 5)
        ),
    )
    since_boot = timedelta(microseconds=draw(st.integers(0, 2**50)))
    other = replace(
        made,
        reading=reading,
        measured_at=draw(times | st.just(raw.received_at)),
        stamp=replace(made.stamp, since_boot=since_boot),
    )
    return draw(st.just(other) | st.sampled_from(_one_more(other)))


def _one_more(made: PlacedReading) -> list[PlacedReading]:
    reading, raw = made.reading, made.reading.raw
    changed = [
        *[replace(reading, raw=replace(raw, origin=origin)) for origin in Origin],
        replace(reading, raw=replace(raw, device=raw.device + "0")),
        replace(reading, raw=replace(raw, driver=raw.driver + "0")),
        replace(reading, raw=replace(raw, characteristic=raw.characteristic + "0")),
        replace(reading, flags=reading.flags ^ {Flag.FOR_TESTING}),
        replace(reading, flags=reading.flags ^ {Flag.LOW_PERFUSION}),
        replace(reading, problem="" if reading.problem is None else None),
        replace(reading, measurements=reading.measurements[1:]),
        replace(reading, measurements=reading.measurements * 2),
        replace(reading, measurements=tuple([replace(m, site="there") for m in reading.measurements])),
        *[
            replace(reading, measurements=tuple([replace(m, quality=quality) for m in reading.measurements]))
            for quality in Quality
        ],
    ]
    return [
        *[replace(made, reading=each) for each in changed],
        replace(made, resident="R-2" if made.resident is None else None),
        replace(made, time_quality=TimeQuality.DOUBTFUL),
        replace(made, stamp=replace(made.stamp, boot=BOOT)),
        *[replace(made, stamp=replace(made.stamp, quality=quality)) for quality in ClockQuality],
    ]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_what_is_told_of_a_row_is_what_is_told_of_its_reading(data: st.DataObject) -> None:
    """Of one that is like another before it as well: its template was made for that one."""
    first = data.draw(placed_readings() | with_hostile_words())
    for number, made in enumerate([first, *(data.draw(alike(first)) for _ in range(3))]):
        identity = data.draw(identities)
        stored = replace(made, reading=replace(made.reading, id=uuid.uuid4()))
        row = row_of(stored)
        assert told_reading(identity, row) == ToldReading.of(identity, StoredReading.of(row).placed), number


@pytest.mark.parametrize(
    "measurements",
    [
        [],
        [Measurement(Vital.CONSCIOUSNESS, Consciousness.VOICE)],
        [Measurement(Vital.SUPPLEMENTAL_OXYGEN, Breathing.AIR), Measurement(Vital.TEMPERATURE, 0.0)],
        [Measurement(Vital.PULSE_RATE, float(number)) for number in range(30)],
        [Measurement(Vital.PULSE_RATE, 1.0), Measurement(Vital.PULSE_RATE, math.nan)],
    ],
)
def test_each_measurement_is_told_with_its_own_value(measurements: list[Measurement]) -> None:
    for value in (36.6, 120.0):
        numbered = [
            replace(each, value=value + number) if each.value == 1.0 else each
            for number, each in enumerate(measurements)
        ]
        row = row_of(placed(*numbered))
        assert told_reading(LIVE, row) == ToldReading.of(LIVE, StoredReading.of(row).placed)


@pytest.mark.parametrize(
    ("column", "wrong"),
    [
        ("id", b"short"), ("id", "text"), ("received_at", "noon"), ("received_at", 2**62),
        ("received_at", 1.5), ("measured_at", 2**62), ("measured_at", "noon"), ("time_quality", 9),
        ("clock", 9), ("device_time", "yesterday"), ("flags", "no such flag"),
        ("measurements", "[[99,1]]"), ("measurements", '[[9,"hot"]]'), ("measurements", "[[8,36.6]]"),
        ("measurements", "[[9]]"), ("measurements", "[9]"), ("measurements", "9"),
        ("measurements", "[[9,{}]]"), ("payload", "text"), ("since_boot", "text"), ("since_boot", 1.5),
    ],
)  # fmt: skip
def test_a_column_that_cannot_be_is_refused_however_many_like_it_were_told(column: str, wrong: Any) -> None:
    connection, transaction = opened()
    good = placed(Measurement(Vital.TEMPERATURE, 36.6), device_time=DeviceTime(2026, 3, 1, 12, 0, 0))
    told, spoilt = (
        transaction.add_reading(replace(good, reading=replace(good.reading, id=uuid.uuid4()))) for _ in "12"
    )
    transaction.finish()
    connection.execute(f"UPDATE reading SET {column} = ? WHERE sequence = ?", (wrong, spoilt))
    row, wrong_row = reading_rows(connection, told, spoilt)
    told_reading(LIVE, row)
    with pytest.raises((ValueError, TypeError, LookupError, OverflowError, AttributeError)):
        told_reading(LIVE, wrong_row)


def test_only_what_differs_is_written_anew() -> None:
    """Readings of one sensor share a template: else the way by it would be the longer one."""
    _template.cache_clear()
    for minute in range(20):
        at = NOON + minute * MINUTE
        for made in (cuff(90.0 + minute, at), oximeter(80.0 + minute, at), by_hand()):
            told_reading(LIVE, row_of(made))
    assert _template.cache_info().currsize == 3


# --- whose times are as they were told


steps = st.lists(
    st.builds(
        lambda kind, since_boot, quality, before, shift: Step(
            kind,
            ClockStamp(BOOT, timedelta(seconds=since_boot), quality),
            timedelta(seconds=before),
            timedelta(seconds=before + shift),
        ),
        st.sampled_from(StepKind),
        st.integers(0, 10_000),
        st.sampled_from(ClockQuality),
        st.integers(10**8, 10**9),
        st.integers(-(10**6), 10**6),
    ),
    max_size=4,
).map(lambda made: sorted(made, key=lambda step: step.at.since_boot))


def noted(since_boot: timedelta, boot: uuid.UUID = BOOT, quality: ClockQuality = ClockQuality.NOT_YET) -> Row:
    reading = oximeter(at=datetime(2026, 3, 1, tzinfo=UTC) + since_boot)
    return row_of(replace(reading, stamp=ClockStamp(boot, since_boot, quality)))


@given(steps, st.lists(st.integers(0, 20_000), min_size=1, max_size=3), st.sampled_from(ClockQuality))
def test_times_that_a_step_could_have_moved_are_never_told_as_they_are_stored(
    made: list[Step], seconds: list[int], quality: ClockQuality
) -> None:
    connection, _ = opened()
    for step in made:
        add_step(connection, step)
    rows = [noted(timedelta(seconds=each), quality=quality) for each in seconds]
    if as_told(connection, rows):
        for row in rows:
            kept = StoredReading.of(row).placed
            at = kept.reading.raw.received_at
            received_at, told = corrected(at, kept.stamp, made)
            assert received_at == at
            assert told is not Told.CORRECTED
    else:
        assert made


def test_a_step_concerns_its_own_boot_and_what_was_noted_before_it_or_just_after() -> None:
    connection, _ = opened()
    at = ClockStamp(BOOT, 60 * MINUTE, ClockQuality.SYNCHRONISED)
    add_step(connection, Step(StepKind.FIRST_SET, at, timedelta(0), timedelta(days=1)))
    before, just_after, after = (noted(minutes * MINUTE) for minutes in (59, 60.5, 62))
    another = noted(MINUTE, uuid.UUID(int=8))
    assert as_told(connection, [after, another])
    assert not as_told(connection, [another, after, before])
    assert not as_told(connection, [before, after])
    assert not as_told(connection, [just_after])


def test_an_entry_with_something_that_follows_from_a_particular_is_told_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if somebody had added a rounded number, or a day, to what is told of a reading."""

    def with_a_day(place: Any, made: PlacedReading) -> Any:
        entry = reading_entry(place, made)
        entry["resource"]["note"] = [{"text": made.reading.raw.received_at.strftime("%Y-%m-%d")}]
        return entry

    monkeypatch.setattr(feed, "reading_entry", with_a_day)
    _template.cache_clear()
    try:
        for at in (NOON, NOON + timedelta(days=40)):
            row = row_of(placed(Measurement(Vital.TEMPERATURE, 36.6), at=at))
            told = told_reading(LIVE, row)
            assert told == ToldReading.of(LIVE, StoredReading.of(row).placed)
            assert at.strftime("%Y-%m-%d") in told.entry
    finally:
        _template.cache_clear()
