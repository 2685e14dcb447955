"""What the deterioration model sees of a resident."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.features import (
    AGE_SCALE,
    BASELINE_SETS,
    INPUT_VITALS,
    INPUTS,
    NAMES,
    SCALES,
    Scale,
    features,
    missing,
    nothing_known,
    out_of_range,
)
from hub.readings import Breathing, Consciousness, Value, Vital

WELL: dict[Vital, Value] = {
    Vital.RESPIRATION_RATE: 16.0,
    Vital.OXYGEN_SATURATION: 97.0,
    Vital.SUPPLEMENTAL_OXYGEN: Breathing.AIR,
    Vital.SYSTOLIC_PRESSURE: 128.0,
    Vital.DIASTOLIC_PRESSURE: 74.0,
    Vital.PULSE_RATE: 72.0,
    Vital.TEMPERATURE: 36.6,
}

no_number = st.sampled_from([math.nan, math.inf, -math.inf])


def numbers_about(scale: Scale) -> st.SearchStrategy[float]:
    """Any number, and often one that is within the scale, just outside it, or none."""
    ends = [end * 1.0 for end in (scale.lowest, scale.highest)]
    beside = [math.nextafter(end, towards) for end in ends for towards in (-math.inf, math.inf)]
    width = scale.highest - scale.lowest
    near = st.floats(scale.lowest - width / 4, scale.highest + width / 4)
    return near | near.map(round).map(float) | st.sampled_from([*ends, *beside]) | no_number | st.floats()


any_value: dict[Vital, st.SearchStrategy[Value]] = {
    **{vital: numbers_about(scale) for vital, scale in SCALES.items()},
    Vital.SUPPLEMENTAL_OXYGEN: st.sampled_from(Breathing),
    Vital.CONSCIOUSNESS: st.sampled_from(Consciousness),
}
any_set: st.SearchStrategy[Mapping[Vital, Value]] = st.fixed_dictionaries({}, optional=any_value)
any_age = st.none() | st.integers(0, 130)


# The specification in the head of features.py, written again without a thought of speed.
def known_number(values: Mapping[Vital, Value], vital: Vital) -> float | None:
    found = values.get(vital)
    return found if isinstance(found, float) and math.isfinite(found) else None


def moved(value: float, scale: Scale) -> float:
    return sorted([value, scale.lowest, scale.highest])[1]


def specified(
    current: Mapping[Vital, Value], earlier: Sequence[Mapping[Vital, Value]], age: int | None
) -> list[float]:
    vector: dict[str, float] = dict.fromkeys(NAMES, 0.0)
    for vital, scale in SCALES.items():
        before = [known_number(each, vital) for each in earlier[-BASELINE_SETS:]]
        baseline = [moved(value, scale) for value in before if value is not None]
        now = known_number(current, vital)
        if now is not None:
            vector[vital] = (moved(now, scale) - scale.centre) / scale.spread
            vector[f"{vital} known"] = 1.0
            if baseline:
                vector[f"{vital} change"] = (moved(now, scale) - median(baseline)) / scale.spread
    if current.get(Vital.SUPPLEMENTAL_OXYGEN) is Breathing.OXYGEN:
        vector["supplemental_oxygen"] = 1.0
    if age is not None:
        vector["age"] = (moved(age, AGE_SCALE) - AGE_SCALE.centre) / AGE_SCALE.spread
        vector["age known"] = 1.0
    return list(vector.values())


def unknown(current: Mapping[Vital, Value], age: int | None) -> set[str]:
    without = {vital.value for vital in SCALES if known_number(current, vital) is None}
    without |= {"supplemental_oxygen"} - current.keys()
    return without | ({"age"} if age is None else set())


@given(any_set, st.lists(any_set, max_size=BASELINE_SETS + 3), any_age)
def test_the_features_are_bit_for_bit_those_of_the_specification(
    current: Mapping[Vital, Value], earlier: list[Mapping[Vital, Value]], age: int | None
) -> None:
    expected = struct.pack(f"{len(NAMES)}f", *specified(current, earlier, age))
    assert features(current, earlier, age).tobytes() == expected


@given(
    st.sampled_from(list(SCALES)).flatmap(
        lambda vital: st.lists(
            st.fixed_dictionaries({}, optional={vital: any_value[vital]}), min_size=1, max_size=11
        )
    )
)
def test_the_baseline_is_bit_for_bit_the_specifications(sets: list[dict[Vital, Value]]) -> None:
    *earlier, current = sets
    expected = struct.pack(f"{len(NAMES)}f", *specified(current, earlier, 84))
    assert features(current, earlier, 84).tobytes() == expected


@given(any_set, st.lists(any_set, max_size=12), any_age)
def test_weight_and_glucose_change_nothing_that_the_model_sees(
    current: Mapping[Vital, Value], earlier: list[Mapping[Vital, Value]], age: int | None
) -> None:
    further: dict[Vital, Value] = {Vital.BODY_WEIGHT: 61.5, Vital.GLUCOSE: 2.4}
    with_them = features({**current, **further}, [{**each, **further} for each in earlier], age)
    assert with_them.tobytes() == features(current, earlier, age).tobytes()
    assert missing({**current, **further}, age) == missing(current, age)
    assert nothing_known(further)


@given(any_set)
def test_a_set_of_which_the_model_knows_something_has_one_of_its_inputs(
    current: Mapping[Vital, Value],
) -> None:
    """And one that has none of them may be left out of those before."""
    assert nothing_known(current) or not INPUT_VITALS.isdisjoint(current)
    assert {name for name in INPUTS if name != "age"} == INPUT_VITALS


@given(any_set, any_age)
def test_what_is_missing_and_what_is_out_of_range_is_said_in_the_order_of_the_inputs(
    current: Mapping[Vital, Value], age: int | None
) -> None:
    without = unknown(current, age)
    assert missing(current, age) == tuple(name for name in INPUTS if name in without)
    assert nothing_known(current) == (without >= set(INPUTS) - {"age"})
    outside = {
        vital
        for vital, scale in SCALES.items()
        if (value := known_number(current, vital)) is not None and value != moved(value, scale)
    }
    young = ("age",) if age is not None and age < AGE_SCALE.lowest else ()
    assert out_of_range(current, age) == (*(vital for vital in SCALES if vital in outside), *young)


def test_a_whole_number_is_as_good_as_a_float() -> None:
    def whole(values: Mapping[Vital, Value]) -> dict[Vital, Value]:
        return {vital: int(each) if isinstance(each, float) else each for vital, each in values.items()}

    def as_float(values: Mapping[Vital, Value]) -> dict[Vital, Value]:
        return {vital: float(each) if isinstance(each, int) else each for vital, each in values.items()}

    current, earlier = whole(WELL), [whole({**WELL, Vital.PULSE_RATE: 80.0}), whole(WELL)]
    expected = features(as_float(current), [as_float(each) for each in earlier], 84)
    assert features(current, earlier, 84).tobytes() == expected.tobytes()


def named(vector: Any) -> dict[str, float]:
    return dict(zip(NAMES, vector.tolist(), strict=True))


@given(any_set, st.lists(any_set, max_size=10), any_age)
def test_every_vector_is_finite_and_of_one_shape(
    current: Mapping[Vital, Value], earlier: list[Mapping[Vital, Value]], age: int | None
) -> None:
    vector = features(current, earlier, age)
    assert vector.shape == (len(NAMES),)
    assert vector.dtype == numpy.float32
    assert numpy.isfinite(vector).all()


@given(any_set, st.lists(any_set, max_size=BASELINE_SETS // 2), any_age)
def test_how_many_sets_there_were_is_not_seen(
    current: Mapping[Vital, Value], earlier: list[Mapping[Vital, Value]], age: int | None
) -> None:
    once, twice = features(current, earlier, age), features(current, earlier + earlier, age)
    assert once == pytest.approx(twice)  # the median of the same values twice is the same


@given(st.permutations([{Vital.PULSE_RATE: float(pulse)} for pulse in (60, 70, 80, 90)]))
def test_the_order_of_the_earlier_sets_is_not_seen(earlier: list[dict[Vital, Value]]) -> None:
    assert named(features(WELL, earlier, 84))["pulse_rate change"] == pytest.approx((72 - 75) / 17)


def test_the_change_is_from_the_median_of_what_was_known_before() -> None:
    earlier: list[dict[Vital, Value]] = [
        {Vital.TEMPERATURE: 36.0},
        {},
        {Vital.TEMPERATURE: math.nan},
        {Vital.TEMPERATURE: 36.2},
        {Vital.TEMPERATURE: 38.0},
    ]
    assert named(features(WELL, earlier, 84))["temperature change"] == pytest.approx((36.6 - 36.2) / 0.7)


def test_only_the_last_sets_make_the_baseline() -> None:
    recent: list[dict[Vital, Value]] = [{Vital.PULSE_RATE: 72.0}] * BASELINE_SETS
    old: list[dict[Vital, Value]] = [{Vital.PULSE_RATE: 140.0}] * 50
    assert (features(WELL, old + recent, 84) == features(WELL, recent, 84)).all()


def test_without_earlier_sets_no_change_is_known() -> None:
    vector = named(features(WELL, [], 84))
    assert all(value == 0 for name, value in vector.items() if name.endswith(" change"))


def test_a_value_is_centred_and_scaled() -> None:
    vector = named(features(WELL, [], 81))
    assert vector["systolic_pressure"] == pytest.approx((128 - 120) / 22)
    assert vector["systolic_pressure known"] == 1
    assert vector["age"] == pytest.approx(1.0)
    assert vector["age known"] == 1


@pytest.mark.parametrize("vital", SCALES)
@pytest.mark.parametrize("absent", [None, math.nan, math.inf, -math.inf])
def test_a_value_that_is_missing_or_no_number_gives_zero(vital: Vital, absent: float | None) -> None:
    current = dict(WELL)
    del current[vital]
    if absent is not None:
        current[vital] = absent
    vector = named(features(current, [WELL], 84))
    assert [vector[vital], vector[f"{vital} known"], vector[f"{vital} change"]] == [0, 0, 0]
    assert missing(current, 84) == (vital,)
    assert nothing_known({vital: math.nan} if absent is None else {vital: absent})


def test_air_and_unknown_are_alike_and_oxygen_is_not() -> None:
    unknown = dict(WELL)
    del unknown[Vital.SUPPLEMENTAL_OXYGEN]
    assert (features(unknown, [], 84) == features(WELL, [], 84)).all()
    given_oxygen = {**WELL, Vital.SUPPLEMENTAL_OXYGEN: Breathing.OXYGEN}
    assert named(features(given_oxygen, [], 84))["supplemental_oxygen"] == 1
    assert missing(unknown, 84) == ("supplemental_oxygen",)
    assert missing(given_oxygen, 84) == ()


@pytest.mark.parametrize("breathing", Breathing)
def test_to_know_air_or_oxygen_alone_is_to_know_something(breathing: Breathing) -> None:
    assert not nothing_known({Vital.SUPPLEMENTAL_OXYGEN: breathing})
    assert nothing_known({Vital.CONSCIOUSNESS: Consciousness.PAIN, Vital.MEAN_ARTERIAL_PRESSURE: 90.0})


def test_consciousness_is_not_seen() -> None:
    unresponsive = {**WELL, Vital.CONSCIOUSNESS: Consciousness.UNRESPONSIVE}
    assert (features(unresponsive, [], 84) == features(WELL, [], 84)).all()
    assert Vital.CONSCIOUSNESS not in INPUTS


def test_an_unknown_age_is_missing() -> None:
    vector = named(features(WELL, [], None))
    assert (vector["age"], vector["age known"]) == (0, 0)
    assert missing(WELL, None) == ("age",)


@given(st.integers(90, 130))
def test_over_ninety_is_ninety_and_within_range(age: int) -> None:
    assert (features(WELL, [], age) == features(WELL, [], 90)).all()
    assert out_of_range(WELL, age) == ()


def test_a_value_beyond_the_scale_is_its_limit_and_said_to_be() -> None:
    current = {**WELL, Vital.OXYGEN_SATURATION: 60.0, Vital.PULSE_RATE: 190.0}
    limits = {**WELL, Vital.OXYGEN_SATURATION: 75.0, Vital.PULSE_RATE: 150.0}
    assert (features(current, [], 84) == features(limits, [], 84)).all()
    assert out_of_range(current, 84) == ("oxygen_saturation", "pulse_rate")
    assert out_of_range(limits, 12) == ("age",)
    assert out_of_range({**WELL, Vital.PULSE_RATE: math.nan}, 84) == ()


def test_the_names_tell_no_time_and_no_count() -> None:
    assert len(set(NAMES)) == len(NAMES) == 21
    for word in ("hour", "time", "count", "number", "since", "stay"):
        assert not any(word in name for name in NAMES)
