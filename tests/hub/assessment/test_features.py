"""What the deterioration model sees of a resident."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.features import (
    AGE_SCALE,
    BASELINE_SETS,
    BEYOND,
    INPUT_VITALS,
    INPUTS,
    NAMES,
    NORMAL,
    PARTS,
    RECENT_SETS,
    SCALES,
    Scale,
    _known,
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


def newest_first(
    current: Mapping[Vital, Value], earlier: Sequence[Mapping[Vital, Value]]
) -> list[Mapping[Vital, Value]]:
    return [current, *list(reversed(earlier))[:BASELINE_SETS]]


def known_of(window: list[Mapping[Vital, Value]], vital: Vital, carried: int) -> dict[int, float]:
    """The known values by their place in the window; none where the newest is too old."""
    numbers = {place: known_number(each, vital) for place, each in enumerate(window)}
    known = {place: moved(each, SCALES[vital]) for place, each in numbers.items() if each is not None}
    return {} if known and min(known) > carried else known


def lately(known: Mapping[int, float]) -> list[float]:
    return [each for place, each in known.items() if place < RECENT_SETS] or list(known.values())[:1]


def specified(
    current: Mapping[Vital, Value],
    earlier: Sequence[Mapping[Vital, Value]],
    age: int | None,
    carried: int = BASELINE_SETS,
) -> list[float]:
    vector: dict[str, float] = dict.fromkeys(NAMES, 0.0)
    window = newest_first(current, earlier)
    every = {vital: known_of(window, vital, carried) for vital in SCALES}
    for vital, scale in SCALES.items():
        low, high = NORMAL.get(vital, (-math.inf, math.inf))
        known = {place: sorted([each, low, high])[1] for place, each in every[vital].items()}
        if not known:
            continue
        value = next(iter(known.values()))
        before = [each for place, each in known.items() if place > 0]
        recent = lately(known)
        for part, found in {
            "": value,
            " recent mean": fmean(recent),
            " recent lowest": min(recent),
            " recent highest": max(recent),
            " before": (before or [value])[0],
            " mean": fmean(known.values()),
        }.items():
            vector[f"{vital}{part}"] = (found - scale.centre) / scale.spread
        vector[f"{vital} change"] = (value - median(before or [value])) / scale.spread
    for vital, (low, high) in NORMAL.items():
        for part, off in (
            ("below", [low - each for each in every[vital].values()]),
            ("above", [each - high for each in every[vital].values()]),
        ):
            recently = lately(dict(zip(every[vital], off, strict=True)))
            for name, each in ((part, off[:1]), (f"recently {part}", recently)):
                if f"{vital} {name}" in vector:
                    vector[f"{vital} {name}"] = max([0.0, *each]) / SCALES[vital].spread
    vector |= combined(every)
    if age is not None:
        vector["age"] = (moved(age, AGE_SCALE) - AGE_SCALE.centre) / AGE_SCALE.spread
    vector |= oxygen_of(window, carried) | consciousness_of(window, carried)
    return list(vector.values())


def combined(every: Mapping[Vital, Mapping[int, float]]) -> dict[str, float]:
    now = {vital: next(iter(known.values())) for vital, known in every.items() if known}
    recent = {vital: lately(known) for vital, known in every.items() if known}
    found = {}
    if {Vital.PULSE_RATE, Vital.SYSTOLIC_PRESSURE} <= now.keys():
        found["shock index"] = (max(now[Vital.PULSE_RATE], 51) / now[Vital.SYSTOLIC_PRESSURE] - 0.7) / 0.2
    if {Vital.SYSTOLIC_PRESSURE, Vital.DIASTOLIC_PRESSURE} <= now.keys():
        systolic = [max(each, 111.0) for each in recent[Vital.SYSTOLIC_PRESSURE]]
        diastolic = recent[Vital.DIASTOLIC_PRESSURE]
        found["pulse pressure"] = (systolic[0] - diastolic[0] - 60) / 18
        found["pulse pressure recent mean"] = (fmean(systolic) - fmean(diastolic) - 60) / 18
    if {Vital.OXYGEN_SATURATION, Vital.RESPIRATION_RATE} <= now.keys():
        breaths = max(now[Vital.RESPIRATION_RATE], 12)
        found["saturation to respiration"] = (now[Vital.OXYGEN_SATURATION] / breaths - 5.4) / 1.7
    return found


def oxygen_of(window: list[Mapping[Vital, Value]], carried: int) -> dict[str, float]:
    known = {
        place: each[Vital.SUPPLEMENTAL_OXYGEN] is Breathing.OXYGEN
        for place, each in enumerate(window)
        if Vital.SUPPLEMENTAL_OXYGEN in each
    }

    def state(place: int) -> bool | None:  # what was said of it then, or last before
        return next((given for at, given in sorted(known.items()) if at >= place), None)

    before = [given for place in range(1, len(window)) if (given := state(place)) is not None]
    may_be_carried = bool(known) and min(known) <= carried
    return {
        "supplemental_oxygen": float(may_be_carried and state(0) is True),
        "supplemental_oxygen before": sum(before) / len(before) if before else 0.0,
    }


def consciousness_of(window: list[Mapping[Vital, Value]], carried: int) -> dict[str, float]:
    known = {
        place: "ACVPU".index(str(each[Vital.CONSCIOUSNESS]))
        for place, each in enumerate(window)
        if Vital.CONSCIOUSNESS in each
    }
    if not known or min(known) > carried:
        return {}
    now = next(iter(known.values()))
    recently = max(level for place, level in known.items() if place < RECENT_SETS or place == min(known))
    levels = {"not alert": 1, "voice": 2, "pain": 3, "unresponsive": 4}
    return {
        **{f"consciousness {name}": float(now >= level) for name, level in levels.items()},
        **{
            f"consciousness recently {name}": float(recently >= level)
            for name, level in levels.items()
            if level > 1
        },
        "consciousness mean": fmean(known.values()) / 4,
        "consciousness known": 1.0,
    }


def unknown(current: Mapping[Vital, Value], age: int | None) -> set[str]:
    without = {vital.value for vital in SCALES if known_number(current, vital) is None}
    without |= {"supplemental_oxygen", "consciousness"} - current.keys()
    return without | ({"age"} if age is None else set())


any_carried = st.integers(0, BASELINE_SETS)


@given(any_set, st.lists(any_set, max_size=BASELINE_SETS + 3), any_age, any_carried)
def test_the_features_are_those_of_the_specification(
    current: Mapping[Vital, Value], earlier: list[Mapping[Vital, Value]], age: int | None, carried: int
) -> None:
    found = named(features(current, earlier, age, carried=carried))
    expected = specified(current, earlier, age, carried)
    assert found == pytest.approx(dict(zip(NAMES, expected, strict=True)), abs=1e-5)


@given(
    st.sampled_from(list(SCALES)).flatmap(
        lambda vital: st.lists(
            st.fixed_dictionaries({}, optional={vital: any_value[vital]}), min_size=1, max_size=11
        )
    ),
    any_carried,
)
def test_of_one_vital_the_features_are_those_of_the_specification(
    sets: list[dict[Vital, Value]], carried: int
) -> None:
    *earlier, current = sets
    found = named(features(current, earlier, 84, carried=carried))
    expected = specified(current, earlier, 84, carried)
    assert found == pytest.approx(dict(zip(NAMES, expected, strict=True)), abs=1e-5)


@given(any_set, st.lists(any_set, max_size=6), any_age, st.sampled_from(list(NORMAL)), st.floats(0, 60))
def test_further_beyond_normal_only_what_tells_of_it_rises(
    current: Mapping[Vital, Value],
    earlier: list[Mapping[Vital, Value]],
    age: int | None,
    vital: Vital,
    further: float,
) -> None:
    """So that a model which is held to take none of these for a good sign never takes it for one."""
    low, high = NORMAL[vital]
    for limit, direction in ((low, -1), (high, 1)):
        if math.isfinite(limit):
            at = named(features({**current, vital: limit + direction * 0.5}, earlier, age))
            beyond = named(features({**current, vital: limit + direction * (0.5 + further)}, earlier, age))
            changed = {name for name in NAMES if beyond[name] != at[name]}
            assert changed <= {*BEYOND[vital], "shock index", "saturation to respiration"}
            assert all(beyond[name] >= at[name] for name in changed & {*BEYOND[vital], "shock index"})
            assert beyond["saturation to respiration"] <= at["saturation to respiration"]


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

    at_the_limits = {vital: float(low) for vital, (low, _) in NORMAL.items()}
    for others in (WELL, WELL | at_the_limits):
        current, earlier = whole(WELL | others), [whole({**WELL, Vital.PULSE_RATE: 80.0}), whole(WELL)]
        expected = features(as_float(current), [as_float(each) for each in earlier], 84)
        _known.cache_clear()  # else what was found of the one would be told of the other
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


def test_without_earlier_sets_no_change_is_known() -> None:
    vector = named(features(WELL, [], 84))
    assert all(value == 0 for name, value in vector.items() if name.endswith(" change"))


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


def test_a_value_is_centred_and_scaled() -> None:
    vector = named(features(WELL, [], 81))
    assert vector["systolic_pressure"] == pytest.approx((128 - 120) / 22)
    assert vector["age"] == pytest.approx(1.0)


@pytest.mark.parametrize("vital", SCALES)
@pytest.mark.parametrize("absent", [None, math.nan, math.inf, -math.inf])
def test_a_value_that_is_known_nowhere_gives_zero(vital: Vital, absent: float | None) -> None:
    current = dict(WELL)
    del current[vital]
    if absent is not None:
        current[vital] = absent
    vector = named(features(current, [{vital: math.nan}], 84))
    assert not any(vector[f"{vital}{part}"] for part in PARTS)
    assert missing(current, 84) == (vital, "consciousness")
    assert nothing_known({vital: math.nan} if absent is None else {vital: absent})


def test_a_value_that_the_set_lacks_is_carried_from_before_and_no_further_than_may_be() -> None:
    without = dict(WELL)
    del without[Vital.PULSE_RATE]
    earlier: list[dict[Vital, Value]] = [{Vital.PULSE_RATE: 80.0}, {}]
    assert named(features(without, earlier, 84, carried=2))["pulse_rate"] == pytest.approx((80 - 84) / 17)
    assert named(features(without, earlier, 84, carried=1))["pulse_rate"] == 0
    assert "pulse_rate" in missing(without, 84)  # what is carried is said to be missing all the same


def test_only_the_last_sets_are_of_the_window() -> None:
    last: list[dict[Vital, Value]] = [WELL] * BASELINE_SETS
    old: list[dict[Vital, Value]] = [{Vital.PULSE_RATE: 140.0}] * 50
    assert (features(WELL, old + last, 84) == features(WELL, last, 84)).all()


def test_air_and_unknown_are_alike_and_oxygen_is_not() -> None:
    unknown = dict(WELL)
    del unknown[Vital.SUPPLEMENTAL_OXYGEN]
    assert (features(unknown, [], 84) == features(WELL, [], 84)).all()
    given_oxygen: dict[Vital, Value] = {**WELL, Vital.SUPPLEMENTAL_OXYGEN: Breathing.OXYGEN}
    assert named(features(given_oxygen, [], 84))["supplemental_oxygen"] == 1
    assert missing(unknown, 84) == ("supplemental_oxygen", "consciousness")


def test_oxygen_is_a_state_that_holds_until_something_else_is_said() -> None:
    given_oxygen: dict[Vital, Value] = {Vital.SUPPLEMENTAL_OXYGEN: Breathing.OXYGEN}
    unknown: dict[Vital, Value] = {Vital.PULSE_RATE: 70.0}
    vector = named(features(unknown, [WELL, given_oxygen, unknown], 84))
    assert vector["supplemental_oxygen"] == 1
    assert vector["supplemental_oxygen before"] == pytest.approx(2 / 3)
    assert named(features(unknown, [WELL, given_oxygen, WELL], 84))["supplemental_oxygen"] == 0


@pytest.mark.parametrize("known", [*Breathing, *Consciousness])
def test_to_know_oxygen_or_consciousness_alone_is_to_know_something(
    known: Breathing | Consciousness,
) -> None:
    vital = Vital.SUPPLEMENTAL_OXYGEN if isinstance(known, Breathing) else Vital.CONSCIOUSNESS
    assert not nothing_known({vital: known})
    assert nothing_known({Vital.MEAN_ARTERIAL_PRESSURE: 90.0})


def test_a_person_who_is_alert_is_not_one_of_whom_it_is_not_known() -> None:
    alert = named(features({**WELL, Vital.CONSCIOUSNESS: Consciousness.ALERT}, [], 84))
    assert [name for name in NAMES if alert[name] != named(features(WELL, [], 84))[name]] == [
        "consciousness known"
    ]


def test_an_unknown_age_is_missing() -> None:
    assert named(features(WELL, [], None))["age"] == 0
    assert missing(WELL, None) == ("consciousness", "age")


def test_the_names_tell_no_time_and_no_count() -> None:
    assert len(set(NAMES)) == len(NAMES) == 74
    for word in ("hour", "time", "count", "number", "since", "stay"):
        assert not any(word in name for name in NAMES)
