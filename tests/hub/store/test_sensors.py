"""Rows of sensors: what goes in comes out, and what a card has damaged makes nobody an owner."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.bluetooth.device_information import DeviceInformation
from hub.clock import ClockQuality, ClockStamp, from_microseconds
from hub.store import audit
from hub.store.database import open_for_writing
from hub.store.sensors import (
    ENROLLED,
    FORGOTTEN,
    EnrolledRow,
    InformationRow,
    contradicted,
    enrol,
    enrolled,
    forget,
    information,
    note_information,
)

ADDRESS, OTHER = "C4:F2:17:00:00:77", "C4:F2:17:00:00:78"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROW = EnrolledRow(
    ADDRESS, "blood_pressure", "R-0412", "the cuff", "1", "first", 12345, NOON, "Sam Field", NOON
)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_for_writing(tmp_path / "carehub.db")) as connection:
        yield connection


def note(connection: sqlite3.Connection, what: str, **detail: object) -> None:
    stamp = ClockStamp(UUID(int=1), timedelta(0), ClockQuality.SYNCHRONISED)
    audit.append(connection, audit.NewEntry(NOON, stamp, what, None, detail))


moments = st.integers(0, 4 * 10**15).map(from_microseconds)
texts = st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
_settings = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@_settings
@given(
    row=st.builds(
        EnrolledRow,
        st.just(ADDRESS), st.text(max_size=9), texts, st.text(max_size=9), texts, texts,
        st.none() | st.integers(0, 999_999), moments, st.text(max_size=9), moments, texts,
    )
)  # fmt: skip
def test_an_enrolled_sensor_comes_out_as_it_went_in(connection: sqlite3.Connection, row: EnrolledRow) -> None:
    enrol(connection, row)
    assert enrolled(connection) == [row]


def test_they_are_listed_in_the_order_of_enrolment(connection: sqlite3.Connection) -> None:
    later = replace(ROW, address="C4:F2:17:00:00:01", enrolled_at=NOON + timedelta(days=1))
    enrol(connection, later)
    enrol(connection, ROW)
    assert enrolled(connection) == [ROW, later]


@_settings
@given(
    said=st.builds(
        DeviceInformation,
        st.none() | st.integers(0, 100), texts, texts, texts, texts, texts, texts,
        st.none() | st.timedeltas(timedelta(days=-20_000), timedelta(days=20_000)),
    ),
    battery_at=st.none() | moments,
    learned_at=moments,
)  # fmt: skip
def test_what_a_sensor_said_of_itself_comes_out_as_it_went_in(
    connection: sqlite3.Connection,
    said: DeviceInformation,
    battery_at: datetime | None,
    learned_at: datetime,
) -> None:
    row = InformationRow(said, battery_at, learned_at)
    note_information(connection, ADDRESS, row)
    assert information(connection) == {ADDRESS: row}


def test_whatever_a_sensor_may_say_of_itself_is_kept(connection: sqlite3.Connection) -> None:
    """A thing that it is taught to say needs a column."""
    said = {"battery": 1, "clock_ahead": timedelta(seconds=1)}
    texts = {each.name: "x" for each in fields(DeviceInformation) if each.name not in said}
    row = InformationRow(DeviceInformation(**said, **texts), NOON, NOON)  # type: ignore[arg-type]  # by name
    note_information(connection, ADDRESS, row)
    assert information(connection) == {ADDRESS: row}


def test_forgotten_it_is_gone_with_what_it_said_and_others_stay(connection: sqlite3.Connection) -> None:
    other = replace(ROW, address=OTHER)
    for row in (ROW, other):
        enrol(connection, row)
        note_information(connection, row.address, InformationRow(DeviceInformation(90), NOON, NOON))
    forget(connection, ADDRESS)
    assert enrolled(connection) == [other]
    assert set(information(connection)) == {OTHER}


@pytest.mark.parametrize("spoilt", ["enrolled_at = 'soon'", f"enrolled_at = {1 << 62}"])
def test_a_row_that_cannot_be_read_is_left_out_and_the_others_are_there(
    connection: sqlite3.Connection, spoilt: str
) -> None:
    enrol(connection, ROW)
    enrol(connection, replace(ROW, address=OTHER))
    connection.execute(f"UPDATE enrolled_sensor SET {spoilt} WHERE address = ?", (ADDRESS,))
    assert [row.address for row in enrolled(connection)] == [OTHER]


@pytest.mark.parametrize("spoilt", ["battery = 101", "battery = -1", "learned_at = 'x'", "clock_ahead = 'x'"])
def test_information_that_cannot_be_is_left_out(connection: sqlite3.Connection, spoilt: str) -> None:
    note_information(connection, ADDRESS, InformationRow(DeviceInformation(90), NOON, NOON))
    connection.execute(f"UPDATE sensor_information SET {spoilt}")
    assert information(connection) == {}


def test_a_sensor_is_contradicted_where_the_trail_said_last_that_it_was_forgotten_or_is_anothers(
    connection: sqlite3.Connection,
) -> None:
    as_it_is = {"address": ADDRESS, "driver": "blood_pressure", "resident": "R-0412", "user": 1}
    enrol(connection, ROW)
    assert contradicted(connection) == [], "a trail that says nothing of it contradicts nothing"
    note(connection, ENROLLED, **as_it_is)
    assert contradicted(connection) == []
    note(connection, FORGOTTEN, **as_it_is)
    assert contradicted(connection) == [ADDRESS]
    for other in (
        {"resident": "R-0077"}, {"resident": None}, {"user": 2}, {"user": None},
        {"driver": "x"}, {"kit": "x"},
    ):  # fmt: skip
        note(connection, ENROLLED, **as_it_is)
        assert contradicted(connection) == []
        note(connection, ENROLLED, **{**as_it_is, **other})
        assert contradicted(connection) == [ADDRESS], f"the row is not of {other}"
    note(connection, ENROLLED, **as_it_is)
    note(connection, FORGOTTEN, address=OTHER)
    assert contradicted(connection) == []


def test_an_entry_of_the_trail_that_makes_no_sense_contradicts_nothing(
    connection: sqlite3.Connection,
) -> None:
    enrol(connection, ROW)
    for detail in (b"[1]", b"not JSON", b'"text"', b"{}", b'{"address": "\xff"}'):
        note(connection, ENROLLED)
        connection.execute(
            "UPDATE audit SET detail = CAST(? AS TEXT) WHERE sequence = (SELECT max(sequence) FROM audit)",
            (detail,),
        )
    connection.text_factory = str
    assert contradicted(connection) == []
