"""How far a value may be trusted."""

from __future__ import annotations

import pytest

from drivers.quality import PLAUSIBLE, StatusBit, Verdict, measurements, verdict, worst
from hub.readings import AbsentReason, Flag, Measurement, Quality, Vital

GOOD, QUESTIONABLE, UNUSABLE = Quality.GOOD, Quality.QUESTIONABLE, Quality.UNUSABLE

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
        flags: set[Flag] = set()
        (measurement,) = measurements([(vital, number, GOOD)], flags)
        assert measurement == Measurement(vital, number, quality=quality)
        assert flags == (set() if quality is GOOD else {Flag.IMPLAUSIBLE})


def test_what_stands_beside_something_impossible_is_at_best_questionable() -> None:
    flags: set[Flag] = set()
    saturation, pulse = measurements(
        [(Vital.OXYGEN_SATURATION, 127.0, GOOD), (Vital.PULSE_RATE, 255.0, GOOD)], flags
    )
    assert (saturation.quality, pulse.quality) == (UNUSABLE, QUESTIONABLE)


def test_what_is_absent_is_not_implausible() -> None:
    flags: set[Flag] = set()
    saturation, pulse = measurements(
        [(Vital.OXYGEN_SATURATION, AbsentReason.POSITIVE_INFINITY, GOOD), (Vital.PULSE_RATE, 70.0, GOOD)],
        flags,
    )
    assert saturation == Measurement(Vital.OXYGEN_SATURATION, None, AbsentReason.POSITIVE_INFINITY)
    assert pulse.quality is GOOD
    assert flags == set()
