"""A resident's period as Observations: one of statistics for each vital, one of all else, and where anything
was found of their rhythm, one of that (`pulse.py`).

The statistics are coded as FHIR's own operation for them does it (`Observation/$stats`): the code is that of
the vital, each component is coded from HL7's observation-statistics, and there is no value, so that nobody
charts a median as something that was measured.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta

from hub.readings import Vital
from hub.telling.summary import AlertsSummary, HighestScore, Period, ResidentSummary, VitalSummary
from hub.uplink.fhir import codes
from hub.uplink.fhir.codes import Json
from hub.uplink.fhir.observations import absent
from hub.uplink.fhir.pulse import pulse_name, pulse_parts
from hub.uplink.fhir.resources import (
    Place,
    create,
    hub_name,
    identifier,
    moment,
    reference,
    resource,
    subject,
    urn,
    urn_within,
)
from hub.uplink.fhir.scores import AT_LEAST
from hub.uplink.fhir.stretches import quantity

_SUMMARIES = uuid.UUID("6f6cfd9a-55b4-5b0c-9d0c-1f7a1c0a9a55")
_SECOND = timedelta(seconds=1)


def summary_id(place: Place, period: Period, resident: str = "") -> uuid.UUID:
    """Follows from who speaks, of whom, and of which period."""
    name = f"{place.site}/{place.hub}/{resident} {moment(period.since)} {moment(period.until)}"
    return uuid.uuid5(_SUMMARIES, name)


def summary_entries(place: Place, summary: ResidentSummary) -> list[Json]:
    """The entries of a resident's summary: the summary first, then what it has as members."""
    known = summary_id(place, summary.period, summary.resident)
    vitals = []
    for vital, said in summary.vitals.items():
        made = _observation(place, summary, urn_within(known, vital.value), codes.VITALS[vital].code)
        made["category"] = codes.VITAL_SIGNS
        made["component"] = list(_statistics(vital, said))
        vitals.append(create(urn_within(known, vital.value), made))
    members = [*vitals, *_pulse(place, summary, known)]
    made = _observation(place, summary, urn(known), codes.SUMMARY)
    made["category"] = codes.SURVEY
    if members:
        made["hasMember"] = [reference(entry["fullUrl"]) for entry in members]
    made["component"] = [
        *_highest(summary.highest),
        *_sets(summary),
        *_alerts(summary.alerts),
    ]
    return [create(urn(known), made), *members]


def _pulse(place: Place, summary: ResidentSummary, known: uuid.UUID) -> Iterator[Json]:
    if summary.pulse is not None:
        name = pulse_name(known)
        made = _observation(place, summary, name, codes.PULSE)
        yield create(name, made | pulse_parts(summary.pulse))


def _observation(place: Place, summary: ResidentSummary, name: str, code: Json) -> Json:
    made = resource("Observation", place)
    made |= {
        "identifier": [identifier(name)],
        "status": "final",
        "code": code,
        "subject": subject(place.site, summary.resident),
        "effectivePeriod": {"start": moment(summary.period.since), "end": moment(summary.period.until)},
        "device": reference(hub_name(place)),
    }
    return made


def _statistics(vital: Vital, said: VitalSummary) -> Iterator[Json]:
    yield {"code": codes.STATISTICS["count"], **_count(said.count)}
    for name, value in (("minimum", said.lowest), ("maximum", said.highest), ("median", said.median)):
        if value is not None:
            yield {"code": codes.STATISTICS[name], **_of_vital(vital, value)}
    if said.change is not None:
        yield {"code": codes.MEDIAN_CHANGE, **_of_vital(vital, said.change)}
    if said.usable is not None:
        yield {"code": codes.USABLE_TIME, **_seconds(said.usable)}
    for threshold, below in said.below:
        of = [{"url": codes.THRESHOLD, "valueQuantity": quantity(vital, threshold)}]
        yield {"code": codes.TIME_BELOW, "extension": of, **_seconds(below)}


def _of_vital(vital: Vital, value: float) -> Json:
    unit = codes.VITALS[vital].unit
    return {"valueQuantity": {"value": value, "unit": unit, "system": codes.UCUM, "code": vital.unit}}


def _count(number: float) -> Json:
    return {"valueQuantity": {"value": number, "system": codes.UCUM, "code": "1"}}


def _seconds(time: timedelta) -> Json:
    return {"valueQuantity": {"value": time / _SECOND, "unit": "s", "system": codes.UCUM, "code": "s"}}


def _highest(highest: HighestScore | None) -> Iterator[Json]:
    """A partial score is the least that it can be, here too: it has the comparator."""
    score: Json = {"code": codes.IN_SUMMARY["highest-news2"]}
    if highest is None:
        yield score | absent("not-performed")
        return
    value: Json = {"value": highest.total}
    band, words = highest.band.value, highest.band.words
    if not highest.complete:
        value = {"comparator": ">=", **value}
        band, words = f"{AT_LEAST}{band}", f"at least {words}"
    score |= {
        "valueQuantity": value,
        "interpretation": [codes.concept((codes.OURS, band), text=words)],
    }
    yield score
    yield {"code": codes.IN_SUMMARY["highest-news2-at"], "valueDateTime": moment(highest.at)}


def _sets(summary: ResidentSummary) -> Iterator[Json]:
    yield {"code": codes.IN_SUMMARY["sets-due"], **_count(summary.due)}
    yield {"code": codes.IN_SUMMARY["sets-done"], **_count(summary.done)}
    yield {"code": codes.IN_SUMMARY["sets-formed"], **_count(summary.sets)}


def _alerts(alerts: AlertsSummary) -> Iterator[Json]:
    for name, number in (
        ("alerts-raised", alerts.raised),
        ("alerts-acknowledged", alerts.acknowledged),
        ("alerts-never-acknowledged", alerts.never_acknowledged),
        ("alerts-escalated", alerts.escalated),
        ("alerts-resolved", alerts.resolved),
        ("alerts-waiting", alerts.waiting),
    ):
        yield {"code": codes.IN_SUMMARY[name], **_count(number)}
    for name, wait in (("median-wait", alerts.median_wait), ("longest-wait", alerts.longest_wait)):
        code = {"code": codes.IN_SUMMARY[name]}
        if wait is None:
            yield code | absent("not-applicable")
        else:
            yield code | _seconds(wait)
