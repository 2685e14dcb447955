"""Nobody signs in by an old page of a damaged card."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from hub.clock import ClockQuality, ClockStamp
from hub.staff import trail as staff_trail
from hub.staff.rights import Role
from hub.store import audit
from hub.store.database import open_for_writing
from hub.store.staff import StaffRow, put
from hub.store.staff_contradicted import CHANGED, ENTERED, REMOVED, contradicted
from hub.trail import Audited, Moment

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
KIM = StaffRow("Kim Lee", Role.CARER, "$argon2id$old", NOON, "Sam Field")


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Where Kim was entered."""
    with closing(open_for_writing(tmp_path / "carehub.db")) as connection:
        put(connection, KIM)
        audit.append(connection, staff_trail.staff_entered(moment(NOON), "Kim Lee", Role.CARER, "Sam"))
        yield connection


def moment(at: datetime) -> Moment:
    return Moment(at, ClockStamp(UUID(int=1), timedelta(0), ClockQuality.SYNCHRONISED))


def changed(connection: sqlite3.Connection, at: datetime, *, role: Role | None, pin: bool) -> None:
    audit.append(connection, staff_trail.staff_changed(moment(at), "Kim Lee", "Sam", role=role, pin=pin))


def test_who_was_entered_and_changed_may_sign_in(connection: sqlite3.Connection) -> None:
    assert contradicted(connection) == []
    changed(connection, NOON + HOUR, role=Role.SENIOR, pin=False)
    put(connection, replace(KIM, role=Role.SENIOR, changed_at=NOON + HOUR))
    changed(connection, NOON + 2 * HOUR, role=None, pin=True)
    put(connection, replace(KIM, role=Role.SENIOR, changed_at=NOON + 2 * HOUR))
    assert contradicted(connection) == []


def test_who_was_removed_may_not(connection: sqlite3.Connection) -> None:
    gone = staff_trail.staff_removed(moment(NOON + HOUR), "KIM Lee", Role.CARER, "Sam")
    audit.append(connection, gone)
    assert contradicted(connection) == [KIM.key]


def test_nobody_has_a_role_again_that_was_taken_from_them(connection: sqlite3.Connection) -> None:
    put(connection, replace(KIM, role=Role.MANAGER, changed_at=NOON + 9 * HOUR))
    assert contradicted(connection) == [KIM.key]


def test_nobody_signs_in_with_the_pin_of_before(connection: sqlite3.Connection) -> None:
    changed(connection, NOON + HOUR, role=None, pin=True)
    assert contradicted(connection) == [KIM.key]


def test_what_the_trail_had_no_room_for_counts_too(connection: sqlite3.Connection) -> None:
    for detail, found in ((b'{"name": "Kim Lee", "role": "carer"}', [KIM.key]), (b"\xff", []), (b"[]", [])):
        assert contradicted(connection, [(99, REMOVED, detail)]) == found


def test_the_words_are_those_of_the_trail() -> None:
    assert (ENTERED, CHANGED, REMOVED) == (
        Audited.STAFF_ENTERED,
        Audited.STAFF_CHANGED,
        Audited.STAFF_REMOVED,
    )
