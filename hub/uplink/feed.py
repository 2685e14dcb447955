"""The feed: what happened, as CloudEvents whose data is a FHIR R4 Bundle (see `hub/uplink/fhir/README.md`).

Each Bundle is a transaction that a FHIR server takes as it is, any number of times, with the same end. The
CloudEvents extension attributes `alert`, `state`, `band` and `testdata` are for routing without parsing it.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from hub.alerts import Alert
from hub.assessed import Assessment
from hub.placed import PlacedReading
from hub.summary import ResidentSummary
from hub.uplink.cloudevents import Event
from hub.uplink.contract import AlertChange, Channel, Identity, SummaryOf, event_type
from hub.uplink.fhir.alerts import Step, acknowledgement_entry, alert_entry
from hub.uplink.fhir.codes import Json
from hub.uplink.fhir.observations import observations_of
from hub.uplink.fhir.raw import reading_entry
from hub.uplink.fhir.resources import Place, bundle, hub_device, once
from hub.uplink.fhir.scores import band_code, news2_entry, news2_name, risk_entry, risk_name
from hub.uplink.fhir.summary import summary_entries, summary_id

FHIR = "application/fhir+json"
"""The `datacontenttype` of these events."""

MOST_READINGS = 50
"""In one event. Where each has many values, fewer fit into 64 KiB: see the README."""

_READINGS = uuid.UUID("b0a1b2a6-6c54-5f1d-8e0e-6f8f6e3a9d41")


def readings_event(identity: Identity, readings: Sequence[PlacedReading]) -> Event:
    """Readings that were committed together, in the order given; raw bytes included.

    The event's id follows from the readings' ids and their order, so that it is the same when sent again.

    Raises:
        ValueError: none or more than `MOST_READINGS` are given.
    """
    if not 1 <= len(readings) <= MOST_READINGS:
        raise ValueError(f"an event has 1 to {MOST_READINGS} readings, not {len(readings)}")
    place = _place(identity)
    residents = {placed.resident for placed in readings}
    return _event(
        identity,
        event_type(Channel.READING),
        uuid.uuid5(_READINGS, "".join([placed.reading.id.hex for placed in readings])),
        max([placed.reading.raw.received_at for placed in readings]),
        bundle([reading_entry(place, placed) for placed in readings], place),
        residents.pop() if len(residents) == 1 else None,
        {},
    )


def observation_event(identity: Identity, assessment: Assessment) -> Event:
    """An observation set with its NEWS2 and the model's risk. Its id follows from the assessment's."""
    place = _place(identity)
    return _event(
        identity,
        event_type(Channel.OBSERVATION),
        uuid.uuid5(assessment.id, "observation"),
        assessment.observations.at,
        bundle(once([hub_device(place), *_assessment(place, assessment)]), place),
        assessment.resident,
        {"band": band_code(assessment.news2)},
    )


def alert_event(
    identity: Identity,
    change: AlertChange,
    alert: Alert,
    at: datetime,
    assessment: Assessment,
    *,
    tell: str | None = None,
    newest: Assessment | None = None,
    repeat: int = 0,
) -> Event:
    """What happened to an alert, with all that a reader needs to judge it.

    Args:
        at: when it happened, aware.
        assessment: the one that raised the alert.
        tell: whom to tell, where it escalated.
        newest: the resident's newest assessment, where that is another.
        repeat: how often this step was told before; each repeat is an event of its own.

    The event's id follows from the alert, what happened and `repeat`: the same however often it is made.
    """
    place = _place(identity)
    step = Step(change.value, at, tell or None, repeat)
    told = [assessment] if newest is None or newest.id == assessment.id else [assessment, newest]
    about = [name for each in told for name in _judged(each)]
    first = change is AlertChange.RAISED and repeat == 0
    entries = [
        alert_entry(place, alert, step, first=first, reason=news2_name(assessment), about=about),
        *filter(None, [acknowledgement_entry(place, alert)]),
        hub_device(place),
        *(entry for each in told for entry in _assessment(place, each)),
    ]
    again = f":{repeat}" if repeat else ""
    return _event(
        identity,
        event_type(Channel.ALERT, change),
        uuid.uuid5(alert.id, f"{change}:{alert.rung}:{alert.band}{again}"),
        at,
        bundle(once(entries), place),
        alert.resident,
        {"alert": str(alert.id), "state": alert.state.value, "band": alert.band.value},
    )


def resident_summary_event(identity: Identity, summary: ResidentSummary) -> Event:
    """A resident's period. Its id follows from the hub, the resident and the period."""
    place = _place(identity)
    return _event(
        identity,
        event_type(Channel.SUMMARY, SummaryOf.RESIDENT),
        summary_id(place, summary.period, summary.resident),
        summary.period.until,
        bundle([hub_device(place), *summary_entries(place, summary)], place),
        summary.resident,
        {},
    )


def _judged(assessment: Assessment) -> list[str]:
    """The names of an assessment's score and risk."""
    return [news2_name(assessment), *([] if assessment.risk is None else [risk_name(assessment)])]


def _assessment(place: Place, assessment: Assessment) -> list[Json]:
    told = observations_of(place, assessment)
    risk = risk_entry(place, assessment, told.vitals)
    score = news2_entry(place, assessment, told.vitals)
    return [*told.entries, score, *([] if risk is None else [risk])]


def _place(identity: Identity) -> Place:
    return Place(identity.site, identity.hub, identity.test_data)


def _event(
    identity: Identity,
    kind: str,
    name: uuid.UUID,
    at: datetime,
    data: Json,
    subject: str | None,
    attributes: dict[str, str],
) -> Event:
    return Event(
        id=str(name),
        source=identity.source,
        type=kind,
        time=at,
        data=data,
        subject=subject,
        datacontenttype=FHIR,
        extensions={**attributes, "testdata": str(identity.test_data).lower()},
    )
