"""The feed: what happened, as CloudEvents whose data is a FHIR R4 Bundle (see `hub/uplink/fhir/README.md`).

Each Bundle is a transaction that a FHIR server takes as it is, any number of times, with the same end. The
CloudEvents extension attributes `alert`, `state`, `band` and `testdata` are for routing without parsing it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from hub.alerts.assessed import Assessment
from hub.alerts.life import Alert
from hub.assessment.news2 import Band
from hub.assessment.observation_set import Observation
from hub.readings import Vital
from hub.telling.summary import ResidentSummary
from hub.timekeeping.placed import PlacedReading
from hub.uplink.cloudevents import Event, Written, json_text
from hub.uplink.contract import AlertChange, Channel, Identity, SummaryOf, event_type
from hub.uplink.fhir.alerts import Step, acknowledgement_entry, alert_entry
from hub.uplink.fhir.codes import Json
from hub.uplink.fhir.observations import observations_of
from hub.uplink.fhir.raw import reading_entry
from hub.uplink.fhir.resources import Place, amended, bundle, bundle_text, hub_device, once, withdrawn
from hub.uplink.fhir.scores import band_code, news2_entry, news2_name, risk_entry, risk_name
from hub.uplink.fhir.summary import summary_entries, summary_id

FHIR = "application/fhir+json"
"""The `datacontenttype` of these events."""

MOST_READINGS = 50
"""In one event. Where each has many values, fewer fit into 64 KiB: see the README."""

CORRECTS = "corrects"
"""The CloudEvents attribute of an amendment: the id of the event that it corrects, of the same source."""

CONCERN = "concern"
"""The CloudEvents attribute of an alert that somebody's concern holds open: "true"; others have none."""

_CORRECTED = "corrected"
_WITHDRAWN = "withdrawn"
_READINGS = uuid.UUID("b0a1b2a6-6c54-5f1d-8e0e-6f8f6e3a9d41")


class ToldReading(NamedTuple):
    """What an event needs of a reading: its id, whose it is, when it was received, its entry as JSON."""

    id: str
    resident: str | None
    received_at: datetime
    entry: str

    @classmethod
    def of(cls, identity: Identity, placed: PlacedReading) -> ToldReading:
        """What is told of a reading; raw bytes included."""
        reading = placed.reading
        entry = json_text(reading_entry(_place(identity), placed))
        return cls(str(reading.id), placed.resident, reading.raw.received_at, entry)


def readings_event(identity: Identity, readings: Sequence[PlacedReading]) -> Event:
    """`told_readings_event` of these readings."""
    return told_readings_event(identity, [ToldReading.of(identity, placed) for placed in readings])


def told_readings_event(identity: Identity, readings: Sequence[ToldReading]) -> Event:
    """Readings that were committed together, in the order given.

    The event's id follows from the readings' ids and their order, so that it is the same when sent again.

    Raises:
        ValueError: none or more than `MOST_READINGS` are given.
    """
    if not 1 <= len(readings) <= MOST_READINGS:
        raise ValueError(f"an event has 1 to {MOST_READINGS} readings, not {len(readings)}")
    residents = {told.resident for told in readings}
    return _event(
        identity,
        event_type(Channel.READING),
        uuid.uuid5(_READINGS, "".join([told.id for told in readings]).replace("-", "")),
        max([told.received_at for told in readings]),
        Written(bundle_text([told.entry for told in readings], _place(identity))),
        residents.pop() if len(residents) == 1 else None,
        {},
    )


def observation_event(identity: Identity, assessment: Assessment) -> Event:
    """An observation set with its NEWS2 and the model's risk. Its id follows from the assessment's."""
    place = _place(identity)
    return _event(
        identity,
        event_type(Channel.OBSERVATION),
        _observation_id(assessment),
        assessment.observations.at,
        bundle(once([hub_device(place), *_assessment(place, assessment)]), place),
        assessment.resident,
        {"band": band_code(assessment.news2)},
    )


def amended_observation_event(identity: Identity, assessment: Assessment) -> Event:
    """An observation set that was told with times that were wrong, as it is known now.

    Its resources take the place of those that a server has. `corrects` is the id of the event that told of
    it; its own id follows from that.
    """
    place = _place(identity)
    corrects = _observation_id(assessment)
    entries = [amended(entry) for entry in once([hub_device(place), *_assessment(place, assessment)])]
    return _event(
        identity,
        event_type(Channel.AMENDED_OBSERVATION),
        uuid.uuid5(corrects, _CORRECTED),
        assessment.observations.at,
        bundle(entries, place),
        assessment.resident,
        {"band": band_code(assessment.news2), CORRECTS: str(corrects)},
    )


def withdrawn_observation_event(identity: Identity, assessment: Assessment, reading: uuid.UUID) -> Event:
    """An observation set that rested on a reading of somebody else: its score and its risk are in error, and
    what that reading measured is. What other readings measured stays as it was told.

    `corrects` is the id of the event that told of it; its own id follows from that.
    """
    place = _place(identity)
    corrects = _observation_id(assessment)
    theirs = {each: said for each, said in _observed(assessment).items() if said.reading_id == reading}
    wrong = {
        entry["fullUrl"]
        for entry in observations_of(place, _with(assessment, theirs)).entries
        if entry["resource"]["resourceType"] != "Device"
    } | set(_judged(assessment))
    entries = once([hub_device(place), *_assessment(place, assessment)])
    return _event(
        identity,
        event_type(Channel.AMENDED_OBSERVATION),
        uuid.uuid5(corrects, _WITHDRAWN),
        assessment.observations.at,
        bundle([withdrawn(each) if each["fullUrl"] in wrong else each for each in entries], place),
        assessment.resident,
        {"band": band_code(assessment.news2), CORRECTS: str(corrects)},
    )


def _observed(assessment: Assessment) -> Mapping[Vital, Observation]:
    return assessment.observations.observations


def _with(assessment: Assessment, observations: Mapping[Vital, Observation]) -> Assessment:
    return replace(assessment, observations=replace(assessment.observations, observations=observations))


def _observation_id(assessment: Assessment) -> uuid.UUID:
    return uuid.uuid5(assessment.id, "observation")


def amended_alert_event(
    identity: Identity,
    change: AlertChange,
    alert: Alert,
    at: datetime,
    assessment: Assessment,
    *,
    entry_number: int,
    tell: str | None = None,
) -> Event:
    """An alert that was told with times that were wrong, as it is known now: no new alert.

    Args:
        change: the last one, which happened `at`.
        assessment: the one that raised the alert; of a nil id where it is lost.
        entry_number: the place in the trail of the change that was told wrongly.
        tell: whom to tell, where that change was that it escalated.

    `corrects` is the id of the event that told that it was raised; what was told of it since is amended with
    it. Its own id follows from both.
    """
    place = _place(identity)
    step = Step(change.value, at, tell or None, 0)
    reason, about = news2_name(assessment), _judged(assessment)
    acknowledged = acknowledgement_entry(place, alert)
    of_it = _assessment(place, assessment)
    if assessment.id.int:  # where it is lost, what a server has of it is better than what there is here
        of_it = [amended(entry) for entry in of_it]
    entries = [
        alert_entry(place, alert, step, first=False, reason=reason, about=about),
        *([] if acknowledged is None else [amended(acknowledged)]),
        hub_device(place),
        *of_it,
    ]
    corrects = _alert_id(alert, AlertChange.RAISED, 0, alert.news2.band)
    return _event(
        identity,
        event_type(Channel.AMENDED_ALERT),
        uuid.uuid5(corrects, f"{_CORRECTED}:{entry_number}"),
        at,
        bundle(once(entries), place),
        alert.resident,
        {**_of_alert(alert), CORRECTS: str(corrects)},
    )


def _of_alert(alert: Alert) -> dict[str, str]:
    said = {"alert": str(alert.id), "state": alert.state.value, "band": alert.band.value}
    return {**said, CONCERN: "true"} if alert.concerned else said


def _alert_id(alert: Alert, change: AlertChange, rung: int, band: Band, repeat: int = 0) -> uuid.UUID:
    again = f":{repeat}" if repeat else ""
    if alert.concern is not None and change is not AlertChange.RAISED:
        # With a concern the ladder is another, and is climbed anew: a rung of it is no other's repetition.
        settled = ":settled" if alert.concern.settled else ""
        again += f":concern:{alert.concern.said_at.isoformat()}{settled}"
    return uuid.uuid5(alert.id, f"{change}:{rung}:{band}{again}")


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
    return _event(
        identity,
        event_type(Channel.ALERT, change),
        _alert_id(alert, change, alert.rung, alert.band, repeat),
        at,
        bundle(once(entries), place),
        alert.resident,
        _of_alert(alert),
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
    data: Mapping[str, Any],
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
