"""The trail: what happened on this hub, line by line, each line holding on to the one before by its hash.

It is only ever appended to. An entry's hash is

    SHA-256(hash of the entry before | sequence | at | since_boot | boot | clock | what | subject | detail)

with integers as 8 bytes (signed, big-endian), and the rest as its length in 4 bytes (0xFFFFFFFF: none) and
its bytes (text as UTF-8), so that no two different entries are written the same. Before the first entry
stands `BEGINNING`. `hub/store/audit_verification.py` finds what was changed since.

A chain says nothing about its own end: whoever cuts it off there, or writes all of it anew, leaves one that
is whole. Therefore `head` is told to others (the ICS), and compared with theirs.
"""

from __future__ import annotations

import json
import re
import sqlite3
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Self

from hub.clock import ClockQuality, ClockStamp, from_microseconds, to_microseconds
from hub.errors import CareportError

SCHEMA = """
CREATE TABLE audit (
    sequence   INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    since_boot INTEGER NOT NULL,
    boot       BLOB NOT NULL,
    clock      TEXT NOT NULL,
    what       TEXT NOT NULL,
    subject    BLOB,
    detail     TEXT NOT NULL,
    hash       BLOB NOT NULL
) STRICT;
CREATE INDEX audit_of_subject ON audit (subject) WHERE subject IS NOT NULL
"""
"""The table; not AUTOINCREMENT, since the newest entry always stays: no number is given out twice."""

BEGINNING = sha256(b"CarePort Hub, audit trail, encoding 1").digest()
"""What the first entry holds on to; another encoding would begin with another."""

TRIMMED = "trail trimmed"
"""The one kind of entry that the store knows of: it accounts for those that are gone before it."""

_MICROSECOND = timedelta(microseconds=1)
_HEAD = re.compile(r"([1-9][0-9]{0,17}):([0-9a-fA-F]{64})")
_COLUMNS = "sequence, at, since_boot, boot, clock, what, subject, detail, hash"
SELECT = (
    "SELECT sequence, at, since_boot, boot, CAST(clock AS BLOB), CAST(what AS BLOB), subject,"
    " CAST(detail AS BLOB), hash FROM audit"
)
"""Text as the bytes that were hashed: whatever has become of it, it may be no UTF-8 any more."""


class AuditError(CareportError):
    """The trail was asked for something that it cannot give; the text says what is allowed."""


@dataclass(frozen=True, slots=True)
class NewEntry:
    """What is to be noted: when, by both clocks; what; about which alert or reading, if any; and how.

    `detail` is anything that JSON can say.
    """

    at: datetime
    stamp: ClockStamp
    what: str
    subject: uuid.UUID | None
    detail: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class AuditEntry(NewEntry):
    """What was noted: its number, from 1 on without a gap, and its hash (32 bytes)."""

    sequence: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class AuditHead:
    """How far the trail had come: how many entries were ever written, and the hash of the last of them."""

    count: int
    hash: bytes

    def __str__(self) -> str:
        """COUNT:HASH, as it is told to others."""
        return f"{self.count}:{self.hash.hex()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """A head from COUNT:HASH, the hash as 64 hexadecimal digits.

        Raises:
            AuditError: the text is no head.
        """
        match = _HEAD.fullmatch(text.strip())
        if match is None:
            raise AuditError(f"{text.strip()[:80]!r} is no head of a trail: give COUNT:HASH, as it was told")
        return cls(int(match[1]), bytes.fromhex(match[2]))


START = AuditHead(0, BEGINNING)
"""The head of a trail that has no entry."""


def append(connection: sqlite3.Connection, entry: NewEntry) -> AuditEntry:
    """Note an entry, within the transaction that is open on the writer's connection."""
    before = head(connection)
    number = before.count + 1
    columns = (
        to_microseconds(entry.at),
        entry.stamp.since_boot // _MICROSECOND,
        entry.stamp.boot.bytes,
        entry.stamp.quality.value,
        entry.what,
        entry.subject.bytes if entry.subject is not None else None,
        canonical(entry.detail),
    )
    own = digest(before.hash, number, encode(columns))
    connection.execute(
        f"INSERT INTO audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (number, *columns, own)
    )
    return AuditEntry(entry.at, entry.stamp, entry.what, entry.subject, entry.detail, number, own)


def head(connection: sqlite3.Connection) -> AuditHead:
    """How far the trail has come; `START` if there is none."""
    row = connection.execute("SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1").fetchone()
    return AuditHead(*row) if row else START


def trim(
    connection: sqlite3.Connection, before: datetime, *, at: datetime, stamp: ClockStamp
) -> AuditEntry | None:
    """Remove the entries older than `before`, and note that; None if there are none.

    Always a piece of the beginning, never the newest entry. What is noted (how far, and the hash of the
    last that was removed) is what the rest then holds on to: it is part of the chain itself. A time later
    than `at`, the hub's clock, was said by a clock that was ahead: it does not make an entry young. Call it
    only when the clock can be believed: one that is years ahead would find everything old.
    """
    (kept,) = connection.execute(
        "SELECT min(sequence) FROM audit WHERE at BETWEEN ? AND ?"
        " OR sequence = (SELECT max(sequence) FROM audit)",
        (to_microseconds(before), to_microseconds(at)),
    ).fetchone()
    if kept is None:
        return None
    last = connection.execute(
        "SELECT sequence, hash FROM audit WHERE sequence < ? ORDER BY sequence DESC LIMIT 1", (kept,)
    ).fetchone()
    if last is None:
        return None
    removed = connection.execute("DELETE FROM audit WHERE sequence < ?", (kept,)).rowcount
    detail = {"until": last[0], "hash": last[1].hex(), "removed": removed, "before": before.isoformat()}
    return append(connection, NewEntry(at, stamp, TRIMMED, None, detail))


def newest(connection: sqlite3.Connection, what: str | None = None) -> AuditEntry | None:
    """The newest entry, or the newest of one kind."""
    found = _entries(connection, "? IS NULL OR what = ?", (what, what), most=1)
    return found[0] if found else None


def knows(connection: sqlite3.Connection, *kinds: str) -> bool:
    """Whether there is any entry of these kinds, readable or not."""
    found = connection.execute(
        f"SELECT 1 FROM audit WHERE what IN ({', '.join('?' * len(kinds))}) LIMIT 1", kinds
    )
    return found.fetchone() is not None


def entries(
    connection: sqlite3.Connection, *, subject: str | None = None, most: int = -1
) -> Sequence[AuditEntry]:
    """The newest entries, newest first.

    Args:
        subject: only of alerts and readings whose id begins so (hexadecimal digits, dashes left out).
        most: how many; -1 for all.

    Raises:
        AuditError: `subject` is no beginning of an id, or the trail has an entry that cannot be read.
    """
    if subject is None:
        return _entries(connection, "1", (), most)
    digits = subject.replace("-", "").lower()
    if not re.fullmatch(r"[0-9a-f]{4,32}", digits):
        raise AuditError(f"{subject!r}: give an id, or at least its first four digits")
    least, greatest = (bytes.fromhex(digits.ljust(32, filler)) for filler in "0f")
    return _entries(connection, "subject BETWEEN ? AND ?", (least, greatest), most)


def history(connection: sqlite3.Connection, subject: uuid.UUID) -> Sequence[AuditEntry]:
    """What happened to an alert, in its order."""
    return _entries(connection, "subject = ?", (subject.bytes,), -1)[::-1]


def history_size(connection: sqlite3.Connection, subject: uuid.UUID) -> int:
    """How many entries there are about an alert."""
    (size,) = connection.execute("SELECT count(*) FROM audit WHERE subject = ?", (subject.bytes,)).fetchone()
    return int(size)


def canonical(document: object) -> str:
    """JSON in the one form that is hashed: keys sorted, no spaces, ASCII.

    ASCII, since what others send may hold half a surrogate pair, which UTF-8 cannot write, and controls,
    which a terminal would obey.
    """
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def encode(columns: Sequence[int | bytes | str | None]) -> bytes:
    """An entry as it is hashed, without its number: at, since_boot, boot, clock, what, subject, detail."""
    at, since_boot, *others = columns
    assert isinstance(at, int)
    assert isinstance(since_boot, int)
    parts = [at.to_bytes(8, "big", signed=True), since_boot.to_bytes(8, "big", signed=True)]
    for other in others:
        assert not isinstance(other, int)
        written = other.encode() if isinstance(other, str) else other
        parts.append(b"\xff\xff\xff\xff" if written is None else len(written).to_bytes(4, "big") + written)
    return b"".join(parts)


def digest(before: bytes, number: int, encoded: bytes) -> bytes:
    """The hash of an entry that holds on to `before`."""
    return sha256(before + number.to_bytes(8, "big", signed=True) + encoded).digest()


def _entries(
    connection: sqlite3.Connection, condition: str, parameters: Iterable[object], most: int
) -> list[AuditEntry]:
    rows = connection.execute(
        f"{SELECT} WHERE {condition} ORDER BY sequence DESC LIMIT ?", (*parameters, most)
    )
    return [_entry(*row) for row in rows]


def _entry(
    sequence: int,
    at: int,
    since_boot: int,
    boot: bytes,
    clock: bytes,
    what: bytes,
    subject: bytes | None,
    detail: bytes,
    own: bytes,
) -> AuditEntry:
    try:
        said = json.loads(detail)
        if not isinstance(said, dict):
            raise ValueError("its detail is no JSON object")  # noqa: TRY004  # as all that is wrong with it
        return AuditEntry(
            from_microseconds(at),
            ClockStamp(uuid.UUID(bytes=boot), since_boot * _MICROSECOND, ClockQuality(clock.decode())),
            what.decode(),
            uuid.UUID(bytes=subject) if subject is not None else None,
            said,
            sequence,
            own,
        )
    except (ValueError, OverflowError) as error:
        raise AuditError(
            f"entry {sequence} of the trail cannot be read: {error}. See 'carehub audit verify'."
        ) from error
