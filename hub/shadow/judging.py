"""A model judged by what happened: its history beside a list of events, and a recalibration made of both.

Pure but for reading the list. A set is followed by an event where one of the same resident came within the
horizon after it. Only sets of which that can be known are judged: those whose horizon the list covers, and
whose time the hub knew.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import TextIO

import numpy

from hub.assessment.recalibration import Recalibration, RecalibrationError, expected_calibration_error, fit
from hub.clock import ClockQuality
from hub.errors import CareportError
from hub.store.scores import Score

LEAST_EVENTS = 20
"""Events before which there was a set; fewer, and a slope would say more of chance than of this home. Our own
choice, and few: a hundred would be well (Vergouwe et al. 2005, doi:10.1016/j.jclinepi.2004.06.017)."""

PARTS = 5
"""Into how many parts residents are divided, to see how it does on people it was not made of."""

_COLUMNS_OF_WHO = ("resident", "patient")
_COLUMN_OF_WHEN = "time"


class OutcomesError(CareportError):
    """A list of events that cannot be used; the message says why, and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Something happened to a resident (aware)."""

    resident: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Judged:
    """A set, and whether an event followed it; `risk` is the model's own probability."""

    resident: str
    risk: float
    happened: bool


@dataclass(frozen=True, slots=True)
class History:
    """What can be judged. `events` had a set before them; `without_a_set` had none, and `of_nobody` are of
    residents of whom there is no set at all. `undated` sets were formed before the hub's clock was set."""

    judged: tuple[Judged, ...]
    events: int
    without_a_set: int
    of_nobody: int
    undated: int = 0


@dataclass(frozen=True, slots=True)
class CrossChecked:
    """How a recalibration does on residents that it was not fitted on: expected calibration error, 0 to 1."""

    before: float
    after: float


def outcomes_of(file: TextIO, zone: tzinfo) -> tuple[Outcome, ...]:
    """The events of a CSV file: a column "resident" (or "patient") and a column "time" (ISO 8601).

    A time without a zone is one of the home's own clock (`zone`).

    Raises:
        OutcomesError: a column is missing, or a row cannot be read.
    """
    reader = csv.DictReader(file)
    try:
        columns = reader.fieldnames or ()
        who = next((name for name in _COLUMNS_OF_WHO if name in columns), None)
        if who is None or _COLUMN_OF_WHEN not in columns:
            raise OutcomesError(
                'the first line must name the columns, "resident" (or "patient") and "time" among them'
            )
        return tuple(_outcome(row, who, zone, reader.line_num) for row in reader)
    except csv.Error as error:
        raise OutcomesError(f"is no CSV file: line {reader.line_num}: {error}") from error
    except UnicodeDecodeError as error:
        raise OutcomesError("is no CSV file in UTF-8") from error


def _outcome(row: Mapping[str, str | None], who: str, zone: tzinfo, line: int) -> Outcome:
    resident = (row[who] or "").strip()
    if not resident:
        raise OutcomesError(f'line {line}: there is nothing in the column "{who}"')
    text = (row[_COLUMN_OF_WHEN] or "").strip()
    try:
        at = None if _is_a_day(text) else datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None:  # a day alone would be its midnight, and the sets of that day after the event
        raise OutcomesError(f'line {line}: give the time as "2026-03-01T14:30" or with its zone')
    return Outcome(resident, at if at.tzinfo is not None else at.replace(tzinfo=zone))


def _is_a_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def judge(
    scores: Iterable[Score],
    outcomes: Collection[Outcome],
    horizon: timedelta,
    *,
    since: datetime | None,
    until: datetime,
) -> History:
    """Each set that can be judged, with whether an event followed it within the horizon.

    Args:
        scores: of one model, in any order.
        since: from when on the list has all events; None: from before the first set.
        until: up to when it has them.
    """
    of: dict[str, list[datetime]] = {}
    for outcome in outcomes:
        of.setdefault(outcome.resident, []).append(outcome.at)
    judged: list[Judged] = []
    preceded: set[Outcome] = set()
    known: set[str] = set()
    undated = 0
    for score in scores:
        known.add(score.resident)
        if score.clock is ClockQuality.NOT_YET:
            undated += 1
            continue
        if (since is not None and score.at < since) or score.at + horizon > until:
            continue
        events = [at for at in of.get(score.resident, ()) if score.at < at <= score.at + horizon]
        preceded.update(Outcome(score.resident, at) for at in events)
        judged.append(Judged(score.resident, score.risk, bool(events)))
    distinct = set(outcomes)
    strangers = {each for each in distinct if each.resident not in known}
    without_a_set = len(distinct - preceded - strangers)
    return History(tuple(judged), len(preceded), without_a_set, len(strangers), undated)


def recalibrated(
    history: History, *, model_sha256: str, at: datetime, by: str
) -> tuple[Recalibration, CrossChecked]:
    """The recalibration that a history gives, and how one does on residents that it was not made of.

    Raises:
        RecalibrationError: too few events, or the events are of too few residents to tell; or on residents
            left out the probabilities are no better for it.
    """
    if history.events < LEAST_EVENTS:
        raise RecalibrationError(
            f"{history.events} event(s) with a set before them: at least {LEAST_EVENTS} are needed, or the"
            " recalibration would be made of chance. Keep gathering; the model's own probabilities stay"
        )
    made = fit(
        [each.risk for each in history.judged],
        [each.happened for each in history.judged],
        model_sha256=model_sha256,
        at=at,
        by=by,
    )
    checked = _cross_checked(history.judged, model_sha256=model_sha256, at=at, by=by)
    if checked.after >= checked.before:
        raise RecalibrationError(
            f"on residents left out the expected calibration error is {checked.before:.3f} without a"
            f" recalibration and {checked.after:.3f} with one: it is no better. The model's own stay"
        )
    return made, checked


def _cross_checked(judged: Sequence[Judged], *, model_sha256: str, at: datetime, by: str) -> CrossChecked:
    residents = sorted({each.resident for each in judged})
    parts = {resident: number % PARTS for number, resident in enumerate(residents)}
    before, after, happened = [], [], []
    for part in range(PARTS):
        others = [each for each in judged if parts[each.resident] != part]
        left_out = [each for each in judged if parts[each.resident] == part]
        if not left_out:
            continue
        try:
            made = fit(
                [each.risk for each in others],
                [each.happened for each in others],
                model_sha256=model_sha256,
                at=at,
                by=by,
            )
        except RecalibrationError as error:
            raise RecalibrationError(
                "the events are of too few residents to see how a recalibration does on others: without some"
                f" of them, {error}"
            ) from error
        before += [each.risk for each in left_out]
        after += [made.applied(each.risk) for each in left_out]
        happened += [float(each.happened) for each in left_out]
    label = numpy.array(happened)
    return CrossChecked(
        expected_calibration_error(numpy.array(before), label),
        expected_calibration_error(numpy.array(after), label),
    )
