"""A reading and all that it causes, committed once: its owner, its place in time, the observation set it
completes, the score, the model's risk, the alert, and the events that tell of them."""

from __future__ import annotations

import json
import logging
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from hub.alert_book import AlertBook
from hub.alerts import Alert, AlertPolicy, Decision, Outcome, consider
from hub.assessed import Assessed
from hub.assessment import news2
from hub.assessment.deterioration import DeteriorationModel, Risk
from hub.assessment.features import BASELINE_SETS
from hub.assessment.observation_set import Observation, ObservationSet, form
from hub.clock import now
from hub.config import Config, Resident
from hub.readings import Reading, Value, Vital, type_of_value
from hub.residents import Register, age_at
from hub.store.transaction import PlacedReading, Transaction
from hub.streams import Streams
from hub.timing import ClockRule, TimeQuality, measured_at
from hub.uplink.cloudevents import to_json
from hub.uplink.contract import (
    AlertChange,
    Channel,
    Identity,
    assessment_data,
    observation_event,
    reading_event,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a reading: whose it is, what it did to their alert, and their score in words."""

    duplicate: bool = False
    resident: str | None = None
    outcome: Outcome | None = None
    score: str | None = None


class Intake:
    """Takes readings, one transaction each; knows neither bytes nor topics."""

    def __init__(
        self, config: Config, identity: Identity, register: Register, model: DeteriorationModel | None
    ) -> None:
        self._identity = identity
        self._register = register
        self._model = model
        self._publish = config.publish
        self._recency = config.observation_sets
        self._streams = Streams(config.observation_sets.stream)
        self._policy = AlertPolicy.of(config.alerts, config.observation_sets)
        self._clock_rule = ClockRule(
            config.sensor_clock.agrees_within,
            config.sensor_clock.believed_for,
            ZoneInfo(config.site.timezone),
        )
        self._book = AlertBook(identity)
        self._model_fails = False

    def take(self, transaction: Transaction, reading: Reading, resident_id: str | None = None) -> Taken:
        """Store a reading and all that follows from it.

        `resident_id` says whose it is where a person said so; otherwise the sensor's owner is asked
        for. A reading that was stored before changes nothing. One of a stream is always stored, and
        assessed only when it completes an observation (`hub/streams.py`).
        """
        if transaction.knows_reading(reading.id):
            return Taken(duplicate=True)
        resident = (
            self._register.resident(resident_id)
            if resident_id is not None
            else self._register.owner_of(reading.raw.device, reading.user_id)
        )
        moment, time_quality = measured_at(reading, self._clock_rule)
        owner = resident.id if resident else None
        observed = reading.measurements
        if reading.streaming:
            observed = self._streams.observe(owner, reading, moment) if owner is not None else ()
        number = transaction.add_reading(PlacedReading(reading, owner, moment, time_quality.value, observed))
        if self._publish.reading:
            event = reading_event(self._identity, reading, owner, moment, time_quality.value)
            transaction.enqueue(Channel.READING.priority, Channel.READING, to_json(event))
        if resident is None or not any(measurement.usable for measurement in observed):
            return Taken(resident=owner)
        newest = transaction.newest_assessment(resident.id)
        taken = self._assess(transaction, reading, number, resident, moment, newest)
        if newest is not None and newest[0] > moment:
            # It comes late (from a sensor's memory, or after a full disk), and may belong with what was
            # measured since: nothing else may be measured for hours.
            present = self._observations(transaction, resident, newest[0]).observations.values()
            if any(observation.reading_id == reading.id for observation in present):
                taken = self._assess(transaction, reading, number, resident, newest[0], newest)
        return taken

    def keep(self, transaction: Transaction, reading: Reading, problem: str) -> None:
        """Store a reading that could not be taken, with the reason, for a person to look at."""
        if not transaction.knows_reading(reading.id):
            kept = replace(reading, measurements=(), problem=problem)
            received = TimeQuality.RECEIVED.value
            transaction.add_reading(PlacedReading(kept, None, reading.raw.received_at, received))

    def _assess(
        self,
        transaction: Transaction,
        reading: Reading,
        number: int,
        resident: Resident,
        moment: datetime,
        before: tuple[datetime, str] | None,
    ) -> Taken:
        """Assess the resident at a moment; `before` is the newest assessment that there was."""
        observations = self._observations(transaction, resident, moment)
        score = news2.score(observations.values, resident.oxygen_scale)
        risk = self._risk(transaction, resident, observations)
        body = assessment_data(observations, score, risk)
        assessment = transaction.add_assessment(
            resident.id, moment, number, score.band.value, json.dumps(body, separators=(",", ":"))
        )
        if self._publish.observation and _worth_telling(before, moment, body):
            event = observation_event(self._identity, resident.id, moment, reading.id, body)
            transaction.enqueue(Channel.OBSERVATION.priority, Channel.OBSERVATION, to_json(event))
        assessed = Assessed(resident.id, observations, score, reading.raw.received_at, now())
        decision = self._alert(transaction, assessed, reading, number, assessment)
        return Taken(
            resident=resident.id,
            outcome=decision.outcome,
            score=score.describe(observations.questionable),
        )

    def _observations(self, transaction: Transaction, resident: Resident, moment: datetime) -> ObservationSet:
        newest = transaction.newest_measurements(resident.id, Vital, moment)
        return form(
            (
                (
                    vital,
                    Observation(
                        value=found.value,
                        measured_at=found.measured_at,
                        reading_id=found.reading_id,
                        quality=found.quality,
                        doubtful_time=found.time_quality == TimeQuality.DOUBTFUL,
                    ),
                )
                for vital, found in newest.items()
            ),
            moment,
            self._recency,
        )

    def _risk(
        self, transaction: Transaction, resident: Resident, observations: ObservationSet
    ) -> Risk | None:
        """The model's risk; None where it has none, whatever its reason: the score must not wait for it."""
        if self._model is None:
            return None
        earlier = transaction.assessments_before(resident.id, observations.at, BASELINE_SETS)
        age = age_at(resident, observations.at.year)
        try:
            risk = self._model.risk(observations.values, _values_of(earlier), age)
        except Exception:  # noqa: BLE001  # the model may add, never take away: no fault of it costs an alert
            self._say_once_that_the_model_fails()
            return None
        if risk is not None and not math.isfinite(risk.probability):
            self._say_once_that_the_model_fails()
            return None
        return risk

    def _say_once_that_the_model_fails(self) -> None:
        if not self._model_fails:
            self._model_fails = True
            _log.error(
                "the deterioration model failed; NEWS2 and its alerts go on without it; please report this",
                exc_info=True,
            )

    def _alert(
        self, transaction: Transaction, assessed: Assessed, reading: Reading, number: int, assessment: int
    ) -> Decision:
        open_alert = self._book.open_alert(transaction, assessed.resident, assessed.received_at)
        decision = consider(open_alert, assessed, self._policy, _alert_id(reading, assessed.observations.at))
        at = assessed.received_at
        match decision.outcome, decision.existing:
            case Outcome.SUPERSEDED | Outcome.RESOLVED, Alert() as existing:
                self._book.change(transaction, AlertChange.RESOLVED, existing, at)
            case Outcome.STEPPED_DOWN, Alert() as existing:
                self._book.change(transaction, AlertChange.STEPPED_DOWN, existing, at)
            case _, Alert() as existing if existing != open_alert:
                self._book.remember(transaction, existing)
        if decision.raised is not None:
            self._book.add(transaction, decision.raised, at, number, assessment)
        return decision


def _alert_id(reading: Reading, at: datetime) -> uuid.UUID:
    """The same again if the same reading is taken again: it raises at most one alert at a time."""
    return uuid.uuid5(reading.id, f"alert:{at.isoformat()}")


def _worth_telling(before: tuple[datetime, str] | None, moment: datetime, body: Mapping[str, object]) -> bool:
    """An observation set is told when it says something new, or a minute after the last one told nothing.

    A streaming sensor makes a set every few seconds; the ICS is told of those that change the score or
    what is missing, and otherwise of one a minute.
    """
    if before is None:
        return True
    at, text = before
    return at.replace(second=0, microsecond=0) != moment.replace(second=0, microsecond=0) or bool(
        json.loads(text)["news2"] != body["news2"]
    )


def _values_of(earlier: Sequence[tuple[datetime, str]]) -> list[dict[Vital, Value]]:
    """The values of earlier observation sets, oldest first."""
    return [
        {
            Vital(name): type_of_value(Vital(name))(said["value"])
            for name, said in json.loads(body)["observations"].items()
        }
        for _, body in reversed(earlier)
    ]
