"""The schema, step by step. A step that has been released is never changed: add another.

Each step, the record that it ran and the new user_version are one transaction (sqlite-utils). Times
are integers, microseconds since 1970 UTC. Ids are UUIDs as 16 bytes. README.md describes the tables.
"""

from __future__ import annotations

from sqlite_utils import Migrations
from sqlite_utils.db import Database

migrations = Migrations("carehub")


@migrations()
def m001_the_street(db: Database) -> None:
    """Readings, their measurements and assessments, alerts with their history, and the outbox."""
    for statement in _THE_STREET.split(";\n"):
        db.conn.execute(statement)
    db.conn.execute("PRAGMA user_version = 1")


# AUTOINCREMENT wherever a number leaves its table: SQLite would hand out a deleted row's number
# again, and a late PUBACK would then remove a row that was never sent.
_THE_STREET = """
CREATE TABLE reading (
    sequence       INTEGER PRIMARY KEY AUTOINCREMENT,
    id             BLOB NOT NULL UNIQUE,
    resident       TEXT,
    device         TEXT NOT NULL,
    driver         TEXT NOT NULL,
    characteristic TEXT NOT NULL,
    origin         TEXT NOT NULL,
    payload        BLOB NOT NULL,
    received_at    INTEGER NOT NULL,
    device_time    TEXT,
    measured_at    INTEGER NOT NULL,
    time_quality   TEXT NOT NULL,
    measurements   TEXT NOT NULL,
    flags          TEXT NOT NULL,
    user_id        INTEGER,
    problem        TEXT
);
CREATE TABLE measurement (
    resident    TEXT NOT NULL,
    vital       TEXT NOT NULL,
    measured_at INTEGER NOT NULL,
    reading     INTEGER NOT NULL,
    value       ANY NOT NULL,
    quality     TEXT NOT NULL,
    PRIMARY KEY (resident, vital, measured_at, reading)
) STRICT, WITHOUT ROWID;
CREATE TABLE assessment (
    sequence    INTEGER PRIMARY KEY AUTOINCREMENT,
    resident    TEXT NOT NULL,
    at          INTEGER NOT NULL,
    reading     INTEGER NOT NULL,
    band        TEXT NOT NULL,
    body        TEXT NOT NULL
);
CREATE INDEX assessment_of_resident ON assessment (resident, at);
CREATE TABLE alert (
    id          BLOB PRIMARY KEY,
    resident    TEXT NOT NULL,
    band        TEXT NOT NULL,
    state       TEXT NOT NULL,
    raised_at   INTEGER NOT NULL,
    resolved_at INTEGER,
    reading     INTEGER NOT NULL,
    assessment  INTEGER NOT NULL,
    body        TEXT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX one_open_alert_of_resident ON alert (resident) WHERE resolved_at IS NULL;
CREATE TABLE alert_history (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    alert    BLOB NOT NULL,
    at       INTEGER NOT NULL,
    what     TEXT NOT NULL,
    detail   TEXT NOT NULL
);
CREATE INDEX history_of_alert ON alert_history (alert);
CREATE TABLE fact (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    priority INTEGER NOT NULL,
    channel  TEXT NOT NULL,
    event    TEXT NOT NULL
);
CREATE INDEX outbox_order ON outbox (priority, sequence);
CREATE TABLE outbox_aside (
    sequence INTEGER PRIMARY KEY,
    channel  TEXT NOT NULL,
    event    TEXT NOT NULL,
    reason   TEXT NOT NULL,
    at       INTEGER NOT NULL
)
"""
