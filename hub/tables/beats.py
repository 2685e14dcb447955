"""Rows of a table as the times from beat to beat: one row, one interval, in order of time for each person.

A person's intervals are cut into windows by `hub/assessment/rhythm.py`, and each is judged alone; and the
windows of a day together. A run is cut into equal ones, so that how long it is must be known: all rows are
read before any window is told, 8 bytes an interval, 16 with times. (On a hub, where a run has no end yet,
each window has sixty beats.)
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import NamedTuple, TextIO

from hub.assessment.beats import plausible
from hub.assessment.rhythm import (
    Interval,
    JudgedWindow,
    RhythmModel,
    Window,
    judge,
    quality,
    together,
    windows,
)
from hub.tables.cells import NOTHING, Account, Remark, number
from hub.tables.csv_text import Row, Table, text_of

PATIENT, INTERVAL, AT = "patient", "rr_ms", "at"

OF_WINDOWS = (PATIENT, "window", "first_beat", "beats", "quality", "af_probability", "finding")
OF_DAYS = (
    *(PATIENT, "day", "beats", "windows", "good", "irregular"),
    *("af_probability", "mean_probability", "finding"),
)
"""The columns of what is written."""

_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)  # where there are no times
_LONGEST_MS = 86_400_000.0  # a day


@dataclass(slots=True)
class _Run:
    """Intervals one after the other: the number of the first, and of each how long it was and when it ended.

    Times are seconds since 1970; there are none where the table has none.
    """

    first: int
    milliseconds: array[float] = field(default_factory=lambda: array("d"))
    ended: array[float] = field(default_factory=lambda: array("d"))


@dataclass(slots=True)
class _Person:
    """All intervals of a person, and what the next one hangs on."""

    runs: list[_Run] = field(default_factory=list)
    rows: int = 0
    broken: bool = True


class Numbered(NamedTuple):
    """A judged window of a person: its number and its first interval's, both counted from 1."""

    number: int
    first_beat: int
    judged: JudgedWindow


class Beats:
    """All intervals of a table, by person, in the order in which people first come up.

    A row without a readable interval (or time, where the table has times) is none, and ends its run: what
    stands on either side of it are no neighbours. So does a time before that of the row before it.

    Raises:
        TableError: `patient` or `rr_ms` is not there, a column is there twice, a row cannot be read.
    """

    def __init__(self, table: Table, account: Account) -> None:
        self._account = account
        self._people: dict[str, _Person] = {}
        self.rows = 0
        patient, interval = table.needed(PATIENT), table.needed(INTERVAL)
        at = table.position(AT)
        self.timed = at is not None
        for row in table:
            if row.cells:
                self.rows += 1
                self._take(
                    row, row.cells[patient], row.cells[interval], None if at is None else row.cells[at]
                )

    @property
    def people(self) -> Sequence[str]:
        """Whose intervals there are."""
        return tuple(self._people)

    def judged(self, person: str, model: RhythmModel | None) -> Iterator[Numbered]:
        """The windows of a person, oldest first; without a model none has a probability."""
        count, clock = 0, _BEGIN
        for run in self._people[person].runs:
            intervals = list(_timed(run, clock))
            first = run.first
            for window in windows(intervals):
                count += 1
                yield Numbered(count, first, _judged(window, model))
                first += len(window.intervals_ms)
            clock = intervals[-1].ended

    def _take(self, row: Row, patient: str, interval: str, at: str | None) -> None:
        if not patient.strip():
            self._account.note(PATIENT, Remark.LEFT_OUT, row, patient)
            return
        person = self._people.setdefault(patient, _Person())
        person.rows += 1
        milliseconds = self._milliseconds(row, interval)
        ended = None if at is None else self._seconds(row, at)
        if milliseconds is None or (at is not None and ended is None):
            person.broken = True
            return
        if ended is not None and person.runs and ended < person.runs[-1].ended[-1]:
            self._account.note(AT, Remark.BACKWARDS, row, at or "")
            person.broken = True
        if person.broken:
            person.runs.append(_Run(person.rows))
            person.broken = False
        person.runs[-1].milliseconds.append(milliseconds)
        if ended is not None:
            person.runs[-1].ended.append(ended)

    def _milliseconds(self, row: Row, text: str) -> float | None:
        found = number(text)
        if isinstance(found, Remark):
            self._account.note(INTERVAL, found, row, text)
            return None
        if found is None or plausible(found):
            return found
        self._account.note(INTERVAL, Remark.NO_HEARTBEAT, row, text)
        return found if 0 < found <= _LONGEST_MS else None

    def _seconds(self, row: Row, text: str) -> float | None:
        if text.strip().lower() in NOTHING:
            return None
        try:
            found = datetime.fromisoformat(text.strip())
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            self._account.note(AT, Remark.UNREADABLE, row, text)
            return None


def write_windows(beats: Beats, model: RhythmModel | None, out: TextIO) -> None:
    """One row for each window, person after person."""
    out.write(f"{text_of(OF_WINDOWS)}\n")
    for person in beats.people:
        for window in beats.judged(person, model):
            judged = window.judged
            cells = (
                *(person, str(window.number), str(window.first_beat), str(judged.quality.beats)),
                *(f"{judged.quality.share:.3f}", _digits(judged.probability), _finding(judged, model)),
            )
            out.write(f"{text_of(cells)}\n")


def write_days(beats: Beats, model: RhythmModel | None, out: TextIO) -> None:
    """One row for each day of a person: of the calendar (UTC) where there are times, else of 24 hours."""
    out.write(f"{text_of(OF_DAYS)}\n")
    for person in beats.people:
        in_time = sorted((each.judged for each in beats.judged(person, model)), key=lambda each: each.began)
        for day, found in groupby(in_time, lambda each: each.began.date()):
            all_judged = list(found)
            # Without a model nothing is irregular, since nothing has a probability: any threshold does.
            finding = judge(all_judged, 1.0 if model is None else model.threshold)
            known = [each.probability for each in all_judged if each.probability is not None]
            cells = (
                *(person, _day(day, beats.timed), str(sum(each.quality.beats for each in all_judged))),
                *(str(finding.windows), str(finding.good), str(finding.irregular)),
                *(_digits(finding.probability), _digits(together(known))),
                finding.words if model else "",
            )
            out.write(f"{text_of(cells)}\n")


def _timed(run: _Run, clock: datetime) -> Iterator[Interval]:
    """The intervals with their times; where there are none they follow on one another from `clock` on."""
    if run.ended:
        for milliseconds, ended in zip(run.milliseconds, run.ended, strict=True):
            yield Interval(datetime.fromtimestamp(ended, UTC), milliseconds)
        return
    for milliseconds in run.milliseconds:
        clock += timedelta(milliseconds=milliseconds)
        yield Interval(clock, milliseconds)


def _judged(window: Window, model: RhythmModel | None) -> JudgedWindow:
    if model is not None:
        return model.judged(window)
    return JudgedWindow(window.began, window.ended, quality(window.intervals_ms), None)


def _finding(judged: JudgedWindow, model: RhythmModel | None) -> str:
    if judged.quality.doubts:
        return "; ".join(judged.quality.doubts)
    if model is None or judged.probability is None:
        return ""
    return "irregular" if judged.probability >= model.threshold else "not irregular"


def _digits(probability: float | None) -> str:
    return "" if probability is None else f"{probability:.9g}"


def _day(day: date, timed: bool) -> str:
    return day.isoformat() if timed else str((day - _BEGIN.date()).days + 1)
