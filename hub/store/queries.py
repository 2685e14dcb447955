"""What the command line asks of the database, beside the running hub and without touching it."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.clock import from_microseconds, to_microseconds
from hub.readings import Origin, RawPayload
from hub.store.transaction import SELECT_ALERT, AlertRow, alert_row

_READING = (
    "SELECT sequence, id, resident, device, driver, characteristic, origin, payload, received_at,"
    " device_time, measured_at, time_quality, measurements, flags, problem FROM reading"
)


@dataclass(frozen=True, slots=True)
class ReadingRow:
    """A reading as it is stored; `measurements` and `flags` are JSON."""

    sequence: int
    id: uuid.UUID
    resident: str | None
    raw: RawPayload
    device_time: str | None
    measured_at: datetime
    time_quality: str
    measurements: str
    flags: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A line of an alert's history; `detail` is JSON."""

    at: datetime
    what: str
    detail: str


def readings(
    connection: sqlite3.Connection,
    *,
    resident: str | None = None,
    unassigned: bool = False,
    problems: bool = False,
    most: int,
) -> list[ReadingRow]:
    """The newest readings, newest first."""
    conditions, parameters = ["1"], list[object]()
    if resident is not None:
        conditions.append("resident = ?")
        parameters.append(resident)
    if unassigned:
        conditions.append("resident IS NULL")
    if problems:
        conditions.append("problem IS NOT NULL")
    rows = connection.execute(
        f"{_READING} WHERE {' AND '.join(conditions)} ORDER BY sequence DESC LIMIT ?", [*parameters, most]
    )
    return [_reading(row) for row in rows]


def readings_after(connection: sqlite3.Connection, sequence: int, since: datetime) -> Iterator[ReadingRow]:
    """Readings with a higher number than `sequence` that were received since then, in their order."""
    rows = connection.execute(
        f"{_READING} WHERE sequence > ? AND received_at >= ? ORDER BY sequence",
        (sequence, to_microseconds(since)),
    )
    return (_reading(row) for row in rows)


def reading(connection: sqlite3.Connection, sequence: int) -> ReadingRow:
    """A reading by its number, which another table names."""
    return _reading(connection.execute(f"{_READING} WHERE sequence = ?", (sequence,)).fetchone())


def assessment(connection: sqlite3.Connection, sequence: int) -> str:
    """The body (JSON) of an assessment by its number."""
    (body,) = connection.execute("SELECT body FROM assessment WHERE sequence = ?", (sequence,)).fetchone()
    return str(body)


def alerts(connection: sqlite3.Connection, *, resolved: bool, most: int) -> list[AlertRow]:
    """Alerts, newest first; those that are resolved only if asked for."""
    condition = "" if resolved else "WHERE resolved_at IS NULL"
    rows = connection.execute(
        f"{SELECT_ALERT} {condition} ORDER BY raised_at DESC LIMIT ?",
        (most,),
    )
    return [alert_row(row) for row in rows]


def alerts_by_prefix(connection: sqlite3.Connection, prefix: str) -> list[AlertRow]:
    """Alerts whose id begins so (hexadecimal digits, dashes left out)."""
    rows = connection.execute(
        f"{SELECT_ALERT} WHERE lower(hex(id)) LIKE ? || '%'",
        (prefix.replace("-", "").lower(),),
    )
    return [alert_row(row) for row in rows]


def history(connection: sqlite3.Connection, alert: uuid.UUID) -> Sequence[HistoryRow]:
    """What happened to an alert, in order."""
    rows = connection.execute(
        "SELECT at, what, detail FROM alert_history WHERE alert = ? ORDER BY sequence", (alert.bytes,)
    )
    return [HistoryRow(from_microseconds(at), what, detail) for at, what, detail in rows]


def outbox_size(connection: sqlite3.Connection) -> tuple[int, int]:
    """How many events wait for the broker, and how many it refused."""
    waiting, aside = connection.execute(
        "SELECT (SELECT count(*) FROM outbox), (SELECT count(*) FROM outbox_aside)"
    ).fetchone()
    return int(waiting), int(aside)


def unassigned(connection: sqlite3.Connection, since: datetime) -> int:
    """How many readings since then could be decoded and are nobody's."""
    (count,) = connection.execute(
        "SELECT count(*) FROM reading WHERE resident IS NULL AND problem IS NULL AND received_at >= ?",
        (to_microseconds(since),),
    ).fetchone()
    return int(count)


def newest_by_device(connection: sqlite3.Connection) -> dict[str, datetime]:
    """When each device was last heard."""
    rows = connection.execute("SELECT device, max(received_at) FROM reading GROUP BY device")
    return {device: from_microseconds(at) for device, at in rows}


def _reading(row: Sequence[object]) -> ReadingRow:
    (number, identifier, resident, device, driver, characteristic, origin, payload, received_at,
     device_time, measured_at, time_quality, measurements, flags, problem) = row  # fmt: skip
    assert isinstance(number, int)
    assert isinstance(identifier, bytes)
    assert isinstance(payload, bytes)
    assert isinstance(received_at, int)
    assert isinstance(measured_at, int)
    return ReadingRow(
        sequence=number,
        id=uuid.UUID(bytes=identifier),
        resident=str(resident) if resident is not None else None,
        raw=RawPayload(
            device=str(device),
            driver=str(driver),
            payload=payload,
            received_at=from_microseconds(received_at),
            characteristic=str(characteristic),
            origin=Origin(str(origin)),
        ),
        device_time=str(device_time) if device_time is not None else None,
        measured_at=from_microseconds(measured_at),
        time_quality=str(time_quality),
        measurements=str(measurements),
        flags=str(flags),
        problem=str(problem) if problem is not None else None,
    )
