"""Whether the trail is still what was written; if not, where not, and what was done to it.

The chain is threaded anew: which entry holds on to the one that was reached last? As long as it is the next
one, all is well. One that stands further on was put elsewhere, or others were put before it. If there is
none, the entry was removed or changed; what holds on to the one after it tells which. After each break it
goes on from there, so that one break is one finding.

Entries that stand right behind a missing one cannot be checked themselves: the finding says so.
"""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice

from hub.clock import from_microseconds
from hub.errors import CareportError
from hub.store.audit import SELECT, START, TRIMMED, AuditHead, digest, encode

_AHEAD = 1000
"""How many entries further on one is looked for, and how many may be missing where the rest moved up."""
_MOST_FINDINGS = 50


class Break(StrEnum):
    """What was done to the trail."""

    CHANGED = "changed"
    REMOVED = "removed"
    REORDERED = "reordered"
    INSERTED = "inserted"
    DUPLICATED = "duplicated"
    TRUNCATED = "truncated"
    REWRITTEN = "rewritten"


@dataclass(frozen=True, slots=True)
class Finding:
    """One break: which entries, by number, and what it means.

    `at` is when the entry says that it was noted; of those that are missing, when the last one before them
    was; None if that is not known.
    """

    kind: Break
    first: int
    last: int
    at: datetime | None
    words: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found; `whole` if nothing was.

    `begins` is the first number that there is, or 1; `trimmed_at` is when retention removed those before it.
    `matched` and `unmatched` have the given heads that the trail has, and those that it cannot tell of
    since that entry is gone; one that it contradicts is a finding. `complete` is False where
    there were so many breaks that the rest was not looked at.
    """

    entries: int
    begins: int
    trimmed_at: datetime | None
    head: AuditHead
    head_at: datetime | None
    findings: tuple[Finding, ...]
    matched: tuple[AuditHead, ...]
    unmatched: tuple[AuditHead, ...]
    complete: bool

    @property
    def whole(self) -> bool:
        """Whether the trail is what was written, as far as its chain and the given heads can tell."""
        return not self.findings


def verify(
    connection: sqlite3.Connection, *, heads: Iterable[AuditHead] = (), since: AuditHead | None = None
) -> Verification:
    """Verify the trail, on any connection, beside a hub that goes on writing.

    Args:
        heads: what others were told of this trail, at whatever time; only they can show that its end was
            cut off, or that all of it was written anew.
        since: a head that was verified before: what came until then is not verified again.
    """
    with _one_moment(connection):
        trimmed_until, trimmed_at = _checkpoint(connection)
        start = trimmed_until if since is None or since.count < trimmed_until.count else since
        walk = _Walk(connection, start)
        walk.walk()
        findings = [*_before(connection, trimmed_until), *walk.findings]
        known = sorted({*heads, *([since] if since else [])}, key=lambda each: each.count)
        matched, unmatched = [], []
        sound = start.count
        for each in known:
            told = _compare(connection, trimmed_until, each, sound)
            if told is None:
                unmatched.append(each)
            elif isinstance(told, Finding):
                findings.append(told)
            else:
                matched.append(each)
                sound = each.count
        first, count, head, head_at = _extent(connection)
    return Verification(
        entries=count,
        begins=first or start.count + 1,
        trimmed_at=trimmed_at,
        head=head or trimmed_until,
        head_at=head_at,
        findings=tuple(findings),
        matched=tuple(matched),
        unmatched=tuple(unmatched),
        complete=walk.complete,
    )


@contextmanager
def _one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is read within is of the same moment, whatever the hub writes meanwhile."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def _checkpoint(connection: sqlite3.Connection) -> tuple[AuditHead, datetime | None]:
    """What the first entry holds on to: the beginning, or what the last trimming removed, and when."""
    until, when = START, None
    for at, detail in connection.execute(
        "SELECT at, CAST(detail AS BLOB) FROM audit WHERE what = ?", (TRIMMED,)
    ):
        try:
            said = json.loads(detail)
            head = AuditHead.parse(f"{said['until']}:{said['hash']}")
            noted_at = from_microseconds(at)
        except (ValueError, TypeError, KeyError, OverflowError, CareportError):
            continue  # it was changed, which the walk finds
        if head.count > until.count:
            until, when = head, noted_at
    return until, when


def _before(connection: sqlite3.Connection, trimmed_until: AuditHead) -> list[Finding]:
    """Entries with a number that no entry should have: before the first, or trimmed long ago."""
    first, last, at = connection.execute(
        "SELECT min(sequence), max(sequence), min(at) FROM audit WHERE sequence <= ?", (trimmed_until.count,)
    ).fetchone()
    if first is None:
        return []
    words = "before the beginning of the trail, where there is nothing"
    return [Finding(Break.INSERTED, first, last, _time(at), words)]


def _compare(
    connection: sqlite3.Connection, trimmed_until: AuditHead, told: AuditHead, sound: int
) -> AuditHead | Finding | None:
    """The head, if the trail has it; a finding if it contradicts it; None if that entry is gone."""
    row = connection.execute("SELECT hash, at FROM audit WHERE sequence = ?", (told.count,)).fetchone()
    if row is None and told.count == trimmed_until.count:
        row = trimmed_until.hash, None
    if row is not None:
        if row[0] == told.hash:
            return told
        words = (
            f"has not the hash that was told to others: one or more of {sound + 1} to {told.count} were"
            " written anew, with hashes that fit"
        )
        return Finding(Break.REWRITTEN, told.count, told.count, _time(row[1]), words)
    _, _, head, at = _extent(connection)
    last = head.count if head is not None else 0
    if told.count < last:
        return None
    words = f"missing at the end: others were told of {told.count}"
    return Finding(Break.TRUNCATED, last + 1, told.count, at, words)


def _extent(
    connection: sqlite3.Connection,
) -> tuple[int | None, int, AuditHead | None, datetime | None]:
    first, count = connection.execute("SELECT min(sequence), count(*) FROM audit").fetchone()
    row = connection.execute("SELECT sequence, hash, at FROM audit ORDER BY sequence DESC LIMIT 1").fetchone()
    return (first, count, AuditHead(row[0], row[1]), _time(row[2])) if row else (None, 0, None, None)


def _time(microseconds: int | None) -> datetime | None:
    if microseconds is None:
        return None
    try:
        return from_microseconds(microseconds)
    except OverflowError:
        return None  # no year of a calendar: it was changed


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    hash: bytes
    at: int
    encoded: bytes

    def follows(self, before: bytes, number: int) -> bool:
        """Whether this is what was written as that number, behind the entry with that hash."""
        return digest(before, number, self.encoded) == self.hash


def _rows(connection: sqlite3.Connection, after: int) -> Iterator[_Row]:
    for number, *columns, own in connection.execute(
        f"{SELECT} WHERE sequence > ? ORDER BY sequence", (after,)
    ):
        yield _Row(number, own, columns[0], encode(columns))


class _Walk:
    """One walk along the trail: `_previous` is the hash that the entry `_wanted` must hold on to."""

    def __init__(self, connection: sqlite3.Connection, start: AuditHead) -> None:
        self.findings: list[Finding] = []
        self.complete = True
        self._connection = connection
        self._rows = _rows(connection, start.count)
        self._ahead: deque[_Row] = deque()
        self._aside: list[_Row] = []  # passed over: they belong further on, or nowhere
        self._disordered: tuple[int, int | None] | None = None  # the first and last that stood elsewhere
        self._jumps = 0
        origin = _Row(start.count, start.hash, 0, b"")
        self._recent = deque([origin], maxlen=_AHEAD)  # taken in order, the newest last
        self._previous = start.hash
        self._wanted = start.count + 1
        self._passed = start.count  # the number, as it is now, of the last row that was taken
        self._last_at: int | None = None

    def walk(self) -> None:
        """Go to the end, or until there are too many findings."""
        while True:
            if len(self.findings) + self._jumps >= _MOST_FINDINGS:
                self.complete = False
                break
            row = self._look(0)
            if row is not None and row.follows(self._previous, self._wanted):
                if row.number != self._passed + 1 and not self._aside:
                    self._find(Break.CHANGED, row, "has another number than it was written with")
                self._take()
                self._accept(row)
            elif not self._from_aside():
                if row is None:
                    break
                if not self._from_further_on() and not self._from_before(row):
                    self._break(row)
        self._close()

    def _look(self, index: int) -> _Row | None:
        missing = index + 1 - len(self._ahead)
        if missing > 0:
            self._ahead.extend(islice(self._rows, missing))
        return self._ahead[index] if index < len(self._ahead) else None

    def _take(self) -> _Row:
        row = self._ahead.popleft()
        self._passed = row.number
        return row

    def _accept(self, row: _Row) -> None:
        self._recent.append(row)
        self._previous = row.hash
        self._wanted += 1
        self._last_at = row.at

    def _from_aside(self) -> bool:
        for row in self._aside:
            if row.follows(self._previous, self._wanted):
                self._aside.remove(row)
                assert self._disordered is not None
                self._disordered = (self._disordered[0], self._wanted)
                self._accept(row)
                if not self._aside:
                    self._close()
                return True
        return False

    def _from_further_on(self) -> bool:
        index = 1
        while index <= _AHEAD and (row := self._look(index)) is not None:
            if row.follows(self._previous, self._wanted):
                self._disordered = self._disordered or (self._wanted, None)
                self._aside.extend(self._take() for _ in range(index))
                self._accept(self._take())
                self._jumps += 1
                return True
            index += 1
        return False

    def _from_before(self, row: _Row) -> bool:
        """Whether it holds on to an earlier one: those between were put in, with hashes that fit."""
        for index in range(1, len(self._recent)):
            if row.hash == self._recent[-index].hash:
                return False  # the same once more
            if row.follows(self._recent[-1 - index].hash, self._wanted - index):
                self._aside.extend(self._recent.pop() for _ in range(index))
                self._wanted -= index
                self._take()
                self._accept(row)
                self._close()
                return True
        return False

    def _break(self, row: _Row) -> None:
        """Nothing holds on to the last one: `row` follows something that is gone, or was changed itself."""
        after = self._look(1)
        missing = row.number - self._passed - 1
        if missing == 0:
            missing = self._moved_up(row, after)
        if missing > 0:
            words = f"missing; whether the one behind ({row.number}) was changed cannot be told"
            last = self._wanted + missing - 1
            self.findings.append(Finding(Break.REMOVED, self._wanted, last, _time(self._last_at), words))
            self._wanted += missing
        elif self._is_twice(row):
            self._find(Break.DUPLICATED, row, "is there twice")
        else:
            self._find(Break.CHANGED, row, "is not what was written")
        own = digest(self._previous, self._wanted, row.encoded)
        self._take()
        self._accept(row)
        if after is not None and missing == 0 and after.follows(own, self._wanted):
            self._previous = own  # only its hash was changed

    def _moved_up(self, row: _Row, after: _Row | None) -> int:
        """How many are missing before `row` if the numbers of the rest were changed to hide that; or 0."""
        if after is None or after.follows(row.hash, self._wanted + 1):
            return 0
        moved = (k for k in range(1, _AHEAD + 1) if after.follows(row.hash, self._wanted + 1 + k))
        return next(moved, 0)

    def _find(self, kind: Break, row: _Row, words: str) -> None:
        self.findings.append(Finding(kind, row.number, row.number, _time(row.at), words))

    def _close(self) -> None:
        """What was passed over and belongs nowhere; and what stood elsewhere than where it belongs."""
        if self._disordered is not None and self._disordered[1] is not None:
            first, last = self._disordered[0], self._disordered[1]
            words = "not in the order in which they were written"
            self.findings.append(Finding(Break.REORDERED, first, last, _time(self._last_at), words))
        for row in self._aside[: _MOST_FINDINGS - len(self.findings)]:
            twice = self._is_twice(row)
            kind = Break.DUPLICATED if twice else Break.INSERTED
            self._find(
                kind, row, "is there twice" if twice else "was put in later: the trail goes on without it"
            )
        self._aside = []
        self._disordered = None

    def _is_twice(self, row: _Row) -> bool:
        others: Sequence[Sequence[int | bytes | None]] = self._connection.execute(
            f"{SELECT} WHERE at = ? AND sequence != ?", (row.at, row.number)
        ).fetchall()
        return any(encode(columns) == row.encoded for _, *columns, _ in others)
