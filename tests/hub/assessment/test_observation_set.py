"""Which measurements are scored together."""

import itertools
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.observation_set import Observation, ObservationSet, form, observed, taken
from hub.configuration.file import ObservationSets
from hub.readings import (
    OF_NO_SCORE,
    AbsentReason,
    Button,
    Door,
    Measurement,
    Motion,
    Quality,
    RawPayload,
    Reading,
    Value,
    Vital,
    type_of_value,
)

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Limits:
    recent: timedelta = 30 * MINUTE
    recent_by_vital: dict[Vital, timedelta] = field(default_factory=dict)


def pulse(value: float, before_noon: timedelta, quality: Quality = Quality.GOOD) -> tuple[Vital, Observation]:
    return Vital.PULSE_RATE, Observation(value, NOON - before_noon, uuid.uuid4(), quality)


def formed_pulse(
    observations: Sequence[tuple[Vital, Observation]], limits: Limits | None = None
) -> float | None:
    value = form(observations, NOON, limits or Limits()).values.get(Vital.PULSE_RATE)
    assert value is None or isinstance(value, float)
    return value


def test_the_newest_measurement_counts_whatever_the_order_of_arrival() -> None:
    observations = [pulse(70.0, 20 * MINUTE), pulse(80.0, 5 * MINUTE), pulse(90.0, 10 * MINUTE)]
    assert formed_pulse(observations) == 80.0
    assert formed_pulse(observations[::-1]) == 80.0


def test_a_measurement_older_than_the_limit_is_missing_and_one_exactly_as_old_counts() -> None:
    assert formed_pulse([pulse(70.0, 30 * MINUTE)]) == 70.0
    assert formed_pulse([pulse(70.0, 30 * MINUTE + timedelta(microseconds=1))]) is None


def test_a_vitals_own_limit_goes_before_the_general_one() -> None:
    limits = Limits(recent_by_vital={Vital.PULSE_RATE: 5 * MINUTE})
    assert formed_pulse([pulse(70.0, 6 * MINUTE)], limits) is None
    limits = Limits(recent_by_vital={Vital.PULSE_RATE: 240 * MINUTE, Vital.TEMPERATURE: MINUTE})
    assert formed_pulse([pulse(70.0, 200 * MINUTE)], limits) == 70.0


def test_what_is_measured_after_the_moment_is_not_seen() -> None:
    assert formed_pulse([pulse(70.0, timedelta(0)), pulse(140.0, -MINUTE)]) == 70.0


def test_what_is_of_the_room_is_in_no_set_and_weight_and_glucose_are() -> None:
    said: list[tuple[Vital, Value]] = [
        (Vital.ROOM_TEMPERATURE, 39.5), (Vital.DOOR, Door.OPEN), (Vital.MOTION, Motion.CLEAR),
        (Vital.BUTTON, Button.HELD), (Vital.BODY_WEIGHT, 61.5), (Vital.GLUCOSE, 5.4),
    ]  # fmt: skip
    formed = form([(vital, Observation(value, NOON, uuid.uuid4())) for vital, value in said], NOON, Limits())
    assert formed.values == {Vital.BODY_WEIGHT: 61.5, Vital.GLUCOSE: 5.4}


@pytest.mark.parametrize("vital", [vital for vital in Vital if type_of_value(vital) is float])
@pytest.mark.parametrize("reason", AbsentReason)
@pytest.mark.parametrize("quality", Quality)
def test_of_what_is_absent_a_set_takes_only_a_weight_or_glucose_beyond_what_its_sensor_can_say(
    vital: Vital, reason: AbsentReason, quality: Quality
) -> None:
    beyond = {AbsentReason.NEGATIVE_INFINITY: -math.inf, AbsentReason.POSITIVE_INFINITY: math.inf}
    is_taken = vital in OF_NO_SCORE and reason in beyond and quality is not Quality.UNUSABLE
    assert taken(Measurement(vital, None, reason, quality)) == (beyond[reason] if is_taken else None)
    assert taken(Measurement(vital, 5.0, quality=quality)) == (None if quality is Quality.UNUSABLE else 5.0)


def test_an_unusable_measurement_does_not_hide_an_older_usable_one() -> None:
    observations = [pulse(70.0, 2 * MINUTE), pulse(250.0, MINUTE, Quality.UNUSABLE)]
    assert formed_pulse(observations) == 70.0


def test_a_questionable_measurement_counts_and_is_marked() -> None:
    formed = form([pulse(70.0, MINUTE, Quality.QUESTIONABLE)], NOON, Limits())
    assert formed.values == {Vital.PULSE_RATE: 70.0}
    assert formed.questionable == {Vital.PULSE_RATE}
    assert form([pulse(70.0, MINUTE)], NOON, Limits()).questionable == frozenset()


def test_of_two_at_the_same_instant_the_good_one_counts_and_then_the_greater_reading_id() -> None:
    moment = NOON - MINUTE
    lesser = Vital.PULSE_RATE, Observation(70.0, moment, uuid.UUID(int=1))
    greater = Vital.PULSE_RATE, Observation(80.0, moment, uuid.UUID(int=2))
    greatest = Vital.PULSE_RATE, Observation(140.0, moment, uuid.UUID(int=3), Quality.QUESTIONABLE)
    for observations in itertools.permutations([lesser, greater, greatest]):
        assert formed_pulse(observations) == 80.0


def test_the_configuration_is_a_recency() -> None:
    limits = ObservationSets(recent=10 * MINUTE, recent_by_vital={Vital.TEMPERATURE: 60 * MINUTE})
    assert form([pulse(70.0, 11 * MINUTE)], NOON, limits).values == {}


@given(
    st.lists(
        st.tuples(
            st.sampled_from([Vital.PULSE_RATE, Vital.TEMPERATURE]),
            st.builds(
                Observation,
                value=st.floats(30, 200),
                measured_at=st.integers(-60, 10).map(lambda minutes: NOON + minutes * MINUTE),
                reading_id=st.uuids(),
                quality=st.sampled_from(Quality),
            ),
        ),
        unique_by=lambda each: each[1].reading_id,
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_never_matters_and_everything_in_a_set_was_measured_usable_and_recent(
    observations: list[tuple[Vital, Observation]], random: Random
) -> None:
    formed = form(observations, NOON, Limits())
    shuffled = random.sample(observations, len(observations))
    assert form(shuffled, NOON, Limits()) == formed
    for vital in (Vital.PULSE_RATE, Vital.TEMPERATURE):
        eligible = [
            observation.measured_at
            for of, observation in observations
            if of is vital
            and observation.quality is not Quality.UNUSABLE
            and NOON - 30 * MINUTE <= observation.measured_at <= NOON
        ]
        if eligible:
            assert formed.observations[vital].measured_at == max(eligible)
            assert (vital, formed.observations[vital]) in observations
        else:
            assert vital not in formed.observations


# The rule in the head of observation_set.py, written again without a thought of speed.
def by_the_rule(
    observations: Sequence[tuple[Vital, Observation]], limits: Limits
) -> dict[Vital, Observation]:
    chosen: dict[Vital, Observation] = {}
    for vital in {of for of, _ in observations}:
        limit = limits.recent_by_vital.get(vital, limits.recent)
        usable = [each for of, each in observations if of is vital and each.quality.value != "unusable"]
        seen = [each for each in usable if NOON - limit <= each.measured_at <= NOON]
        newest = [each for each in seen if each.measured_at == max(other.measured_at for other in seen)]
        good = [each for each in newest if each.quality.value == "good"] or newest
        if good:
            chosen[vital] = max(good, key=lambda each: each.reading_id)
    return chosen


moments = st.sampled_from([-1, 0, 1, 60, 119, 120, 121, 1799, 1800, 1801]).map(
    lambda seconds: NOON - timedelta(seconds=seconds)
) | st.timedeltas(timedelta(minutes=-5), timedelta(minutes=40)).map(lambda before: NOON - before)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([Vital.PULSE_RATE, Vital.TEMPERATURE, Vital.OXYGEN_SATURATION]),
            st.builds(
                Observation,
                value=st.floats(30, 200),
                measured_at=moments,
                reading_id=st.integers(0, 50).map(lambda number: uuid.UUID(int=number)),
                quality=st.sampled_from(Quality),
                doubtful_time=st.booleans(),
            ),
        ),
        unique_by=lambda each: (each[0], each[1].reading_id),
    ),
    st.dictionaries(
        st.sampled_from([Vital.PULSE_RATE, Vital.TEMPERATURE]), st.just(timedelta(minutes=2)), max_size=2
    ),
)
def test_whatever_was_observed_the_set_is_the_rules(
    observations: list[tuple[Vital, Observation]], by_vital: dict[Vital, timedelta]
) -> None:
    limits = Limits(recent_by_vital=by_vital)
    chosen, formed = by_the_rule(observations, limits), form(observations, NOON, limits)
    assert formed == ObservationSet(NOON, chosen)
    assert formed.values == {vital: each.value for vital, each in chosen.items()}
    assert formed.questionable == {v for v, each in chosen.items() if each.quality.value == "questionable"}
    assert formed.doubtful_time == {vital for vital, each in chosen.items() if each.doubtful_time}


def test_of_a_reading_only_the_usable_measurements_are_observed() -> None:
    raw = RawPayload("C4:F2:17:00:00:01", "pulse_oximeter", b"", NOON)
    measurements = (
        Measurement(Vital.OXYGEN_SATURATION, None, AbsentReason.NOT_A_NUMBER),
        Measurement(Vital.PULSE_RATE, 70.0, quality=Quality.QUESTIONABLE),
        Measurement(Vital.TEMPERATURE, 20.0, quality=Quality.UNUSABLE),
    )
    reading = Reading(uuid.uuid4(), raw, measurements)
    moment = NOON - MINUTE
    expected = Observation(70.0, moment, reading.id, Quality.QUESTIONABLE)
    assert list(observed(reading, moment)) == [(Vital.PULSE_RATE, expected)]


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        Observation(70.0, datetime(2026, 1, 5, 12), uuid.uuid4())  # noqa: DTZ001 - that is the point
