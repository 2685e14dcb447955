"""What leaves the card, and in what order.

By age, always: stretches of streams of which no observation was made after `keep_streams`; readings and
assessments after `keep_readings`, and what the broker refused as long after it was refused; alerts after
`keep_alerts`, with what was refused of them. What was refused of an alert that the card has lost goes
`keep_alerts` after the moment of which it tells. By size, when the database is larger than it may be, each
kind only when nothing is left of the one before it, the oldest first:

1. stretches of a stream of which no observation was made (and such samples of earlier hubs), an hour old or
   more, that no message waits to tell;
2. those that one waits to tell, with the message;
3. waiting summaries;
4. readings with their assessments, and what waits to be told of them: a message that waits is a few bytes
   and keeps its readings on the card, so that the two go together;
5. alerts that were acknowledged and are resolved, with what the broker refused of them. What they rested on
   is then of the kinds above;
6. where more than `newest` readings came within `window` (a flood), the older of those.

With a reading go the windows of a rhythm that it has completed, and what was withdrawn that it formed. Of an
assessment that goes, what a model is judged by stays for `keep_scores` (`hub/store/scores.py`).

Never, by neither: an alert that is open, or that nobody acknowledged; what a kept alert rests on (its
reading, its assessment, the readings of that, and of a stream what is behind it); a message on a channel
that is not named here, which alerts' is; the newest `newest` readings and the newest assessment (so that
their numbers are never used again, and a start finds what it remembers); and, but for the sixth, the readings
of `window`, of which observation sets and alerts may yet be formed.

`planner.py` finds the rows on a connection that reads, so that the writer only deletes: a piece is short,
and an alert does not wait behind it. What was found stays right: whatever is committed meanwhile refers to
newer readings.

By age nothing goes while the hub's clock is not believed: one that is years ahead would find all of it old.

The file never shrinks, and free pages are used again: `auto_vacuum` would write pages to move pages.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from hub.store.scores import Row, keep

_SMALL = 64 << 20  # bytes: a database that is not larger is not what fills the card
_HEADROOM = 4 << 20  # bytes of free pages in a file that may not grow
_REMOVED = "removed: "


class Kind(StrEnum):
    """What is removed."""

    SAMPLES = "stream samples"
    SUMMARIES = "summaries"
    READINGS = "readings"
    ALERTS = "alerts"
    REFUSED = "refused messages"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long what is kept, and which newest readings are kept whatever the need.

    `window` is how far back observation sets and alerts may be formed; `stream` is how much of a stream
    makes one observation.
    """

    keep_streams: timedelta
    keep_readings: timedelta
    keep_alerts: timedelta
    window: timedelta
    stream: timedelta = timedelta(seconds=30)
    newest: int = 20_000


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes: the database's file, and how many of them are used."""

    file: int
    used: int

    @classmethod
    def of(cls, connection: sqlite3.Connection) -> Size:
        """As it is now."""
        (page,) = connection.execute("PRAGMA page_size").fetchone()
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        return cls(pages * page, (pages - free) * page)

    def may_use(self, largest: int, free: int, least_free: int) -> int:
        """How many bytes may be used, where `free` are free on the card and `least_free` shall be.

        What others fill is not paid for with readings: the file just stops growing.
        """
        may_grow = max(0, free - least_free)
        return min(largest, max(self.file + may_grow, _SMALL)) - _HEADROOM


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows that go together, in one piece of work for the writer; of the assessments `scores` stay."""

    kind: Kind
    readings: Sequence[int] = ()
    assessments: Sequence[int] = ()
    outbox: Sequence[int] = ()
    aside: Sequence[int] = ()
    alerts: Sequence[bytes] = ()
    scores: Sequence[Row] = ()

    def remove(self, connection: sqlite3.Connection) -> None:
        """Delete the rows, and count them."""
        keep(connection, self.scores)
        for table, column, numbers in (
            ("outbox", "sequence", self.outbox),
            ("outbox_aside", "sequence", self.aside),
            ("assessment", "sequence", self.assessments),
            ("rhythm_window", "reading", self.readings),
            ("withdrawn_assessment", "reading", self.readings),
            ("reading", "sequence", self.readings),
        ):
            if numbers:
                connection.execute(
                    f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))",
                    (json.dumps(list(numbers)),),
                )
        for alert in self.alerts:
            connection.execute("DELETE FROM alert WHERE id = ?", (alert,))
        connection.executemany(
            "INSERT INTO fact (name, value) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) + excluded.value",
            [(_REMOVED + what, str(number)) for what, number in self.counts.items()],
        )

    @property
    def counts(self) -> Mapping[str, int]:
        """How many rows of what."""
        found = {
            self.kind.value: len(self.readings) + len(self.alerts),
            "messages that waited": len(self.outbox),
            Kind.REFUSED.value: len(self.aside),
        }
        return {what: number for what, number in found.items() if number}


def removed(connection: sqlite3.Connection) -> dict[str, int]:
    """How much was removed in the life of this database, by its kind; of "messages that waited" too."""
    rows = connection.execute("SELECT name, value FROM fact WHERE name LIKE ?", (_REMOVED + "%",))
    return {name.removeprefix(_REMOVED): int(value) for name, value in rows}
