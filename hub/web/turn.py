"""What the page of a round shows: which values count for the resident now, which readings of the kit are
nobody's and may be theirs, what is missing. Pure.

What is nobody's is never shown among their values: it is offered, with its sensor and its time, and a person
says whose it is (`hub/attribution/rule.py` has why it is nobody's).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.assessment.news2 import PARAMETERS
from hub.assessment.observation_set import ObservationSet, Recency
from hub.configuration.file import Sensor
from hub.readings import Flag, Measurement, Origin, Quality, Reading, Value, Vital
from hub.store.rows import StoredReading
from hub.timekeeping.placed import PlacedReading
from hub.timekeeping.timing import TimeQuality

OFFERED_BEFORE = timedelta(minutes=1)
"""How long before a round was opened a reading of its kit may have come in and still be offered: measured
first, opened afterwards. Earlier ones are more likely the former resident's, and wait in the tray."""

SHOWN = (
    Vital.RESPIRATION_RATE,
    Vital.OXYGEN_SATURATION,
    Vital.SUPPLEMENTAL_OXYGEN,
    Vital.SYSTOLIC_PRESSURE,
    Vital.DIASTOLIC_PRESSURE,
    Vital.PULSE_RATE,
    Vital.CONSCIOUSNESS,
    Vital.TEMPERATURE,
)
"""What a round is about, in the order of NEWS2's chart; the diastolic pressure is in no score."""

_DRIVERS = {
    "blood_pressure": "cuff",
    "pulse_oximeter": "oximeter",
    "beurer_bm85": "cuff",
    "contec_cms50": "oximeter",
    "contec_cms50_classic": "oximeter",
    "nonin_3230": "oximeter",
    "nonin_df8": "oximeter",
    "nonin_serial": "oximeter",
    "viatom_pc60fw": "oximeter",
    "heart_rate": "heart rate strap",
    "weight_scale": "scale",
    "glucose": "glucose meter",
    "glucose_and_ketone": "glucose meter",
    "onetouch_ultra_easy": "glucose meter",
}


@dataclass(frozen=True, slots=True)
class OpenTurn:
    """Whose turn it is on the kit; `by` is who opened it on the page, None where it was scanned."""

    resident: str
    since: datetime
    until: datetime
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """One vital of the resident's that counts now, or that is missing (`value` None).

    `source` is the sensor's name or "entered by Ann". `in_turn` is whether it came in since the round
    was opened.
    """

    vital: Vital
    value: Value | None = None
    measured_at: datetime | None = None
    source: str = ""
    in_turn: bool = False
    questionable: bool = False
    doubtful_time: bool = False
    by_hand: bool = False

    @property
    def missing(self) -> bool:
        """Whether it has to be measured for a score."""
        return self.value is None and self.vital in PARAMETERS


@dataclass(frozen=True, slots=True)
class Offer:
    """A reading of nobody, for a person to say whose it is.

    `values` is what a score may take of it. Where that is nothing, `trouble` says what the sensor said
    instead, and nobody need be given it. `before` is whether it came in before the round was opened.
    `ranges` are the lowest and highest of a stretch of a stream, of which `values` has the medians.
    """

    reading: uuid.UUID
    source: str
    kit: str | None
    received_at: datetime
    measured_at: datetime
    values: tuple[tuple[Vital, Value], ...] = ()
    questionable: bool = False
    doubtful_time: bool = False
    before: bool = False
    trouble: str = ""
    ranges: tuple[tuple[Vital, float, float], ...] = ()


def turn_of(answer: Mapping[str, object], kit: str | None) -> OpenTurn | None:
    """Whose turn it is on a kit, by what the hub answers to "rounds"; None where it is nobody's."""
    opened = answer.get("open")
    for each in opened if isinstance(opened, list) else []:
        if each.get("kit") == kit:
            since, until = (datetime.fromisoformat(each[key]) for key in ("since", "until"))
            return OpenTurn(str(each["resident"]), since, until, each.get("by"))
    return None


def kits_of(sensors: Iterable[Sensor]) -> list[str | None]:
    """The kits that there are: those that a shared sensor names, in order; None is that of all without."""
    kits = {sensor.kit for sensor in sensors if sensor.resident is None}
    return sorted(kits, key=lambda kit: (kit is not None, kit or ""))


def source_words(reading: Reading, sensors: Mapping[str, Sensor]) -> str:
    """What or who said it: "cuff", the label of a sensor, "entered by Ann"."""
    if reading.raw.origin is Origin.MANUAL:
        by = entered_by(reading)
        return f"entered by {by}" if by else "entered by hand"
    sensor = sensors.get(reading.raw.device.upper())
    if sensor is not None and sensor.label:
        return sensor.label
    return _DRIVERS.get(reading.raw.driver, reading.raw.driver.replace("_", " "))


def entered_by(reading: Reading) -> str | None:
    """Who entered an observation, as they gave their name; None where it does not say."""
    try:
        said = json.loads(reading.raw.payload)
    except ValueError:
        return None
    by = said.get("by") if isinstance(said, dict) else None
    return by if isinstance(by, str) and by else None


def shown(
    observations: ObservationSet | None,
    sources: Mapping[uuid.UUID, PlacedReading],
    recency: Recency,
    now: datetime,
    turn: OpenTurn | None,
    sensors: Mapping[str, Sensor],
) -> list[Shown]:
    """Each vital of a round with what counts of it now.

    A value that was in the newest set and is older by now than its limit is missing: the next set has it not.

    Args:
        observations: the resident's newest set; None where there is none.
        sources: the readings that it was formed of, by id.
        turn: their open round; None where none is open.
    """
    return [_shown(vital, observations, sources, recency, now, turn, sensors) for vital in SHOWN]


def _shown(
    vital: Vital,
    observations: ObservationSet | None,
    sources: Mapping[uuid.UUID, PlacedReading],
    recency: Recency,
    now: datetime,
    turn: OpenTurn | None,
    sensors: Mapping[str, Sensor],
) -> Shown:
    found = None if observations is None else observations.observations.get(vital)
    limit = recency.recent_by_vital.get(vital, recency.recent)
    if found is None or now - found.measured_at > limit:
        return Shown(vital)
    source = sources.get(found.reading_id)
    received_at = found.measured_at if source is None else source.reading.raw.received_at
    return Shown(
        vital,
        found.value,
        found.measured_at,
        "" if source is None else source_words(source.reading, sensors),
        in_turn=turn is not None and received_at >= turn.since,
        questionable=found.quality is Quality.QUESTIONABLE,
        doubtful_time=found.doubtful_time,
        by_hand=source is not None and source.reading.raw.origin is Origin.MANUAL,
    )


def missing(values: Iterable[Shown]) -> tuple[Vital, ...]:
    """What has to be measured yet for a complete score, in the order of the chart."""
    lacking = {each.vital for each in values if each.missing}
    return tuple(vital for vital in PARAMETERS if vital in lacking)


def offers(
    nobodys: Iterable[StoredReading],
    turn: OpenTurn | None,
    kit: str | None,
    sensors: Mapping[str, Sensor],
) -> list[Offer]:
    """What the sensors of a kit have told since shortly before its round was opened, if it is nobody's.

    The newest first. Nothing where no round is open: then it cannot be said of whose round it might be.
    """
    if turn is None:
        return []
    found = []
    for stored in nobodys:
        reading = stored.placed.reading
        sensor = sensors.get(reading.raw.device.upper())
        if sensor is None or sensor.resident is not None or sensor.kit != kit:
            continue
        if reading.raw.received_at >= turn.since - OFFERED_BEFORE:
            found.append(offer(stored.placed, sensors, before=reading.raw.received_at < turn.since))
    return sorted(found, key=lambda each: each.received_at, reverse=True)


def offer(placed: PlacedReading, sensors: Mapping[str, Sensor], *, before: bool = False) -> Offer:
    """A reading as it is shown to whoever says whose it is."""
    reading, sensor = placed.reading, sensors.get(placed.reading.raw.device.upper())
    usable = [
        each
        for each in placed.taken
        if each.usable and each.value is not None and each.vital is not Vital.MEAN_ARTERIAL_PRESSURE
    ]
    return Offer(
        reading=reading.id,
        source=source_words(reading, sensors),
        kit=None if sensor is None else sensor.kit,
        received_at=reading.raw.received_at,
        measured_at=placed.measured_at,
        values=tuple((each.vital, each.value) for each in usable if each.value is not None),
        questionable=any(each.quality is Quality.QUESTIONABLE for each in usable),
        doubtful_time=placed.time_quality is TimeQuality.DOUBTFUL,
        before=before,
        trouble="" if usable else trouble_words(reading.measurements, reading.flags),
        ranges=()
        if reading.stretch is None
        else tuple((each.vital, each.lowest, each.highest) for each in reading.stretch.vitals),
    )


def trouble_words(measurements: Sequence[Measurement], flags: frozenset[Flag]) -> str:
    """Why nothing that a sensor told can be used: "cuff too loose"."""
    said = ", ".join(sorted(flag.value for flag in flags))
    if said:
        return said
    return "it measured and found nothing" if measurements else "it told no value"
