"""Vital signs as Observations, one for each that an observation set has; blood pressure as one panel.

A resource is a function of the reading that measured it (and of its vital), so that the same measurement,
told in many sets, is one Observation of one identifier.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hub.alerts.assessed import Assessment
from hub.assessment.observation_set import Observation
from hub.readings import (
    AbsentReason,
    DeviceTime,
    Flag,
    Measurement,
    Origin,
    Quality,
    Value,
    Vital,
)
from hub.timekeeping.placed import PlacedReading
from hub.timekeeping.timing import TimeQuality
from hub.uplink.fhir import codes
from hub.uplink.fhir.codes import Json
from hub.uplink.fhir.resources import (
    Place,
    create,
    gateway,
    identifier,
    logical,
    moment,
    reference,
    resource,
    sensor_device,
    sensor_name,
    subject,
    urn,
    urn_within,
)
from hub.uplink.fhir.stretches import stretch_said

_QUARTER = timedelta(minutes=15)
_FARTHEST_ZONE = timedelta(hours=14)
_QUESTIONABLE = [codes.concept((codes.OURS, "questionable"), text="questionable: the sensor doubted it")]
_TEST_FLAGS = frozenset({Flag.FOR_DEMONSTRATION, Flag.FOR_TESTING})
_REASON_OF = {
    math.inf: AbsentReason.POSITIVE_INFINITY,
    -math.inf: AbsentReason.NEGATIVE_INFINITY,
}


@dataclass(frozen=True, slots=True)
class Told:
    """The Observations of one set: their entries, and the names of those that are of its vitals."""

    entries: list[Json]
    vitals: list[str]


def is_test(reading: PlacedReading, place: Place) -> bool:
    """Whether a reading is test data: by the site, by its origin, or by what its sensor said of it."""
    said = reading.reading
    return (
        place.test_data
        or said.raw.origin in (Origin.REPLAY, Origin.VIRTUAL)
        or not _TEST_FLAGS.isdisjoint(said.flags)
    )


def observations_of(place: Place, assessment: Assessment) -> Told:
    """The Observations of an assessment's set, and the devices and clocks behind them."""
    devices: list[Json] = []
    clocks: list[Json] = []
    vitals: list[Json] = []
    names: list[str] = []
    for reading, of_it in _by_reading(assessment.observations.observations).items():
        source = assessment.sources.get(reading)
        about = _About(place, assessment.resident, reading, source)
        if source is not None and about.sensor is not None:
            devices.append(sensor_device(place, source.reading.raw.device, source.reading.raw.driver))
            if source.reading.device_time is not None:
                clocks.append(create(about.clock, _clock(about, source)))
        for name, made in _of_reading(about, of_it):
            names.append(name)
            vitals.append(create(name, made))
    return Told([*devices, *clocks, *vitals], names)


def _by_reading(
    observations: Mapping[Vital, Observation],
) -> dict[uuid.UUID, dict[Vital, Observation]]:
    found: dict[uuid.UUID, dict[Vital, Observation]] = {}
    for vital in Vital:  # so that the same set is always told in the same order
        if vital in observations:
            found.setdefault(observations[vital].reading_id, {})[vital] = observations[vital]
    return found


class _About:
    """What all Observations of one reading say of it."""

    def __init__(self, place: Place, resident: str, reading: uuid.UUID, source: PlacedReading | None) -> None:
        self.place = place
        self.resident = resident
        self.reading = reading
        self.source = source
        self.test = place.test_data if source is None else is_test(source, place)
        raw = None if source is None else source.reading.raw
        by_hand = raw is None or raw.origin is Origin.MANUAL
        self.sensor = None if raw is None or by_hand else sensor_name(place, raw.device)
        # Whose it is was corrected: what was told of it before is withdrawn for good, under its own name.
        corrected = 0 if source is None else source.corrected
        self.name = uuid.uuid5(reading, f"corrected:{corrected}") if corrected else reading
        self.clock = urn_within(self.name, "clock")

    def observation(self, name: str, code: Json, at: datetime, doubtful: bool) -> Json:
        """The part that every Observation of the reading has."""
        made = resource("Observation", self.place, test_data=self.test)
        made["extension"] = [gateway(self.place)]
        quality = TimeQuality.DOUBTFUL if doubtful else self.source and self.source.time_quality
        if quality:
            made["extension"].append({"url": codes.TIME_QUALITY, "valueCode": quality.value})
        made |= {
            "identifier": [identifier(name)],
            "status": "final",
            "category": codes.VITAL_SIGNS,
            "code": code,
            "subject": subject(self.place.site, self.resident),
            "effectiveDateTime": moment(at),
        }
        derived_from = [logical("Observation", urn(self.reading))]
        if self.source is not None:
            made["issued"] = moment(self.source.reading.raw.received_at)
            if self.source.observed is not None:
                made["method"] = {"text": "median of a stream"}
            if self.sensor is not None:
                made["device"] = reference(self.sensor)
                if self.source.reading.device_time is not None:
                    derived_from.append(reference(self.clock))
        made["derivedFrom"] = derived_from
        notes: list[str] = sorted(self.source.reading.flags) if self.source else []
        if notes and self.source is not None and self.source.reading.stretch is not None:
            notes = [f"at times: {'; '.join(notes)}"]
        if doubtful:
            notes.append("when it was measured is doubtful: the sensor's clock may be wrong")
        if notes:
            made["note"] = [{"text": "; ".join(notes)}]
        return made


def _of_reading(about: _About, of_it: Mapping[Vital, Observation]) -> Iterator[tuple[str, Json]]:
    measured = _measured(about.source)
    for vital, observation in of_it.items():
        if vital in codes.PRESSURES:
            continue
        name = urn_within(about.name, vital.value)
        made = about.observation(
            name, codes.VITALS[vital].code, observation.measured_at, observation.doubtful_time
        )
        made |= said(vital, observation.value, None, observation.quality)
        if about.source is not None:
            made["extension"] += stretch_said(vital, about.source.reading.stretch)
        site = measured[vital].site if vital in measured else None
        if site:
            made["bodySite"] = {"text": site}
        yield name, made
    pressures = [vital for vital in codes.PRESSURES if vital in of_it]
    if pressures:
        first = of_it[pressures[0]]
        name = urn_within(about.name, "blood_pressure")
        made = about.observation(name, codes.BLOOD_PRESSURE, first.measured_at, first.doubtful_time)
        made["component"] = list(_pressure_components(of_it, measured))
        yield name, made


def _measured(source: PlacedReading | None) -> dict[Vital, Measurement]:
    if source is None:
        return {}
    return {measurement.vital: measurement for measurement in source.taken}


def _pressure_components(
    of_it: Mapping[Vital, Observation], measured: Mapping[Vital, Measurement]
) -> Iterator[Json]:
    """The panel has all that its reading measured, and systolic and diastolic or the reason for none."""
    for vital in codes.PRESSURES:
        component: Json = {"code": codes.VITALS[vital].code}
        if vital in of_it:
            yield component | said(vital, of_it[vital].value, None, of_it[vital].quality)
        elif vital in measured:
            yield component | measurement_said(measured[vital])
        elif vital is not Vital.MEAN_ARTERIAL_PRESSURE:
            yield component | absent(AbsentReason.UNSUPPORTED.value)


def measurement_said(measurement: Measurement) -> Json:
    """What a measurement says, as an Observation or a component of one says it."""
    return said(measurement.vital, measurement.value, measurement.absent, measurement.quality)


def said(vital: Vital, value: Value | None, reason: AbsentReason | None, quality: Quality) -> Json:
    """A value with its quality, or why there is none.

    An unusable value is no number to anybody (promise 4 of the design): it is told as absent, "error",
    and kept in an extension, so that no receiver charts it and nothing is lost.
    """
    if isinstance(value, float) and not math.isfinite(value):
        reason, value = _REASON_OF.get(value, AbsentReason.NOT_A_NUMBER), None
    if value is None:
        return absent((reason or AbsentReason.ERROR).value)
    if isinstance(value, float | int):
        coded = codes.VITALS[vital]
        quantity = {"value": value, "unit": coded.unit, "system": codes.UCUM, "code": vital.unit}
        made: Json = {"valueQuantity": quantity}
    else:
        made = {"valueCodeableConcept": codes.CODED_VALUES[value]}
    if quality is Quality.UNUSABLE:
        kept = {"url": codes.UNUSABLE_VALUE, **made}
        return {**absent(AbsentReason.ERROR.value), "extension": [kept]}
    if quality is Quality.QUESTIONABLE:
        made["interpretation"] = _QUESTIONABLE
    return made


def absent(reason: str) -> Json:
    """Why there is no value (FHIR's data-absent-reason)."""
    return {"dataAbsentReason": codes.concept((codes.ABSENT, reason))}


def _clock(about: _About, source: PlacedReading) -> Json:
    """The sensor's clock against the hub's, at receipt: the PHD guide's coincident time stamp."""
    made = resource("Observation", about.place, test_data=about.test)
    made |= {
        "extension": [gateway(about.place)],
        "identifier": [identifier(about.clock)],
        "status": "final",
        "code": codes.DEVICE_CLOCK,
        "subject": subject(about.place.site, about.resident),
        "effectiveDateTime": moment(source.reading.raw.received_at),
    }
    if about.sensor is not None:
        made["device"] = reference(about.sensor)
    return made | device_clock(source)


def device_clock(source: PlacedReading) -> Json:
    """What a sensor's clock said.

    Its time has no zone. Where the hub took it for right, the zone follows, and it is told as an instant;
    else it is told as words, since a zone that is made up would make it a time that nobody said.
    """
    time = source.reading.device_time
    if time is None or Flag.CLOCK_NOT_SET in source.reading.flags:
        return absent("unknown")
    zone = _zone(source, time)
    if zone is None:
        return {"valueString": str(time)}
    minutes = zone // timedelta(minutes=1)
    sign = "-" if minutes < 0 else "+"
    return {"valueDateTime": f"{time}{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"}


def _zone(source: PlacedReading, time: DeviceTime) -> timedelta | None:
    """How far the sensor's local time is ahead of UTC, where the hub believed the sensor's clock."""
    try:
        local = datetime(time.year, time.month, time.day, time.hour, time.minute, time.second, tzinfo=UTC)
    except ValueError:  # no such day
        return None
    if source.time_quality is TimeQuality.SENSOR:
        ahead = local - source.measured_at
    elif source.time_quality is TimeQuality.AGREED:
        ahead = round((local - source.reading.raw.received_at) / _QUARTER) * _QUARTER
    else:
        return None
    whole = ahead % timedelta(minutes=1) == timedelta(0)
    return ahead if whole and abs(ahead) <= _FARTHEST_ZONE else None
