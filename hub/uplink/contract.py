"""The wire contract: which topics there are, and what each event on them says.

Topics are `careport/v1/{site}/{hub}/{channel}`; every message is a CloudEvent (`cloudevents.py`).
Residents are pseudonyms here; no name of a resident or a carer is in any of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import isinf
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from hub.alerts.life import Alert
from hub.assessment.deterioration import Risk
from hub.assessment.news2 import News2
from hub.assessment.observation_set import ObservationSet
from hub.errors import CareportError
from hub.readings import Measurement, Quality, Value, Vital
from hub.uplink.cloudevents import Event
from hub.uplink.plain import Acknowledged, Answer, Answered, AnswerOutcome, Status, UpdateAsked

_TYPES = "uk.careport"


class ContractError(CareportError):
    """A message from outside that is not what the contract says; never quotes it."""


class Channel(StrEnum):
    """The last part of a topic."""

    ALERT = "alert"
    STATUS = "status"
    SUMMARY = "summary"
    OBSERVATION = "observation"
    READING = "reading"
    ACKNOWLEDGEMENT = "ack"
    ANSWER = "answer"
    AMENDED_OBSERVATION = "amended_observation"
    AMENDED_ALERT = "amended_alert"
    UPDATE = "update"

    @property
    def priority(self) -> int:
        """Lower goes first: an alert overtakes whatever waits."""
        return _PRIORITIES[self]


_PRIORITIES = {
    Channel.ALERT: 0,
    Channel.STATUS: 1,
    Channel.OBSERVATION: 2,
    Channel.AMENDED_OBSERVATION: 2,  # an amendment calls nobody: it goes with the observations, in turn
    Channel.AMENDED_ALERT: 2,
    Channel.SUMMARY: 3,
    Channel.READING: 4,
    Channel.ACKNOWLEDGEMENT: 5,
    Channel.ANSWER: 6,
    Channel.UPDATE: 7,
}
"""Kept on the card with what waits: a number is not given to another channel."""


class AlertChange(StrEnum):
    """What happened to an alert: the last part of its event's type."""

    RAISED = "raised"
    ESCALATED = "escalated"
    ACKNOWLEDGED = "acknowledged"
    STEPPED_DOWN = "stepped_down"
    RESOLVED = "resolved"
    CONCERN_SAID = "concern_said"
    CONCERN_SETTLED = "concern_settled"


class SummaryOf(StrEnum):
    """Of what a summary is: the last part of its event's type."""

    RESIDENT = "resident"
    HUB = "hub"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who speaks: the site and the hub, and whether all that it says is test data."""

    site: str
    hub: str
    test_data: bool

    @property
    def source(self) -> str:
        """The CloudEvents source: the reverse DNS of the programme, then site and hub."""
        return f"{_TYPES}.{self.site}.{self.hub}"

    def topic(self, channel: str) -> str:
        """The topic of a channel."""
        return f"careport/v1/{self.site}/{self.hub}/{channel}"


def event_type(channel: Channel, what: AlertChange | SummaryOf | None = None) -> str:
    """The CloudEvents type: the channel, what happened to an alert or of what a summary is, the version."""
    return f"{_TYPES}.{channel.name.lower()}.{what.value + '.' if what else ''}v1"


def told_acknowledger(alert: Alert) -> str:
    """Who acknowledged, as it may be told: a carer's name stays home, the ICS gets back its own word."""
    ics = alert.acknowledged_by if alert.acknowledged_via == "ics" else None
    return ics or "the home"


def assessment_data(observations: ObservationSet, news2: News2, risk: Risk | None) -> dict[str, Any]:
    """What is known of a resident and what it says: the part that alerts and observations share."""
    return {
        "observations": {
            vital.value: {
                **_value_or_absent(observation.value),
                "unit": vital.unit,
                "measured_at": observation.measured_at.isoformat(),
                "reading": str(observation.reading_id),
                **({} if observation.quality is Quality.GOOD else {"quality": observation.quality.value}),
                **({"time": "doubtful"} if observation.doubtful_time else {}),
            }
            for vital, observation in observations.observations.items()
        },
        "news2": {
            "total": news2.total,
            "complete": news2.complete,
            "band": news2.band.value,
            "scale": int(news2.scale),
            "sub_scores": {vital.value: points for vital, points in news2.sub_scores.items()},
            "missing": [vital.value for vital in news2.missing],
            "words": news2.describe(observations.questionable),
        },
        "risk": risk_data(risk),
    }


def _value_or_absent(value: Value) -> dict[str, Value | str]:
    if isinstance(value, float) and isinf(value):  # no number of JSON
        return {"absent": f"{'negative' if value < 0 else 'positive'}-infinity"}
    return {"value": value}


def risk_data(risk: Risk | None) -> dict[str, Any] | None:
    """The learned model's risk, named with its model; always marked as a shadow of the score."""
    if risk is None:
        return None
    return {
        "probability": round(risk.probability, 4),
        "uncalibrated": None if risk.uncalibrated is None else round(risk.uncalibrated, 4),
        "reasons": None if risk.reasons is None else [reason.words for reason in risk.reasons],
        "model": risk.model,
        "version": risk.version,
        "sha256_prefix": risk.sha256_prefix,
        "missing": sorted(risk.missing),
        "out_of_range": sorted(risk.out_of_range),
        "mode": "shadow",
    }


def measurement_data(measurement: Measurement) -> dict[str, Value | str | Vital]:
    """A measurement as plain JSON."""
    said: dict[str, Value | str | Vital] = {"vital": measurement.vital.value, "unit": measurement.vital.unit}
    if measurement.value is not None:
        said["value"] = measurement.value
    if measurement.absent is not None:
        said["absent"] = measurement.absent.value
    if measurement.quality is not Quality.GOOD:
        said["quality"] = measurement.quality.value
    if measurement.site is not None:
        said["site"] = measurement.site
    return said


def status_event(identity: Identity, state: str, at: datetime, details: Mapping[str, Any]) -> Event:
    """The hub's own state: retained; "lost" is its last will."""
    said = Status.model_validate(
        {
            "site": identity.site,
            "hub": identity.hub,
            "state": state,
            "test_data": identity.test_data,
            **details,
        }
    )
    return _event(identity, event_type(Channel.STATUS), uuid.uuid4(), at, said.data(), None)


def _one_line(text: str) -> str:
    """Text from outside, as it may be shown on a terminal: without control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


class Acknowledgement(BaseModel):
    """What the ICS sends to the hub's `ack` topic when somebody has taken an alert."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alert: uuid.UUID
    by: Annotated[str, AfterValidator(_one_line), Field(min_length=1, max_length=200)]
    note: Annotated[str, AfterValidator(_one_line), Field(max_length=2000)] | None = None


def acknowledgement_event(
    source: str, alert: uuid.UUID, by: str, at: datetime, note: str | None = None
) -> Event:
    """An acknowledgement, as `carehub listen --ack` and other central systems send it."""
    data = {"alert": str(alert), "by": by, **({"note": note} if note else {})}
    return Event(
        id=str(uuid.uuid5(alert, f"ack:{source}:{by}")),
        source=source,
        type=event_type(Channel.ACKNOWLEDGEMENT),
        time=at,
        data=data,
    )


def acknowledgement_of(event: Event) -> Acknowledgement:
    """Read an acknowledgement.

    Raises:
        ContractError: another type of event, or a key is missing, unknown or wrong.
    """
    if event.type != event_type(Channel.ACKNOWLEDGEMENT):
        raise ContractError("an event on the ack topic is of another type")
    try:
        return Acknowledgement.model_validate(dict(event.data))
    except ValidationError as error:
        raise ContractError(
            f"an acknowledgement is wrong in: {_wrong_keys(error, Acknowledgement)}"
        ) from error


def update_event(source: str, asked: UpdateAsked, at: datetime) -> Event:
    """What a central system sends to have a release in force; `at` is now."""
    return Event(str(uuid.uuid4()), source, event_type(Channel.UPDATE), at, asked.data())


def update_of(event: Event) -> UpdateAsked:
    """Read which release the centre wants.

    Raises:
        ContractError: a key is missing, unknown or wrong.
    """
    try:
        return UpdateAsked.model_validate(dict(event.data))
    except ValidationError as error:
        raise ContractError(f"what is asked is wrong in: {_wrong_keys(error, UpdateAsked)}") from error


def _wrong_keys(error: ValidationError, model: type[BaseModel]) -> str:
    """Only keys of ours are named: one that is not known is the sender's words, as values are."""
    wrong = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
    named = [key for key in model.model_fields if key in wrong]
    return ", ".join(named + ["a key that is not known"] * (wrong != set(named)))


_LONGEST_ECHO = 200
"""Characters of the sender's id and source that are given back."""


def answer_event(
    identity: Identity,
    outcome: AnswerOutcome,
    at: datetime,
    words: str,
    answers: Event | None,
    alert: uuid.UUID | None = None,
    acknowledged: Alert | None = None,
) -> Event:
    """The hub's answer to a message on its `ack` or `update` topic.

    `answers` is the event that is answered, None where it was no event; `alert` is the alert that it
    names, if that could be read; `acknowledged` is that alert, where the hub has it and it is acknowledged.
    """
    said: dict[str, Any] = {
        "site": identity.site,
        "hub": identity.hub,
        "outcome": outcome,
        "words": words,
        "at": at,
        "answers": None,
        "alert": alert,
        "test_data": identity.test_data,
    }
    if answers is not None and max(len(answers.id), len(answers.source)) <= _LONGEST_ECHO:
        said["answers"] = Answered(id=answers.id, source=answers.source)
    if acknowledged is not None and acknowledged.acknowledged_at is not None:
        said["acknowledged"] = Acknowledged(
            by=told_acknowledger(acknowledged),
            at=acknowledged.acknowledged_at,
            via=acknowledged.acknowledged_via,
        )
    return _event(identity, event_type(Channel.ANSWER), uuid.uuid4(), at, Answer(**said).data(), None)


def _event(
    identity: Identity, kind: str, name: uuid.UUID, at: datetime, data: Mapping[str, Any], subject: str | None
) -> Event:
    return Event(id=str(name), source=identity.source, type=kind, time=at, data=data, subject=subject)
