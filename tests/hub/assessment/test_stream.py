"""What a stream comes to: the middle of enough values, or nothing yet."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.stream import Sample, medians
from hub.readings import AbsentReason, Consciousness, Measurement, Quality, Vital

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
OVER = 30 * SECOND
SATURATION, PULSE = Vital.OXYGEN_SATURATION, Vital.PULSE_RATE


def sample(before_noon: float, value: float, quality: Quality = Quality.GOOD) -> Sample:
    return Sample(NOON - before_noon * SECOND, (Measurement(SATURATION, value, quality=quality),))


def observed(samples: Iterable[Sample]) -> float | None:
    found = medians(samples, NOON, OVER)
    assert [each.vital for each in found] in ([], [SATURATION])
    if not found:
        return None
    assert isinstance(found[0].value, float)
    return found[0].value


def test_a_second_of_nonsense_among_good_ones_changes_nothing() -> None:
    assert observed([sample(second, 60.0 if second == 3 else 97.0) for second in range(31)]) == 97


@pytest.mark.parametrize(("low", "value"), [(15, 97.0), (16, 91.0)])
def test_a_fall_counts_once_it_has_lasted_for_more_than_half_of_the_values(low: int, value: float) -> None:
    assert observed([sample(second, 91.0 if second < low else 97.0) for second in range(31)]) == value


@pytest.mark.parametrize(("seconds", "value"), [(14, None), (15, 97.0)])
def test_a_stream_that_has_just_begun_says_nothing_until_it_has_lasted_for_half_the_time(
    seconds: int, value: float | None
) -> None:
    assert observed([sample(second, 97.0) for second in range(seconds + 1)]) == value


def test_a_few_values_either_side_of_a_long_gap_are_not_enough() -> None:
    """A finger put in badly for five seconds, taken out, and put in again."""
    assert observed([sample(0, 91.0), *(sample(second, 91.0) for second in range(25, 30))]) is None


def test_short_gaps_do_not_keep_a_stream_from_being_observed() -> None:
    assert observed([sample(second, 91.0) for second in range(31) if second % 4 == 0]) == 91


@pytest.mark.parametrize(("every", "value"), [(7.5, 91.0), (7.6, None)])
def test_a_stream_slower_than_a_quarter_of_the_time_is_never_observed(
    every: float, value: float | None
) -> None:
    assert observed([sample(every * number, 91.0) for number in range(20)]) == value


def test_values_before_the_time_and_after_the_moment_are_not_seen() -> None:
    other = [sample(second, 60.0) for second in (*range(31, 90), *range(-60, 0))]
    assert observed(other) is None
    assert observed([*other, *(sample(second, 97.0) for second in range(31))]) == 97


def test_what_is_absent_or_unusable_or_coded_is_no_value() -> None:
    none = Measurement(SATURATION, None, AbsentReason.NOT_A_NUMBER)
    bad = Measurement(SATURATION, 60.0, quality=Quality.UNUSABLE)
    coded = Measurement(Vital.CONSCIOUSNESS, Consciousness.ALERT)
    for measurement in (none, bad, coded):
        samples = [Sample(NOON - second * SECOND, (measurement,)) for second in range(31)]
        assert medians(samples, NOON, OVER) == ()


def test_what_is_of_the_room_is_no_observation_however_long_it_lasts() -> None:
    warm, weight = Measurement(Vital.ROOM_TEMPERATURE, 39.5), Measurement(Vital.BODY_WEIGHT, 61.5)
    samples = [Sample(NOON - second * SECOND, (warm, weight)) for second in range(31)]
    assert medians(samples, NOON, OVER) == (weight,)


def test_each_vital_is_observed_by_its_own_values() -> None:
    both = [
        Sample(NOON - second * SECOND, (Measurement(PULSE, 70.0), Measurement(SATURATION, 97.0)))
        for second in range(5)
    ]
    alone = [sample(second, 97.0) for second in range(5, 31)]
    assert medians([*both, *alone], NOON, OVER) == (Measurement(SATURATION, 97.0),)


@pytest.mark.parametrize(("doubted", "quality"), [(15, Quality.GOOD), (16, Quality.QUESTIONABLE)])
def test_a_median_is_good_only_where_more_than_half_of_the_values_are(doubted: int, quality: Quality) -> None:
    samples = [
        sample(second, 97.0, Quality.QUESTIONABLE if second < doubted else Quality.GOOD)
        for second in range(31)
    ]
    assert medians(samples, NOON, OVER) == (Measurement(SATURATION, 97.0, quality=quality),)


SAMPLES = st.lists(
    st.builds(
        sample,
        before_noon=st.floats(-10, 45),
        value=st.floats(20, 100),
        quality=st.sampled_from(Quality),
    ),
    max_size=60,
)


@given(SAMPLES, st.randoms(use_true_random=False))
def test_a_median_lies_among_at_least_five_usable_values_of_the_time_whatever_their_order(
    samples: list[Sample], random: Random
) -> None:
    found = medians(samples, NOON, OVER)
    assert medians(random.sample(samples, len(samples)), NOON, OVER) == found
    seen = [
        (each.at, said.value)
        for each in samples
        if NOON - OVER <= each.at <= NOON
        for said in each.measurements
        if said.usable and isinstance(said.value, float)
    ]
    if found:
        (median,) = found
        assert isinstance(median.value, float)
        values = [value for _, value in seen]
        times = [at for at, _ in seen]
        assert len(values) >= 5
        assert max(times) - min(times) >= OVER / 2
        assert min(values) <= median.value <= max(values)
        # No fewer than half of the values are as low, and no fewer as high.
        assert sum(value <= median.value for value in values) * 2 >= len(values)
        assert sum(value >= median.value for value in values) * 2 >= len(values)


@given(st.floats(0.02, 3.75), st.floats(20, 100))
def test_a_steady_stream_that_lasts_is_always_observed(every: float, value: float) -> None:
    samples = [sample(every * number, value) for number in range(int(30 / every) + 1)]
    assert observed(samples) == value
