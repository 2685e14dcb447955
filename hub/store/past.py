"""What is asked about a moment long past, which a sensor's memory has told of: from the card."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta

from hub.clock import to_microseconds
from hub.readings import Vital
from hub.store.recent import StoredMeasurement
from hub.store.rows import SELECT_READING, StoredReading
from hub.timekeeping.present import Present

_WIDEST_ZONE = timedelta(hours=26)


def measured_between(
    connection: sqlite3.Connection, present: Present | None, resident: str, since: datetime, until: datetime
) -> Iterator[tuple[Vital, StoredMeasurement]]:
    """What was measured of a resident between two moments of the present clock.

    Ids begin with the moment that a sensor said or at which it was heard, which differs from the
    moment of measurement by no more than a time zone and a day; or by years, where a sensor's clock was wrong
    by that. Those are not found here: they are known as long as the window has them (`recent.py`).
    """
    for stored in _identified_between(
        connection, present, resident, since - _WIDEST_ZONE, until + _WIDEST_ZONE
    ):
        placed = stored.placed
        place = present.place(placed.reading, placed.stamp, stored.place) if present else stored.place
        if place is None or not since <= place.measured_at <= until:
            continue
        yield from StoredMeasurement.of(stored.sequence, placed, place.measured_at, place.time_quality)


def _identified_between(
    connection: sqlite3.Connection, present: Present | None, resident: str, since: datetime, until: datetime
) -> Iterable[StoredReading]:
    """The readings whose ids are of these moments, as the clock then told them."""
    found: dict[int, StoredReading] = {}
    for shift in present.shifts if present else {timedelta(0)}:
        rows = connection.execute(
            f"{SELECT_READING} WHERE r.id BETWEEN ? AND ? AND r.resident = ?"
            " AND coalesce(r.observed, '') != '[]'",
            (_id_prefix(since - shift), _id_prefix(until - shift), resident),
        )
        for row in rows:
            # One that is damaged, or of another version, must not keep a new one from being assessed.
            with suppress(ValueError, TypeError, LookupError, OverflowError):
                stored = StoredReading.of(row)
                found[stored.sequence] = stored
    return found.values()


def _id_prefix(moment: datetime) -> bytes:
    """The lowest id of a moment: ids begin with its milliseconds since 1970 (`hub/readings.py`)."""
    milliseconds = min(max(to_microseconds(moment) // 1000, 0), (1 << 48) - 1)
    return milliseconds.to_bytes(6, "big") + bytes(10)
