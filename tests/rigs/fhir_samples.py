"""Readings, assessments and alerts for the tests of the feed: some by hand, any by hypothesis."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from hub.alerts.assessed import Assessment
from hub.alerts.concern import Concern, SoftSign
from hub.alerts.life import Alert, Resolution
from hub.assessment.deterioration import Risk
from hub.assessment.news2 import OxygenScale, score
from hub.assessment.observation_set import Observation, ObservationSet
from hub.assessment.reason import Reason
from hub.clock import ClockQuality, ClockStamp
from hub.readings import (
    OF_THE_ROOM,
    AbsentReason,
    Breathing,
    Consciousness,
    DeviceTime,
    Flag,
    Measurement,
    Origin,
    Quality,
    RawPayload,
    Reading,
    Value,
    Vital,
    type_of_value,
)
from hub.timekeeping.placed import PlacedReading
from hub.timekeeping.timing import TimeQuality
from hub.uplink.cloudevents import Event
from hub.uplink.contract import Identity

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LIVE, TEST = Identity("rose-house", "hub-1", False), Identity("rose-house", "hub-1", True)
BOOT = uuid.UUID("4972d4ec-954e-4ad3-b02b-87f064970cea")
STAMP = ClockStamp(BOOT, timedelta(seconds=1234, microseconds=567891), ClockQuality.SYNCHRONISED)
RISK = Risk(
    0.4213, "careport-deterioration-additive", "0.1.0", "b75b46287e26", ("age",), ("pulse_rate",),
    uncalibrated=0.6127, reasons=(Reason(Vital.PULSE_RATE, 163.0, 76.0, usual=True, moved=0.5),),
    would_alert=True,
)  # fmt: skip
CUFF, OXIMETER, THERMOMETER = (f"C4:F2:17:00:00:0{number}" for number in (1, 2, 3))


def placed(
    *measurements: Measurement,
    device: str = OXIMETER,
    driver: str = "pulse_oximeter",
    flags: Sequence[Flag] = (),
    origin: Origin = Origin.SENSOR,
    at: datetime = NOON,
    measured: datetime | None = None,
    device_time: DeviceTime | None = None,
    quality: TimeQuality = TimeQuality.RECEIVED,
    payload: bytes = b"\x01\x5b",
    resident: str | None = "R-0412",
    problem: str | None = None,
    observed: tuple[Measurement, ...] | None = None,
) -> PlacedReading:
    """A reading, received at `at`; measured then too unless said otherwise."""
    raw = RawPayload(device, driver, payload, at, "2a5e", origin)
    reading = Reading(
        uuid.uuid4(), raw, measurements, frozenset(flags), device_time=device_time, problem=problem
    )
    return PlacedReading(reading, resident, measured or at, quality, STAMP, observed)


def cuff(systolic: float = 98.0, at: datetime = NOON) -> PlacedReading:
    """A cuff's reading whose clock agrees with the hub's, an hour ahead of UTC."""
    local = at + timedelta(hours=1, seconds=30)
    return placed(
        Measurement(Vital.SYSTOLIC_PRESSURE, systolic),
        Measurement(Vital.DIASTOLIC_PRESSURE, 55.0),
        Measurement(Vital.MEAN_ARTERIAL_PRESSURE, 70.0),
        Measurement(Vital.PULSE_RATE, 120.0),
        device=CUFF,
        driver="blood_pressure",
        flags=[Flag.IRREGULAR_PULSE],
        at=at,
        device_time=DeviceTime(local.year, local.month, local.day, local.hour, local.minute, local.second),
        quality=TimeQuality.AGREED,
    )


def oximeter(saturation: float = 91.0, at: datetime = NOON) -> PlacedReading:
    """An oximeter's reading, its pulse questionable."""
    return placed(
        Measurement(Vital.OXYGEN_SATURATION, saturation),
        Measurement(Vital.PULSE_RATE, 118.0, quality=Quality.QUESTIONABLE),
        at=at,
    )


def thermometer() -> PlacedReading:
    """A thermometer's reading, in the ear."""
    return placed(
        Measurement(Vital.TEMPERATURE, 38.6, site="tympanum"), device=THERMOMETER, driver="thermometer"
    )


def by_hand() -> PlacedReading:
    """What a carer entered; the payload names them."""
    return placed(
        Measurement(Vital.CONSCIOUSNESS, Consciousness.NEW_CONFUSION),
        Measurement(Vital.SUPPLEMENTAL_OXYGEN, Breathing.AIR),
        Measurement(Vital.RESPIRATION_RATE, 24.0),
        device="manual",
        driver="manual",
        origin=Origin.MANUAL,
        payload=b'{"by":"Mary Carer"}',
    )


def assessment(
    *readings: PlacedReading,
    risk: Risk | None = RISK,
    scale: OxygenScale = OxygenScale.SCALE_1,
    at: datetime = NOON,
) -> Assessment:
    """The assessment of some readings: of each vital the newest, as `observation_set.form` takes it."""
    observations: dict[Vital, Observation] = {}
    for each in readings:
        told = each.reading.measurements if each.observed is None else each.observed
        for said in told:
            if said.value is None or not said.usable or said.vital in OF_THE_ROOM:
                continue
            one = Observation(
                said.value,
                each.measured_at,
                each.reading.id,
                said.quality,
                each.time_quality is TimeQuality.DOUBTFUL,
            )
            other = observations.get(said.vital)
            if other is None or _preference(one) > _preference(other):
                observations[said.vital] = one
    formed = ObservationSet(at, observations)
    return Assessment(
        uuid.uuid4(),
        "R-0412",
        formed,
        score(formed.values, scale),
        risk,
        readings[-1].reading.id,
        {each.reading.id: each for each in readings},
    )


def _preference(observation: Observation) -> tuple[datetime, bool, uuid.UUID]:
    return observation.measured_at, observation.quality is Quality.GOOD, observation.reading_id


def complete() -> Assessment:
    """All seven parameters."""
    return assessment(cuff(), oximeter(), thermometer(), by_hand())


def partial() -> Assessment:
    """Saturation and pulse alone: at least medium."""
    return assessment(oximeter())


def alert(of: Assessment, minutes: float = 0) -> Alert:
    """The alert that an assessment raised."""
    at = of.observations.at + minutes * MINUTE
    return Alert(
        uuid.uuid4(),
        of.resident,
        of.news2.band,
        of.news2,
        at,
        of.observations.at,
        of.news2.contributing,
        of.observations.at,
    )


# --- looking into a Bundle


def resources(event: Event, kind: str) -> list[Any]:
    """The resources of a type, in order."""
    found = (entry["resource"] for entry in event.data["entry"])
    return [each for each in found if each["resourceType"] == kind]


def coded(event: Event, code: str) -> Any:
    """The one Observation of a code."""
    (found,) = (
        each
        for each in resources(event, "Observation")
        if code in {coding["code"] for coding in each["code"].get("coding", ())}
    )
    return found


def news2(event: Event) -> Any:
    """The NEWS2 Observation of an event with one assessment."""
    return coded(event, "1104051000000101")


def extension(resource: Any, name: str) -> dict[str, Any]:
    """The parts of one of our extensions; of a part that is there more than once, the last."""
    (whole,) = (each for each in resource["extension"] if each["url"].endswith(f"/{name}"))
    return {
        part["url"]: next(part[key] for key in part if key.startswith("value")) for part in whole["extension"]
    }


# --- anything, by hypothesis

_numbers = st.floats() | st.sampled_from([36.05, 91.0, 120.0, 0.0])
_sites = st.none() | st.sampled_from(["finger", "tympanum", ""])
times = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    datetime(2099, 12, 31),  # noqa: DTZ001
    timezones=st.sampled_from(
        [UTC, timezone(timedelta(hours=1)), timezone(timedelta(hours=-9, minutes=-30))]
    ),
)
_words = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)


def _values(vital: Vital) -> st.SearchStrategy[Value]:
    kind = type_of_value(vital)
    return _numbers if kind is float else st.sampled_from(list(kind))  # type: ignore[arg-type]  # enums list


@st.composite
def measurements(draw: st.DrawFn, vital: Vital) -> Measurement:
    """A measurement of a vital: a value or a reason, of any quality."""
    quality, site = draw(st.sampled_from(Quality)), draw(_sites)
    if draw(st.booleans()):
        return Measurement(vital, None, draw(st.sampled_from(AbsentReason)), quality, site)
    return Measurement(vital, draw(_values(vital)), None, quality, site)


_device_times = st.builds(
    DeviceTime,
    st.integers(0, 9999),
    st.integers(0, 12),
    st.integers(0, 31),
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(0, 59),
)


@st.composite
def placed_readings(draw: st.DrawFn) -> PlacedReading:
    """Any reading, with an owner or without."""
    vitals = draw(st.lists(st.sampled_from(Vital), unique=True, max_size=5))
    origin = draw(st.sampled_from(Origin))
    raw = RawPayload(
        draw(st.sampled_from([CUFF, OXIMETER, "usb-3", "manual", "a/b c"])),
        draw(st.sampled_from(["blood_pressure", "pulse_oximeter", "manual", "a_fourth_sensor"])),
        draw(st.binary(max_size=20)),
        draw(times),
        draw(st.sampled_from(["", "2a35"])),
        origin,
    )
    reading = Reading(
        draw(st.uuids()),
        raw,
        tuple([draw(measurements(vital)) for vital in vitals]),
        frozenset(draw(st.lists(st.sampled_from(Flag), max_size=3))),
        device_time=draw(st.none() | _device_times),
        problem=None if vitals else draw(st.none() | _words),
    )
    stamp = ClockStamp(
        draw(st.uuids()),
        timedelta(microseconds=draw(st.integers(0, 10**14))),
        draw(st.sampled_from(ClockQuality)),
    )
    return PlacedReading(
        reading,
        draw(st.none() | st.sampled_from(["R-0412", "a.b_c"])),
        draw(times),
        draw(st.sampled_from(TimeQuality)),
        stamp,
        draw(st.none() | st.just(reading.measurements)),
    )


@st.composite
def assessments(draw: st.DrawFn) -> Assessment:
    """Any assessment of up to four readings; of some the reading itself is not known."""
    readings = draw(
        st.lists(placed_readings(), min_size=1, max_size=4, unique_by=lambda each: each.reading.id)
    )
    risk = draw(st.none() | st.just(RISK) | st.just(replace(RISK, probability=1.0, missing=())))
    made = assessment(*readings, risk=risk, scale=draw(st.sampled_from(OxygenScale)), at=draw(times))
    if draw(st.booleans()):
        made = replace(made, sources={})
    return made


_concerns = st.builds(
    Concern,
    said_at=times,
    signs=st.lists(st.sampled_from(SoftSign), unique=True).map(tuple),
    words=_words,
    by=_words,
    settled_at=st.none() | times,
)


@st.composite
def alerts(draw: st.DrawFn, of: Assessment) -> Alert:
    """Any alert of an assessment, however far it has come."""
    made = replace(alert(of), rung=draw(st.integers(0, 3)), supersedes=draw(st.none() | st.uuids()))
    if draw(st.booleans()):
        made = replace(made, delivered_at=draw(times))
    if draw(st.booleans()):
        made = replace(
            made,
            acknowledged_at=draw(times),
            acknowledged_by=draw(_words),
            acknowledged_via=draw(st.sampled_from(["ics", "cli", "hub"])),
        )
    if draw(st.booleans()):
        made = replace(made, resolved_at=draw(times), resolution=draw(st.sampled_from(Resolution)))
    if draw(st.booleans()):
        made = replace(made, concern=draw(_concerns))
    return made
