"""What the writer remembers from one transaction to the next, so as not to ask the card for it."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hub.store.rows import AlertRow

PRIORITY_BIT = 48
"""From here up a number of the outbox has its priority: the order of the numbers is that of sending."""

_IDS_KEPT = 4_096  # 0.4 MB; when there are more, the lower half of them goes


@dataclass(slots=True)
class HighestIds:
    """Says of most readings that they are new: ids begin with the time (`hub/readings.py`), so most are high.

    Every reading whose id is above `floor` has it in `above`; of those in there some may have been undone or
    removed. So of what is above the floor and not in there it is sure that it is new, and of nothing else is
    anything known.
    """

    floor: bytes
    above: set[bytes]

    @classmethod
    def of(cls, connection: sqlite3.Connection) -> HighestIds:
        """From what the database has."""
        rows = connection.execute(f"SELECT id FROM reading ORDER BY id DESC LIMIT {_IDS_KEPT // 2}")
        # What is damaged may be no bytes; SQLite sorts bytes above all else, so there it is below the floor.
        ids = [identifier for (identifier,) in rows if isinstance(identifier, bytes)]
        return cls(ids[-1] if ids else b"", set(ids))

    def surely_new(self, reading_id: bytes) -> bool:
        """Whether there can be no reading with this id, on the card or gathered."""
        return reading_id > self.floor and reading_id not in self.above

    def add(self, reading_id: bytes) -> None:
        """There may be a reading with this id from now on."""
        if reading_id > self.floor:
            self.above.add(reading_id)
        if len(self.above) > _IDS_KEPT:
            in_order = sorted(self.above)
            self.floor = in_order[_IDS_KEPT // 2]
            self.above = set(in_order[_IDS_KEPT // 2 + 1 :])


@dataclass(slots=True)
class Numbers:
    """The numbers that were given out, and what makes a question to the card needless.

    `next_outbox` numbers are used once in the life of a process: a PUBACK that comes late must not remove
    another row. `reading` and `assessment` are the highest that their tables have, what is gathered and not
    yet written included; only the writer adds to them, and what is undone gives its numbers back.

    `known` has the numbers of the small tables, `alerted` the residents whom an open alert may be of (None:
    not looked for yet). Whatever is undone empties both. `open_alerts` are those that were open when that was
    last asked, a second ago as a rule: for what is rehearsed beside the card.
    """

    next_outbox: Iterator[int]
    reading: int
    assessment: int
    ids: HighestIds
    known: dict[tuple[object, ...], int] = field(default_factory=dict)
    alerted: set[str] | None = None
    open_alerts: Sequence[AlertRow] = ()

    @classmethod
    def of(cls, connection: sqlite3.Connection) -> Numbers:
        """From what the database has."""
        below = (1 << PRIORITY_BIT) - 1
        (outbox,) = connection.execute(
            f"SELECT max(number) FROM (SELECT max(sequence & {below}) AS number FROM outbox"
            f" UNION ALL SELECT max(sequence & {below}) FROM outbox_aside)"
        ).fetchone()
        (reading,) = connection.execute("SELECT max(sequence) FROM reading").fetchone()
        (assessment,) = connection.execute(
            "SELECT max(number) FROM (SELECT max(sequence) AS number FROM assessment"
            " UNION ALL SELECT max(sequence) FROM withdrawn_assessment)"
        ).fetchone()
        ids = HighestIds.of(connection)
        return cls(itertools.count((outbox or 0) + 1), reading or 0, assessment or 0, ids)

    def forget(self) -> None:
        """Something was undone, perhaps what this is from: look for it again."""
        self.known.clear()
        self.alerted = None
