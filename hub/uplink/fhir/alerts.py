"""An alert as a CommunicationRequest, its acknowledgement as a Communication (after IHE's mACM profile)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.alerts.life import Alert, Resolution
from hub.assessment.news2 import Band
from hub.uplink.contract import told_acknowledger
from hub.uplink.fhir import codes
from hub.uplink.fhir.codes import Json
from hub.uplink.fhir.resources import (
    Place,
    create,
    hub_name,
    identifier,
    logical,
    moment,
    reference,
    resource,
    subject,
    update,
    urn,
    urn_within,
)

_PRIORITY = {
    Band.ZERO: "routine",
    Band.LOW: "routine",
    Band.SINGLE_RED: "urgent",
    Band.MEDIUM: "asap",
    Band.HIGH: "stat",
}
"""FHIR's four, in rising order: routine, urgent, asap, stat."""

_STATUS_OF = {
    None: "active",
    Resolution.RECOVERED: "completed",
    Resolution.SUPERSEDED: "revoked",
    Resolution.WITHDRAWN: "entered-in-error",
    Resolution.SETTLED: "completed",
    Resolution.LEFT: "revoked",
}


@dataclass(frozen=True, slots=True)
class Step:
    """What an event tells of an alert: the change, when, whom to tell, and how often it was told before."""

    change: str
    at: datetime
    tell: str | None
    repeat: int


def alert_entry(
    place: Place, alert: Alert, step: Step, *, first: bool, reason: str, about: list[str]
) -> Json:
    """The entry of the alert itself. `reason` is the NEWS2 Observation that raised it.

    The request is "active" until the alert is resolved: acknowledged is not over. `first` makes it a
    conditional create, so that a late "raised" does not overwrite what came of the alert since; any later
    change replaces what the server has.
    """
    name = urn(alert.id)
    made = resource("CommunicationRequest", place)
    made |= {
        "extension": [_alert(alert, step)],
        "identifier": [identifier(name)],
        "status": _STATUS_OF[alert.resolution],
        "statusReason": _state(alert),
        "category": codes.ALERT_CATEGORY,
        "priority": _priority(alert),
        "subject": subject(place.site, alert.resident),
        "about": [reference(each) for each in about],
        "payload": _payload(alert, step),
        "authoredOn": moment(alert.raised_at),
        "requester": reference(hub_name(place)),
        "sender": reference(hub_name(place)),
        "reasonReference": [reference(reason)],
    }
    if alert.supersedes is not None:
        made["replaces"] = [logical("CommunicationRequest", urn(alert.supersedes))]
    if step.tell is not None:
        made["recipient"] = [{"identifier": {"system": codes.DUTY, "value": step.tell}}]
    return create(name, made) if first else update(name, made)


def _priority(alert: Alert) -> str:
    """A concern is urgent at the least: the score says nothing of it."""
    priority = _PRIORITY[alert.band]
    return "urgent" if alert.concerned and priority == "routine" else priority


def _state(alert: Alert) -> Json:
    said = [alert.state.value]
    if alert.resolution is not None:
        said.append(alert.resolution.value)
    return codes.concept(*((codes.OURS, code) for code in said), text=": ".join(said))


def _payload(alert: Alert, step: Step) -> list[Json]:
    """What people read: the alert, what to do, and, once nobody answered, whom to tell."""
    told = [{"id": "words", "contentString": alert.words}]
    told.append({"id": "response", "contentString": alert.response})
    if step.tell is not None:
        told.append({"id": "tell", "contentString": f"nobody has acknowledged it: tell {step.tell}"})
    return told


def _alert(alert: Alert, step: Step) -> Json:
    """What no element of a CommunicationRequest says."""
    parts: list[tuple[str, str, Any]] = [
        ("change", "valueCode", step.change),
        ("at", "valueDateTime", moment(step.at)),
        ("state", "valueCode", alert.state.value),
        ("band", "valueCode", alert.band.value),
        ("measuredAt", "valueDateTime", moment(alert.measured_at)),
        ("rung", "valueUnsignedInt", alert.rung),
        ("repeat", "valueUnsignedInt", step.repeat),
    ]
    if step.tell is not None:
        parts.append(("tell", "valueString", step.tell))
    if alert.resolution is not None:
        parts.append(("resolution", "valueCode", alert.resolution.value))
    if alert.resolved_at is not None:
        parts.append(("resolvedAt", "valueDateTime", moment(alert.resolved_at)))
    if alert.concern is not None:
        # The signs alone: the words, and who said them, stay in the home.
        parts += [("softSign", "valueCode", sign.value) for sign in alert.concern.signs]
        parts.append(("concernSaidAt", "valueDateTime", moment(alert.concern.said_at)))
        if alert.concern.settled_at is not None:
            parts.append(("concernSettledAt", "valueDateTime", moment(alert.concern.settled_at)))
    return {"url": codes.ALERT, "extension": [{"url": url, kind: value} for url, kind, value in parts]}


def acknowledgement_entry(place: Place, alert: Alert) -> Json | None:
    """The entry that says that somebody has taken the alert, who and how soon; None while nobody has."""
    if alert.acknowledged_at is None:
        return None
    name = urn_within(alert.id, "acknowledgement")
    seconds = (alert.acknowledged_at - alert.raised_at).total_seconds()
    duration = {"value": seconds, "unit": "s", "system": codes.UCUM, "code": "s"}
    made = resource("Communication", place)
    made |= {
        "extension": [{"url": codes.ACKNOWLEDGED_AFTER, "valueDuration": duration}],
        "identifier": [identifier(name)],
        "basedOn": [reference(urn(alert.id))],
        "status": "completed",
        "category": codes.ALERT_CATEGORY,
        "subject": subject(place.site, alert.resident),
        "received": moment(alert.acknowledged_at),
        "sender": reference(hub_name(place)),
        "note": [
            {
                "authorString": told_acknowledger(alert),
                "time": moment(alert.acknowledged_at),
                "text": "acknowledged the alert",
            }
        ],
    }
    if alert.acknowledged_via:
        made["medium"] = [{"text": alert.acknowledged_via}]
    return create(name, made)
