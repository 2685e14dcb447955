"""Finds what is to leave the card next. `retention.py` says what goes, in what order, and what never does.

All tables but the alerts' are numbered in the order of arrival, and so is what their rows refer to: a place
in one is found from a place in another by bisection, without an index that each commit would have to write.
Only an assessment that was made anew (`Assessing.assess_anew`) is of a reading that came long before it; like
all that are not made at the moment of their own reading it has an `at`, and is found in passing.
"""

from __future__ import annotations

import bisect
import itertools
import json
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from hub.clock import from_microseconds, to_microseconds
from hub.store.encoding import event_text, observations_of
from hub.store.retention import Kind, Limits, Piece
from hub.store.scores import rows_to_keep

PIECE = 500
"""Readings that one piece of work removes at the most."""

_SAMPLES_STAY = timedelta(hours=1)  # whatever the need
_ALERTS_IN_PIECE = 10
_LOOKED_AT = 1_000  # pieces: where a start has to go through what was kept, it takes a few turns
_SAMPLES_BEHIND = 5_000  # numbers: the samples behind an observation are looked for among so many
_SETS_AFTER = 300  # assessments: that may be of one and the same reading
_WRONG_CLOCK = timedelta(days=1)


@dataclass(slots=True)
class Progress:
    """Up to which number the readings were looked through, so as not to do it again each time."""

    old_samples: int = 0
    samples: int = 0
    waiting_samples: int = 0
    readings: int = 0
    newest_set: frozenset[int] = frozenset()  # what stayed behind only since the newest assessment needs it

    def begin_anew(self) -> None:
        """Something may go now that had to stay, or what was found was not removed."""
        self.old_samples = self.samples = self.waiting_samples = self.readings = 0


class Planner:
    """Finds pieces on a connection that only reads; made anew for each turn."""

    def __init__(
        self, connection: sqlite3.Connection, limits: Limits, now: datetime, progress: Progress
    ) -> None:
        self._connection = connection
        self._limits = limits
        self._now = now
        self._progress = progress
        self._known_ends: dict[tuple[str, str | None], tuple[int, int]] = {}
        highest, received_at = connection.execute(
            "SELECT sequence, received_at FROM reading ORDER BY sequence DESC LIMIT 1"
        ).fetchone() or (0, to_microseconds(now))
        self._newest = from_microseconds(received_at)
        row = connection.execute(
            "SELECT sequence, reading, observations FROM assessment ORDER BY sequence DESC LIMIT 1"
        ).fetchone()
        newest, reading, observations = row or (0, 0, "[]")
        self._newest_assessment: int = newest
        self._newest_set = frozenset({reading, *_sources(observations, reading)})
        if any(number <= progress.readings for number in progress.newest_set - self._newest_set):
            progress.begin_anew()
        progress.newest_set = self._newest_set
        self._last = highest - max(1, limits.newest)
        """The highest number that may go at all."""

    def by_age(self, most: int) -> list[Piece]:
        """What is too old, in `most` pieces at the most. Not to be asked while the clock is not believed."""
        limits = self._limits
        if alerts := list(self._alerts(self._now - limits.keep_alerts)):
            return alerts  # alone: what they rested on may go only when they are gone
        if refused := list(self._refused()):
            return refused  # alone: none of it shall be counted twice
        pieces = itertools.chain(
            self._readings(self._now - max(limits.keep_readings, limits.window), _LOOKED_AT),
            self._old_samples(self._now - max(limits.keep_streams, _SAMPLES_STAY)),
        )
        return list(itertools.islice(pieces, most))

    def by_size(self, most: int) -> list[Piece]:
        """What goes next where there is too much, all of one kind; nothing where nothing may go."""
        # Not by a clock that was never set: everything would be old.
        present = min(self._now, self._newest)
        kinds = (
            self._free_samples(present - _SAMPLES_STAY),
            self._waiting_samples(present - _SAMPLES_STAY),
            self._summaries(),
            self._readings(present - self._limits.window),
            self._alerts(self._now),
            self._readings(None),
        )
        return next((pieces for kind in kinds if (pieces := list(itertools.islice(kind, most)))), [])

    # --- the kinds

    def _old_samples(self, before: datetime) -> Iterator[Piece]:
        for span in itertools.islice(self._spans(self._progress.old_samples, before), _LOOKED_AT):
            yield from self._samples(*span, though_waiting=True)
            self._progress.old_samples = span[1]

    def _free_samples(self, before: datetime) -> Iterator[Piece]:
        for span in self._spans(self._progress.samples, before):
            yield from self._samples(*span, though_waiting=False)
            self._progress.samples = span[1]

    def _waiting_samples(self, before: datetime) -> Iterator[Piece]:
        for span in self._spans(self._progress.waiting_samples, before):
            yield from self._samples(*span, though_waiting=True)
            self._progress.waiting_samples = span[1]

    def _samples(self, first: int, last: int, *, though_waiting: bool) -> Iterator[Piece]:
        """The samples among these numbers: but for those of a message that stays."""
        going = self._numbers(
            "SELECT sequence FROM reading WHERE sequence BETWEEN ? AND ? AND observed = '[]'", first, last
        )
        if not going:
            return
        going -= self._behind_evidence(first, last)
        messages: dict[str, list[int]] = {"outbox": [], "outbox_aside": []}
        for table, goes in messages.items():
            for sequence, begins, ends in self._messages(table, "reading", first, last):
                told = range(begins, ends + 1)
                if though_waiting and going.issuperset(told):
                    goes.append(sequence)
                else:
                    going.difference_update(told)
        if going:
            yield Piece(Kind.SAMPLES, sorted(going), (), messages["outbox"], messages["outbox_aside"])

    def _summaries(self) -> Iterator[Piece]:
        for table in ("outbox_aside", "outbox"):
            rows = self._connection.execute(
                f"SELECT sequence FROM {table} WHERE channel = 'summary' ORDER BY sequence LIMIT ?", (PIECE,)
            )
            if found := [sequence for (sequence,) in rows]:
                outbox, aside = (found, []) if table == "outbox" else ([], found)
                yield Piece(Kind.SUMMARIES, outbox=outbox, aside=aside)

    def _readings(self, before: datetime | None, most: int | None = None) -> Iterator[Piece]:
        """Readings with their assessments, and with the messages that tell of any of them."""
        for first, last in itertools.islice(self._spans(self._progress.readings, before), most):
            going = self._numbers("SELECT sequence FROM reading WHERE sequence BETWEEN ? AND ?", first, last)
            staying = self._evidence[0] | self._newest_set
            going -= staying | self._behind_evidence(first, last)
            if going:
                completed, later = self._assessments(first, last)
                assessments = [
                    number
                    for number, reading in completed
                    if reading in going or (reading < first and reading not in staying)
                ]
                not_told = {*assessments, *self._made_of(later, going)}
                outbox, aside = (
                    self._telling_of(table, "reading", going)
                    | self._telling_of(table, "observation", not_told)
                    for table in ("outbox", "outbox_aside")
                )
                yield Piece(
                    Kind.READINGS,
                    sorted(going),
                    assessments,
                    sorted(outbox),
                    sorted(aside),
                    scores=rows_to_keep(self._connection, assessments),
                )
            self._progress.readings = last

    def _alerts(self, before: datetime) -> Iterator[Piece]:
        """Alerts that were acknowledged, and resolved before then, the oldest first."""
        rows = self._connection.execute(
            "SELECT id FROM alert WHERE resolved_at < ? AND json_valid(body)"
            " AND json_extract(body, '$.acknowledged_at') IS NOT NULL ORDER BY resolved_at LIMIT ?",
            (to_microseconds(before), _ALERTS_IN_PIECE),
        ).fetchall()
        if rows:
            self._progress.begin_anew()
            going = [identifier for (identifier,) in rows]
            refused = [sequence for sequence, alert, _ in self._refused_of_alerts() if alert in going]
            yield Piece(Kind.ALERTS, alerts=going, aside=refused)

    def _refused(self) -> Iterator[Piece]:
        """What the broker refused too long ago, but for what tells of an alert that is on the card."""
        limits = self._limits
        old = self._numbers(
            "SELECT sequence FROM outbox_aside WHERE channel != 'alert' AND at < ? LIMIT ?",
            to_microseconds(self._now - max(limits.keep_readings, limits.window)), PIECE,
        )  # fmt: skip
        young = to_microseconds(self._now - limits.keep_alerts)
        future = to_microseconds(self._now + _WRONG_CLOCK)
        for sequence, alert, at in self._refused_of_alerts():
            if young <= at <= future:
                if alert is not None:
                    break  # and so are those behind it
            elif not self._numbers("SELECT 1 FROM alert WHERE id = ?", alert):
                old.add(sequence)
        if old:
            yield Piece(Kind.REFUSED, aside=sorted(old))

    def _refused_of_alerts(self) -> Iterator[tuple[int, bytes | None, int]]:
        """What was refused of alerts, oldest first: its number, the alert, of when it tells (microseconds).

        Where that cannot be read: no alert, and when it was last refused.
        """
        rows = self._connection.execute(
            "SELECT sequence, event, at FROM outbox_aside WHERE channel = 'alert' ORDER BY sequence"
        )
        for sequence, event, at in rows:
            try:
                said = json.loads(event_text(event or b""))
                alert = uuid.UUID(said["alert"]).bytes
                told_of = to_microseconds(datetime.fromisoformat(said["time"]))
            except (ValueError, TypeError, LookupError, AttributeError):
                yield sequence, None, at
            else:
                yield sequence, alert, told_of

    # --- what must stay

    @cached_property
    def _evidence(self) -> tuple[frozenset[int], frozenset[int]]:
        """The readings and the assessments that alerts rest on."""
        readings, assessments = set[int](), set[int]()
        rows = self._connection.execute(
            "SELECT alert.reading, a.sequence, a.reading, a.observations"
            " FROM alert LEFT JOIN assessment a ON a.sequence = alert.assessment"
        )
        for raised_by, assessment, reading, observations in rows:
            readings.add(raised_by)
            if assessment is not None:
                assessments.add(assessment)
                readings.update([reading, *_sources(observations, reading)])
        return frozenset(readings), frozenset(assessments)

    @cached_property
    def _evidence_in_order(self) -> list[int]:
        return sorted(self._evidence[0])

    def _behind_evidence(self, first: int, last: int) -> set[int]:
        """Those among these numbers, of a stream, that the observations of a kept alert were made of."""
        behind = set[int]()
        kept = self._evidence_in_order
        low, high = bisect.bisect_left(kept, first), bisect.bisect_right(kept, last + _SAMPLES_BEHIND)
        for number in kept[low:high]:
            row = self._connection.execute(
                "SELECT source, received_at FROM reading WHERE sequence = ? AND observed != '[]'", (number,)
            ).fetchone()
            if row is not None:
                source, at = row
                since = at - self._limits.stream // timedelta(microseconds=1)
                behind |= self._numbers(
                    "SELECT sequence FROM reading WHERE sequence BETWEEN ? AND ? AND source = ?"
                    " AND (observed = '[]' OR stretch IS NOT NULL) AND received_at BETWEEN ? AND ?",
                    max(first, number - _SAMPLES_BEHIND), min(last, number), source, since, at,
                )  # fmt: skip
        return behind

    # --- looking

    def _spans(self, after: int, before: datetime | None) -> Iterator[tuple[int, int]]:
        """Numbers of the oldest readings, from and to, `PIECE` readings each.

        A reading of the future was received while the clock was wrong: it is as old as those around it.
        """
        future = to_microseconds(self._now + _WRONG_CLOCK)
        until = future if before is None else to_microseconds(before)
        while True:
            rows = self._connection.execute(
                "SELECT sequence, received_at FROM reading WHERE sequence > ? AND sequence <= ?"
                " ORDER BY sequence LIMIT ?",
                (after, self._last, PIECE),
            ).fetchall()
            old = [row[0] for row in itertools.takewhile(lambda row: not until <= row[1] <= future, rows)]
            if not old:
                return
            after = old[-1]
            yield old[0], after

    def _numbers(self, query: str, *parameters: object) -> set[int]:
        return {number for (number,) in self._connection.execute(query, parameters)}

    def _messages(self, table: str, channel: str, first: int, last: int) -> list[tuple[int, int, int]]:
        """The messages of a channel that refer to any of these numbers: sequence, and from which to which."""
        begin = self._bisect(table, "last", first, channel)
        rows = self._connection.execute(
            f"SELECT sequence, first, last FROM {table} WHERE sequence >= ? AND channel = ?"
            " AND first IS NOT NULL ORDER BY sequence",
            (begin, channel),
        )
        return list(itertools.takewhile(lambda row: row[1] <= last, rows))

    def _assessments(self, first: int, last: int) -> tuple[list[tuple[int, int]], list[tuple[int, int, str]]]:
        """The assessments that these readings completed, but for those kept; among them those made anew of
        readings before; and those soon after."""
        begin = self._bisect("assessment", "reading", first)
        rows = self._connection.execute(
            "SELECT sequence, reading, observations FROM assessment WHERE sequence >= ? ORDER BY sequence",
            (begin,),
        )
        completed: list[tuple[int, int]] = []
        for sequence, reading, observations in rows:
            if reading > last:
                later = [(sequence, reading, observations), *itertools.islice(rows, _SETS_AFTER)]
                return completed, later
            if sequence not in self._evidence[1] and sequence != self._newest_assessment:
                completed.append((sequence, reading))
        return completed, []

    @staticmethod
    def _made_of(assessments: Iterable[tuple[int, int, str]], readings: set[int]) -> Iterator[int]:
        return (
            sequence
            for sequence, reading, observations in assessments
            if not readings.isdisjoint(_sources(observations, reading))
        )

    def _telling_of(self, table: str, channel: str, numbers: set[int]) -> set[int]:
        """The messages of a channel that refer to any of these."""
        if not numbers:
            return set()
        messages = self._messages(table, channel, min(numbers), max(numbers))
        return {
            sequence for sequence, first, last in messages if not numbers.isdisjoint(range(first, last + 1))
        }

    def _bisect(self, table: str, column: str, value: int, channel: str | None = None) -> int:
        """From which number on the rows of a table have at least this value in a column: those of a channel,
        or assessments made at the moment of their reading."""
        in_order = "at IS NULL AND" if channel is None else "channel = :channel AND first IS NOT NULL AND"
        parameters: dict[str, object] = {"channel": channel}
        low, high = self._ends(table, in_order, channel)
        while low < high:
            parameters["middle"] = middle = (low + high) // 2
            number, found = self._connection.execute(
                f"SELECT sequence, {column} FROM {table} WHERE {in_order} sequence >= :middle"
                " ORDER BY sequence LIMIT 1",
                parameters,
            ).fetchone() or (0, value)
            low, high = (low, middle) if found >= value else (number + 1, high)
        return low

    def _ends(self, table: str, in_order: str, channel: str | None) -> tuple[int, int]:
        if (table, channel) not in self._known_ends:
            low, high = self._connection.execute(
                f"SELECT min(sequence), max(sequence) FROM {table} WHERE {in_order} 1", {"channel": channel}
            ).fetchone()
            self._known_ends[table, channel] = (0, 0) if low is None else (low, high + 1)
        return self._known_ends[table, channel]


def _sources(observations: str, reading: int) -> set[int]:
    """The readings that an assessment's values are of."""
    return {source for _, source in observations_of(observations, reading).values()}
