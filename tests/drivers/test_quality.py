"""How far a value may be trusted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.quality import PLAUSIBLE, StatusBit, Verdict, measurements, verdict, worst
from hub.readings import AbsentReason, Flag, Measurement, Quality, Vital

GOOD, QUESTIONABLE, UNUSABLE = Quality.GOOD, Quality.QUESTIONABLE, Quality.UNUSABLE
NO_FLAGS: frozenset[Flag] = frozenset()

BITS = (
    StatusBit(0, Flag.POOR_SIGNAL, QUESTIONABLE),
    StatusBit(1, Flag.INADEQUATE_SIGNAL, UNUSABLE),
    StatusBit(2, Flag.QUESTIONABLE_PULSE, QUESTIONABLE, pulse_only=True),
)


@pytest.mark.parametrize(
    ("status", "flags", "quality", "pulse_quality"),
    [
        (0b000, set(), GOOD, GOOD),
        (0b001, {Flag.POOR_SIGNAL}, QUESTIONABLE, QUESTIONABLE),
        (0b011, {Flag.POOR_SIGNAL, Flag.INADEQUATE_SIGNAL}, UNUSABLE, UNUSABLE),
        (0b100, {Flag.QUESTIONABLE_PULSE}, GOOD, QUESTIONABLE),
        (0b110, {Flag.INADEQUATE_SIGNAL, Flag.QUESTIONABLE_PULSE}, UNUSABLE, UNUSABLE),
        (0b1000, set(), GOOD, GOOD),  # a reserved bit says nothing
    ],
)
def test_the_worst_bit_decides(
    status: int, flags: set[Flag], quality: Quality, pulse_quality: Quality
) -> None:
    read = verdict(BITS, status)
    assert read == Verdict(frozenset(flags), quality, pulse_quality)


def test_unusable_is_worse_than_questionable_is_worse_than_good() -> None:
    assert worst(GOOD, QUESTIONABLE) is QUESTIONABLE
    assert worst(UNUSABLE, QUESTIONABLE, GOOD) is UNUSABLE


@pytest.mark.parametrize("vital", PLAUSIBLE)
def test_the_limits_themselves_are_plausible_and_what_lies_beyond_is_not(vital: Vital) -> None:
    lowest, highest = PLAUSIBLE[vital]
    for number, quality in [
        (lowest, GOOD),
        (highest, GOOD),
        (round(lowest - 0.1, 1), UNUSABLE),
        (round(highest + 0.1, 1), UNUSABLE),
    ]:
        (measurement,), flags = measurements([(vital, number, GOOD)], NO_FLAGS)
        assert measurement == Measurement(vital, number, quality=quality)
        assert flags == (set() if quality is GOOD else {Flag.IMPLAUSIBLE})


def test_what_stands_beside_something_impossible_is_at_best_questionable() -> None:
    (saturation, pulse), _ = measurements(
        [(Vital.OXYGEN_SATURATION, 127.0, GOOD), (Vital.PULSE_RATE, 255.0, GOOD)], NO_FLAGS
    )
    assert (saturation.quality, pulse.quality) == (UNUSABLE, QUESTIONABLE)


def test_what_is_absent_is_not_implausible() -> None:
    (saturation, pulse), flags = measurements(
        [(Vital.OXYGEN_SATURATION, AbsentReason.POSITIVE_INFINITY, GOOD), (Vital.PULSE_RATE, 70.0, GOOD)],
        NO_FLAGS,
    )
    assert saturation == Measurement(Vital.OXYGEN_SATURATION, None, AbsentReason.POSITIVE_INFINITY)
    assert pulse.quality is GOOD
    assert flags == set()


NUMBERS = st.tuples(
    st.sampled_from(sorted(PLAUSIBLE)),
    # few, so that what was judged before comes again beside something else; -0.0 is equal to 0.0
    st.sampled_from([0.0, -0.0, 20.0, 28.0, 36.6, 100.0, 127.0, 300.0, 300.1])
    | st.sampled_from(AbsentReason),
    st.sampled_from(Quality),
)


@given(
    st.lists(NUMBERS, max_size=4),
    st.sets(st.sampled_from([Flag.LOW_PERFUSION, Flag.IMPLAUSIBLE])),
    st.sets(st.sampled_from(sorted(PLAUSIBLE)), max_size=2),
    st.sampled_from([None, "ear", "mouth"]),
)
def test_a_number_is_judged_by_what_stands_beside_it_and_by_nothing_before(
    numbers: list[tuple[Vital, float | AbsentReason, Quality]],
    flags: set[Flag],
    contradictory: set[Vital],
    site: str | None,
) -> None:
    """Against the policy of `drivers/README.md`, said anew without any memory."""
    impossible = contradictory | {
        vital
        for vital, number, _ in numbers
        if isinstance(number, float) and not PLAUSIBLE[vital][0] <= number <= PLAUSIBLE[vital][1]
    }
    judged, flagged = measurements(
        numbers, frozenset(flags), contradictory=frozenset(contradictory), site=site
    )
    assert flagged == flags | ({Flag.IMPLAUSIBLE} if impossible else set())
    assert len(judged) == len(numbers)
    for measurement, (vital, number, quality) in zip(judged, numbers, strict=True):
        given_value = measurement.value if measurement.absent is None else measurement.absent
        assert repr(given_value) == repr(number)
        assert (measurement.vital, measurement.site) == (vital, site)
        if vital in impossible:
            assert measurement.quality is UNUSABLE
        elif impossible:
            assert measurement.quality is worst(quality, QUESTIONABLE)
        else:
            assert measurement.quality is quality
