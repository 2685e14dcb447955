"""A damaged database: what can be read is saved, nothing is made up, and the hub goes on."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from drivers.bluetooth.device_information import DeviceInformation
from hub import trail
from hub.alert_book import AlertBook
from hub.alerts import AlertPolicy
from hub.clock import now
from hub.commands import Commands
from hub.config import Sensor
from hub.store import salvage
from hub.store.audit import append, newest
from hub.store.damage import Damage, damage_of, damages, log_of, unfinished
from hub.store.database import SCHEMA_VERSION, make_schema, open_for_writing
from hub.store.encoding import event_bytes
from hub.store.errors import StoreError
from hub.store.pages import Pages
from hub.store.sensors import EnrolledRow, InformationRow, enrol, forget, note_information
from hub.store.tables import tables_of
from hub.trail import Audited, Moment
from tests.rigs.house import ILL, WELL_OXIMETER, House, cuff, entry, oximeter, thermometer

PAGE = 1024
PUBLISH = "[publish]\nreading = true\nobservation = true\n"
DELIVERED = "delivered.json"
Rows = dict[str, dict[Any, tuple[Any, ...]]]


def enrol_sensor(connection: sqlite3.Connection, number: int, resident: str | None = ILL) -> str:
    """By command, as `hub/enrolment.py` does it, but for the trail."""
    address, at = f"C4:F2:17:00:02:{number:02X}", datetime(2026, 3, 1, 12, number % 60, tzinfo=UTC)
    row = EnrolledRow(address, "thermometer", resident, "in room 7", "1", "first", 123456, at, "Sam", at)
    enrol(connection, row)
    note_information(connection, address, InformationRow(DeviceInformation(80, "A&D", "UA-651"), at, at))
    return address


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub's database with everything in it; its page size is 1024 bytes, and it has no log."""
    directory = tmp_path_factory.mktemp("home")
    house = House(directory, PUBLISH)
    begin = now() - timedelta(hours=1)
    for number in range(60):
        at = begin + timedelta(seconds=40 * number)
        house.take(oximeter(85 if number % 7 == 0 else 97, at))
        house.take(cuff(88 + number % 40, at))
        if number % 5 == 0:
            house.take(thermometer(36.5 + number % 3, at))
            house.take(entry(at))
        house.take(oximeter(80 if number == 50 else 98, at, device=WELL_OXIMETER))
    waiting = [sequence for (sequence,) in house.connection.execute("SELECT sequence FROM outbox")]
    (directory / DELIVERED).write_text(json.dumps(waiting[5:30]))
    with house.transaction() as transaction:
        transaction.set_aside(waiting[3], "too large", begin)
        transaction.remove_from_outbox(waiting[5:30])
        transaction.note_fact("data", "test data")
        for number in range(40):
            enrol_sensor(transaction.connection, number)
        connection = transaction.connection
        connection.execute("INSERT INTO model (name, version, sha256) VALUES ('rhythm', '1', 'ab')")
        (model,) = connection.execute("SELECT max(number) FROM model").fetchone()
        for number in range(1, 61):
            window = (
                number,
                (number + 30) * 10**6,
                number * 10**6,
                40,
                38,
                0.9,
                0.5 + number / 128,
                0.5,
                model,
            )
            connection.execute(
                "INSERT INTO rhythm_window (reading, ended, began, beats, used, quality, probability,"
                " threshold, model) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                window,
            )
        connection.executemany(
            "INSERT INTO kept_score VALUES (?, ?, ?, ?, 0, 0.25, 0.5, 1, 'low', 2, '1 2 7', 80)",
            [(ILL, hour, model, hour * 3_600_000_000) for hour in range(490_000, 490_060)],
        )
    house.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    house.connection.close()
    return directory / "data" / "carehub.db"


@pytest.fixture
def delivered(home: Path) -> set[int]:
    """The messages that the broker had before: their rows may still be on pages that are free."""
    return set(json.loads((home.parent.parent / DELIVERED).read_text()))


@pytest.fixture
def path(home: Path, tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return Path(shutil.copy(home, tmp_path / "data" / "carehub.db"))


TABLES = (
    "reading",
    "assessment",
    "alert",
    "audit",
    "outbox",
    "outbox_aside",
    "source",
    "boot",
    "model",
    "fact",
    "enrolled_sensor",
    "sensor_information",
    "rhythm_window",
)


def rows(path: Path) -> Rows:
    connection = sqlite3.connect(path)
    try:
        return {
            table: {row[0]: row for row in connection.execute(f"SELECT * FROM {table}")} for table in TABLES
        }
    finally:
        connection.close()


def kept_aside(path: Path) -> list[Path]:
    return sorted(path.parent.glob("carehub.db.damaged-*Z"))


def saved(path: Path) -> Damage:
    """Open the database as a starting hub does; what it says of the damage."""
    connection = open_for_writing(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        return damages(connection)[-1]
    finally:
        connection.close()


def owners(path: Path) -> dict[int, str]:
    """Whose each page is, as SQLite's own reader of pages says."""
    connection = sqlite3.connect(path)
    try:
        return dict(connection.execute("SELECT pageno, name FROM dbstat"))
    finally:
        connection.close()


def overwrite(path: Path, page: int, content: bytes, at: int = 0) -> None:
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE + at)
        file.write(content)


def root_of(path: Path, name: str) -> int:
    connection = sqlite3.connect(path)
    (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    connection.close()
    return int(root)


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


def zeroed(path: Path, pages: list[int], _random: random.Random) -> None:
    for page in pages:
        overwrite(path, page, bytes(PAGE))


def garbled(path: Path, pages: list[int], chance: random.Random) -> None:
    for page in pages:
        overwrite(path, page, chance.randbytes(PAGE))


def torn(path: Path, pages: list[int], _random: random.Random) -> None:
    for page in pages:
        overwrite(path, page, bytes(PAGE // 2), PAGE // 2)


def written_elsewhere(path: Path, pages: list[int], chance: random.Random) -> None:
    """A card whose own table of blocks is wrong: another page's content."""
    data = path.read_bytes()
    for page in pages:
        other = chance.randrange(len(data) // PAGE)
        overwrite(path, page, data[other * PAGE : other * PAGE + PAGE])


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
            and not (table == "outbox_aside" and row[5] == salvage.LOST)
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
        assert after["outbox_aside"][number][1:6] == ("alert", None, None, None, salvage.LOST)
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
    assert after["outbox_aside"][5002][1:6] == (channel, None, None, None, salvage.LOST)


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


@pytest.mark.parametrize("kept", [0, 1, 99, 100, 1024, 30_000, 60_001])
def test_a_file_that_is_cut_off_is_saved_as_far_as_it_goes(path: Path, kept: int) -> None:
    before = rows(path)
    with path.open("r+b") as file:
        file.truncate(kept)
    damage = saved(path)
    after = rows(path)
    assert all(before["reading"][key] == row for key, row in after["reading"].items())
    assert kept < 60_000 or after["reading"]
    assert damage.alerts_may_be_lost


def test_a_file_that_is_no_database_is_kept_aside_as_it_was(path: Path) -> None:
    shopping = b"this is a shopping list, not a database" * 100
    path.write_bytes(shopping)
    saved(path)
    assert [file.read_bytes() for file in kept_aside(path)] == [shopping]


def with_a_log(path: Path, tells: int, last: str = "x") -> Rows:
    """Commits that are in the write-ahead log alone, as after a power cut; what there is then."""
    connection = open_for_writing(path)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    for number in range(tells):
        connection.execute(
            "INSERT INTO outbox VALUES (?, 'alert', ?, NULL, NULL)", (10_000 + number, event_bytes("x" * 50))
        )
    connection.execute("INSERT INTO outbox VALUES (20000, 'alert', ?, NULL, NULL)", (event_bytes(last),))
    data = {end: path.with_name(f"{path.name}{end}").read_bytes() for end in ("", "-wal")}
    after = rows(path)
    connection.close()
    for end, content in data.items():
        path.with_name(f"{path.name}{end}").write_bytes(content)
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    return after


def test_what_is_only_in_the_log_is_saved(path: Path) -> None:
    before = with_a_log(path, 20)
    overwrite(path, root_of(path, "sqlite_autoindex_reading_1"), bytes(PAGE))
    saved(path)
    assert rows(path)["outbox"] == before["outbox"]
    (aside,) = kept_aside(path)
    assert log_of(aside).exists()
    assert not unfinished(path)


def test_a_log_beside_an_empty_file_is_not_thrown_away(path: Path) -> None:
    """SQLite deletes the log of a file of no bytes before anybody is asked."""
    with_a_log(path, 20)
    path.write_bytes(b"")
    saved(path)
    assert 10_019 in rows(path)["outbox"]


def test_commits_behind_a_bad_frame_of_the_log_are_saved(path: Path) -> None:
    with_a_log(path, 20)
    log = bytearray(log_of(path).read_bytes())
    log[32 + 3 * (24 + PAGE) + 24 + 100] ^= 1
    log_of(path).write_bytes(log)
    assert damage_of(path) == "its write-ahead log is damaged"
    saved(path)
    assert 10_019 in rows(path)["outbox"]


def test_a_commit_that_a_power_cut_left_half_written_is_no_damage(path: Path) -> None:
    with_a_log(path, 20)
    log = log_of(path).read_bytes()
    for torn_log in (log[:-300], log[: -PAGE - 24], log[:-200] + bytes(200), log[:40]):
        log_of(path).write_bytes(torn_log)
        assert damage_of(path) is None


def test_a_torn_commit_of_many_pages_is_no_damage_though_its_end_was_written(path: Path) -> None:
    """The card writes in an order of its own: the last commit's end may be there, and its middle not."""
    with_a_log(path, 20, last=random.Random(1).randbytes(20_000).hex())
    log = bytearray(log_of(path).read_bytes())
    middle = len(log) - 8 * (24 + PAGE)
    log[middle : middle + 24 + PAGE] = bytes(24 + PAGE)
    log_of(path).write_bytes(log)
    assert damage_of(path) is None


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


def test_a_newer_hubs_database_is_refused_though_it_is_damaged(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    overwrite(path, root_of(path, "reading"), bytes(PAGE))
    before = path.read_bytes()
    with pytest.raises(StoreError, match="newer hub"):
        open_for_writing(path)
    assert path.read_bytes() == before
    assert kept_aside(path) == []


def test_what_ends_the_salvage_half_way_leaves_the_file_or_its_successor(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever rename it was killed before: the next start has all rows, and no log of another file."""
    overwrite(path, root_of(path, "sqlite_autoindex_reading_1"), bytes(PAGE))
    expected = rows_without_index(path)
    start = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    rename = Path.rename

    class Killed(BaseException):
        pass

    for fatal in range(1, 5):
        for file in path.parent.iterdir():
            file.unlink()
        for name, content in start.items():
            (path.parent / name).write_bytes(content)
        left = fatal

        def counted(self: Path, target: Path) -> Path:
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed
            return rename(self, target)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "rename", counted)
            with suppress(Killed):
                open_for_writing(path).close()
        open_for_writing(path).close()
        assert set(rows(path)["reading"]) == expected
        assert unfinished(path) == []


def rows_without_index(path: Path) -> set[int]:
    connection = sqlite3.connect(path)
    try:
        return {row[0] for row in connection.execute("SELECT sequence FROM reading NOT INDEXED")}
    finally:
        connection.close()


def test_no_more_than_two_damaged_files_are_kept(path: Path) -> None:
    seen = []
    for _ in range(4):
        overwrite(path, root_of(path, "sqlite_autoindex_reading_1"), bytes(PAGE))
        saved(path)
        seen.append(kept_aside(path)[-1])
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert kept_aside(path) == seen[-2:]


def test_where_there_is_no_room_the_alerts_come_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = rows(path)
    overwrite(path, root_of(path, "sqlite_autoindex_reading_1"), bytes(PAGE))

    def small(connection: sqlite3.Connection, version: int = SCHEMA_VERSION) -> None:
        make_schema(connection, version)
        connection.execute("PRAGMA max_page_count = 80")  # SQLITE_FULL, as a full card gives

    damage = salvage.save(path, "to see", SCHEMA_VERSION, small)
    assert damage is not None
    assert not damage.complete
    after = rows(path)
    assert after["alert"].keys() == before["alert"].keys()
    assert len(after["reading"]) < len(before["reading"])
    assert "oldest readings" in damage.words


def test_the_fact_is_kept_and_noted_in_the_trail(path: Path) -> None:
    overwrite(path, 1, bytes(PAGE))
    damage = saved(path)
    connection = sqlite3.connect(path)
    noted = newest(connection, Audited.SALVAGED)
    assert noted is not None
    assert noted.detail["file"] == damage.file
    assert Damage.of(damage.to_json()) == damage
    assert damage.saved["reading"] == len(rows(path)["reading"])
    assert "look at every resident now" in damage.words


def test_an_alert_whose_evidence_is_lost_climbs_and_is_told(path: Path) -> None:
    whose = owners(path)
    alerts_before = rows(path)["alert"]
    for page in [page for page, name in whose.items() if name in {"reading", "assessment"}]:
        overwrite(path, page, bytes(PAGE))
    saved(path)
    house = House(path.parent.parent, PUBLISH)
    assert house.counts()["reading"] == 0
    referred = house.connection.execute("SELECT reading, assessment FROM alert").fetchall()
    assert set(referred) == {(0, 0)}
    open_before = house.open_alerts()
    assert {alert.id.bytes for alert in open_before} == {
        key for key, row in alerts_before.items() if row[5] is None
    }
    assert open_before
    policy = AlertPolicy.of(house.config.alerts, house.config.observation_sets)
    commands = Commands(AlertBook(house.identity), policy)
    with house.transaction() as transaction:
        assert commands.escalate(transaction, now() + timedelta(hours=5), monotonic()) == len(open_before)
    told = [event for event in house.events() if "escalated" in event.type]
    assert len(told) >= len(open_before)
    house.take(oximeter(97, now()))
    assert house.counts()["reading"] == 1


def test_an_open_alert_still_takes_readings_after_the_salvage(path: Path) -> None:
    overwrite(path, root_of(path, "reading"), bytes(PAGE))
    saved(path)
    house = House(path.parent.parent, PUBLISH)
    number = max(rows(path)["reading"])
    before = [alert for alert in house.open_alerts() if alert.resident == ILL]
    assert before
    house.take(oximeter(97, now()))
    assert max(rows(path)["reading"]) == number + 1
    assert house.events("reading")


def test_without_the_salvage_such_a_file_cannot_be_used(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The positive control: what the hub did before."""
    overwrite(path, root_of(path, "reading"), bytes(PAGE))
    monkeypatch.setattr("hub.store.database._save_if_damaged", lambda _path: None)
    with pytest.raises((StoreError, sqlite3.DatabaseError)):
        House(path.parent.parent, PUBLISH).take(oximeter(97, now()))


def test_times_are_kept_as_they_were_said() -> None:
    at = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    damage = Damage(at, "why", "file", {"reading": 1}, {"": 1}, {"alert": 2}, 3, complete=False)
    assert Damage.of(damage.to_json()) == damage


def test_a_sensor_that_was_forgotten_is_not_enrolled_again_by_what_a_damaged_file_has_left(
    path: Path,
) -> None:
    """A page that a failing card gives back as it was: with the owner of that time."""
    connection = open_for_writing(path)
    root = root_of(path, "enrolled_sensor")
    forgotten = "C4:F2:17:00:02:07"
    before = dict(connection.execute("SELECT address, resident FROM enrolled_sensor"))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    old = path.read_bytes()
    sensor = Sensor(address=forgotten, driver="thermometer", resident=ILL)
    connection.execute("BEGIN")
    forget(connection, forgotten)
    append(connection, trail.sensor_forgotten(Moment.present(), sensor, now(), "Sam", {}))
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    for number, table in owners(path).items():
        if table == "enrolled_sensor":
            overwrite(path, number, old[(number - 1) * PAGE : number * PAGE])
    assert root
    overwrite(path, root_of(path, "outbox_aside"), bytes(PAGE))
    damage = saved(path)
    assert "enrolled_sensor" not in damage.pages
    connection = open_for_writing(path)
    after = dict(connection.execute("SELECT address, resident FROM enrolled_sensor"))
    connection.close()
    assert after == {address: resident for address, resident in before.items() if address != forgotten}


def test_where_enrolled_sensors_may_be_lost_somebody_is_sent_to_compare(path: Path) -> None:
    connection = open_for_writing(path)
    connection.execute("DELETE FROM enrolled_sensor WHERE address > 'C4:F2:17:00:02:03'")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    overwrite(path, root_of(path, "enrolled_sensor"), bytes(PAGE))
    assert "carehub devices list" in saved(path).words


def test_alerts_and_enrolled_sensors_are_copied_before_all_else(path: Path) -> None:
    """A card may have no room, or no time, for all."""
    connection = sqlite3.connect(path)
    first, second, *others = [table.name for table in tables_of(connection)]
    connection.close()
    assert (first, second) == ("alert", "enrolled_sensor")
    assert others[-2:] == ["reading", "kept_score"]
