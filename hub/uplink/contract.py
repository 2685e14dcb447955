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
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from hub.alerts import Alert
from hub.assessment.deterioration import Risk
from hub.assessment.news2 import News2
from hub.assessment.observation_set import ObservationSet
from hub.errors import CareportError
from hub.readings import Measurement, Origin, Quality, Reading, Value, Vital
from hub.uplink.cloudevents import Event

_TYPES = "uk.careport"


class ContractError(CareportError):
    """A message from outside that is not what the contract says; never quotes it."""


class Channel(StrEnum):
    """The last part of a topic."""

    ALERT = "alert"
    STATUS = "status"
    OBSERVATION = "observation"
    READING = "reading"
    ACKNOWLEDGEMENT = "ack"

    @property
    def priority(self) -> int:
        """Lower goes first: an alert overtakes whatever waits."""
        return list(Channel).index(self)


class AlertChange(StrEnum):
    """What happened to an alert: the last part of its event's type."""

    RAISED = "raised"
    ESCALATED = "escalated"
    ACKNOWLEDGED = "acknowledged"
    STEPPED_DOWN = "stepped_down"
    RESOLVED = "resolved"


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


def event_type(channel: Channel, change: AlertChange | None = None) -> str:
    """The CloudEvents type: the channel, for alerts what happened, and the version of its data."""
    return f"{_TYPES}.{channel.name.lower()}.{change.value + '.' if change else ''}v1"


def alert_event(
    identity: Identity,
    change: AlertChange,
    alert: Alert,
    at: datetime,
    assessment: Mapping[str, Any],
    reading: uuid.UUID,
    tell: str | None = None,
) -> Event:
    """What happened to an alert, with all that a reader needs to judge it.

    `assessment` is what `assessment_data` made of the set that raised it. The event's id follows from
    the alert and what happened, so that it is the same however often it is made.
    """
    step = f"{change}:{alert.rung}:{alert.band}"
    data: dict[str, Any] = {
        "site": identity.site,
        "hub": identity.hub,
        "alert": str(alert.id),
        "state": alert.state.value,
        "resident": alert.resident,
        "band": alert.band.value,
        "words": alert.words,
        "response": alert.band.response,
        "raised_at": alert.raised_at.isoformat(),
        "measured_at": alert.measured_at.isoformat(),
        "reading": str(reading),
        "test_data": identity.test_data,
        **assessment,
    }
    if alert.supersedes is not None:
        data["supersedes"] = str(alert.supersedes)
    if tell is not None:
        data["escalation"] = {"rung": alert.rung, "tell": tell}
    if alert.acknowledged_at is not None:
        # A carer's name stays home; the ICS gets back what it called itself.
        by = alert.acknowledged_by if alert.acknowledged_via == "ics" else "the home"
        data["acknowledged"] = {
            "by": by,
            "at": alert.acknowledged_at.isoformat(),
            "via": alert.acknowledged_via,
            "after_seconds": (alert.acknowledged_at - alert.raised_at).total_seconds(),
        }
    if alert.resolution is not None:
        data["resolution"] = alert.resolution.value
    return _event(
        identity, event_type(Channel.ALERT, change), uuid.uuid5(alert.id, step), at, data, alert.resident
    )


def assessment_data(observations: ObservationSet, news2: News2, risk: Risk | None) -> dict[str, Any]:
    """What is known of a resident and what it says: the part that alerts and observations share."""
    return {
        "observations": {
            vital.value: {
                "value": observation.value,
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


def risk_data(risk: Risk | None) -> dict[str, Any] | None:
    """The learned model's risk, named with its model; always marked as a shadow of the score."""
    if risk is None:
        return None
    return {
        "probability": round(risk.probability, 4),
        "model": risk.model,
        "version": risk.version,
        "sha256_prefix": risk.sha256_prefix,
        "missing": sorted(risk.missing),
        "out_of_range": sorted(risk.out_of_range),
        "mode": "shadow",
    }


def observation_event(
    identity: Identity, resident: str, at: datetime, reading: uuid.UUID, assessment: Mapping[str, Any]
) -> Event:
    """An observation set with its score; its id follows from the reading that formed it, and its time."""
    data = {"resident": resident, "at": at.isoformat(), "test_data": identity.test_data, **assessment}
    name = uuid.uuid5(reading, f"observation:{at.isoformat()}")
    return _event(identity, event_type(Channel.OBSERVATION), name, at, data, resident)


def reading_event(
    identity: Identity, reading: Reading, resident: str | None, measured_at: datetime, time_quality: str
) -> Event:
    """A single reading, raw bytes included; except a person's entry, whose bytes say who made it."""
    raw = reading.raw
    data = {
        "resident": resident,
        "device": raw.device,
        "driver": raw.driver,
        "payload": None if raw.origin is Origin.MANUAL else raw.payload.hex(),
        "received_at": raw.received_at.isoformat(),
        "measured_at": measured_at.isoformat(),
        "time_quality": time_quality,
        "device_time": str(reading.device_time) if reading.device_time else None,
        "measurements": [_measurement(measurement) for measurement in reading.measurements],
        "flags": sorted(reading.flags),
        "problem": reading.problem,
        "test_data": identity.test_data,
    }
    return _event(identity, event_type(Channel.READING), reading.id, raw.received_at, data, resident)


def _measurement(measurement: Measurement) -> dict[str, Value | str | Vital]:
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
    data = {
        "site": identity.site,
        "hub": identity.hub,
        "state": state,
        "test_data": identity.test_data,
        **details,
    }
    return _event(identity, event_type(Channel.STATUS), uuid.uuid4(), at, data, None)


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
        # Only keys of ours are named: one that is not known is the sender's words, as values are.
        wrong = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
        named = [key for key in Acknowledgement.model_fields if key in wrong]
        keys = ", ".join(named + ["a key that is not known"] * (wrong != set(named)))
        raise ContractError(f"an acknowledgement is wrong in: {keys}") from error


def _event(
    identity: Identity, kind: str, name: uuid.UUID, at: datetime, data: Mapping[str, Any], subject: str | None
) -> Event:
    return Event(id=str(name), source=identity.source, type=kind, time=at, data=data, subject=subject)
