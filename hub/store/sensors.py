"""Sensors that were enrolled by command, and what sensors said of themselves: rows in, rows out."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from drivers.bluetooth.device_information import DeviceInformation
from hub.clock import from_microseconds, to_microseconds

ENROLLED = "sensor enrolled"
FORGOTTEN = "sensor forgotten"
"""What the trail calls it (`hub.trail.Audited`)."""

_log = logging.getLogger(__name__)
_MICROSECOND = timedelta(microseconds=1)
_ENROLLED = (
    "address, driver, resident, label, user, bonding, passkey, enrolled_at, enrolled_by, theirs_since, kit"
)
_PERCENT = range(101)
_TOLD = ("battery", "manufacturer", "model", "serial_number", "firmware", "hardware", "software")
"""Of `DeviceInformation`, what has a column of the same name."""


@dataclass(frozen=True, slots=True)
class EnrolledRow:
    """A sensor that was enrolled by command: the keys of a `[[sensors]]`, who enrolled it, and when.

    What it measured before `theirs_since` is not its resident's. `kit` is what it is used together with; None
    where nothing was said of that.
    """

    address: str
    driver: str
    resident: str | None
    label: str
    user: str | None
    bonding: str | None
    passkey: int | None
    enrolled_at: datetime
    enrolled_by: str
    theirs_since: datetime
    kit: str | None = None


@dataclass(frozen=True, slots=True)
class InformationRow:
    """What a sensor said of itself last, each thing whenever it did. `battery_at` is when it first told that
    its battery has so much, `learned_at` when it last told something new."""

    information: DeviceInformation
    battery_at: datetime | None
    learned_at: datetime


def enrolled(connection: sqlite3.Connection) -> list[EnrolledRow]:
    """The sensors that were enrolled by command, oldest first. A row that a damaged card left unreadable is
    left out, and logged: nobody can say whose it was."""
    found = []
    for address, driver, resident, label, user, bonding, passkey, at, by, since, kit in connection.execute(
        f"SELECT {_ENROLLED} FROM enrolled_sensor ORDER BY enrolled_at, address"
    ):
        try:
            when, theirs_since = from_microseconds(at), from_microseconds(since)
            said = address, driver, resident, label, user, bonding, passkey
            found.append(EnrolledRow(*said, when, by, theirs_since, kit))
        except (TypeError, ValueError, OverflowError):
            _log.error("an enrolled sensor on the card cannot be read: enrol it again")
    return found


def enrol(connection: sqlite3.Connection, row: EnrolledRow) -> None:
    """Store a sensor that is enrolled, in place of a row that a damaged card may have left of it."""
    connection.execute(
        f"INSERT OR REPLACE INTO enrolled_sensor ({_ENROLLED}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row.address,
            row.driver,
            row.resident,
            row.label,
            row.user,
            row.bonding,
            row.passkey,
            to_microseconds(row.enrolled_at),
            row.enrolled_by,
            to_microseconds(row.theirs_since),
            row.kit,
        ),
    )


def forget(connection: sqlite3.Connection, address: str) -> None:
    """Remove a sensor that was enrolled, and what it said of itself."""
    connection.execute("DELETE FROM enrolled_sensor WHERE address = ?", (address,))
    connection.execute("DELETE FROM sensor_information WHERE address = ?", (address,))


def was_theirs_since(connection: sqlite3.Connection, address: str, resident: str) -> datetime | None:
    """From when on a sensor was this resident's, if it was theirs when it was last forgotten; else None."""
    for (detail,) in connection.execute(
        "SELECT CAST(detail AS BLOB) FROM audit WHERE what = ? ORDER BY sequence DESC", (FORGOTTEN,)
    ):
        try:
            of = json.loads(detail)
            if of["address"] == address:
                return datetime.fromisoformat(of["since"]) if of.get("resident") == resident else None
        except (ValueError, TypeError, LookupError, AttributeError):
            continue
    return None


def note_information(connection: sqlite3.Connection, address: str, row: InformationRow) -> None:
    """Store what is known of a sensor by now, in place of what was."""
    told = row.information
    ahead = None if told.clock_ahead is None else told.clock_ahead // _MICROSECOND
    columns = ("address", *_TOLD, "clock_ahead", "battery_at", "learned_at")
    connection.execute(
        f"INSERT OR REPLACE INTO sensor_information ({', '.join(columns)})"
        f" VALUES ({', '.join('?' * len(columns))})",
        (
            address,
            *(getattr(told, name) for name in _TOLD),
            ahead,
            None if row.battery_at is None else to_microseconds(row.battery_at),
            to_microseconds(row.learned_at),
        ),
    )


def information(connection: sqlite3.Connection) -> Mapping[str, InformationRow]:
    """What each sensor said of itself, by its address. What cannot be read is left out: it is told again."""
    found = {}
    rows = connection.execute(
        f"SELECT address, {', '.join(_TOLD)}, clock_ahead, battery_at, learned_at FROM sensor_information"
    )
    for address, *told, ahead, battery_at, learned_at in rows:
        if told[0] is not None and told[0] not in _PERCENT:
            continue
        try:
            said = DeviceInformation(
                **dict(zip(_TOLD, told, strict=True)),
                clock_ahead=None if ahead is None else timedelta(microseconds=ahead),
            )
            found[address] = InformationRow(
                said,
                None if battery_at is None else from_microseconds(battery_at),
                from_microseconds(learned_at),
            )
        except (TypeError, ValueError, OverflowError):
            continue
    return found


def contradicted(connection: sqlite3.Connection, elsewhere: Iterable[Sequence[Any]] = ()) -> list[str]:
    """The addresses of enrolled sensors of which the trail last said something else; of the trail there is
    more `elsewhere`: sequence, what and detail of each entry.

    So a row that was deleted, and is found again in what a damaged file has left, makes nobody the owner of a
    sensor that was taken from them.
    """
    said: dict[object, tuple[object, ...]] = {}
    entries: list[Sequence[Any]] = connection.execute(
        # As bytes: whatever has become of it, it may be no UTF-8 any more.
        "SELECT sequence, what, CAST(detail AS BLOB) FROM audit WHERE what IN (?, ?)",
        (ENROLLED, FORGOTTEN),
    ).fetchall()
    entries += [entry for entry in elsewhere if entry[1] in {ENROLLED, FORGOTTEN}]
    for _, what, detail in sorted(entries, key=itemgetter(0)):
        try:
            of = json.loads(detail)
            user = of.get("user")
            whose = of.get("driver"), of.get("resident"), None if user is None else str(user), of.get("kit")
            said[of["address"]] = what, *whose
        except (ValueError, TypeError, LookupError, AttributeError):
            continue
    rows = connection.execute("SELECT address, driver, resident, user, kit FROM enrolled_sensor").fetchall()
    return [
        address for address, *whose in rows if said.get(address, (ENROLLED, *whose)) != (ENROLLED, *whose)
    ]
