"""Rows as they come back: what a transaction stored is what is read, and a wrong column is refused."""

from __future__ import annotations

import math
import sqlite3
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.reason import Reason
from hub.clock import ClockQuality, ClockStamp, from_microseconds
from hub.readings import DeviceTime, Flag, Measurement, Origin, RawPayload, Reading, Value, Vital
from hub.store.database import make_schema
from hub.store.numbers import Numbers
from hub.store.recent import Recent
from hub.store.rows import (
    SELECT_READING,
    AlertRow,
    ModelName,
    StoredReading,
    assessment_by_number,
    newest_assessment,
    reading_by_number,
    reading_rows,
)
from hub.store.transaction import Transaction
from hub.timekeeping.placed import PlacedReading
from hub.timekeeping.timing import TimeQuality

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
times = st.integers(0, 2**52).map(from_microseconds)
device_times = st.builds(
    DeviceTime, st.integers(0, 9999), st.integers(0, 12), st.integers(0, 31), st.integers(0, 23),
    st.integers(0, 59), st.integers(0, 59),
)  # fmt: skip
pulses = st.integers(30, 200).map(lambda value: Measurement(Vital.PULSE_RATE, float(value)))


@st.composite
def placed_readings(draw: st.DrawFn) -> PlacedReading:
    raw = RawPayload(
        draw(st.sampled_from(["C4:F2:17:00:00:01", "hands"])), draw(st.sampled_from(["a", "b"])),
        draw(st.binary(max_size=20)), draw(times), draw(st.sampled_from(["", "2a35"])),
        draw(st.sampled_from(Origin)),
    )  # fmt: skip
    reading = Reading(
        id=draw(st.uuids()),
        raw=raw,
        measurements=tuple(draw(st.lists(pulses, max_size=2))),
        flags=draw(st.frozensets(st.sampled_from(Flag), max_size=3)),
        device_time=draw(st.none() | device_times),
        sequence_number=draw(st.none() | st.integers(0, 65535)),
        user_id=draw(st.none() | st.integers(0, 255)),
        problem=draw(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)),
    )
    return PlacedReading(
        reading,
        draw(st.none() | st.just("R-0412")),
        draw(times | st.just(raw.received_at)),
        draw(st.sampled_from(TimeQuality)),
        ClockStamp(
            draw(st.uuids()),
            timedelta(microseconds=draw(st.integers(0, 10**15))),
            draw(st.sampled_from(ClockQuality)),
        ),
        draw(st.none() | st.lists(pulses, max_size=2).map(tuple)),
    )


def opened() -> tuple[sqlite3.Connection, Transaction]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    make_schema(connection)
    return connection, Transaction(connection, Recent(connection), Numbers.of(connection))


_CONNECTION, _TRANSACTION = opened()


@given(placed_readings())
def test_a_reading_comes_back_as_it_was_stored(placed: PlacedReading) -> None:
    if _TRANSACTION.knows_reading(placed.reading.id):
        return
    number = _TRANSACTION.add_reading(placed)
    _TRANSACTION.finish()
    assert reading_by_number(_CONNECTION, number) == StoredReading(number, placed)
    (row,) = reading_rows(_CONNECTION, number, number + 5)
    assert StoredReading.of(row) == StoredReading(number, placed)


def a_reading(transaction: Transaction, at: datetime = NOON) -> int:
    raw = RawPayload("C4:F2:17:00:00:01", "blood_pressure", b"x", at)
    reading = Reading(uuid.uuid4(), raw, (Measurement(Vital.PULSE_RATE, 72.0),))
    stamped = ClockStamp(uuid.UUID(int=5), timedelta(seconds=3), ClockQuality.STEPPED)
    number = transaction.add_reading(PlacedReading(reading, "R-1", at, TimeQuality.RECEIVED, stamped))
    transaction.finish()
    return number


@pytest.mark.parametrize("at", [None, NOON - timedelta(hours=1)])
@pytest.mark.parametrize("risk", [None, 0.25])
def test_an_assessment_comes_back_as_it_was_stored(at: datetime | None, risk: float | None) -> None:
    connection, transaction = opened()
    source, reading = a_reading(transaction), a_reading(transaction)
    values: dict[Vital, tuple[Value, int]] = {
        Vital.PULSE_RATE: (72.0, reading),
        Vital.TEMPERATURE: (36.6, source),
    }
    model = None if risk is None else ModelName("m", "1", "ab")
    number = transaction.add_assessment("R-1", at, at or NOON, reading, 2, values, "low", 1, 85, risk, model)
    transaction.finish()
    row = assessment_by_number(connection, number)
    assert row is not None
    assert (row.at, row.reading, row.scale, row.observations) == (at or NOON, reading, 2, values)
    assert (row.band, row.total, row.age, row.risk, row.model) == ("low", 1, 85, risk, model)
    transaction.finish()
    assert newest_assessment(connection, "R-1") == row
    assert newest_assessment(connection, "R-2") is None


def test_what_is_not_there_is_none() -> None:
    connection, _ = opened()
    assert reading_by_number(connection, 1) is None
    assert assessment_by_number(connection, 1) is None


@pytest.mark.parametrize(
    ("column", "wrong"),
    [
        ("id", b"short"), ("received_at", "noon"), ("received_at", 2**62), ("time_quality", 9),
        ("clock", 9), ("device_time", "yesterday"), ("flags", "no such flag"), ("measurements", "[[99,1]]"),
        ("payload", "text"),
    ],
)  # fmt: skip
def test_a_column_that_cannot_be_is_refused(column: str, wrong: object) -> None:
    connection, transaction = opened()
    number = a_reading(transaction)
    connection.execute(f"UPDATE reading SET {column} = ?", (wrong,))
    row = connection.execute(f"{SELECT_READING} WHERE r.sequence = ?", (number,)).fetchone()
    with pytest.raises((ValueError, TypeError, LookupError, OverflowError)):
        StoredReading.of(row)


def test_an_alert_comes_back_as_it_was_stored() -> None:
    _, transaction = opened()
    alert = AlertRow(uuid.uuid4(), "R-1", "high", "raised", NOON, None, 1, 1, "{}")
    transaction.add_alert(alert)
    assert transaction.open_alert("R-1") == transaction.alert(alert.id) == alert
    assert transaction.open_alerts() == [alert]


def test_why_a_risk_is_what_it_is_comes_back() -> None:
    connection, transaction = opened()
    reading = a_reading(transaction)
    reasons = (Reason(Vital.PULSE_RATE, 118.0, 76.0, usual=True, moved=0.73, since="Tuesday"),)
    numbers = [
        transaction.add_assessment(
            "R-1", None, NOON, reading, 1, {Vital.PULSE_RATE: (118.0, reading)}, "low", 1, 85, 0.25,
            ModelName("m", "1", "ab"), *more,
        )
        for more in ((reasons, 0.5, True), ((), None, False), (None, None, None))
    ]  # fmt: skip
    transaction.finish()
    rows = [assessment_by_number(connection, number) for number in numbers]
    assert [(row.reasons, row.uncalibrated, row.would_alert) for row in rows if row is not None] == [
        (reasons, 0.5, True),
        ((), None, False),
        (None, None, None),
    ]


@pytest.mark.parametrize("damaged", ["[[1", "[[1]]", '[[8,"X","A",0.5,1,0]]', "7"])
def test_reasons_that_cannot_be_read_cost_no_assessment(damaged: str) -> None:
    connection, transaction = opened()
    reading = a_reading(transaction)
    values: dict[Vital, tuple[Value, int]] = {Vital.PULSE_RATE: (118.0, reading)}
    number = transaction.add_assessment(
        "R-1", None, NOON, reading, 1, values, "low", 1, 85, 0.25, ModelName("m", "1", "ab"), ()
    )
    transaction.finish()
    connection.execute("UPDATE assessment SET reasons = ?", (damaged,))
    row = assessment_by_number(connection, number)
    assert row is not None
    assert (row.observations, row.risk, row.reasons) == (values, 0.25, None)


@pytest.mark.parametrize("damaged", [math.inf, -0.1, 7, "half", b"\x00"])
def test_a_damaged_risk_costs_no_assessment(damaged: object) -> None:
    """It is told without: infinity were no JSON."""
    connection, transaction = opened()
    reading = a_reading(transaction)
    values: dict[Vital, tuple[Value, int]] = {Vital.PULSE_RATE: (118.0, reading)}
    number = transaction.add_assessment("R-1", None, NOON, reading, 1, values, "low", 1, 85, None, None)
    transaction.finish()
    connection.execute("UPDATE assessment SET risk = ?1, uncalibrated = ?1", (damaged,))
    row = assessment_by_number(connection, number)
    assert row is not None
    assert (row.total, row.risk, row.uncalibrated) == (1, None, None)
