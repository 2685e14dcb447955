"""The other side of the feed: what a subscriber hears, out of the Bundle and in the hub's own words.

For `carehub listen`, the demonstration and the benches; it reads only what `feed.py` writes. Anybody may
publish to a broker, so whatever is not such an event is a `HeardError`, which never quotes it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from pydantic import ValidationError

from hub.alerts.concern import SoftSign
from hub.alerts.life import AlertState, Resolution
from hub.assessment.news2 import Band
from hub.clock import ClockQuality
from hub.errors import CareportError
from hub.readings import Vital
from hub.timekeeping.timing import TimeQuality
from hub.uplink.cloudevents import Event
from hub.uplink.contract import AlertChange, Channel, SummaryOf, event_type
from hub.uplink.fhir import codes
from hub.uplink.fhir.codes import Json
from hub.uplink.fhir.understood import (
    HeardAssessment,
    HeardMeasurement,
    HeardPulse,
    assessment_of,
    first,
    measurement_of,
    name_of,
    only,
    parts_of,
    pulse_of,
    resident_of,
    statistics_of,
    time_of,
    uuid_of,
)
from hub.uplink.plain import HubSummaryData


class HeardError(CareportError):
    """An event that is not as a hub sends it."""


@dataclass(frozen=True, slots=True)
class HeardObservation:
    """An event of the observation channel. `withdrawn` is where it is in error, since it was of another."""

    site: str
    hub: str
    test_data: bool
    assessment: HeardAssessment
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class HeardAcknowledgement:
    """Who has taken an alert, when, by what way, and how many seconds after it was raised."""

    by: str
    at: datetime
    via: str | None
    after_seconds: float


@dataclass(frozen=True, slots=True)
class HeardAlert:
    """An event of the alert channel. `at` is when the change happened, all times aware."""

    site: str
    hub: str
    test_data: bool
    alert: uuid.UUID
    change: AlertChange
    at: datetime
    state: AlertState
    band: Band
    resident: str
    words: str
    response: str
    raised_at: datetime
    measured_at: datetime
    assessment: HeardAssessment
    newest: HeardAssessment | None
    rung: int
    repeat: int
    tell: str | None
    supersedes: uuid.UUID | None
    acknowledged: HeardAcknowledgement | None
    resolution: Resolution | None
    soft_signs: tuple[SoftSign, ...] = ()
    concern_said_at: datetime | None = None
    concern_settled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HeardSummary:
    """The summary of a resident's period. Of each vital by their names the statistics, in its unit.

    `highest_news2` is None where there was no score, and the least that it can be where it is not complete.
    `numbers` are those of `codes.IN_SUMMARY`, the waits in seconds. `pulse` is None where nothing was found.
    """

    site: str
    hub: str
    test_data: bool
    resident: str
    since: datetime
    until: datetime
    vitals: Mapping[Vital, Mapping[str, float]]
    highest_news2: int | None
    highest_is_complete: bool
    highest_at: datetime | None
    numbers: Mapping[str, float]
    pulse: HeardPulse | None = None


@dataclass(frozen=True, slots=True)
class HeardReading:
    """One reading. `device` is None for a person's entry, `payload` (hexadecimal) too, or if it was empty."""

    site: str
    hub: str
    test_data: bool
    reading: uuid.UUID
    resident: str | None
    device: str | None
    driver: str
    characteristic: str
    payload: str | None
    received_at: datetime
    measured_at: datetime
    time_quality: TimeQuality
    device_time: str | None
    boot: uuid.UUID
    since_boot_seconds: float
    clock_quality: ClockQuality
    flags: tuple[str, ...]
    problem: str | None
    measurements: tuple[HeardMeasurement, ...]


_Parameters = ParamSpec("_Parameters")
_Heard = TypeVar("_Heard")


def _as_a_hub_says_it(read: Callable[_Parameters, _Heard]) -> Callable[_Parameters, _Heard]:
    @wraps(read)
    def reading(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Heard:
        try:
            return read(*args, **kwargs)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise HeardError("an event is not as a hub sends it") from error

    return reading


@_as_a_hub_says_it
def readings_heard(event: Event) -> tuple[HeardReading, ...]:
    """The readings of an event of the reading channel, in order. Raises `HeardError`."""
    told = _Told(event, event_type(Channel.READING))
    return tuple(_reading(told, entry["resource"]) for entry in event.data["entry"])


@_as_a_hub_says_it
def observation_heard(event: Event) -> HeardObservation:
    """The observation set of an event of the observation channel. Raises `HeardError`."""
    return _observation(_Told(event, event_type(Channel.OBSERVATION)))


@_as_a_hub_says_it
def amended_observation_heard(event: Event) -> HeardObservation:
    """The observation set of an amendment, as it is known now. Raises `HeardError`."""
    return _observation(_Told(event, event_type(Channel.AMENDED_OBSERVATION)))


def _observation(told: _Told) -> HeardObservation:
    score = first(each for each in told.resources.values() if each.get("code") == codes.NEWS2)
    assessment = assessment_of(told.resources, score)
    withdrawn = score["status"] == "entered-in-error"
    return HeardObservation(told.site, told.hub, told.test_data, assessment, withdrawn)


@_as_a_hub_says_it
def alert_heard(event: Event) -> HeardAlert:
    """The alert of an event of the alert channel. Raises `HeardError`."""
    return _alert(_Told(event, *(event_type(Channel.ALERT, change) for change in AlertChange)))


@_as_a_hub_says_it
def amended_alert_heard(event: Event) -> HeardAlert:
    """The alert of an amendment, with the last change of it: no new alert. Raises `HeardError`."""
    return _alert(_Told(event, event_type(Channel.AMENDED_ALERT)))


def _alert(told: _Told) -> HeardAlert:
    alert: Json = first(_of_type(told, "CommunicationRequest"))
    parts = parts_of(alert, codes.ALERT)
    text = {each["id"]: each["contentString"] for each in alert["payload"]}
    raising = told.resources[alert["reasonReference"][0]["reference"]]
    judged = [told.resources[each["reference"]] for each in alert["about"]]
    scores = [each for each in judged if each.get("code") == codes.NEWS2 and each is not raising]
    resolution = parts.get("resolution")
    replaces = alert.get("replaces")
    return HeardAlert(
        site=told.site,
        hub=told.hub,
        test_data=told.test_data,
        alert=name_of(alert),
        change=AlertChange(only(parts["change"])),
        at=time_of(only(parts["at"])),
        state=AlertState(only(parts["state"])),
        band=Band(only(parts["band"])),
        resident=resident_of(alert),
        words=str(text["words"]),
        response=str(text["response"]),
        raised_at=time_of(alert["authoredOn"]),
        measured_at=time_of(only(parts["measuredAt"])),
        assessment=assessment_of(told.resources, raising),
        newest=assessment_of(told.resources, scores[0]) if scores else None,
        rung=int(only(parts["rung"])),
        repeat=int(only(parts["repeat"])),
        tell=str(only(parts["tell"])) if "tell" in parts else None,
        supersedes=uuid_of(replaces[0]["identifier"]["value"]) if replaces else None,
        acknowledged=_acknowledgement(told),
        resolution=Resolution(only(resolution)) if resolution else None,
        soft_signs=tuple(map(SoftSign, parts.get("softSign", ()))),
        concern_said_at=time_of(only(parts["concernSaidAt"])) if "concernSaidAt" in parts else None,
        concern_settled_at=time_of(only(parts["concernSettledAt"])) if "concernSettledAt" in parts else None,
    )


@_as_a_hub_says_it
def resident_summary_heard(event: Event) -> HeardSummary:
    """The summary of a resident's period. Raises `HeardError`."""
    told = _Told(event, event_type(Channel.SUMMARY, SummaryOf.RESIDENT))
    whole: Json = first(each for each in told.resources.values() if each.get("code") == codes.SUMMARY)
    parts = {known["code"]["coding"][0]["code"]: known for known in whole["component"]}
    numbers = {
        name: float(part["valueQuantity"]["value"]) for name, part in parts.items() if "valueQuantity" in part
    }
    score = numbers.pop("highest-news2", None)
    period = whole["effectivePeriod"]
    members = [told.resources[each["reference"]] for each in whole.get("hasMember", ())]
    pulse = [pulse_of(each) for each in members if each["code"] == codes.PULSE]
    return HeardSummary(
        site=told.site,
        hub=told.hub,
        test_data=told.test_data,
        resident=resident_of(whole),
        since=time_of(period["start"]),
        until=time_of(period["end"]),
        vitals=dict(statistics_of(each) for each in members if each["code"] != codes.PULSE),
        highest_news2=None if score is None else int(score),
        highest_is_complete="comparator" not in parts["highest-news2"].get("valueQuantity", {}),
        highest_at=time_of(parts["highest-news2-at"]["valueDateTime"]) if score is not None else None,
        numbers=numbers,
        pulse=pulse[0] if pulse else None,
    )


def hub_summary_heard(event: Event) -> HubSummaryData:
    """The summary of a hub's period. Raises `HeardError`."""
    try:
        if event.type != event_type(Channel.SUMMARY, SummaryOf.HUB):
            raise HeardError("an event is not as a hub sends it")
        return HubSummaryData.model_validate(dict(event.data))
    except ValidationError:
        # Not chained: pydantic's text quotes what came in.
        raise HeardError("an event is not as a hub sends it") from None


class _Told:
    """A Bundle: its resources by `fullUrl`, and who speaks."""

    def __init__(self, event: Event, *types: str) -> None:
        if event.type not in types or event.data["resourceType"] != "Bundle":
            raise ValueError("another type of event")
        meta = event.data["meta"]
        self.site, self.hub = meta["source"].removeprefix(f"{codes.HUB}/").split("/")
        self.test_data = codes.TEST_DATA in meta.get("security", ())
        self.resources: dict[str, Json] = {
            entry["fullUrl"]: entry["resource"] for entry in event.data["entry"] if "fullUrl" in entry
        }


def _of_type(told: _Told, kind: str) -> Iterable[Any]:
    return (each for each in told.resources.values() if each["resourceType"] == kind)


def _acknowledgement(told: _Told) -> HeardAcknowledgement | None:
    for said in _of_type(told, "Communication"):
        after = first(each for each in said["extension"] if each["url"] == codes.ACKNOWLEDGED_AFTER)
        return HeardAcknowledgement(
            by=str(said["note"][0]["authorString"]),
            at=time_of(said["received"]),
            via=said["medium"][0]["text"] if "medium" in said else None,
            after_seconds=float(after["valueDuration"]["value"]),
        )
    return None


def _reading(told: _Told, said: Json) -> HeardReading:
    parts = parts_of(said, codes.READING)
    name, measured_at = name_of(said), time_of(said["effectiveDateTime"])
    reason = said.get("dataAbsentReason", {})
    return HeardReading(
        site=told.site,
        hub=told.hub,
        test_data=codes.TEST_DATA in said.get("meta", {}).get("security", ()),
        reading=name,
        resident=resident_of(said) if "subject" in said else None,
        device=_device(said["device"]["identifier"]) if "device" in said else None,
        driver=str(only(parts["driver"])),
        characteristic=str(parts.get("characteristic", [""])[0]),
        payload=parts.get("payload", [None])[0],
        received_at=time_of(said["issued"]),
        measured_at=measured_at,
        time_quality=TimeQuality(only(parts["time"])),
        device_time=parts.get("deviceTime", [None])[0],
        boot=uuid.UUID(only(parts["boot"])),
        since_boot_seconds=float(only(parts["sinceBoot"])),
        clock_quality=ClockQuality(only(parts["clock"])),
        flags=tuple(parts.get("flag", ())),
        problem=reason.get("text"),
        measurements=tuple(measurement_of(each, measured_at, name) for each in said.get("component", ())),
    )


def _device(known: Json) -> str:
    value = str(known["value"])
    return value.replace("-", ":") if known["system"] == codes.BLUETOOTH else value.split("/", 2)[2]
