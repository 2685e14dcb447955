"""A reading and all that it causes, committed once: its owner, its place in time, and what it says together
with the others of its resident (`hub/intake/assessing.py`)."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import replace

from hub import trail
from hub.alerts.concern import concern_of
from hub.assessment.deterioration import DeteriorationModel
from hub.assessment.rhythm import RhythmModel
from hub.attribution.rounds import Rounds
from hub.attribution.rule import Attribution
from hub.clock import ClockStamp, Step
from hub.configuration.file import Config, Resident
from hub.intake.amending import amend, each_alone
from hub.intake.assessing import Assessing, Source, Taken, measured_of
from hub.intake.following_the_clock import ClockFollower
from hub.intake.rhythms import Rhythms
from hub.intake.streams import ClosedStretch, Streams
from hub.readings import Measurement, Reading
from hub.residents.register import Register
from hub.shadow.risks import Budget
from hub.store.errors import trouble_of_card
from hub.store.transaction import Transaction
from hub.timekeeping.placed import PlacedReading
from hub.timekeeping.timing import TimeQuality
from hub.trail import Moment
from hub.uplink.contract import Channel, Identity

__all__ = ["Intake", "Taken"]

_log = logging.getLogger(__name__)


class Intake:
    """Takes readings, one transaction each; knows neither bytes nor topics."""

    def __init__(
        self,
        config: Config,
        identity: Identity,
        register: Register,
        model: DeteriorationModel | None,
        follower: ClockFollower | None = None,
        rounds: Rounds | None = None,
        rhythm: RhythmModel | None = None,
        budget: Budget | None = None,
    ) -> None:
        """Without `rounds` nobody ever has one: what a shared sensor measures is nobody's. Without a `budget`
        no risk would alert."""
        self._follower = follower or ClockFollower.of(config, identity)
        self._register = register
        rounds = rounds or Rounds(config.rounds.lasts)
        self.attribution = Attribution(register, rounds, self._follower.rule, config.rounds.settle)
        self._rhythms = Rhythms(rhythm)
        self._publish = config.publish
        self.assessing = Assessing(config, identity, model, self._follower, budget)
        self.streams = Streams(config.observation_sets, self.attribution.owner)
        self._unreadable: set[str] = set()
        self._follower.on_first_set = self._first_set

    def take(
        self,
        transaction: Transaction,
        reading: Reading,
        stamp: ClockStamp,
        resident_id: str | None = None,
        by: str | None = None,
    ) -> Taken:
        """Store a reading and all that follows from it.

        `stamp` is when the hub received it, by the clock that nobody sets. `resident_id` says whose it is
        where a person said so (`by`); otherwise the sensor's owner is asked for. A reading that was
        stored before changes nothing. One of the room is stored, and that is all: no set takes it, and the
        ICS is not told of it; a lone sample of a stream is no observation either (`hub/intake/streams.py`).
        One of weight or glucose completes a set, which is told, and decides nothing about an alert.
        """
        self._follower.follow(transaction)
        if transaction.knows_reading(reading.id):
            return Taken(duplicate=True)
        if resident_id is not None:
            resident: Resident | None = self._register.watched_resident(resident_id)
        else:
            resident = self.attribution.owner(reading, stamp)
        if resident is not None and by is not None:
            moment_entered = Moment(reading.raw.received_at, stamp)
            transaction.audit(trail.entered_by_hand(moment_entered, reading, resident.id, by))
        observed = () if reading.streaming or reading.of_the_room else None
        return self._take(transaction, reading, stamp, resident, observed)

    def take_stretch(self, transaction: Transaction, closed: ClosedStretch) -> Taken:
        """As `take`, of a stretch of a stream: nobody's, and not observed, where it is another's by now."""
        self._follower.follow(transaction)
        reading, stamp = closed.reading, closed.stamp
        if transaction.knows_reading(reading.id):
            return Taken(duplicate=True)
        owner = self.attribution.owner(reading, stamp, closed.began)
        if owner is None or closed.owner is None or owner.id != closed.owner.id:
            return self._take(transaction, reading, stamp, None, ())
        became = self._take(transaction, reading, stamp, owner, closed.observed)
        self._rhythms.take(transaction, closed)
        return became

    def _take(
        self,
        transaction: Transaction,
        reading: Reading,
        stamp: ClockStamp,
        resident: Resident | None,
        observed: tuple[Measurement, ...] | None,
    ) -> Taken:
        told, place = self.assessing.places(transaction, reading, stamp)
        owner = resident.id if resident else None
        kept = PlacedReading(reading, owner, told.measured_at, told.time_quality, stamp, observed)
        number = transaction.add_reading(kept, place)
        if self._publish.reading and not reading.of_the_room:
            alone = reading.stretch is not None  # it may be large
            transaction.tell_reading(Channel.READING.priority, Channel.READING, number, alone=alone)
        if resident is not None and (said := concern_of(reading)) is not None:
            return self.assessing.heed(
                transaction, said, Source(reading, number, frozenset(), told, place), resident
            )
        if resident is None or not (measured := measured_of(kept)):
            return Taken(resident=owner)
        return self.assessing.regard(transaction, Source(reading, number, measured, told, place), resident)

    def _first_set(self, transaction: Transaction, step: Step) -> dict[str, int]:
        """What follows for residents where the clock was set for the first time in this boot."""
        boot = step.at.boot
        amended = self._unless_unreadable(
            "amendments",
            lambda: amend(transaction, self.assessing.book, step, sets=self._publish.observation),
        )
        residents = self._register.watched
        assessed = self._unless_unreadable(
            "assessments anew",
            lambda: {
                "residents assessed anew": each_alone(
                    transaction, residents, lambda each: self.assessing.assess_anew(transaction, each, boot)
                )
            },
        )
        return {**assessed, **amended}

    def _unless_unreadable(self, what: str, work: Callable[[], dict[str, int]]) -> dict[str, int]:
        """Once the card cannot be read for it, it is left out: else no reading were ever stored again."""
        if what in self._unreadable:
            return {}
        try:
            return work()
        except sqlite3.Error as error:
            if trouble_of_card(error) == "failing":
                self._unreadable.add(what)
                _log.error("after the clock was set: the card cannot be read; there will be no %s", what)
            raise

    def keep(self, transaction: Transaction, reading: Reading, stamp: ClockStamp, problem: str) -> None:
        """Store a reading that could not be taken, with the reason, for a person to look at."""
        if not transaction.knows_reading(reading.id):
            kept = replace(reading, measurements=(), problem=problem)
            received = TimeQuality.RECEIVED
            transaction.add_reading(PlacedReading(kept, None, reading.raw.received_at, received, stamp))
