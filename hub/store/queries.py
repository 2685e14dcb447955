"""What the command line asks of the database, beside the running hub and without touching it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime

from hub.clock import from_microseconds, to_microseconds
from hub.readings import DRIVERS_OF_THE_ROOM, OF_THE_ROOM
from hub.store.encoding import VITAL_NUMBERS
from hub.store.ownership import DISCARDED
from hub.store.rows import SELECT_ALERT, SELECT_READING, AlertRow, StoredReading

_NUMBERS_OF_THE_ROOM = ", ".join(str(VITAL_NUMBERS[vital]) for vital in sorted(OF_THE_ROOM))
_DRIVERS_OF_THE_ROOM = ", ".join(f"'{name}'" for name in sorted(DRIVERS_OF_THE_ROOM))
# Asked only of what has no owner; what is damaged is taken for something of a person.
_OF_A_PERSON = (
    "CASE WHEN NOT json_valid(measurements) THEN 1 WHEN measurements = '[]' THEN source NOT IN"
    f" (SELECT number FROM source WHERE driver IN ({_DRIVERS_OF_THE_ROOM})) ELSE EXISTS"
    " (SELECT 1 FROM json_each(measurements) each"
    " WHERE coalesce(json_extract(measurements, each.fullkey || '[0]'), 0)"
    f" NOT IN ({_NUMBERS_OF_THE_ROOM})) END"
)
OF_NOBODY_YET = f"resident IS NULL AND problem IS NULL AND {_OF_A_PERSON}"
"""SQL, of a reading: it waits for a person to say whose it is. What is of the room waits for nobody."""
NOT_DECODED = f"coalesce(problem, '{DISCARDED}') != '{DISCARDED}'"
"""SQL, of a reading: it could not be used. What a person has discarded could."""


def readings(
    connection: sqlite3.Connection,
    *,
    resident: str | None = None,
    unassigned: bool = False,
    problems: bool = False,
    most: int,
) -> list[StoredReading]:
    """The newest readings, newest first."""
    conditions, parameters = ["1"], list[object]()
    if resident is not None:
        conditions.append("r.resident = ?")
        parameters.append(resident)
    if unassigned:
        conditions.append(f"r.resident IS NULL AND {_OF_A_PERSON}")
    if problems:
        conditions.append("r.problem IS NOT NULL")
    rows = connection.execute(
        f"{SELECT_READING} WHERE {' AND '.join(conditions)} ORDER BY r.sequence DESC LIMIT ?",
        [*parameters, most],
    )
    return [StoredReading.of(row) for row in rows]


def readings_after(connection: sqlite3.Connection, sequence: int, since: datetime) -> Iterator[StoredReading]:
    """Readings with a higher number than `sequence` that were received since then, in their order."""
    rows = connection.execute(
        f"{SELECT_READING} WHERE r.sequence > ? AND r.received_at >= ? ORDER BY r.sequence",
        (sequence, to_microseconds(since)),
    )
    return (StoredReading.of(row) for row in rows)


def alerts(connection: sqlite3.Connection, *, resolved: bool, most: int) -> list[AlertRow]:
    """Alerts, newest first; those that are resolved only if asked for."""
    condition = "" if resolved else "WHERE resolved_at IS NULL"
    rows = connection.execute(
        f"{SELECT_ALERT} {condition} ORDER BY raised_at DESC LIMIT ?",
        (most,),
    )
    return [AlertRow.of(row) for row in rows]


def alerts_by_prefix(connection: sqlite3.Connection, prefix: str) -> list[AlertRow]:
    """Alerts whose id begins so (hexadecimal digits, dashes left out)."""
    rows = connection.execute(
        f"{SELECT_ALERT} WHERE lower(hex(id)) LIKE ? || '%'",
        (prefix.replace("-", "").lower(),),
    )
    return [AlertRow.of(row) for row in rows]


def outbox_size(connection: sqlite3.Connection) -> tuple[int, int]:
    """How many events wait for the broker, and how many it refused."""
    waiting, aside = connection.execute(
        "SELECT (SELECT count(*) FROM outbox), (SELECT count(*) FROM outbox_aside)"
    ).fetchone()
    return int(waiting), int(aside)


def unassigned(connection: sqlite3.Connection, since: datetime) -> int:
    """How many readings since then could be decoded and are nobody's."""
    (count,) = connection.execute(
        f"SELECT count(*) FROM reading WHERE {OF_NOBODY_YET} AND received_at >= ?",
        (to_microseconds(since),),
    ).fetchone()
    return int(count)


def newest_by_device(connection: sqlite3.Connection) -> dict[str, datetime]:
    """When each device was last heard."""
    rows = connection.execute(
        "SELECT s.device, max(r.received_at) FROM reading r JOIN source s ON s.number = r.source"
        " GROUP BY s.device"
    )
    return {device: from_microseconds(at) for device, at in rows}
