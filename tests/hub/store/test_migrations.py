"""An old database in a new hub: every reading, score, alert and waiting event is still there."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from drivers.virtual import encoding
from hub.clock import ClockQuality, ClockStamp, now
from hub.readings import Flag, Measurement, Origin, Quality, RawPayload, Reading, Vital
from hub.store.audit import history
from hub.store.damage import damages
from hub.store.database import SCHEMA_VERSION, make_schema, open_for_writing
from hub.store.encoding import event_text
from hub.store.errors import StoreError
from hub.store.queries import alerts
from hub.store.rows import SELECT_ASSESSMENT, SELECT_READING, AssessmentRow, ModelName, StoredReading
from hub.telling.teller import KeptReadings, assessment_of
from hub.timekeeping.placed import PlacedReading
from hub.timekeeping.timing import TimeQuality
from hub.uplink.contract import assessment_data
from tests.rigs.first_schema import OldHub, OldReading
from tests.rigs.house import (
    CUFF,
    ILL,
    OXIMETER,
    SHARED,
    House,
    cuff,
    decoded,
    entry,
    oximeter,
    raw,
    thermometer,
)
from tests.rigs.hub_process import carehub_here

PUBLISH = "[publish]\nreading = true\n"
MODEL = ModelName("deterioration", "1.0", "0123456789ab")


SYNCHRONISED = ClockStamp(uuid.UUID(int=9), timedelta(hours=5), ClockQuality.SYNCHRONISED)


def take(house: House, reading: Reading) -> None:
    """By a clock that is believed, as the first hub believed its own."""
    with house.transaction() as transaction:
        house.intake.take(transaction, reading, SYNCHRONISED)


def take_sample(house: House, reading: Reading, *, observed: bool) -> None:
    """As hubs before stretches did: a row each, and every tenth of them observed."""
    at = reading.raw.received_at
    said = reading.measurements if observed else ()
    with house.transaction() as transaction:
        transaction.add_reading(PlacedReading(reading, ILL, at, TimeQuality.RECEIVED, SYNCHRONISED, said))


def fill(house: House) -> None:
    """All that a database can have in it."""
    at = now() - timedelta(hours=3)

    take(house, entry(at))
    take(house, thermometer(38.4, at + timedelta(minutes=1)))
    take(house, cuff(85, at + timedelta(minutes=2), measured=at + timedelta(minutes=1, seconds=30)))
    take(house, oximeter(88, at + timedelta(minutes=3)))
    take(
        house,
        replace(
            oximeter(97, at + timedelta(minutes=4)), flags=frozenset({Flag.LOW_PERFUSION, Flag.POOR_SIGNAL})
        ),
    )
    take(house, decoded(raw(CUFF, "blood_pressure", b"\x00", at + timedelta(minutes=5))))
    take(
        house,
        decoded(raw(CUFF, "blood_pressure", bytes.fromhex("04ff07ff07ff07ff07"), at + timedelta(minutes=6))),
    )
    take(house, oximeter(91, at + timedelta(minutes=7), device=SHARED))
    site = Measurement(Vital.TEMPERATURE, 36.6, quality=Quality.QUESTIONABLE, site="tympanum")
    take(house, replace(thermometer(36.6, at + timedelta(minutes=8)), measurements=(site,), user_id=3))
    for second in range(150):
        sample = RawPayload(
            OXIMETER, "pulse_oximeter", encoding.continuous(93.0, 71.0),
            at + timedelta(minutes=20, seconds=second), "2a5f", Origin.SENSOR,
        )  # fmt: skip
        take_sample(house, decoded(sample), observed=second >= 15 and second % 10 == 5)
    take(house, cuff(130, at + timedelta(minutes=40)))
    take(house, oximeter(96, at + timedelta(minutes=60)))
    # From the cuff's memory: an earlier moment, and the newest set is formed again with it.
    take(house, cuff(125, at + timedelta(minutes=61), measured=at + timedelta(minutes=45)))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same history as this hub keeps it, and as the first did."""
    directory = tmp_path_factory.mktemp("both")
    house = House(directory / "new", PUBLISH)
    fill(house)
    path = directory / "old.db"
    old = OldHub(path)
    connection = house.connection
    for row in connection.execute(f"{SELECT_READING} ORDER BY r.sequence").fetchall():
        stored = StoredReading.of(row)
        placed = stored.placed
        number = old.add_reading(
            OldReading(
                placed.reading,
                placed.resident,
                placed.measured_at,
                placed.time_quality.value,
                placed.observed,
            )
        )
        assert number == stored.sequence
    connection.execute("INSERT INTO model (number, name, version, sha256) VALUES (1, ?, ?, ?)", (
        MODEL.name, MODEL.version, MODEL.sha256))  # fmt: skip
    connection.execute("UPDATE assessment SET risk = 0.0625, model = 1 WHERE sequence % 2 = 0")
    for row in connection.execute(f"{SELECT_ASSESSMENT} ORDER BY a.sequence").fetchall():
        kept = AssessmentRow.of(row)
        whole = assessment_of(KeptReadings(connection), kept)
        body = assessment_data(whole.observations, whole.news2, whole.risk)
        assert old.add_assessment(kept.resident, kept.at, kept.reading, body) == kept.sequence
    for row in connection.execute("SELECT * FROM alert").fetchall():
        old.add_alert(row)
    for alert in alerts(connection, resolved=True, most=100):
        old.note_alert(alert.id, "raised", alert.raised_at, {})
        old.note_alert(alert.id, "acknowledged", alert.raised_at, {"by": "Nurse Nightingale", "via": "hub"})
    for number in range(6):
        channel, priority = (("alert", 0), ("observation", 2), ("reading", 3))[number % 3]
        old.enqueue(priority, channel, json.dumps({"number": number}))
    old.set_aside(1, "too large", now())
    old.set_aside(3, "not authorised", now())
    old.connection.execute("INSERT INTO fact VALUES ('data', 'test data')")
    old.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    old.close()
    return house.path, path


@pytest.fixture
def old(both: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copy(both[1], tmp_path / "carehub.db"))


@pytest.fixture
def migrated(old: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_for_writing(old)) as connection:
        yield connection


@pytest.fixture
def new(both: tuple[Path, Path]) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(both[0])) as connection:
        yield connection


def test_the_rig_has_all_that_a_database_can_have(new: sqlite3.Connection) -> None:
    """Without which the other tests would show little."""
    (observed, none, problem, flags, device_time, user, nobody) = new.execute(
        "SELECT sum(observed NOT IN ('[]')), sum(observed = '[]'), sum(problem IS NOT NULL),"
        " sum(flags <> ''), sum(device_time IS NOT NULL), sum(user_id IS NOT NULL), sum(resident IS NULL)"
        " FROM reading"
    ).fetchone()
    assert min(observed, none, problem, flags, device_time, user, nobody) >= 1
    assert new.execute("SELECT count(measured_at) FROM reading").fetchone()[0] >= 1
    assert new.execute("SELECT count(at) FROM assessment").fetchone()[0] >= 1
    assert new.execute("SELECT count(*) FROM alert WHERE resolved_at IS NULL").fetchone()[0] >= 1
    assert new.execute("SELECT count(*) FROM alert WHERE resolved_at IS NOT NULL").fetchone()[0] >= 1


def test_every_reading_has_its_number_and_its_meaning(
    new: sqlite3.Connection, migrated: sqlite3.Connection
) -> None:
    def all_of(connection: sqlite3.Connection) -> list[StoredReading]:
        rows = connection.execute(f"{SELECT_READING} ORDER BY r.sequence")
        return [StoredReading.of(row) for row in rows]

    def as_was_kept(stored: StoredReading) -> StoredReading:
        """Of which boot, and a sensor's own count, the first schema did not keep.

        What a stream's observation took from a sample that says the same itself is not noted twice.
        """
        unknown = replace(
            stored.placed.stamp, boot=uuid.UUID(int=0), since_boot=timedelta(0), quality=ClockQuality.NOT_YET
        )
        reading = replace(stored.placed.reading, sequence_number=None)
        observed = stored.placed.observed
        if observed is not None and observed == tuple(each for each in reading.measurements if each.usable):
            observed = None
        return replace(
            stored, placed=replace(stored.placed, stamp=unknown, reading=reading, observed=observed)
        )

    assert [as_was_kept(each) for each in all_of(new)] == [as_was_kept(each) for each in all_of(migrated)]


def test_every_assessment_says_what_it_said(new: sqlite3.Connection, migrated: sqlite3.Connection) -> None:
    def all_of(connection: sqlite3.Connection) -> list[tuple[AssessmentRow, object]]:
        rows = [
            replace(AssessmentRow.of(row), age=None, stamp=None)  # which the first schema did not keep
            for row in connection.execute(f"{SELECT_ASSESSMENT} ORDER BY a.sequence")
        ]
        wholes = [assessment_of(KeptReadings(connection), row) for row in rows]
        return [
            (row, assessment_data(whole.observations, whole.news2, whole.risk))
            for row, whole in zip(rows, wholes, strict=True)
        ]

    assert all_of(new) == all_of(migrated)
    assert any(row.model == MODEL for row, _ in all_of(migrated))


def test_what_the_seventh_schema_kept_is_as_it_was_and_says_nothing_of_what_it_did_not_know(
    both: tuple[Path, Path], tmp_path: Path
) -> None:
    """No reason, no recalibration, no alert that would have been: None is "not known", and no answer."""
    path = tmp_path / "seventh.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        make_schema(connection, 7)
        connection.execute("DELETE FROM boot")  # the one that stands for those of the first schema
        connection.execute("ATTACH ? AS whole", (str(both[0]),))
        for table in ("source", "boot", "model", "reading", "assessment"):
            columns = ", ".join(
                name for _, name, *_ in connection.execute(f"PRAGMA main.table_info({table})")
            )
            connection.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM whole.{table}")
        expected = connection.execute("SELECT *, NULL, NULL, NULL FROM main.assessment").fetchall()
    assert len(expected) > 5
    with closing(open_for_writing(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert connection.execute("SELECT * FROM assessment").fetchall() == expected
        (row, *_) = connection.execute(f"{SELECT_ASSESSMENT} ORDER BY a.sequence")
        kept = AssessmentRow.of(row)
        assert (kept.reasons, kept.uncalibrated, kept.would_alert) == (None, None, None)


def test_every_alert_and_its_history_is_there(new: sqlite3.Connection, migrated: sqlite3.Connection) -> None:
    before = alerts(new, resolved=True, most=100)
    assert alerts(migrated, resolved=True, most=100) == before
    for alert in before:
        lines = history(migrated, alert.id)
        assert [(line.at, line.what) for line in lines] == [
            (alert.raised_at, "alert raised"),
            (alert.raised_at, "alert acknowledged"),
        ]
        assert lines[1].detail == {"by": "Nurse Nightingale", "via": "hub"}


def test_what_waits_still_waits_in_its_order(migrated: sqlite3.Connection) -> None:
    def told(rows: sqlite3.Cursor) -> list[tuple[object, ...]]:
        return [(channel, event_text(event), *others) for channel, event, *others in rows]

    waiting = migrated.execute("SELECT channel, event, first, last FROM outbox ORDER BY sequence")
    assert told(waiting) == [
        ("alert", '{"number": 3}', None, None),
        ("observation", '{"number": 1}', None, None),
        ("observation", '{"number": 4}', None, None),
        ("reading", '{"number": 5}', None, None),
    ]
    aside = migrated.execute("SELECT channel, event, reason FROM outbox_aside ORDER BY sequence")
    assert told(aside) == [
        ("alert", '{"number": 0}', "too large"),
        ("reading", '{"number": 2}', "not authorised"),
    ]


def test_a_waiting_event_with_a_damaged_letter_is_migrated_and_can_be_told(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.execute(
            "UPDATE outbox SET event = CAST(? AS TEXT) WHERE channel = 'alert'", (b'{"number": "\xff"}',)
        )
        connection.commit()
    with closing(open_for_writing(old)) as connection:
        ((event,),) = connection.execute("SELECT event FROM outbox WHERE channel = 'alert'").fetchall()
    assert event_text(event) == '{"number": "\ufffd"}'


def test_an_older_hub_refuses_what_it_could_not_read(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fourth schema's hub would take a compressed event for one that is to be made."""
    open_for_writing(old).close()
    monkeypatch.setattr("hub.store.database.SCHEMA_VERSION", 4)
    with pytest.raises(StoreError, match="newer hub"):
        open_for_writing(old)


def test_the_hub_goes_on_from_there(old: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    path = Path(shutil.move(old, tmp_path / "data" / "carehub.db"))
    house = House(tmp_path, PUBLISH)
    before = house.counts()
    (alert,) = [each for each in house.open_alerts() if each.resident == ILL]
    house.take(cuff(84, now()))
    after = house.counts()
    assert after["reading"] == before["reading"] + 1
    assert after["assessment"] == before["assessment"] + 1
    assert house.assessments()[-1]["observations"]["systolic_pressure"]["value"] == 84.0
    house.connection.close()
    shown = carehub_here("alerts", "show", str(alert.id), "--config", tmp_path / "hub.toml")
    assert shown.code == 0
    assert alert.words in shown.output
    assert path.exists()


READ = "SELECT sequence, payload, measurements, observed, measured_at FROM reading"


def test_measurements_of_a_reading_that_is_lost_are_left_behind(
    old: Path, both: tuple[Path, Path], tmp_path: Path
) -> None:
    whole = Path(shutil.copy(both[1], tmp_path / "whole.db"))
    with closing(open_for_writing(whole)) as connection:
        expected = [row for row in connection.execute(READ) if row[0] != 2]
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("DELETE FROM reading WHERE sequence = 2")
        connection.commit()
    with closing(open_for_writing(old)) as connection:
        assert connection.execute(READ).fetchall() == expected


def test_a_damaged_old_database_is_saved_and_migrated(
    old: Path, both: tuple[Path, Path], tmp_path: Path
) -> None:
    whole = Path(shutil.copy(both[1], tmp_path / "whole.db"))
    with closing(open_for_writing(whole)) as connection:
        expected = connection.execute(READ).fetchall()
    with closing(sqlite3.connect(old)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'reading'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with old.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(bytes(size))
    with closing(open_for_writing(old)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert connection.execute(READ).fetchall() == expected
        assert len(damages(connection)) == 1


def test_a_schema_that_is_not_yet_known_is_refused(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        connection.execute("PRAGMA application_id = 0")
    with pytest.raises(StoreError, match=rf"schema {SCHEMA_VERSION + 1}, this one knows {SCHEMA_VERSION}"):
        open_for_writing(old)


def test_a_power_cut_in_the_migration_leaves_a_whole_schema(old: Path, new: sqlite3.Connection) -> None:
    """Killed at any moment of it: what is there then is of one schema, and the next start ends the work."""
    program = (
        "import sys, pathlib; from hub.store.migrations import migrations;"
        "from sqlite_utils.db import Database; from hub.store.database import open_for_writing;"
        "print(flush=True); sys.stdin.readline(); open_for_writing(pathlib.Path(sys.argv[1]));"
        "print('done', flush=True)"
    )
    content, seen = old.read_bytes(), set()
    chance = random.Random(7)
    longest = 0.0
    for cut in range(9):
        for file in old.parent.glob("carehub.db*"):
            file.unlink()
        old.write_bytes(content)
        process = subprocess.Popen(
            [sys.executable, "-c", program, old], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        begun = time.monotonic()
        process.stdin.write(b"\n")
        process.stdin.flush()
        if cut == 0:
            process.stdout.readline()
            longest = time.monotonic() - begun
        else:
            time.sleep(longest * chance.random())
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdin.close()
        process.stdout.close()
        with closing(sqlite3.connect(old)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            tables = {
                name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            }
            assert ("measurement" in tables) is (version == 1)
            assert ("alert_history" in tables) is (version < 3)
            assert not {name for name in tables if name.endswith("_before")}
            seen.add(version)
        with closing(open_for_writing(old)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
            kept, were = (
                each.execute("SELECT count(*), max(sequence) FROM reading").fetchone()
                for each in (connection, new)
            )
            assert kept == were
    assert SCHEMA_VERSION in seen
