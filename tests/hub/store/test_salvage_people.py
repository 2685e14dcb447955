"""Residents and staff outlive a damaged card, and nobody is who they were before by an old page of it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.residents import trail as resident_trail
from hub.staff.rights import Role
from hub.staff.trail import staff_removed
from hub.store import people
from hub.store.audit import append
from hub.store.database import open_for_writing
from hub.store.errors import NoRoomError
from hub.store.people import CareRow, ResidentRow, cares, entered
from hub.store.reserve import Reserve
from hub.store.salvaging import _DEAR
from hub.store.standing_in import StandIn
from hub.trail import Moment
from tests.rigs.damaging import PAGE, overwrite, owners, root_of, saved

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MANY = [
    ResidentRow(f"R-{n:06}", f"Person {n}", str(n), 1938, 1, None, f"B{n:04}", NOON, "Sam") for n in range(60)
]
KNOWN = {row.id: CareRow(row.id, json.dumps({"whereabouts": "here"}), NOON, "Sam") for row in MANY}
STAFF = [(f"person {n}", f"Person {n}", "carer", "$argon2id$x", 0, "Sam") for n in range(9)]


@pytest.fixture
def path(path: Path) -> Path:
    """With residents, what is known of them, and staff."""
    with closing(open_for_writing(path)) as connection:
        for row in MANY:
            people.enter(connection, row)
            people.note_care(connection, KNOWN[row.id])
        connection.executemany("INSERT INTO staff VALUES (?, ?, ?, ?, ?, ?)", STAFF)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def staff_of(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    return connection.execute("SELECT * FROM staff ORDER BY key").fetchall()


def test_they_are_saved_from_a_damaged_card(path: Path) -> None:
    overwrite(path, root_of(path, "outbox_aside"), bytes(PAGE))
    assert "residents who were entered" not in saved(path).words
    with closing(open_for_writing(path)) as connection:
        assert entered(connection) == MANY
        assert cares(connection) == KNOWN
        assert staff_of(connection) == STAFF


def test_pages_to_which_nothing_leads_any_more_are_theirs_all_the_same(path: Path) -> None:
    for table in ("resident", "resident_care"):
        overwrite(path, root_of(path, table), bytes(PAGE))
    damage = saved(path)
    with closing(open_for_writing(path)) as connection:
        found, known = entered(connection), cares(connection)
    assert [row for row in MANY if row in found] == found
    assert all(KNOWN[name] == row for name, row in known.items())
    assert min(len(found), len(known)) >= len(MANY) - 4, "a root has a few of them itself"
    assert "compare 'carehub residents list' with who lives in the home" in damage.words


def test_a_card_without_room_keeps_them_in_memory(path: Path, tmp_path: Path) -> None:
    stand_in = StandIn(path, Reserve(tmp_path / "reserve", 0), NoRoomError(path, "no room"))
    assert entered(stand_in.connection) == MANY
    assert cares(stand_in.connection) == KNOWN
    assert staff_of(stand_in.connection) == STAFF
    stand_in.connection.close()


def test_they_are_copied_before_all_that_a_card_may_have_no_room_for() -> None:
    places = [_DEAR.index(table) for table in ("enrolled_sensor", "resident", "resident_care", "staff")]
    assert places == sorted(places)
    assert places[-1] < _DEAR.index("outbox"), "what waits may be much"


def test_who_has_died_is_not_here_again_by_a_page_that_a_card_gives_back(path: Path) -> None:
    old = path.read_bytes()
    dead = "R-000007"
    with closing(open_for_writing(path)) as connection:
        connection.execute("BEGIN")
        body = {"whereabouts": "deceased"}
        people.note_care(connection, replace(KNOWN[dead], body=json.dumps(body)))
        append(connection, resident_trail.care_changed(Moment.present(), dead, ["whereabouts"], body, "Sam"))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for number, table in owners(path).items():
        if table == "resident_care":
            overwrite(path, number, old[(number - 1) * PAGE : number * PAGE])
    overwrite(path, root_of(path, "outbox_aside"), bytes(PAGE))
    saved(path)
    with closing(open_for_writing(path)) as connection:
        found = cares(connection)
    assert json.loads(found[dead].body) == {"whereabouts": "deceased"}
    assert {key: row for key, row in found.items() if key != dead} == {
        key: row for key, row in KNOWN.items() if key != dead
    }


def test_who_was_removed_cannot_sign_in_by_a_page_that_a_card_gives_back(path: Path) -> None:
    with closing(open_for_writing(path)) as connection:
        append(connection, staff_removed(Moment.present(), "Person 3", Role.CARER, "Sam"))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    overwrite(path, root_of(path, "outbox_aside"), bytes(PAGE))
    saved(path)
    with closing(open_for_writing(path)) as connection:
        assert staff_of(connection) == [row for row in STAFF if row[0] != "person 3"]
