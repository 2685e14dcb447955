"""Streams are kept apart, and no more of them is remembered than an observation is made of."""

from __future__ import annotations

import gc
from datetime import datetime, timedelta

from drivers.virtual import encoding
from hub.assessment.stream import Sample
from hub.readings import Measurement, Reading, Vital
from hub.streams import Streams
from tests.rigs.house import ILL, OXIMETER, WELL, decoded, raw

SECOND = timedelta(seconds=1)
OVER = 30 * SECOND


def streamed(saturation: float, at: datetime) -> Reading:
    payload = encoding.continuous(saturation, 72)
    return decoded(raw(OXIMETER, "pulse_oximeter", payload, at, "2a5f"))


def samples_alive() -> int:
    gc.collect()
    return sum(isinstance(each, Sample) for each in gc.get_objects())


def test_one_sensors_values_of_two_residents_are_never_taken_together(noon: datetime) -> None:
    """It goes from one to the other every three seconds, and has covered half of the time for both."""
    streams = Streams(OVER)
    observed = set[tuple[str, float]]()
    for second in range(60):
        resident, saturation = (ILL, 88.0) if second // 3 % 2 else (WELL, 97.0)
        at = noon + second * SECOND
        for measurement in streams.observe(resident, streamed(saturation, at), at):
            if measurement.vital is Vital.OXYGEN_SATURATION and isinstance(measurement.value, float):
                observed.add((resident, measurement.value))
    assert observed == {(ILL, 88.0), (WELL, 97.0)}


def test_what_is_older_than_an_observation_is_forgotten(noon: datetime) -> None:
    before = samples_alive()
    streams = Streams(OVER)
    found: tuple[Measurement, ...] = ()
    for second in range(1000):
        at = noon + second * SECOND
        found = streams.observe(ILL, streamed(97, at), at) or found
    assert found
    remembered = samples_alive() - before
    assert 0 < remembered <= 41  # thirty seconds, and the ten in which nothing is observed
