"""Rows of residents: what goes in comes out, and what a card has damaged makes nobody somebody else."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from hub.clock import ClockQuality, ClockStamp
from hub.store import audit
from hub.store.database import open_for_writing
from hub.store.people import (
    CARE,
    CHANGED,
    ENTERED,
    CareRow,
    ResidentRow,
    cares,
    enter,
    entered,
    leave_to_the_file,
    note_care,
    put_right,
    somebodies,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROW = ResidentRow("R-0500", "Vera Example", "12", 1938, 2, "Dr Ash", "BAND-1", NOON, "Sam Field")
BARE = ResidentRow("R-0501", "", "", None, 1, None, None, NOON - timedelta(days=1), "Sam Field")
KNOWN: dict[str, object] = {
    "whereabouts": "in hospital",
    "consent": "given",
    "reviewed": None,
    "normals": {},
    "watched_since": None,
}


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_for_writing(tmp_path / "carehub.db")) as connection:
        yield connection


def note(connection: sqlite3.Connection, what: str, **detail: object) -> None:
    stamp = ClockStamp(UUID(int=1), timedelta(0), ClockQuality.SYNCHRONISED)
    audit.append(connection, audit.NewEntry(NOON, stamp, what, None, detail))


def known(connection: sqlite3.Connection, resident: str = "R-0500") -> dict[str, object]:
    said = json.loads(cares(connection)[resident].body)
    assert isinstance(said, dict)
    return said


def test_a_resident_comes_out_as_they_went_in_and_the_first_first(connection: sqlite3.Connection) -> None:
    for row in (ROW, BARE):
        enter(connection, row)
    assert entered(connection) == [BARE, ROW]
    enter(connection, replace(ROW, room="14"))
    assert entered(connection) == [BARE, replace(ROW, room="14")]
    leave_to_the_file(connection, "R-0501")
    assert entered(connection) == [replace(ROW, room="14")]


def test_what_is_known_comes_out_as_it_went_in(connection: sqlite3.Connection) -> None:
    row = CareRow("R-0500", json.dumps(KNOWN), NOON, "Sam Field")
    note_care(connection, replace(row, body="{}"))
    note_care(connection, row)
    assert cares(connection) == {"R-0500": row}


@pytest.mark.parametrize("spoilt", ["entered_at = 'then'", "entered_at = 1 << 62"])
def test_who_cannot_be_read_is_left_out(connection: sqlite3.Connection, spoilt: str) -> None:
    for row in (ROW, BARE):
        enter(connection, row)
    connection.execute(f"UPDATE resident SET {spoilt} WHERE id = 'R-0500'")
    assert entered(connection) == [BARE]


def test_by_which_pseudonyms_anything_is_kept(connection: sqlite3.Connection) -> None:
    enter(connection, ROW)
    note_care(connection, CareRow("R-0502", "{}", NOON, "Sam"))
    for table, columns, values in (
        ("alert", "id, resident, band, state, raised_at, reading, assessment, body",
         (b"1", "R-0503", "low", "raised", 0, 1, 1, "{}")),
        ("assessment", "resident, reading, scale, observations, band, total", ("R-0504", 1, 1, "", "low", 0)),
    ):  # fmt: skip
        marks = ", ".join("?" * len(values))
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)
    kept = ["R-0500", "R-0502", "R-0503", "R-0504"]
    assert somebodies(connection, [*kept, "R-0505", "R-05%"]) == set(kept)
    assert somebodies(connection, ["R-0505"]) == set()


# --- what a damaged card gives back


def test_an_old_scale_is_put_right_by_what_the_trail_said_last(connection: sqlite3.Connection) -> None:
    """On scale 2 a saturation of 88 scores nothing: who was taken off it would be thought well."""
    enter(connection, ROW)
    note(connection, ENTERED, resident="R-0500", oxygen_scale=2, oxygen_scale_prescriber="Dr Ash")
    assert put_right(connection) == []
    note(connection, CHANGED, resident="R-0500", oxygen_scale=1, oxygen_scale_prescriber=None)
    assert put_right(connection) == ["R-0500"]
    assert entered(connection) == [replace(ROW, oxygen_scale=1, oxygen_scale_prescriber=None)]
    assert put_right(connection) == []


def test_who_was_in_hospital_is_not_here_again_by_an_old_row(connection: sqlite3.Connection) -> None:
    here = {**KNOWN, "whereabouts": "here", "escalation_plan": "as it was found"}
    note_care(connection, CareRow("R-0500", json.dumps(here), NOON, "Sam"))
    note(connection, CARE, resident="R-0500", changed=["whereabouts"], whereabouts="in hospital", by="Sam")
    note(connection, CARE, resident="R-0500", changed=["escalation_plan"], by="Sam")
    assert put_right(connection) == ["R-0500"]
    assert known(connection) == {**here, "whereabouts": "in hospital"}


def test_of_whom_the_row_is_lost_what_the_trail_said_is_known_again(connection: sqlite3.Connection) -> None:
    normals = {"pulse_rate": {"lowest": 45.0, "highest": 60.0}}
    note(connection, CARE, resident="R-0500", changed=["consent"], consent="withdrawn", by="Sam")
    note(connection, CARE, resident="R-0500", changed=["normals"], normals=normals, by="Kim")
    assert put_right(connection) == ["R-0500"]
    assert known(connection) == {"consent": "withdrawn", "normals": normals}
    assert cares(connection)["R-0500"].changed_by == "Kim"


def test_what_the_trail_has_no_room_for_counts_too(connection: sqlite3.Connection) -> None:
    note(connection, CARE, resident="R-0500", changed=["whereabouts"], whereabouts="here", by="Sam")
    later = (99, CARE, json.dumps({"resident": "R-0500", "whereabouts": "deceased", "by": "Kim"}).encode())
    assert put_right(connection, [later]) == ["R-0500"]
    assert known(connection) == {"whereabouts": "deceased"}


def test_what_cannot_be_read_of_the_trail_changes_nothing(connection: sqlite3.Connection) -> None:
    enter(connection, ROW)
    for detail in (b"\xff", b"[]", b"{", b'{"resident": 5}', b'{"oxygen_scale": 1}'):
        assert put_right(connection, [(1, CHANGED, detail), (2, CARE, detail)]) == []
    assert entered(connection) == [ROW]
