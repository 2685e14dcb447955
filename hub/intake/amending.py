"""What is done where the clock is set for the first time in a boot, beside telling times anew.

Who was assessed in this boot was assessed without what had been measured before the machine was off, since
nobody knew how long ago that was. Now it is known, and nobody may have to wait for the next reading: each is
assessed once more (`Assessing.assess_anew`).

And what the ICS was told in this boot has times that were wrong by as much as the clock was. What still waits
is made when it is sent, and is right; of what was sent, amendments are told (`amend`): of each alert that was
raised or changed, and of the observation sets. They are numbers in the outbox too, and are made when they are
sent (`AmendingTeller`), so that one that waits for long takes nothing back that was told since. Raw readings
and summaries are not amended.
"""

from __future__ import annotations

import logging
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from hub.alerts.book import AUDITED, AlertBook, alert_of
from hub.assessment import news2
from hub.assessment.news2 import OxygenScale
from hub.clock import STEP, ClockQuality, ClockStamp, Step
from hub.intake.following_the_clock import alert_stamps
from hub.store.audit import history
from hub.store.encoding import CLOCK_QUALITY_NUMBERS
from hub.store.errors import is_fault_of_database
from hub.store.outbox import CannotBeToldError
from hub.store.ownership import withdrawn_assessment
from hub.store.recent_sets import StoredSet
from hub.store.rows import SELECT_ALERT, SELECT_ASSESSMENT, AlertRow, AssessmentRow, assessment_by_number
from hub.store.steps import steps_of
from hub.store.transaction import Transaction
from hub.telling.teller import KeptReadings, Teller, alert_alone, assessment_of, worth_telling
from hub.timekeeping.correction import corrected, retold
from hub.uplink.cloudevents import Event
from hub.uplink.contract import Channel
from hub.uplink.feed import (
    amended_alert_event,
    amended_observation_event,
    withdrawn_observation_event,
)

_log = logging.getLogger(__name__)

MOST_ALERTS = 100
MOST_SETS = 200
"""So many are amended at the most, the newest; the trail says how many were not."""

_LOOKED_AT = 5_000  # of the newest assessments, and entries of the trail
_UNDER_WAY = (
    2_000  # rows of the outbox that may be on their way to the broker, or arrived and not yet removed
)
_CHANGES = {noted.value: change for change, noted in AUDITED.items()}

Each = TypeVar("Each")


def each_alone(transaction: Transaction, them: Iterable[Each], work: Callable[[Each], bool]) -> int:
    """Do a piece of work for each; return for how many it did anything.

    Where it raises for one, that is undone and logged, and the others go on: the step of the clock must be
    followed whatever becomes of what follows from it. A fault of the card is raised on, as the writer needs.
    """
    return sum(_alone(transaction, each, work) for each in them)


def _alone(transaction: Transaction, one: Each, work: Callable[[Each], bool]) -> bool:
    transaction.begin_piece()
    try:
        done = work(one)
        transaction.keep_piece()
    except Exception as error:
        if is_fault_of_database(error):
            raise
        transaction.undo_piece()
        # Not the error itself: its text could quote what is in a row.
        _log.error("after the clock was set: one could not be regarded (%s)", type(error).__name__)
        return False
    return done


@dataclass(frozen=True, slots=True)
class _Boot:
    """A boot whose clock was set for the first time: which times of it were wrong, and are known now."""

    id: uuid.UUID
    steps: tuple[Step, ...]

    def was_wrong(self, at: datetime, stamp: ClockStamp) -> bool:
        """Whether a time was told wrongly, by more than nobody minds."""
        return abs(corrected(at, stamp, self.steps)[0] - at) > STEP


def amend(transaction: Transaction, book: AlertBook, step: Step, *, sets: bool) -> dict[str, int]:
    """Have amended what the ICS was told before this first step of a boot; return how many of what.

    Args:
        sets: whether it is told of observation sets.
    """
    boot = _Boot(step.at.boot, tuple(each for each in transaction.steps if each.at.boot == step.at.boot))
    counts: dict[str, int] = {}
    parts = [_amend_alerts, *([_amend_sets] if sets else [])]
    each_alone(transaction, parts, lambda part: part(transaction, book, boot, counts))
    return counts


def _amend_alerts(transaction: Transaction, book: AlertBook, boot: _Boot, counts: dict[str, int]) -> bool:
    found = list(_changed_alerts(transaction.connection, boot))
    amended = each_alone(
        transaction, found[:MOST_ALERTS], lambda each: _amend_alert(transaction, book, boot, *each)
    )
    counts |= {"alerts amended": amended, "alerts not amended": len(found[MOST_ALERTS:])}
    return True


def _amend_sets(transaction: Transaction, _book: AlertBook, boot: _Boot, counts: dict[str, int]) -> bool:
    told = _told_sets(transaction.connection, boot)
    channel = Channel.AMENDED_OBSERVATION
    for assessment in told[:MOST_SETS]:
        transaction.tell_assessment(channel.priority, channel, assessment)
    amended, others = len(told[:MOST_SETS]), len(told[MOST_SETS:])
    counts |= {"observation sets amended": amended, "observation sets not amended": others}
    return True


def _changed_alerts(connection: sqlite3.Connection, boot: _Boot) -> Iterator[tuple[uuid.UUID, int]]:
    """The alerts of which something was told wrongly in this boot, the newest first; and the number in the
    trail of the newest such change."""
    names = ", ".join("?" * len(_CHANGES))
    rows = connection.execute(
        "SELECT subject, max(sequence) AS newest FROM audit"
        " WHERE sequence > (SELECT max(sequence) FROM audit) - ? AND boot = ? AND clock = ?"
        f" AND what IN ({names}) AND length(subject) = 16 GROUP BY subject ORDER BY newest DESC",
        (_LOOKED_AT, boot.id.bytes, ClockQuality.NOT_YET.value, *_CHANGES),
    )
    return ((uuid.UUID(bytes=subject), newest) for subject, newest in rows)


def _amend_alert(
    transaction: Transaction, book: AlertBook, boot: _Boot, alert_id: uuid.UUID, number: int
) -> bool:
    alert = book.alert(transaction, alert_id)
    entries = {entry.sequence: entry for entry in history(transaction.connection, alert_id)}
    if alert is None or not boot.was_wrong(entries[number].at, entries[number].stamp):
        return False
    stamps = alert_stamps(transaction, alert)
    if not alert.open and stamps is not None:
        # An open one was put right as the step was followed.
        book.remember(transaction, retold(alert, stamps, boot.steps))
    channel = Channel.AMENDED_ALERT
    transaction.tell_assessment(channel.priority, channel, number)  # it too is told by its number
    return True


def _told_sets(connection: sqlite3.Connection, boot: _Boot) -> list[int]:
    """The assessments of this boot that were told with a time that was wrong, the newest first.

    What was told is not noted: it is found by the rule by which it was. Where there was more than is looked
    at, or the clock was set before by hand, one may be among them that was not told: it says nothing wrong.
    """
    rows = connection.execute(
        f"{SELECT_ASSESSMENT} WHERE a.sequence > (SELECT max(sequence) FROM assessment) - ?"
        " AND b.id = ? AND r.clock = ? ORDER BY a.sequence",
        (_LOOKED_AT, boot.id.bytes, CLOCK_QUALITY_NUMBERS[ClockQuality.NOT_YET]),
    )
    newest: dict[str, StoredSet] = {}
    told: list[int] = []
    for columns in rows:
        try:
            row = AssessmentRow.of(columns)
            score = news2.score(row.values, OxygenScale(row.scale))
            was_wrong = _was_wrong(boot, row)
        except (ValueError, TypeError, LookupError, OverflowError):
            continue  # damaged: it cannot be told of
        before = newest.get(row.resident)
        if worth_telling(before, row.at, score, row.measured) and was_wrong:
            told.append(row.sequence)
        if row.is_of_a_score and (before is None or before.at <= row.at):
            newest[row.resident] = StoredSet(row.at, row.sequence, row.scale, row.values)
    waiting = _waiting(connection)
    return [number for number in reversed(told) if number not in waiting]


def _was_wrong(boot: _Boot, row: AssessmentRow) -> bool:
    return (
        row.received_at is not None and row.stamp is not None and boot.was_wrong(row.received_at, row.stamp)
    )


def _waiting(connection: sqlite3.Connection) -> set[int]:
    """The newest assessments that wait to be told, and surely are not on their way yet."""
    rows = connection.execute(
        "SELECT first FROM outbox WHERE channel = ?1 AND first > (SELECT max(sequence) FROM assessment) - ?2"
        " AND sequence > coalesce((SELECT sequence FROM outbox WHERE channel = ?1 AND first IS NOT NULL"
        " ORDER BY sequence LIMIT 1 OFFSET ?3), 1 << 62)",
        (Channel.OBSERVATION, _LOOKED_AT, _UNDER_WAY - 1),
    )
    return {number for (number,) in rows}


class AmendingTeller(Teller):
    """Makes the events that outbox rows refer to, amendments too."""

    def _made(self, connection: sqlite3.Connection, channel: str, first: int, last: int) -> Event:
        match channel:
            case Channel.AMENDED_OBSERVATION:
                if (withdrawn := withdrawn_assessment(connection, first)) is not None:
                    return self._withdrawn(connection, *withdrawn)
                return amended_observation_event(self._identity, self._assessment(connection, first))
            case Channel.AMENDED_ALERT:
                return self._amended_alert(connection, first)
            case _:
                return super()._made(connection, channel, first, last)

    def _withdrawn(self, connection: sqlite3.Connection, row: AssessmentRow, entry: int) -> Event:
        """What was said of somebody by a reading that was not theirs, as that entry of the trail says."""
        said = connection.execute("SELECT subject FROM audit WHERE sequence = ?", (entry,)).fetchone()
        if said is None:
            raise CannotBeToldError(f"entry {entry} of the trail, which withdrew it, is no longer kept")
        readings = KeptReadings(connection, self._rule, before_entry=entry)
        assessment = assessment_of(readings, row)
        return withdrawn_observation_event(self._identity, assessment, uuid.UUID(bytes=said[0]))

    def _amended_alert(self, connection: sqlite3.Connection, number: int) -> Event:
        """The alert of an entry of the trail as it is now, and the last change of it."""
        row = connection.execute(
            f"{SELECT_ALERT} WHERE id = (SELECT subject FROM audit WHERE sequence = ?)", (number,)
        ).fetchone()
        if row is None:
            raise CannotBeToldError(f"the alert of entry {number} of the trail is no longer kept")
        kept = AlertRow.of(row)
        alert = alert_of(kept)
        last = [entry for entry in history(connection, kept.id) if entry.what in _CHANGES][-1]
        assessment = assessment_by_number(connection, kept.assessment)
        readings = KeptReadings(connection, self._rule)
        tell = last.detail.get("tell")
        return amended_alert_event(
            self._identity,
            _CHANGES[last.what],
            alert,
            corrected(last.at, last.stamp, steps_of(connection, last.stamp.boot))[0],
            alert_alone(alert) if assessment is None else assessment_of(readings, assessment),
            entry_number=number,
            tell=tell if isinstance(tell, str) else None,
        )
