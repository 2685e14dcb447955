"""A hub's database with everything in it, and what a bad card does to it."""

from __future__ import annotations

import json
import random
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from drivers.bluetooth.device_information import DeviceInformation
from hub.clock import now
from hub.store.damage import Damage, damages
from hub.store.database import open_for_writing
from hub.store.sensors import EnrolledRow, InformationRow, enrol, note_information
from tests.rigs.house import ILL, WELL_OXIMETER, House, cuff, entry, oximeter, thermometer

PAGE = 1024
PUBLISH = "[publish]\nreading = true\nobservation = true\n"
DELIVERED = "delivered.json"
Rows = dict[str, dict[Any, tuple[Any, ...]]]


def enrol_sensor(connection: sqlite3.Connection, number: int, resident: str | None = ILL) -> str:
    """By command, as `hub/sensors/enrolment.py` does it, but for the trail."""
    address, at = f"C4:F2:17:00:02:{number:02X}", datetime(2026, 3, 1, 12, number % 60, tzinfo=UTC)
    row = EnrolledRow(address, "thermometer", resident, "in room 7", "1", "first", 123456, at, "Sam", at)
    enrol(connection, row)
    note_information(connection, address, InformationRow(DeviceInformation(80, "A&D", "UA-651"), at, at))
    return address


def full_house(directory: Path) -> Path:
    """A hub's database with everything in it; its page size is 1024 bytes, and it has no log."""
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


def rows_without_index(path: Path) -> set[int]:
    connection = sqlite3.connect(path)
    try:
        return {row[0] for row in connection.execute("SELECT sequence FROM reading NOT INDEXED")}
    finally:
        connection.close()


def zeroed(path: Path, pages: list[int], _random: random.Random) -> None:
    for page in pages:
        overwrite(path, page, bytes(PAGE))


def garbled(path: Path, pages: list[int], chance: random.Random) -> None:
    for page in pages:
        overwrite(path, page, chance.randbytes(PAGE))


def torn(path: Path, pages: list[int], _random: random.Random) -> None:
    for page in pages:
        overwrite(path, page, bytes(PAGE // 2), PAGE // 2)
