"""Which single measurements belong together and are scored together: the observation set.

The rule: the set of a resident at a moment is made of, for each vital, the newest usable
measurement that is no older than that vital's recency limit (`observation_sets.recent` in the
configuration, 30 minutes unless set, or `recent_by_vital`). An older value is missing, never
carried forward; a value measured after the moment is not seen. A newer measurement that failed
does not hide an older one that did not. Of two measured at the same instant (a cuff and an
oximeter both give a pulse) the one of good quality counts, then the one with the greater reading
id, so that the order of arrival changes nothing.

What is of the room (`hub.readings.OF_THE_ROOM`) is never in a set, whoever's room it is. Weight and glucose
are (`OF_NO_SCORE`), so that they are told, and no score has them: of these also that a value lay beyond what
the sensor can say. A meter's "LO" is no failure, but the lowest glucose that there is.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from hub.readings import (
    OF_NO_SCORE,
    OF_THE_ROOM,
    AbsentReason,
    Measurement,
    Quality,
    Reading,
    Value,
    Vital,
)

_NO_TIME = timedelta(0)
_BEYOND = {AbsentReason.NEGATIVE_INFINITY: -math.inf, AbsentReason.POSITIVE_INFINITY: math.inf}
# To look up a member of an enumeration takes longer than all else that is done with it here.
_QUESTIONABLE, _UNUSABLE = Quality.QUESTIONABLE, Quality.UNUSABLE


@dataclass(frozen=True, slots=True)
class Observation:
    """A measurement with its time and where it came from. `measured_at` is aware.

    Where `doubtful_time` is true it is only when the hub received it: the sensor's clock is not believed.
    """

    value: Value
    measured_at: datetime
    reading_id: uuid.UUID
    quality: Quality = Quality.GOOD
    doubtful_time: bool = False

    def __post_init__(self) -> None:
        if self.measured_at.tzinfo is None:
            raise ValueError("measured_at: a time without a zone is no time")


@dataclass(frozen=True, slots=True)
class ObservationSet:
    """What is known of a resident at the moment `at`; a vital that is not known is not in it."""

    at: datetime
    observations: Mapping[Vital, Observation]

    @property
    def values(self) -> dict[Vital, Value]:
        """The values alone, each in its vital's fixed unit."""
        return {vital: observation.value for vital, observation in self.observations.items()}

    @property
    def questionable(self) -> frozenset[Vital]:
        """The vitals whose sensor doubted its own measurement: scored, and marked wherever they show."""
        return frozenset(
            [vital for vital, each in self.observations.items() if each.quality is _QUESTIONABLE]
        )

    @property
    def doubtful_time(self) -> frozenset[Vital]:
        """The vitals of which it is doubtful when they were measured: marked wherever they show."""
        return frozenset([vital for vital, each in self.observations.items() if each.doubtful_time])


class Recency(Protocol):
    """How old a vital's measurement may be; `observation_sets` of the configuration is one."""

    @property
    def recent(self) -> timedelta:
        """The limit of every vital that has none of its own."""

    @property
    def recent_by_vital(self) -> Mapping[Vital, timedelta]:
        """The vitals with a limit of their own."""


def taken(measurement: Measurement) -> Value | None:
    """The value that a set may take of a measurement, if any: its own, where that is usable.

    Of what is in no score, minus infinity where it lay below what the sensor can say, infinity where above:
    it is told as the reason why there is no number (`hub/uplink/fhir/observations.py`).
    """
    if measurement.usable:
        return measurement.value
    if measurement.vital in OF_NO_SCORE and measurement.quality is not _UNUSABLE:
        return None if measurement.absent is None else _BEYOND.get(measurement.absent)
    return None


def observed(reading: Reading, measured_at: datetime) -> Iterator[tuple[Vital, Observation]]:
    """The usable measurements of a reading, as observations made at `measured_at`."""
    for measurement in reading.measurements:
        if measurement.value is not None and measurement.usable:
            yield (
                measurement.vital,
                Observation(measurement.value, measured_at, reading.id, measurement.quality),
            )


def form(observed: Iterable[tuple[Vital, Observation]], at: datetime, recency: Recency) -> ObservationSet:
    """The observation set of one resident at the moment `at`, by the rule above.

    A measurement exactly as old as its limit still counts. The order of `observed` means nothing.
    """
    limits, general_limit = recency.recent_by_vital, recency.recent
    newest: dict[Vital, Observation] = {}
    for vital, observation in observed:
        recent = _NO_TIME <= at - observation.measured_at <= limits.get(vital, general_limit)
        if not recent or observation.quality is _UNUSABLE or vital in OF_THE_ROOM:
            continue
        other = newest.get(vital)
        if other is None or _preference(observation) > _preference(other):
            newest[vital] = observation
    return ObservationSet(at, newest)


def _preference(observation: Observation) -> tuple[datetime, bool, uuid.UUID]:
    return observation.measured_at, observation.quality is Quality.GOOD, observation.reading_id
