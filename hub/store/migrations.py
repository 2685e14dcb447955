"""The schema, step by step. A step that has been released is never changed: add another.

Each step, the record that it ran and the new user_version are one transaction (sqlite-utils). Times
are integers, microseconds since 1970 UTC. Ids are UUIDs as 16 bytes. README.md describes the tables.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
import uuid
import zlib
from datetime import timedelta

from sqlite_utils import Migrations
from sqlite_utils.db import Database

from hub.clock import ClockQuality, ClockStamp, from_microseconds
from hub.readings import AbsentReason, Measurement, Quality, Vital, type_of_value
from hub.store import audit, schemas
from hub.store.encoding import TIME_QUALITY_NUMBERS, measurements_text, observations_text, value_of
from hub.timekeeping.timing import TimeQuality

migrations = Migrations("carehub")


@migrations()
def m001_the_street(db: Database) -> None:
    """Readings, their measurements and assessments, alerts with their history, and the outbox."""
    for statement in schemas.THE_STREET.split(";\n"):
        db.conn.execute(statement)
    db.conn.execute("PRAGMA user_version = 1")


@migrations()
def m002_fewer_bytes(db: Database) -> None:
    """Lean rows, no index that grows at random places, and an outbox that refers to what it tells of."""
    connection = db.conn
    for table in ("reading", "assessment", "outbox", "outbox_aside"):
        connection.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
    connection.execute("DROP INDEX assessment_of_resident")
    connection.execute("DROP INDEX outbox_order")
    for statement in schemas.FEWER_BYTES.split(";\n"):
        connection.execute(statement)
    connection.execute(
        "INSERT INTO source (device, driver, characteristic, origin)"
        " SELECT DISTINCT device, driver, characteristic, origin FROM reading_before"
    )
    _copy_readings(connection)
    _copy_assessments(connection)
    connection.execute(
        "INSERT INTO outbox (sequence, channel, event)"
        " SELECT priority << 48 | sequence, channel, event FROM outbox_before"
    )
    connection.execute(
        "INSERT INTO outbox_aside (sequence, channel, event, reason, at)"
        " SELECT CASE channel WHEN 'alert' THEN 0 ELSE 2 END << 48 | sequence, channel, event, reason, at"
        " FROM outbox_aside_before"
    )
    for table in ("reading", "assessment", "outbox", "outbox_aside"):
        connection.execute(f"DROP TABLE {table}_before")
    connection.execute("DROP TABLE measurement")
    connection.execute("PRAGMA user_version = 2")


def _copy_readings(connection: sqlite3.Connection) -> None:
    # Both in the order of readings, side by side: a database may be larger than the memory is.
    observed = itertools.groupby(
        connection.execute("SELECT reading, vital, value, quality FROM measurement ORDER BY reading"),
        key=lambda row: int(row[0]),
    )
    of_reading, measured = next(observed, (None, iter(())))
    unknown_boot = bytes(16)  # which boot it was, the first schema did not keep
    connection.execute("INSERT INTO boot (number, id) VALUES (0, ?)", (unknown_boot,))
    rows = connection.execute(
        "SELECT r.sequence, r.id, r.resident, s.number, r.payload, r.received_at, r.device_time,"
        " r.measured_at, r.time_quality, r.measurements, r.flags, r.user_id, r.problem"
        " FROM reading_before r JOIN source s USING (device, driver, characteristic, origin)"
        " ORDER BY r.sequence"
    )
    for (sequence, identifier, resident, source, payload, received_at, device_time, measured_at,
         time_quality, measurements, flags, user_id, problem) in rows:  # fmt: skip
        said = [
            Measurement(
                Vital(each["vital"]),
                type_of_value(Vital(each["vital"]))(each["value"]) if "value" in each else None,
                AbsentReason(each["absent"]) if "absent" in each else None,
                Quality(each.get("quality", "good")),
                each.get("site"),
            )
            for each in json.loads(measurements)
        ]
        usable = {(each.vital, each.value) for each in said if each.usable}
        used = []
        while of_reading is not None and of_reading < sequence:  # one that a damaged card has lost
            of_reading, measured = next(observed, (None, iter(())))
        if of_reading == sequence:
            used = [_measurement(*row[1:]) for row in measured]
            of_reading, measured = next(observed, (None, iter(())))
        a_stream = resident is not None and {(each.vital, each.value) for each in used} != usable
        connection.execute(
            "INSERT INTO reading (sequence, id, resident, source, payload, received_at, boot, since_boot,"
            " clock, device_time, measured_at, time_quality, measurements, observed, flags, user_id, problem)"
            " VALUES (?, ?, ?, ?, ?, ?, 0, 0, 1, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                sequence,
                identifier,
                resident,
                source,
                payload,
                received_at,
                device_time,
                measured_at if measured_at != received_at else None,
                TIME_QUALITY_NUMBERS[TimeQuality(time_quality)],
                measurements_text(said),
                measurements_text(used) if a_stream else None,
                "\n".join(json.loads(flags)),
                user_id,
                problem,
            ),
        )


def _measurement(vital: str, value: float | str, quality: str) -> Measurement:
    return Measurement(Vital(vital), value_of(Vital(vital), value), quality=Quality(quality))


def _number_of(connection: sqlite3.Connection, reading: str, otherwise: int) -> int:
    found = connection.execute("SELECT sequence FROM reading WHERE id = ?", (uuid.UUID(reading).bytes,))
    return int((found.fetchone() or (otherwise,))[0])


def _copy_assessments(connection: sqlite3.Connection) -> None:
    rows = connection.execute(
        "SELECT a.sequence, a.resident, a.at, a.reading, a.band, a.body,"
        " coalesce(r.measured_at, r.received_at)"
        " FROM assessment_before a JOIN reading r ON r.sequence = a.reading"
    )
    for sequence, resident, at, reading, band, body, measured_at in rows:
        document = json.loads(body)
        observations = {
            Vital(vital): (
                type_of_value(Vital(vital))(said["value"]),
                _number_of(connection, said["reading"], reading),
            )
            for vital, said in document["observations"].items()
        }
        risk, model = document["risk"], None
        if risk is not None:
            name = (risk["model"], risk["version"], risk["sha256_prefix"])
            connection.execute("INSERT OR IGNORE INTO model (name, version, sha256) VALUES (?, ?, ?)", name)
            (model,) = connection.execute(
                "SELECT number FROM model WHERE name = ? AND version = ? AND sha256 = ?", name
            ).fetchone()
        connection.execute(
            "INSERT INTO assessment (sequence, resident, at, reading, scale, observations, band, total,"
            " risk, model) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                sequence,
                resident,
                at if at != measured_at else None,
                reading,
                document["news2"]["scale"],
                observations_text(observations, reading),
                band,
                document["news2"]["total"],
                risk["probability"] if risk else None,
                model,
            ),
        )


@migrations()
def m003_the_trail(db: Database) -> None:
    """The hash-chained trail, in which an alert's history is; what was noted before is brought into it."""
    connection = db.conn
    for statement in audit.SCHEMA.split(";\n"):
        connection.execute(statement)
    stamp = ClockStamp(uuid.UUID(int=0), timedelta(0), ClockQuality.NOT_YET)  # what was not kept before
    for alert, at, what, detail in connection.execute(
        "SELECT alert, at, what, detail FROM alert_history ORDER BY sequence"
    ).fetchall():
        words = what if what.startswith("closed") else what.replace("_", " ")
        entry = audit.NewEntry(
            from_microseconds(at), stamp, f"alert {words}", uuid.UUID(bytes=alert), json.loads(detail)
        )
        audit.append(connection, entry)
    connection.execute("DROP TABLE alert_history")
    connection.execute("PRAGMA user_version = 3")


@migrations()
def m004_the_clock(db: Database) -> None:
    """Each time that the wall clock was set. Offsets: the wall clock less the time since boot."""
    db.conn.execute(
        "CREATE TABLE clock_step (number INTEGER PRIMARY KEY, boot BLOB NOT NULL,"
        " since_boot INTEGER NOT NULL, kind TEXT NOT NULL, quality INTEGER NOT NULL,"
        " from_offset INTEGER NOT NULL, to_offset INTEGER NOT NULL)"
    )
    db.conn.execute("PRAGMA user_version = 4")


@migrations()
def m005_events_compressed(db: Database) -> None:
    """An event that waits whole is kept compressed: an alert's, some 15 kB of JSON, is a few pages."""
    connection = db.conn
    # As bytes: a flipped bit may have made it no UTF-8.
    connection.create_function("compressed", 1, lambda event: None if event is None else zlib.compress(event))
    for statement in schemas.EVENTS_COMPRESSED.split(";\n"):
        connection.execute(statement)
    connection.execute("PRAGMA user_version = 5")


@migrations()
def m006_enrolled_by_command(db: Database) -> None:
    """Sensors that were enrolled by command, and what sensors said of themselves."""
    for statement in schemas.ENROLLED_BY_COMMAND.split(";\n"):
        db.conn.execute(statement)
    db.conn.execute("PRAGMA user_version = 6")


@migrations()
def m007_stretches_and_kits(db: Database) -> None:
    """Stretches of streams, many samples in a row; and the kit that a sensor belongs to."""
    for statement in schemas.STRETCHES_AND_KITS.split(";\n"):
        db.conn.execute(statement)
    db.conn.execute("PRAGMA user_version = 7")


@migrations()
def m008_models_that_earn_their_place(db: Database) -> None:
    """Why a risk is what it is, and whether it would have alerted; and windows of a heart's rhythm."""
    for statement in schemas.MODELS_THAT_EARN_THEIR_PLACE.split(";\n"):
        db.conn.execute(statement)
    db.conn.execute("PRAGMA user_version = 8")


@migrations()
def m009_residents_and_staff(db: Database) -> None:
    """Residents who were entered, what is known of them, who may sign in, and assessments that were wrong."""
    for statement in schemas.RESIDENTS_AND_STAFF.split(";\n"):
        db.conn.execute(statement)
    db.conn.execute("PRAGMA user_version = 9")
