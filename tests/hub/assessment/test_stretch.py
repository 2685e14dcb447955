"""What a stretch comes to: lowest, median, highest, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.stream import Sample
from hub.assessment.stretch import summed_up
from hub.readings import AbsentReason, Measurement, Motion, Quality, Vital
from hub.stretch import Stretch, StretchedVital

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
OVER = 30 * SECOND
SATURATION, PULSE = Vital.OXYGEN_SATURATION, Vital.PULSE_RATE
LOW = {SATURATION: 90.0}


def at(second: float, *measurements: Measurement) -> Sample:
    return Sample(NOON + second * SECOND, measurements)


def spo2(value: float, quality: Quality = Quality.GOOD) -> Measurement:
    return Measurement(SATURATION, float(value), quality=quality)


def test_a_stretch_has_the_range_of_its_usable_values_and_how_long_they_lasted() -> None:
    samples = [
        at(1, spo2(97), Measurement(PULSE, 70.0)),
        at(2, spo2(89), Measurement(PULSE, 74.0)),
        at(3, spo2(60, Quality.UNUSABLE), Measurement(PULSE, None, AbsentReason.NOT_A_NUMBER)),
        at(4.5, spo2(88, Quality.QUESTIONABLE), Measurement(PULSE, 72.0)),
        at(5.5, spo2(90), Measurement(PULSE, 72.0)),
    ]
    stretch, measured = summed_up(samples, NOON, OVER, LOW)
    assert stretch == Stretch(
        5.5 * SECOND,
        5,
        (
            StretchedVital(SATURATION, 88.0, 89.5, 97.0, 4.5 * SECOND, 2.5 * SECOND, 90.0),
            StretchedVital(PULSE, 70.0, 72.0, 74.0, 4.5 * SECOND),
        ),
    )
    assert measured == (Measurement(SATURATION, 89.5), Measurement(PULSE, 72.0))


def test_the_first_value_after_a_gap_speaks_for_no_time_and_none_for_more_than_an_eighth_of_the_span() -> (
    None
):
    stretch, _ = summed_up([at(0, spo2(85)), at(8, spo2(85))], NOON, OVER, LOW)
    assert stretch.vitals[0].below == 3.75 * SECOND
    assert stretch.duration == 8 * SECOND


def test_what_was_never_usable_says_why_and_has_no_range() -> None:
    none, unusable = Measurement(SATURATION, None, AbsentReason.NOT_A_NUMBER), spo2(60, Quality.UNUSABLE)
    stretch, measured = summed_up([at(0, none), at(1, unusable), at(2, none)], NOON, OVER, LOW)
    assert stretch.vitals == ()
    assert measured == (none,)


def test_of_codes_the_last_one_stays_and_there_is_no_range() -> None:
    seen, clear = (Measurement(Vital.MOTION, each) for each in (Motion.DETECTED, Motion.CLEAR))
    stretch, measured = summed_up([at(0, seen), at(1, clear)], NOON, OVER, LOW)
    assert (stretch.vitals, measured) == ((), (clear,))


def test_a_median_is_questionable_where_most_of_its_values_are() -> None:
    samples = [at(0, spo2(97)), at(1, spo2(97, Quality.QUESTIONABLE)), at(2, spo2(97, Quality.QUESTIONABLE))]
    _, measured = summed_up(samples, NOON, OVER, LOW)
    assert measured == (spo2(97, Quality.QUESTIONABLE),)


@given(
    st.lists(
        st.tuples(st.integers(0, 9_000), st.floats(50, 100), st.sampled_from(Quality)),
        min_size=1,
        max_size=60,
    ),
    st.integers(1, 59),
)
def test_times_add_up_wherever_a_stream_is_cut(said: list[tuple[int, float, Quality]], cut: int) -> None:
    moment, samples = NOON, []
    for milliseconds, value, quality in said:
        moment += timedelta(milliseconds=milliseconds)
        samples.append(Sample(moment, (spo2(value, quality),)))
    whole, _ = summed_up(samples, NOON, OVER, LOW)
    parts = [part for part in (samples[:cut], samples[cut:]) if part]
    since = [NOON, samples[min(cut, len(samples)) - 1].at]
    cuts = [summed_up(part, begins, OVER, LOW)[0] for part, begins in zip(parts, since, strict=False)]

    def total(stretches: list[Stretch]) -> tuple[timedelta, timedelta, timedelta]:
        none = timedelta(0)
        ranges = [each for stretch in stretches for each in stretch.vitals]
        return (
            sum((stretch.duration for stretch in stretches), none),
            sum((each.usable for each in ranges), none),
            sum((each.below or none for each in ranges), none),
        )

    assert total(cuts) == total([whole])
    for each in whole.vitals:
        assert each.lowest <= each.median <= each.highest
        assert timedelta(0) <= (each.below or timedelta(0)) <= each.usable <= whole.duration
        # To the millisecond that times are rounded to.
        low = [each.value < 90 for sample in samples for each in sample.measurements if each.usable]  # type: ignore[operator]  # numbers
        assert each.lowest >= 90 or any(low)
