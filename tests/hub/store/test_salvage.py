"""A damaged database: what can be read is saved, and nothing is made up."""

from __future__ import annotations

import random
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from hub.store import salvage
from hub.store.damage import damage_of, log_of
from hub.store.database import SCHEMA_VERSION, make_schema, open_for_writing
from hub.store.encoding import event_bytes
from hub.store.mending import LOST
from hub.store.pages import Pages
from hub.trail import Audited
from tests.rigs.damaging import (
    PAGE,
    TABLES,
    garbled,
    kept_aside,
    overwrite,
    owners,
    root_of,
    rows,
    saved,
    torn,
    zeroed,
)


def test_a_whole_database_is_opened_and_not_touched(path: Path) -> None:
    before = rows(path)
    open_for_writing(path).close()
    assert rows(path) == before
    assert kept_aside(path) == []


def test_looking_for_damage_changes_nothing(path: Path) -> None:
    overwrite(path, 20, bytes(PAGE))
    before = path.read_bytes()
    assert damage_of(path) is not None
    assert path.read_bytes() == before


def test_all_rows_of_a_whole_file_are_found_without_sqlite(path: Path, tmp_path: Path) -> None:
    """What the reader of pages makes of each row is what SQLite makes of it, in each page size."""
    for size in (512, 1024, 4096, 65536):
        copy = tmp_path / f"{size}.db"
        connection = sqlite3.connect(path)
        connection.execute(f"PRAGMA page_size = {size}")
        connection.execute("VACUUM INTO ?", (str(copy),))
        connection.close()
        before = rows(copy)
        damage = salvage.save(copy, "to see", SCHEMA_VERSION, make_schema)
        assert damage is not None
        after = rows(copy)
        del after["audit"][max(before["audit"]) + 1]  # what tells of it
        assert {table: after[table] for table in TABLES if table != "fact"} == {
            table: before[table] for table in TABLES if table != "fact"
        }
        assert (damage.pages, damage.rows, damage.untold, damage.complete) == ({}, {}, 0, True)


@pytest.mark.parametrize("harm", [zeroed, garbled, torn])
@pytest.mark.parametrize("seed", range(8))
def test_every_row_of_an_undamaged_page_is_saved_and_none_is_made_up(
    path: Path, delivered: set[int], harm: Callable[[Path, list[int], random.Random], None], seed: int
) -> None:
    chance = random.Random(f"{harm.__name__}{seed}")
    before, whose = rows(path), owners(path)
    pages = chance.sample(sorted(whose), chance.choice([1, 2, 5, 15]))
    hit = dict.fromkeys(TABLES, 0) | {whose[page]: 0 for page in pages}
    lost_pages = Pages(path, log_of(path))
    for page in pages:
        content = lost_pages.page(page)
        hit[whose[page]] += len(content.rows) if content is not None else 1
    lost_pages.close()
    harm(path, pages, chance)
    if damage_of(path) is None:
        return  # it left every page as it was
    damage = saved(path)
    after = rows(path)
    for table in TABLES:
        if table == "alert":  # one that lost its evidence says so with number 0
            for key, row in after["alert"].items():
                was = before["alert"][key]
                assert (*row[:6], row[8]) == (*was[:6], was[8])
                assert row[6] in {0, was[6]}
                assert row[7] in {0, was[7]}
            continue
        new = {
            key: row
            for key, row in after[table].items()
            if before[table].get(key) != row
            and not (table == "source" and str(row[1]).startswith("lost sensor"))
            and not (table == "boot" and row[1] == row[0].to_bytes(16))
            and not (table == "model" and row[1:] == ("unknown", f"lost {row[0]}", ""))
            and not (table == "outbox_aside" and row[5] == LOST)
            and not (table == "fact" and str(key).startswith("damage "))
            and not (table == "audit" and row[5] == Audited.SALVAGED)
            and not (table == "outbox" and 1 in pages and key in delivered)  # told again, under its id
        }
        assert new == {}, table
    for table in ("reading", "audit", "outbox_aside", "source", "boot", "fact"):
        lost = len(before[table].keys() - after[table].keys())
        # An alert's or a large row's overflow page has no rows of its own, and costs one.
        assert lost <= hit[table], table
    told = before["outbox"].keys() - after["outbox"].keys()
    assert len(told) - damage.untold <= hit["outbox"]
    (aside,) = kept_aside(path)
    assert aside.name == damage.file


def test_an_event_that_cannot_be_read_is_set_aside_as_lost_and_the_others_are_kept(path: Path) -> None:
    """Whole to SQLite, and no event: cut off, of another kind, or one that would fill the memory."""
    kept = (event_bytes("whole"), event_bytes("x" * 99)[:-3], b"text", zlib.compress(bytes(100 << 20)))
    connection = open_for_writing(path)
    for number, event in enumerate(kept, 5001):
        connection.execute(
            "INSERT INTO outbox (sequence, channel, event) VALUES (?, 'alert', ?)", (number, event)
        )
        connection.execute(
            "INSERT INTO outbox_aside (sequence, channel, event, reason, at)"
            " VALUES (?, 'alert', ?, 'too large', 7)",
            (1000 + number, event),
        )
    connection.close()
    before = rows(path)
    overwrite(path, root_of(path, "sqlite_autoindex_reading_1"), bytes(PAGE))
    damage = saved(path)
    after = rows(path)
    assert after["outbox"] == {key: row for key, row in before["outbox"].items() if not 5002 <= key <= 5004}
    assert after["outbox_aside"][6001] == before["outbox_aside"][6001]
    for number in (5002, 5003, 5004, 6002, 6003, 6004):
        assert after["outbox_aside"][number][1:6] == ("alert", None, None, None, LOST)
    assert damage.untold == 3
    assert "3 event(s) that had not been told" in damage.words


@pytest.mark.parametrize(
    ("channel", "table"), [("amended_observation", "assessment"), ("amended_alert", "audit")]
)
def test_an_amendment_of_what_is_lost_is_set_aside_since_another_will_have_its_number(
    path: Path, channel: str, table: str
) -> None:
    connection = open_for_writing(path)
    (number,) = connection.execute(f"SELECT max(sequence) FROM {table}").fetchone()
    for sequence, first in ((5001, number), (5002, number + 1)):
        connection.execute(
            "INSERT INTO outbox (sequence, channel, first, last) VALUES (?, ?, ?, ?)",
            (sequence, channel, first, first),
        )
    connection.close()
    overwrite(path, root_of(path, "sqlite_autoindex_reading_1"), bytes(PAGE))
    saved(path)
    after = rows(path)
    assert 5001 in after["outbox"]
    assert after["outbox_aside"][5002][1:6] == (channel, None, None, None, LOST)


def test_a_tree_whose_root_is_lost_is_put_together_from_its_leaves(path: Path) -> None:
    before = rows(path)
    for table in ("reading", "assessment", "outbox"):
        overwrite(path, root_of(path, table), bytes(PAGE))
    saved(path)
    after = rows(path)
    assert after["reading"] == before["reading"]
    assert after["assessment"] == before["assessment"]
    assert after["outbox"] == before["outbox"]


@pytest.mark.parametrize(
    ("table", "added"),
    [
        ("reading", ["stretch TEXT"]),
        ("assessment", ["reasons TEXT", "uncalibrated REAL", "would_alert INTEGER"]),
    ],
)
def test_rows_of_before_a_column_was_added_are_put_together_from_their_leaves_too(
    path: Path, table: str, added: list[str]
) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for column in added:
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column.split()[0]}")
        for column in added:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = rows(path)
    overwrite(path, root_of(path, table), bytes(PAGE))
    saved(path)
    assert rows(path)[table] == before[table]


def test_windows_of_a_rhythm_are_saved_but_for_those_of_a_reading_that_is_lost(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM reading WHERE sequence = 3")
        connection.execute("DELETE FROM model WHERE name = 'rhythm'")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = rows(path)["rhythm_window"]
    overwrite(path, root_of(path, "sqlite_autoindex_reading_1"), bytes(PAGE))
    saved(path)
    after = rows(path)
    assert after["rhythm_window"] == {number: row for number, row in before.items() if number != 3}
    ((name, version),) = {after["model"][row[8]][1:3] for row in after["rhythm_window"].values()}
    assert (name, version.split()[0]) == ("unknown", "lost")


def test_a_file_whose_first_page_is_lost_keeps_all_that_is_on_the_others(
    path: Path, delivered: set[int]
) -> None:
    before = rows(path)
    overwrite(path, 1, bytes(PAGE))
    damage = saved(path)
    after = rows(path)
    # Which pages are free is said on the first: what was delivered may be told again, under its id.
    assert after["outbox"].keys() - before["outbox"].keys() <= delivered
    after["outbox"] = {key: row for key, row in after["outbox"].items() if key not in delivered}
    for table in ("reading", "assessment", "alert", "outbox", "outbox_aside", "source"):
        assert after[table] == before[table], table
    assert damage.alerts_may_be_lost


def test_a_broken_index_costs_no_row(path: Path) -> None:
    before = rows(path)
    overwrite(path, root_of(path, "sqlite_autoindex_reading_1"), bytes(PAGE))
    damage = saved(path)
    assert rows(path)["reading"] == before["reading"]
    assert (damage.pages, damage.rows) == ({}, {})


@pytest.mark.parametrize("harm", [zeroed, garbled, torn])
def test_a_payload_whose_further_pages_are_lost_is_lost_and_not_made_up(
    path: Path, harm: Callable[[Path, list[int], random.Random], None]
) -> None:
    connection = open_for_writing(path)
    (newest_reading,) = connection.execute("SELECT max(sequence) FROM reading").fetchone()
    long = bytes(range(1, 256)) * 12 + b"the very end"
    connection.execute("UPDATE reading SET payload = ? WHERE sequence = ?", (long, newest_reading))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    data = path.read_bytes()
    last = data.index(b"the very end") // PAGE + 1
    harm(path, [last], random.Random(1))
    overwrite(path, root_of(path, "sqlite_autoindex_reading_1"), bytes(PAGE))
    damage = saved(path)
    kept = rows(path)["reading"].get(newest_reading)
    assert kept is None or kept[4] == long
    assert harm is torn or (kept is None and damage.rows["reading"] == 1)


def test_rows_that_were_deleted_stay_deleted(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA secure_delete = OFF")
    connection.execute("DELETE FROM outbox")
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    overwrite(path, root_of(path, "sqlite_autoindex_reading_1"), bytes(PAGE))
    saved(path)
    assert rows(path)["outbox"] == {}
