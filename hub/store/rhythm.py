"""Windows of a heart's rhythm on the card: each with the stretch of a stream that completed it.

A row has no resident and no stamp of its own: it is of the resident of its reading, was told by the clock
that told the reading's receipt, and goes with it (`retention.py`).
"""

from __future__ import annotations

import logging
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.assessment.rhythm import JudgedWindow, SignalQuality
from hub.clock import ClockStamp, from_microseconds, to_microseconds
from hub.store.encoding import CLOCK_QUALITIES
from hub.store.rows import SELECT_READING, ModelName, StoredReading

_log = logging.getLogger(__name__)
_MICROSECOND = timedelta(microseconds=1)
_LOOKED_BACK = 500  # readings: among so many the stretch before is looked for, else there is none
_COLUMNS = "reading, ended, began, beats, used, quality, probability, threshold, model"


@dataclass(frozen=True, slots=True)
class KeptWindow:
    """A window with what it says. Its times are as they were told, by the clock that told `received_at`,
    when the reading with the number `reading` was received (`stamp`). From `threshold` on it is irregular."""

    resident: str
    reading: int
    window: JudgedWindow
    threshold: float
    model: ModelName
    received_at: datetime
    stamp: ClockStamp


def add_windows(
    connection: sqlite3.Connection,
    reading: int,
    windows: Iterable[JudgedWindow],
    threshold: float,
    model: ModelName,
) -> None:
    """Store the windows that a stretch has completed, with the number `reading`, and what this model says of
    them."""
    name = model.name, model.version, model.sha256
    connection.execute("INSERT OR IGNORE INTO model (name, version, sha256) VALUES (?, ?, ?)", name)
    (number,) = connection.execute(
        "SELECT number FROM model WHERE name = ? AND version = ? AND sha256 = ?", name
    ).fetchone()
    connection.executemany(
        f"INSERT INTO rhythm_window ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (reading, ended) DO NOTHING",
        [
            (
                reading,
                to_microseconds(each.ended),
                to_microseconds(each.began),
                each.quality.beats,
                each.quality.used,
                each.quality.share,
                each.probability,
                threshold,
                number,
            )
            for each in windows
        ],
    )


def last_window_ended(connection: sqlite3.Connection, reading: int) -> datetime | None:
    """When the last window ended that a stretch has completed, if it has completed one."""
    (ended,) = connection.execute(
        "SELECT max(ended) FROM rhythm_window WHERE reading = ?", (reading,)
    ).fetchone()
    return None if ended is None else from_microseconds(ended)


def stretch_by_id(connection: sqlite3.Connection, known_by: uuid.UUID) -> StoredReading | None:
    """A stretch by the id of its reading."""
    row = connection.execute(
        f"{SELECT_READING} WHERE r.id = ? AND r.stretch IS NOT NULL", (known_by.bytes,)
    ).fetchone()
    return None if row is None else StoredReading.of(row)


def stretches_before(connection: sqlite3.Connection, stretch: StoredReading) -> Iterator[StoredReading]:
    """The stretches of the same sensor before this one, whoever they are of: the newest first."""
    raw = stretch.placed.reading.raw
    rows = connection.execute(
        f"{SELECT_READING} WHERE r.sequence BETWEEN ? AND ? AND r.stretch IS NOT NULL"
        " AND s.device = ? AND s.driver = ? AND s.characteristic = ? AND s.origin = ?"
        " ORDER BY r.sequence DESC",
        (
            stretch.sequence - _LOOKED_BACK,
            stretch.sequence - 1,
            raw.device,
            raw.driver,
            raw.characteristic,
            raw.origin.value,
        ),
    )
    return map(StoredReading.of, rows)


def kept_windows(connection: sqlite3.Connection, first_reading: int) -> Iterator[KeptWindow]:
    """The windows that these readings, and later ones, have completed, in their order."""
    unreadable = 0
    rows = connection.execute(
        "SELECT w.reading, w.ended, w.began, w.beats, w.used, w.quality, w.probability, w.threshold,"
        " m.name, m.version, m.sha256, r.resident, r.received_at, b.id, r.since_boot, r.clock"
        " FROM rhythm_window w JOIN reading r ON r.sequence = w.reading JOIN boot b ON b.number = r.boot"
        " JOIN model m ON m.number = w.model"
        " WHERE w.reading >= ? AND r.resident IS NOT NULL ORDER BY w.reading, w.ended",
        (first_reading,),
    )
    for (reading, ended, began, beats, used, share, probability, threshold, name, version, sha256,
         resident, received_at, boot, since_boot, clock) in rows:  # fmt: skip
        try:
            yield KeptWindow(
                str(resident),
                int(reading),
                JudgedWindow(
                    from_microseconds(began),
                    from_microseconds(ended),
                    SignalQuality(int(beats), int(used), float(share)),
                    None if probability is None else float(probability),
                ),
                float(threshold),
                ModelName(str(name), str(version), str(sha256)),
                from_microseconds(received_at),
                ClockStamp(uuid.UUID(bytes=boot), since_boot * _MICROSECOND, CLOCK_QUALITIES[clock]),
            )
        except (ValueError, TypeError, LookupError, OverflowError):
            unreadable += 1  # it must not keep all others from being summed up
    if unreadable:
        _log.error("%d window(s) of a rhythm on the card cannot be read, and are in no summary", unreadable)
