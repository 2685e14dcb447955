"""What a resident's readings say together: the observation set, its score, the model's risk, the alert, and
the events that tell of them; in the transaction of whoever has a reading (`hub/intake/intake.py`,
`hub/attribution/reassignment.py`)."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from hub.alerts.assessed import Assessed
from hub.alerts.book import AlertBook
from hub.alerts.concern import Concern
from hub.alerts.heeding import heed_concern
from hub.alerts.life import Alert, AlertPolicy, Decision, Outcome, consider
from hub.assessment import news2
from hub.assessment.deterioration import DeteriorationModel
from hub.assessment.news2 import News2
from hub.assessment.observation_set import ObservationSet, form, taken
from hub.clock import ClockStamp
from hub.configuration.file import Config, Resident
from hub.intake.following_the_clock import ClockFollower
from hub.readings import OF_NO_SCORE, OF_THE_ROOM, Reading, Value, Vital
from hub.residents.register import age_at
from hub.shadow.risks import Budget, Risks, kept_columns
from hub.store.recent_sets import StoredSet
from hub.store.rows import AssessmentRow, StoredReading
from hub.store.transaction import Transaction
from hub.stretch import Fate
from hub.telling.teller import worth_telling as is_worth_telling
from hub.timekeeping.placed import PlacedReading
from hub.timekeeping.present import Place
from hub.timekeeping.timing import measured_at
from hub.uplink.contract import AlertChange, Channel, Identity


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a reading: whose it is, what it did to their alert, and their score in words."""

    duplicate: bool = False
    resident: str | None = None
    outcome: Outcome | None = None
    score: News2 | None = None
    questionable: frozenset[Vital] = frozenset()
    alert: uuid.UUID | None = None  # that was raised, or that somebody's concern joined
    fate: Fate | None = None  # of the stretch that it is in, where it is a sample of a stream

    @property
    def words(self) -> str | None:
        """Their score as people read it."""
        return None if self.score is None else self.score.describe(self.questionable)


@dataclass(frozen=True, slots=True)
class Source:
    """The reading that completes a set: its number, what it measured that a set may take, and its place in
    time, as told and as it is now."""

    reading: Reading
    number: int
    measured: frozenset[Vital]
    told: Place
    place: Place

    @property
    def is_scored(self) -> bool:
        """Whether a score may have anything of it: else no alert is raised by it, moved or ended."""
        return not self.measured <= OF_NO_SCORE

    def as_told(self, moment: datetime) -> datetime:
        """A moment of the present clock as the one would tell it that told when the reading was received."""
        return moment - (self.place.received_at - self.told.received_at)


@dataclass(frozen=True, slots=True)
class _Formed:
    """A set that was stored, its number, its score, and its moment as it was told."""

    number: int
    observations: ObservationSet
    score: News2
    told: datetime


class Assessing:
    """Assesses residents, each time within a transaction; whose a reading is it is told."""

    def __init__(
        self,
        config: Config,
        identity: Identity,
        model: DeteriorationModel | None,
        follower: ClockFollower,
        budget: Budget | None = None,
    ) -> None:
        """Without a `budget` no risk would alert."""
        self._follower = follower
        self._risks = Risks(model, ZoneInfo(config.site.timezone), follower.clock, budget)
        self._publish = config.publish
        self._recency = config.observation_sets
        self._longest_recency = max(
            [config.observation_sets.recent, *config.observation_sets.recent_by_vital.values()]
        )
        self._policy = AlertPolicy.of(config.alerts, config.observation_sets)
        self.book = AlertBook(identity, follower.clock)

    def places(self, transaction: Transaction, reading: Reading, stamp: ClockStamp) -> tuple[Place, Place]:
        """A reading's place in time as it was told when it was received, and as it is now."""
        moment, quality = measured_at(reading, self._follower.rule, stamp.quality)
        told = Place(reading.raw.received_at, moment, quality)
        if transaction.present is None:
            return told, told
        return told, transaction.present.place(reading, stamp, told) or told

    def regard(self, transaction: Transaction, source: Source, resident: Resident) -> Taken:
        """Assess a resident for a reading that was stored as theirs."""
        moment, newest = source.place.measured_at, transaction.newest_set(resident.id)
        became = self._assess(transaction, source, resident, moment, newest, own=True)
        # What comes late (from a sensor's memory, or after a full disk) may belong with what was measured
        # since: nothing else may be measured for hours.
        late = source.is_scored and newest is not None and newest.at > moment
        if late and newest is not None and self._belongs_to(transaction, source, resident, newest.at):
            became = self._assess(transaction, source, resident, newest.at, newest, own=False)
        return became

    def give(
        self, transaction: Transaction, stored: StoredReading, resident: Resident, since: Sequence[datetime]
    ) -> Sequence[Taken]:
        """What follows of a reading that is stored as this resident's now, and was nobody's or another's.

        As where one comes late: it was measured then, and is known of them only now. They are assessed at its
        moment, and at each `since` of which it was: what was at its worst may have passed.
        """
        source = self._source(transaction, stored)
        if source is None or not source.measured:
            return [Taken(resident=resident.id)]
        newest = transaction.newest_set(resident.id)
        moment = source.place.measured_at
        became = [self._assess(transaction, source, resident, moment, newest, own=True, known_now=True)]
        for later in since if source.is_scored else ():
            if later > moment and self._belongs_to(transaction, source, resident, later):
                formed = self._assess(transaction, source, resident, later, newest, own=False, known_now=True)
                became.append(formed)
        return became

    def _belongs_to(
        self, transaction: Transaction, source: Source, resident: Resident, moment: datetime
    ) -> bool:
        found, _ = self._observations(transaction, resident, moment)
        return any(each.reading_id == source.reading.id for each in found.observations.values())

    def heed(self, transaction: Transaction, said: Concern, source: Source, resident: Resident) -> Taken:
        """Somebody is concerned about a resident: that counts, whatever is known of them at the moment."""
        place, newest = source.place, transaction.newest_set(resident.id)
        formed = self._form(transaction, source, resident, place.measured_at, newest, own=True)
        clock = self._follower.clock.now()
        assessed = Assessed(resident.id, formed.observations, formed.score, place.received_at, clock)
        new_id = partial(_free_alert_id, transaction, source.reading.id, formed.told)
        said = replace(said, said_at=place.received_at)
        alert, raised = heed_concern(
            transaction, self.book, self._policy, said, assessed, new_id, source.number, formed.number
        )
        outcome = Outcome.RAISED if raised else Outcome.CONCERN
        return Taken(False, resident.id, outcome, formed.score, formed.observations.questionable, alert.id)

    def form_anew(self, transaction: Transaction, row: AssessmentRow, resident: Resident) -> int | None:
        """Form a set anew that had something of a reading which is not theirs, and was withdrawn; return its
        number. None where nothing is left of it, or nobody knows how old it is. No alert is decided on."""
        stored, moment = transaction.reading(row.reading), row.by(transaction.present)
        source = None if stored is None else self._source(transaction, stored)
        if source is None or moment is None:
            return None
        if row.own:
            moment = source.place.measured_at
        # As if there were none before it: what is told to be in error is told anew, whatever it says.
        return self._form(transaction, source, resident, moment, None, own=row.own).number

    def _source(self, transaction: Transaction, stored: StoredReading) -> Source | None:
        """A reading of before; None where nobody knows by now how old it is."""
        reading, told, present = stored.placed.reading, stored.place, transaction.present
        place = told if present is None else present.place(reading, stored.placed.stamp, told)
        if place is None:
            return None
        return Source(reading, stored.sequence, measured_of(stored.placed), told, place)

    def assess_anew(self, transaction: Transaction, resident: Resident, boot: uuid.UUID) -> bool:
        """Assess a resident once more at the moment of their newest set, if it was formed in this boot and a
        reading belongs to it of which that was not known then; return whether there is one.

        As where a reading comes late: it is that reading which completes the set.
        """
        newest = transaction.newest_set(resident.id)
        row = None if newest is None else transaction.assessment(newest.sequence)
        if newest is None or row is None or row.stamp is None or row.stamp.boot != boot:
            return False
        known = {number for _, number in row.observations.values()}
        found, numbers = self._observations(transaction, resident, newest.at)
        joined = [
            each
            for vital, each in found.observations.items()
            if numbers[each.reading_id] not in known and vital not in OF_NO_SCORE
        ]
        if not joined:
            return False
        number = numbers[max(joined, key=lambda each: each.measured_at).reading_id]
        stored = transaction.reading(number)
        assert stored is not None, "it was just found"
        reading, told = stored.placed.reading, stored.place
        place = transaction.present and transaction.present.place(reading, stored.placed.stamp, told)
        source = Source(reading, number, measured_of(stored.placed), told, place or told)
        self._assess(transaction, source, resident, newest.at, newest, own=False, anew=True)
        return True

    def _assess(
        self,
        transaction: Transaction,
        source: Source,
        resident: Resident,
        moment: datetime,
        before: StoredSet | None,
        *,
        own: bool,
        anew: bool = False,
        known_now: bool = False,
    ) -> Taken:
        """Assess the resident at a moment: the reading's own, or that of another.

        `before` is the newest set that there was. `anew` is where the reading was known and its age was not:
        what comes of it is known only now, and ends no alert: that is for what is measured from now on.
        `known_now` is where it was known, and not whose it is.
        """
        formed = self._form(transaction, source, resident, moment, before, own=own)
        outcome = alert = None
        if source.is_scored:
            clock = self._follower.clock.now()
            known_at = clock if anew or known_now else source.place.received_at
            assessed = Assessed(resident.id, formed.observations, formed.score, known_at, clock)
            new_id = partial(_free_alert_id, transaction, source.reading.id, formed.told)
            decision = self._alert(
                transaction, assessed, new_id, source.number, formed.number, may_end=not anew
            )
            outcome, alert = decision.outcome, None if decision.raised is None else decision.raised.id
        return Taken(
            resident=resident.id,
            outcome=outcome,
            score=formed.score,
            questionable=formed.observations.questionable,
            alert=alert,
        )

    def _form(
        self,
        transaction: Transaction,
        source: Source,
        resident: Resident,
        moment: datetime,
        before: StoredSet | None,
        *,
        own: bool,
    ) -> _Formed:
        """Form the resident's set at a moment, and store what it says."""
        told = source.told.measured_at if own else source.as_told(moment)
        its_own = source if own else None
        observations, sources = self._observations(transaction, resident, moment, its_own)
        score = news2.score(observations.values, resident.oxygen_scale)
        age = age_at(resident, moment.year)
        # A concern has measured nothing: its alert is told with what is known, and no set.
        worth_telling = bool(source.measured) and is_worth_telling(before, moment, score, source.measured)
        may_alert = score.band.rank >= self._policy.from_band.rank  # no alert is told without its reasons
        explain = worth_telling or may_alert
        risk = None
        if source.measured:  # of what a model was asked before, it is asked no second time
            risk = self._risks.of(transaction, resident.id, observations, age, explain=explain)
        assessment = transaction.add_assessment(
            resident.id,
            None if own else told,
            moment,
            source.number,
            int(resident.oxygen_scale),
            _kept(observations, sources),
            score.band.value,
            score.total,
            age,
            *kept_columns(risk),
        )
        if self._publish.observation and worth_telling:
            transaction.tell_assessment(Channel.OBSERVATION.priority, Channel.OBSERVATION, assessment)
        return _Formed(assessment, observations, score, told)

    def _observations(
        self, transaction: Transaction, resident: Resident, moment: datetime, its_own: Source | None = None
    ) -> tuple[ObservationSet, dict[uuid.UUID, int]]:
        """The observation set of a resident at a moment, and the numbers of the readings that it is of.

        What is in no score is told with the set of its own moment (`its_own`) alone: there no other that a
        meter, which tells minutes, puts at the same moment stands in its place.
        """
        found = tuple(transaction.newest_measurements(resident.id, moment - self._longest_recency, moment))
        if its_own is not None and (told_here := its_own.measured & OF_NO_SCORE):
            own = its_own.number
            found = tuple(
                (vital, each) for vital, each in found if vital not in told_here or each.reading == own
            )
        numbers = {each.observation.reading_id: each.reading for _, each in found}
        return form(((vital, each.observation) for vital, each in found), moment, self._recency), numbers

    def _alert(
        self,
        transaction: Transaction,
        assessed: Assessed,
        new_id: Callable[[], uuid.UUID],
        number: int,
        assessment: int,
        *,
        may_end: bool,
    ) -> Decision:
        open_alert = self.book.open_alert(transaction, assessed.resident, assessed.received_at)
        decision = consider(open_alert, assessed, self._policy, new_id)
        at = assessed.received_at
        if not may_end and decision.outcome in {Outcome.RESOLVED, Outcome.STEPPED_DOWN}:
            return Decision(Outcome.UNCHANGED, open_alert)
        match decision.outcome, decision.existing:
            case Outcome.SUPERSEDED | Outcome.RESOLVED, Alert() as existing:
                self.book.change(transaction, AlertChange.RESOLVED, existing, at)
            case Outcome.STEPPED_DOWN, Alert() as existing:
                self.book.change(transaction, AlertChange.STEPPED_DOWN, existing, at)
            case _, Alert() as existing if existing != open_alert:
                self.book.remember(transaction, existing)
        if decision.raised is not None:
            self.book.add(transaction, decision.raised, at, number, assessment)
        return decision


def alert_id(reading: uuid.UUID, at: datetime, before: int = 0) -> uuid.UUID:
    """The same again if the same reading is taken again: it raises at most one alert at a time.

    `at` is as it was told: the clock may have been set meanwhile. `before` is how many it has raised of
    others, whose it is not.
    """
    return uuid.uuid5(reading, f"alert:{at.isoformat()}{f':{before}' if before else ''}")


def _free_alert_id(transaction: Transaction, reading: uuid.UUID, at: datetime) -> uuid.UUID:
    return next(
        free
        for before in itertools.count()
        if transaction.alert(free := alert_id(reading, at, before)) is None
    )


def measured_of(kept: PlacedReading) -> frozenset[Vital]:
    """The vitals that a reading has a value of, for a set to take."""
    return frozenset(
        [each.vital for each in kept.taken if taken(each) is not None and each.vital not in OF_THE_ROOM]
    )


def _kept(observations: ObservationSet, sources: Mapping[uuid.UUID, int]) -> dict[Vital, tuple[Value, int]]:
    """The set as the store keeps it: for each vital its value, and the number of its reading."""
    return {
        vital: (each.value, sources[each.reading_id]) for vital, each in observations.observations.items()
    }
