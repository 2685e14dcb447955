"""The trail on a real SQLite file: whatever is done to it is found, and where; what is whole is left be."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hub.clock import ClockQuality, ClockStamp
from hub.store.audit import (
    BEGINNING,
    SCHEMA,
    START,
    TRIMMED,
    AuditEntry,
    AuditError,
    AuditHead,
    NewEntry,
    append,
    digest,
    encode,
    entries,
    head,
    history,
    history_size,
    newest,
    trim,
)
from hub.store.audit_verification import Break, Finding, verify

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BOOT = uuid.UUID("6f1f9b3e-7a52-4a0b-9a55-5f2b1f1f0a01")
ALERT = uuid.UUID("1e6ae062-a727-5d2c-9060-715702cb8fbe")
COLUMNS = "sequence, at, since_boot, boot, clock, what, subject, detail, hash"


def stamp(seconds: float, quality: ClockQuality = ClockQuality.SYNCHRONISED) -> ClockStamp:
    return ClockStamp(BOOT, timedelta(seconds=seconds), quality)


def entry(
    minutes: int, what: str = "alert raised", subject: uuid.UUID | None = None, **detail: object
) -> NewEntry:
    return NewEntry(NOON + timedelta(minutes=minutes), stamp(minutes * 60), what, subject, detail)


def trail(path: Path | str = ":memory:", length: int = 0) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(SCHEMA)
    connection.execute("BEGIN")
    for minutes in range(length):
        append(connection, entry(minutes, subject=ALERT if minutes % 2 else None, number=minutes))
    connection.execute("COMMIT")
    return connection


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(trail(tmp_path / "carehub.db")) as connection:
        yield connection


def test_what_was_noted_comes_back(connection: sqlite3.Connection) -> None:
    first = append(connection, entry(0, "hub started", version="1.0"))
    second = append(connection, entry(1, subject=ALERT, by="Zoë", ticks=[1, 2.5, None]))
    assert (first.sequence, second.sequence) == (1, 2)
    assert entries(connection) == [second, first]
    assert entries(connection, most=1) == [second]
    assert history(connection, ALERT) == [second]
    assert history_size(connection, ALERT) == 1
    assert newest(connection) == second
    assert newest(connection, "hub started") == first
    assert newest(connection, "hub stopped") is None
    assert head(connection) == AuditHead(2, second.hash)


def test_an_alert_is_found_by_the_first_digits_of_its_id_through_the_index(
    connection: sqlite3.Connection,
) -> None:
    other = uuid.UUID("1e6ff062-a727-5d2c-9060-715702cb8fbe")
    for subject in (ALERT, other, None):
        append(connection, entry(0, subject=subject))
    assert [each.subject for each in entries(connection, subject="1E6A")] == [ALERT]
    assert [each.subject for each in entries(connection, subject=str(ALERT))] == [ALERT]
    assert len(entries(connection, subject="1e6ae")) == 1
    assert entries(connection, subject="ffff") == []
    for wrong in ("", "1e6", "%", "1' OR '1'='1", "g" * 8, "0" * 33):
        with pytest.raises(AuditError, match="first four digits"):
            entries(connection, subject=wrong)
    plan = connection.execute("EXPLAIN QUERY PLAN SELECT * FROM audit WHERE subject = ?", (ALERT.bytes,))
    assert "audit_of_subject" in str(plan.fetchall())


def test_an_entry_is_hashed_as_it_is_documented(connection: sqlite3.Connection) -> None:
    """Written from the module's docstring, so that another program can verify the trail."""
    from hashlib import sha256

    made = append(connection, entry(1, "hub started", ALERT, b="é", a=1))
    text = [part.encode() for part in ("synchronised", "hub started")]
    fields = [BOOT.bytes, *text, ALERT.bytes, b'{"a":1,"b":"\\u00e9"}']
    hashed = sha256(b"CarePort Hub, audit trail, encoding 1").digest()
    hashed += (1).to_bytes(8, "big") + (1772366460_000000).to_bytes(8, "big") + (60_000000).to_bytes(8, "big")
    hashed += b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    assert made.hash == sha256(hashed).digest()


@given(
    st.lists(st.one_of(st.none(), st.binary(max_size=4)), min_size=2, max_size=3),
    st.lists(st.one_of(st.none(), st.binary(max_size=4)), min_size=2, max_size=3),
)
def test_two_different_entries_are_never_written_the_same(
    one: list[bytes | None], other: list[bytes | None]
) -> None:
    assert (encode([0, 0, *one]) == encode([0, 0, *other])) == (one == other)


def test_words_that_utf_8_cannot_write_are_kept(connection: sqlite3.Connection) -> None:
    append(connection, entry(0, by="\ud800 \x1b[2J"))
    assert newest(connection) == entries(connection)[0]
    assert entries(connection)[0].detail == {"by": "\ud800 \x1b[2J"}
    assert verify(connection).whole


def test_an_entry_that_is_rolled_back_leaves_no_trace(connection: sqlite3.Connection) -> None:
    append(connection, entry(0))
    connection.execute("BEGIN")
    append(connection, entry(1))
    connection.execute("ROLLBACK")
    append(connection, entry(2))
    assert [each.sequence for each in entries(connection)] == [2, 1]
    assert verify(connection).whole


def test_a_head_is_told_and_read_in_one_form() -> None:
    told = AuditHead(12, digest(BEGINNING, 1, b""))
    assert AuditHead.parse(f" {told}\n") == told
    for wrong in ("", "12", "0:" + "0" * 64, "12:" + "0" * 63, "-1:" + "0" * 64, "12:" + "g" * 64):
        with pytest.raises(AuditError, match="COUNT:HASH"):
            AuditHead.parse(wrong)


def test_an_entry_that_was_made_unreadable_is_named(connection: sqlite3.Connection) -> None:
    append(connection, entry(0))
    text = ("detail = '[]'", "detail = 'x'", "detail = CAST(x'ff' AS TEXT)", "clock = 'x'")
    for change in (*text, "boot = zeroblob(15)", f"at = {2**62}"):
        connection.execute("BEGIN")
        connection.execute(f"UPDATE audit SET {change}")
        with pytest.raises(AuditError, match=r"entry 1 .*carehub audit verify"):
            entries(connection)
        (found,) = verify(connection).findings
        assert (found.kind, found.first) == (Break.CHANGED, 1)
        connection.execute("ROLLBACK")


# What is done to a trail. Each says what was done, and which numbers must be named.
Damage = tuple[set[Break], int, int]


def rows(connection: sqlite3.Connection) -> list[list[object]]:
    return [list(row) for row in connection.execute(f"SELECT {COLUMNS} FROM audit ORDER BY sequence")]


def write(connection: sqlite3.Connection, replaced: list[list[object]], *, renumber: bool) -> None:
    connection.execute("DELETE FROM audit")
    for number, row in enumerate(replaced, start=1):
        columns = [number, *row[1:]] if renumber else row
        connection.execute(f"INSERT INTO audit ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", columns)


def the_finding(connection: sqlite3.Connection, *heads: AuditHead) -> Finding:
    found = verify(connection, heads=heads)
    assert not found.whole
    assert len(found.findings) == 1, found.findings
    return found.findings[0]


lengths = st.integers(2, 12)
CHANGES = {
    "at": "at + 1",
    "since_boot": "since_boot - 1",
    "boot": "zeroblob(15)",
    "clock": "'stepped'",
    "what": "what || ' '",
    "subject": "CASE WHEN subject IS NULL THEN x'' ELSE NULL END",
    "detail": "replace(detail, 'number', 'numbes')",
    "hash": "zeroblob(32)",
}


@given(lengths, st.data())
def test_a_whole_trail_has_no_finding(length: int, data: st.DataObject) -> None:
    """The positive control of all that follows."""
    with closing(trail(length=length)) as connection:
        told = head(connection)
        found = verify(connection, heads=[told])
        assert found.whole
        assert found.complete
        assert (found.entries, found.begins, found.head, found.matched) == (length, 1, told, (told,))
        append(connection, entry(99))
        assert verify(connection, heads=[told]).whole
        assert verify(connection, since=told).whole


@given(lengths, st.data(), st.sampled_from(sorted(CHANGES)))
def test_a_change_of_any_column_of_any_entry_is_found(length: int, data: st.DataObject, column: str) -> None:
    number = data.draw(st.integers(1, length))
    with closing(trail(length=length)) as connection:
        connection.execute(f"UPDATE audit SET {column} = {CHANGES[column]} WHERE sequence = ?", (number,))
        found = the_finding(connection)
        assert (found.kind, found.first, found.last) == (Break.CHANGED, number, number)


@given(lengths, st.data())
def test_a_removed_entry_is_found(length: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(1, length - 1))
    most = data.draw(st.integers(1, length - number))
    with closing(trail(length=length)) as connection:
        connection.execute("DELETE FROM audit WHERE sequence BETWEEN ? AND ?", (number, number + most - 1))
        found = the_finding(connection)
        assert (found.kind, found.first, found.last) == (Break.REMOVED, number, number + most - 1)


@given(lengths, st.data())
def test_a_removed_entry_is_found_though_the_rest_was_renumbered(length: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(1, length - 1))
    with closing(trail(length=length)) as connection:
        kept = rows(connection)
        del kept[number - 1]
        write(connection, kept, renumber=True)
        found = the_finding(connection)
        # Of two entries at the end nothing that follows could tell which it was.
        kinds = {Break.REMOVED} if number < length - 1 else {Break.CHANGED}
        assert found.kind in kinds
        assert (found.first, found.last) == (number, number)


@given(lengths, st.data())
def test_two_entries_that_changed_places_are_found(length: int, data: st.DataObject) -> None:
    one = data.draw(st.integers(1, length - 1))
    other = data.draw(st.integers(one + 1, length))
    with closing(trail(length=length)) as connection:
        swapped = rows(connection)
        swapped[one - 1], swapped[other - 1] = swapped[other - 1], swapped[one - 1]
        write(connection, swapped, renumber=True)
        found = the_finding(connection)
        assert (found.kind, found.first, found.last) == (Break.REORDERED, one, other)


@given(lengths, st.data())
def test_an_entry_that_was_put_elsewhere_is_found(length: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(1, length - 1))
    with closing(trail(length=length)) as connection:
        connection.execute("UPDATE audit SET sequence = ? WHERE sequence = ?", (length + 1, number))
        found = the_finding(connection)
        assert (found.kind, found.first) == (Break.REORDERED, number)


@given(lengths, st.data(), st.booleans())
def test_an_entry_that_was_put_in_is_found(length: int, data: st.DataObject, hashed: bool) -> None:
    """With a hash of anything, or with one that fits in its place."""
    number = data.draw(st.integers(1, length))
    with closing(trail(length=length)) as connection:
        kept = rows(connection)
        columns = [0, 0, BOOT.bytes, "synchronised", "alert acknowledged", ALERT.bytes, '{"by":"nobody"}']
        before = kept[number - 2][-1] if number > 1 else BEGINNING
        assert isinstance(before, bytes)
        own = digest(before, number, encode(columns)) if hashed else bytes(32)  # type: ignore[arg-type]  # a list of rows is of objects
        kept.insert(number - 1, [number, *columns, own])
        write(connection, kept, renumber=True)
        found = the_finding(connection)
        assert (found.kind, found.first, found.last) == (Break.INSERTED, number, number)


@given(lengths, st.data())
def test_an_entry_that_is_there_twice_is_found(length: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(1, length))
    place = data.draw(st.integers(1, length + 1))
    with closing(trail(length=length)) as connection:
        kept = rows(connection)
        kept.insert(place - 1, list(kept[number - 1]))
        write(connection, kept, renumber=True)
        found = the_finding(connection)
        assert found.kind is Break.DUPLICATED
        assert found.first in {place, number + (place <= number)}


@given(lengths, st.data())
def test_an_end_that_was_cut_off_is_found_by_a_head_that_others_were_told(
    length: int, data: st.DataObject
) -> None:
    left = data.draw(st.integers(0, length - 1))
    with closing(trail(length=length)) as connection:
        told = head(connection)
        connection.execute("DELETE FROM audit WHERE sequence > ?", (left,))
        assert verify(connection).whole, "the chain alone cannot tell"
        found = the_finding(connection, told)
        assert (found.kind, found.first, found.last) == (Break.TRUNCATED, left + 1, length)


@given(lengths, st.data())
def test_a_trail_that_was_written_anew_from_some_entry_on_is_found_by_heads(
    length: int, data: st.DataObject
) -> None:
    number = data.draw(st.integers(2, length))
    with closing(trail(length=length)) as connection:
        told = head(connection)
        written = list(reversed(entries(connection)))
        early = AuditHead(number - 1, written[number - 2].hash)
        connection.execute("DELETE FROM audit WHERE sequence >= ?", (number,))
        for each in written[number - 1 :]:
            append(connection, NewEntry(each.at, each.stamp, each.what, each.subject, {"by": "another"}))
        assert verify(connection).whole, "the chain alone cannot tell"
        found = the_finding(connection, told, early)
        assert (found.kind, found.first) == (Break.REWRITTEN, length)
        assert f"of {number} to {length} " in found.words


@given(st.integers(3, 12), st.data())
def test_each_of_several_breaks_is_found(length: int, data: st.DataObject) -> None:
    one = data.draw(st.integers(1, length))
    other = data.draw(st.integers(1, length))
    assume(other > one)
    with closing(trail(length=length)) as connection:
        connection.execute("UPDATE audit SET what = '' WHERE sequence IN (?, ?)", (one, other))
        found = verify(connection).findings
        assert [(each.kind, each.first) for each in found] == [(Break.CHANGED, one), (Break.CHANGED, other)]


@st.composite
def manglings(draw: st.DrawFn, kept: list[list[object]]) -> list[list[object]]:
    """The rows after one to four things were done to them, each of any kind."""
    mangled = [list(row) for row in kept]
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(mangled) - 1)))
        other = draw(st.integers(0, max(0, len(mangled) - 1)))
        match (
            draw(st.sampled_from(["remove", "swap", "twice", "put in", "change", "hash"])) if mangled else ""
        ):
            case "remove":
                del mangled[place]
            case "swap":
                mangled[place], mangled[other] = mangled[other], mangled[place]
            case "twice":
                mangled.insert(place, list(mangled[other]))
            case "put in":
                mangled.insert(place, [0, 0, 0, BOOT.bytes, "", "alert resolved", None, "{}", bytes(32)])
            case "change":
                mangled[place][1] = draw(st.integers(0, 5))
            case "hash":
                mangled[place][-1] = mangled[other][-1]
    if draw(st.booleans()):
        return [[number, *row[1:]] for number, row in enumerate(mangled, start=1)]
    free = sorted(draw(st.sets(st.integers(-3, 30), min_size=len(mangled), max_size=len(mangled))))
    return [[number, *row[1:]] for number, row in zip(free, mangled, strict=True)]


@given(lengths, st.data())
def test_whatever_is_done_to_it_is_found(length: int, data: st.DataObject) -> None:
    with closing(trail(length=length)) as connection:
        told = head(connection)
        kept = rows(connection)
        write(connection, data.draw(manglings(kept)), renumber=False)
        assert verify(connection, heads=[told]).whole == (rows(connection) == kept)


def test_a_number_that_was_changed_at_the_end_is_found() -> None:
    with closing(trail(length=5)) as connection:
        connection.execute("UPDATE audit SET sequence = sequence + 10 WHERE sequence > 3")
        found = the_finding(connection)
        assert (found.kind, found.first) == (Break.CHANGED, 14)


def test_a_finding_says_when_and_what_it_means() -> None:
    with closing(trail(length=5)) as connection:
        connection.execute("UPDATE audit SET what = 'x' WHERE sequence = 3")
        found = the_finding(connection)
        assert found.at == NOON + timedelta(minutes=2)
        assert "not what was written" in found.words
        connection.execute("DELETE FROM audit WHERE sequence = 3")
        found = the_finding(connection)
        assert found.at == NOON + timedelta(minutes=1)
        assert "whether the one behind (4) was changed" in found.words


def test_a_trail_of_nothing_but_breaks_is_not_looked_at_for_ever() -> None:
    with closing(trail(length=200)) as connection:
        connection.execute("UPDATE audit SET what = 'x'")
        found = verify(connection)
        assert not found.complete
        assert 0 < len(found.findings) < 100


def test_an_empty_trail_is_whole_until_others_were_told_of_more(connection: sqlite3.Connection) -> None:
    found = verify(connection)
    assert found.whole
    assert (found.entries, found.head) == (0, START)
    assert the_finding(connection, AuditHead(3, bytes(32))).kind is Break.TRUNCATED


def trimmed(connection: sqlite3.Connection, minutes: int, at_minutes: int = 60) -> AuditEntry | None:
    moment = NOON + timedelta(minutes=at_minutes)
    return trim(connection, NOON + timedelta(minutes=minutes), at=moment, stamp=stamp(at_minutes * 60))


@given(lengths, st.integers(-1, 14), st.integers(-1, 14))
def test_what_is_trimmed_leaves_a_whole_trail(length: int, first: int, second: int) -> None:
    with closing(trail(length=length)) as connection:
        told = head(connection)
        for minutes in (first, second):
            trimmed(connection, minutes)
        found = verify(connection, heads=[told])
        assert found.whole
        before = max(0, min(first, length - 1))
        # The newest stays; after a first trimming that is the entry which tells of it.
        removed = max(before, min(second, length if before else length - 1))
        assert found.begins == removed + 1
        assert (found.trimmed_at is None) == (removed == 0)
        # And what is changed or removed behind the beginning is found as before.
        connection.execute("UPDATE audit SET what = 'x' WHERE sequence = ?", (found.begins,))
        assert the_finding(connection).first == found.begins
        connection.execute("DELETE FROM audit WHERE sequence = ?", (found.begins,))
        assert the_finding(connection).kind is Break.REMOVED


def test_trimming_says_what_it_removed_and_keeps_the_newest() -> None:
    with closing(trail(length=5)) as connection:
        last = head(connection)
        noted = trimmed(connection, 50)
        assert noted is not None
        assert noted.what == TRIMMED
        assert noted.detail["removed"] == 4
        assert [each.sequence for each in entries(connection)] == [6, 5]
        found = verify(connection, heads=[last])
        assert (found.begins, found.trimmed_at, found.matched) == (5, noted.at, (last,))
        assert trimmed(connection, 4) is None
        with closing(trail()) as empty:
            assert trimmed(empty, 50) is None


def test_a_head_older_than_the_beginning_cannot_be_compared() -> None:
    with closing(trail(length=5)) as connection:
        old, last_removed = (
            AuditHead(each.sequence, each.hash) for each in reversed(entries(connection)[2:4])
        )
        trimmed(connection, 3)
        found = verify(connection, heads=[old, last_removed])
        assert found.whole
        assert (found.matched, found.unmatched) == ((last_removed,), (old,))
        forged = AuditHead(last_removed.count, bytes(32))
        assert the_finding(connection, forged).kind is Break.REWRITTEN


def test_a_time_from_a_clock_that_was_ahead_keeps_nothing_from_being_trimmed() -> None:
    with closing(trail()) as connection:
        append(connection, entry(60 * 24 * 365 * 70))
        for minutes in range(1, 5):
            append(connection, entry(minutes))
        trimmed(connection, 3)
        assert verify(connection).begins == 4


def test_a_beginning_that_nothing_accounts_for_is_found() -> None:
    with closing(trail(length=8)) as connection:
        trimmed(connection, 2)
        connection.execute("DELETE FROM audit WHERE sequence <= 4")
        found = the_finding(connection)
        assert (found.kind, found.first, found.last) == (Break.REMOVED, 3, 4)


def test_entries_before_the_beginning_are_found() -> None:
    with closing(trail(length=8)) as connection:
        first, *_ = rows(connection)
        trimmed(connection, 4)
        connection.execute(f"INSERT INTO audit ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", first)
        found = the_finding(connection)
        assert (found.kind, found.first, found.last) == (Break.INSERTED, 1, 1)


def test_rows_that_were_saved_from_a_damaged_file_show_where_the_gap_is(tmp_path: Path) -> None:
    with closing(trail(length=9)) as damaged, closing(trail(tmp_path / "saved.db")) as saved:
        kept = [row for row in rows(damaged) if row[0] not in (4, 5)]
        write(saved, kept, renumber=False)
        append(saved, entry(20, "database salvaged"))
        found = the_finding(saved, head(damaged))
        assert (found.kind, found.first, found.last) == (Break.REMOVED, 4, 5)


def test_what_was_verified_before_need_not_be_again() -> None:
    with closing(trail(length=9)) as connection:
        middle = entries(connection)[4]
        since = AuditHead(middle.sequence, middle.hash)
        connection.execute("UPDATE audit SET what = 'x' WHERE sequence = 2")
        assert verify(connection, since=since).whole
        connection.execute("UPDATE audit SET what = 'x' WHERE sequence = 7")
        found = verify(connection, since=since).findings
        assert [(each.kind, each.first) for each in found] == [(Break.CHANGED, 7)]
        wrong = verify(connection, since=AuditHead(middle.sequence, bytes(32))).findings
        assert Break.REWRITTEN in {each.kind for each in wrong}


def test_it_verifies_beside_a_hub_that_goes_on_writing(tmp_path: Path) -> None:
    path = tmp_path / "carehub.db"
    with closing(trail(path, 50)) as writing:
        writing.execute("PRAGMA journal_mode = WAL")
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as reading:
            writing.execute("BEGIN IMMEDIATE")
            append(writing, entry(70))
            assert verify(reading).entries == 50
            writing.execute("COMMIT")
            found = verify(reading)
            assert found.whole
            assert found.entries == 51
            assert not reading.in_transaction
