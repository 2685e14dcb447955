"""A person says whose a reading is: it is assigned or discarded where it was nobody's, and corrected where
it was given to the wrong resident.

**Assigned**, it is that resident's as if it came late: measured then, known of them now. It is assessed at
the moment of its measurement, and with what was measured since where it belongs to that; it may raise an
alert up to `observation_sets.late` after it was measured.

**Corrected**, it is taken from the one and given to the other, or to nobody, in one transaction, with all
that came of it. Of the one whose it was not:

- what is measured of late and the observation sets in memory are without it;
- assessments that rested on it are withdrawn (`hub/store/ownership.py`). Those that other readings
  completed are formed anew without it, as far as is known today;
- the ICS is told that what it was told is in error, and what is so instead;
- their alerts follow (`hub/attribution/alerts_corrected.py`).

Both versions of each score are in the trail. What a person cannot say is never guessed: a reading of which
nobody knows how old it is changes its owner, and is not assessed.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from drivers.catalogue import driver
from drivers.driver import DecodeError
from drivers.stretch import StretchError, payloads
from hub.alerts.concern import concern_of
from hub.alerts.life import Outcome
from hub.assessment.news2 import OxygenScale
from hub.assessment.stream import Sample, medians
from hub.attribution import trail as reading_trail
from hub.attribution.alerts_corrected import AlertsCorrected, Correction
from hub.configuration.file import Config, Resident
from hub.errors import CareportError
from hub.intake.assessing import Taken
from hub.intake.following_the_clock import ClockFollower
from hub.intake.intake import Intake
from hub.readings import Measurement, Reading
from hub.residents.register import Register
from hub.store.ownership import (
    DISCARDED,
    UNREADABLE,
    forget_rhythm,
    moments_of_sets,
    note_withdrawal,
    reading_by_id,
    resting_on,
    set_discarded,
    set_owner,
    withdraw,
)
from hub.store.rows import AssessmentRow, StoredReading
from hub.store.transaction import Transaction
from hub.timekeeping.present import Place
from hub.trail import Moment
from hub.uplink.contract import Channel

_MOST_NOTED = 50
"""Scores in one entry of the trail: a reading of a stream, or one that many sets of a stream had, has
more."""


class ReassignmentError(CareportError):
    """Whose a reading is cannot be said so; the words are for who said it. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Became:
    """What came of what a person said: the readings that changed, whose they are now, what it did to that
    resident's alert, their score in words, and how many scores of another were withdrawn."""

    readings: tuple[uuid.UUID, ...]
    words: str
    resident: str | None = None
    outcome: Outcome | None = None
    score: str | None = None
    withdrawn: int = 0

    def data(self) -> Mapping[str, object]:
        """For the control socket."""
        return {
            "readings": [str(each) for each in self.readings],
            "resident": self.resident,
            "outcome": None if self.outcome is None else self.outcome.value,
            "score": self.score,
            "withdrawn": self.withdrawn,
            "words": self.words,
        }


class Reassignment:
    """Whose a reading is, as people say it; each act is a piece of work for the store's writer."""

    def __init__(
        self,
        config: Config,
        register: Register,
        intake: Intake,
        follower: ClockFollower,
        alerts: AlertsCorrected,
    ) -> None:
        self._register = register
        self._assessing = intake.assessing
        self._follower = follower
        self._alerts = alerts
        self._tells_sets = config.publish.observation
        self._stream_over: timedelta = config.observation_sets.stream

    def assign(
        self, transaction: Transaction, readings: Sequence[uuid.UUID], resident_id: str, by: str
    ) -> Became:
        """Readings that are nobody's are this resident's: all of them, or none. One that is theirs already
        stays so: two people may say the same.

        Raises:
            UnknownResidentError, NotWatchedError: nothing can be theirs.
            ReassignmentError: one is not known, is somebody else's, or can be nobody's.
        """
        self._follower.follow(transaction)
        resident = self._register.watched_resident(resident_id)
        found = [self._found(transaction, each) for each in readings]
        new = [each for each in found if each.placed.resident != resident.id]
        for each in new:
            if each.placed.resident is not None:
                raise ReassignmentError(
                    "A reading was given to somebody else meanwhile. Nothing was changed. Load the page anew;"
                    " if it was wrong, a senior can correct it"
                )
            self._refuse_what_cannot_be_theirs(transaction, each, resident)
        if not new:
            return Became((), "It was theirs already. Nothing was changed", resident.id)
        became: list[Taken] = []
        for each in sorted(new, key=lambda each: (each.place.measured_at, each.sequence)):
            transaction.audit(
                reading_trail.reading_assigned(self._now(), each.placed.reading.id, resident.id, by)
            )
            became += self._give(transaction, each, resident)
        ids = tuple(each.placed.reading.id for each in new)
        many = "The reading is" if len(ids) == 1 else f"{len(ids)} readings are"
        return _said(ids, f"{many} theirs now", resident.id, became)

    def discard(
        self, transaction: Transaction, readings: Sequence[uuid.UUID], reason: str, by: str
    ) -> Became:
        """Readings that are nobody's wait for nobody any more: all of them, or none. They are kept, and can
        be assigned all the same.

        Raises:
            ReassignmentError: one is not known, or is somebody's.
        """
        found = [self._found(transaction, each) for each in readings]
        if any(each.placed.resident is not None for each in found):
            raise ReassignmentError(
                "A reading was given to somebody meanwhile, and cannot be discarded. Nothing was changed."
                " Load the page anew"
            )
        new = [each for each in found if each.placed.reading.problem != DISCARDED]
        for each in new:
            if each.placed.reading.problem is not None:
                raise ReassignmentError("A reading could not be read at all. It waits for nobody")
            transaction.audit(
                reading_trail.reading_discarded(self._now(), each.placed.reading.id, reason, by)
            )
            set_discarded(transaction.connection, each.sequence)
        ids = tuple(each.placed.reading.id for each in new)
        many = "The reading is" if len(ids) == 1 else f"{len(ids)} readings are"
        return Became(ids, f"{many} discarded" if ids else "It was discarded already")

    def correct(
        self,
        transaction: Transaction,
        reading: uuid.UUID,
        resident_id: str | None,
        reason: str,
        by: str,
        said_of: str | None = None,
    ) -> Became:
        """A reading is not whose it was said to be, but this resident's, or nobody's (None).

        `said_of` is whose it was when the person looked, if that is known: what somebody else has put right
        since is not undone by a page of before.

        Raises:
            UnknownResidentError, NotWatchedError: nothing can be theirs.
            ReassignmentError: it is not known, is nobody's, or is theirs already; it is somebody else's than
                `said_of`; or it is no measurement.
        """
        self._follower.follow(transaction)
        stored = self._found(transaction, reading)
        was = stored.placed.resident
        if was is None:
            raise ReassignmentError(
                "The reading is nobody's by now. Nothing was changed. Assign it from the tray"
            )
        if was == resident_id:
            raise ReassignmentError("The reading is theirs already. Nothing was changed")
        if said_of not in (None, was):
            raise ReassignmentError(
                "The reading was given to somebody else meanwhile. Nothing was changed. Load the page anew,"
                " and look whose it is now"
            )
        if concern_of(stored.placed.reading) is not None:
            raise ReassignmentError(
                "A concern cannot be given to somebody else. Settle it in its alert, and say the concern anew"
                " for whom it is about"
            )
        resident = None if resident_id is None else self._register.watched_resident(resident_id)
        if resident is not None:
            self._refuse_what_cannot_be_theirs(transaction, stored, resident)
        correction = self._taken_away(transaction, stored, was, resident, reason, by)
        alerts = self._alerts.follow(transaction, correction)
        became = [] if resident is None else self._give_owned(transaction, stored, resident)
        whose = "nobody's now, and waits in the tray" if resident is None else "theirs now"
        words = f"The reading is {whose}"
        if correction.withdrawn:
            words += f". Of the other, {_many(len(correction.withdrawn), 'score')} withdrawn"
        said = _said((reading,), f"{words}. {alerts}" if alerts else words, resident_id, became)
        return replace(said, withdrawn=len(correction.withdrawn))

    def _taken_away(
        self,
        transaction: Transaction,
        stored: StoredReading,
        was: str,
        resident: Resident | None,
        reason: str,
        by: str,
    ) -> Correction:
        """Take a reading from whom it was not of, with all that was said by it; alerts are left."""
        affected = resting_on(transaction.connection, was, stored.sequence)
        correction = self._alerts.begin(transaction, was, stored, affected, by)
        self._change_owner(transaction, stored, None if resident is None else resident.id)
        if stored.placed.reading.stretch is not None:
            forget_rhythm(transaction.connection, stored)
        withdraw(transaction.connection, [row.sequence for row in affected])
        transaction.recent.load_sets_anew(was)
        told = Channel.AMENDED_OBSERVATION
        for row in affected:
            if self._tells_sets or row.sequence in correction.told_with_alerts:
                transaction.tell_assessment(told.priority, told, row.sequence)
        formed = {
            row.sequence: number
            for row in affected
            if row.reading != stored.sequence
            and (number := self._form_anew(transaction, row, was)) is not None
        }
        correction = correction.with_formed(transaction, formed)
        scores = [_both(row, correction.formed.get(row.sequence)) for row in affected[:_MOST_NOTED]]
        owner = None if resident is None else resident.id
        entry = transaction.audit(
            reading_trail.reading_corrected(
                self._now(), stored.placed.reading.id, was, owner, reason, by, scores, len(affected)
            )
        )
        note_withdrawal(transaction.connection, entry.sequence)
        return correction

    def _form_anew(self, transaction: Transaction, row: AssessmentRow, was: str) -> int | None:
        listed = self._register.find(was)
        if listed is None:
            return None
        try:
            then = listed.model_copy(update={"oxygen_scale": OxygenScale(row.scale)})
            return self._assessing.form_anew(transaction, row, then)
        except UNREADABLE:
            return None  # damaged: what else there was of it is not known any more

    def _give(self, transaction: Transaction, stored: StoredReading, resident: Resident) -> Sequence[Taken]:
        self._change_owner(transaction, stored, resident.id)
        return self._give_owned(transaction, stored, resident)

    def _give_owned(
        self, transaction: Transaction, stored: StoredReading, resident: Resident
    ) -> Sequence[Taken]:
        now_theirs = transaction.reading(stored.sequence)
        assert now_theirs is not None, "it was just changed"
        measured_at = _place(transaction, now_theirs).measured_at
        since = moments_of_sets(transaction.connection, transaction.present, resident.id, measured_at)
        return self._assessing.give(transaction, now_theirs, resident, since)

    def _change_owner(self, transaction: Transaction, stored: StoredReading, owner: str | None) -> None:
        placed, present = stored.placed, transaction.present
        observed = placed.observed
        if observed == () and placed.reading.stretch is not None:
            observed = observed_of(placed.reading, self._stream_over)
        set_owner(transaction.connection, stored.sequence, owner, observed)
        if placed.resident is not None:
            transaction.recent.take_out(placed.resident, stored.sequence)
        place = stored.place
        if present is not None:
            known = present.place(placed.reading, placed.stamp, place)
            if known is None:
                return  # nobody knows how long ago it was: it is in no window
            place = known
        transaction.recent.add(stored.sequence, replace(placed, resident=owner, observed=observed), place)

    def _found(self, transaction: Transaction, known_by: uuid.UUID) -> StoredReading:
        try:
            found = reading_by_id(transaction.connection, known_by)
        except UNREADABLE:
            found = None  # damaged: its text could quote what is in the row
        if found is None:
            raise ReassignmentError(
                "A reading is not kept here (any more). Nothing was changed. Load the page anew"
            )
        return found

    def _refuse_what_cannot_be_theirs(
        self, transaction: Transaction, stored: StoredReading, resident: Resident
    ) -> None:
        reading = stored.placed.reading
        if reading.of_the_room:
            raise ReassignmentError("A reading is of a room: it can be nobody's. Nothing was changed")
        if reading.problem not in (None, DISCARDED):
            raise ReassignmentError(
                "A reading could not be read: it says nothing of anybody. Nothing was changed"
            )
        since = self._register.watched_since(resident.id)
        # By a clock that is behind that moment nothing can be told: whoever says that it is theirs knows.
        now = self._follower.clock.now()
        if since is not None and _place(transaction, stored).measured_at < since <= now:
            raise ReassignmentError(
                "A reading was measured before they were here, or agreed to it. Nothing was changed."
                " Discard it, or give it to whom it is of"
            )

    def _now(self) -> Moment:
        return Moment(self._follower.clock.now(), self._follower.clock.stamp())


def _place(transaction: Transaction, stored: StoredReading) -> Place:
    """A reading's place in time by the present clock; as it was told, where its age is not known."""
    placed, present = stored.placed, transaction.present
    found = None if present is None else present.place(placed.reading, placed.stamp, stored.place)
    return found or stored.place


def observed_of(reading: Reading, over: timedelta) -> tuple[Measurement, ...]:
    """What observation sets may take from a stretch that nothing was observed of, since it was nobody's: by
    the rule of `hub/assessment/stream.py`, of its own samples. Nothing where they cannot be read."""
    try:
        samples = payloads(reading.raw)
        read = driver(reading.raw.driver).read
        said = [Sample(each.received_at, read(each).measurements) for each in samples]
    except (StretchError, DecodeError, LookupError, ValueError):
        return ()
    return medians(said, reading.raw.received_at, over)


def _both(row: AssessmentRow, formed: AssessmentRow | None) -> Mapping[str, object]:
    """A score as it was said, and as it is."""
    return {
        "assessment": row.sequence,
        "at": row.at.isoformat(),
        "was": {"total": row.total, "band": row.band},
        "is": None if formed is None else {"total": formed.total, "band": formed.band},
    }


def _said(
    readings: tuple[uuid.UUID, ...], words: str, resident: str | None, became: Iterable[Taken]
) -> Became:
    """With what came of the last reading that was scored; a raised alert is never left unsaid."""
    scored = [each for each in became if each.score is not None]
    if not scored:
        unscored = words if resident is None else f"{words}. It changes no score"
        return Became(readings, unscored, resident)
    last = scored[-1]
    outcomes = [each.outcome for each in scored]
    outcome = next((each for each in _CALLING if each in outcomes), last.outcome)
    return Became(
        readings, f"{words}. {last.words}{_OUTCOMES.get(outcome, '')}", resident, outcome, last.words
    )


_CALLING = (Outcome.SUPERSEDED, Outcome.RAISED, Outcome.TOO_LATE)
_OUTCOMES: Mapping[Outcome | None, str] = {
    Outcome.RAISED: ". An alert is raised",
    Outcome.SUPERSEDED: ". A new alert is raised",
    Outcome.TOO_LATE: ". It was measured too long ago to raise an alert: look at them now",
}


def _many(count: int, what: str) -> str:
    return f"{count} {what} is" if count == 1 else f"{count} {what}s are"
