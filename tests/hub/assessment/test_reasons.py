"""Reasons: what moved a risk up, and nothing that did not; in words that a carer reads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.features import BASELINE_SETS, INPUT_VITALS, SCALES, features
from hub.assessment.reason import AGE, NOTHING, REASONED, Reason, in_words
from hub.assessment.reasons import (
    LEAST_MOVED,
    MOST_REASONS,
    NOT_REMARKABLE,
    NOTICEABLE,
    Times,
    Values,
    reasons,
    since_words,
)
from hub.readings import Breathing, Consciousness, Value, Vital

LONDON = ZoneInfo("Europe/London")
NOON = datetime(2026, 3, 5, 12, 0, tzinfo=LONDON)  # a Thursday
HOUR = timedelta(hours=1)
WELL: dict[Vital, Value] = {
    Vital.RESPIRATION_RATE: 16.0,
    Vital.OXYGEN_SATURATION: 97.0,
    Vital.SUPPLEMENTAL_OXYGEN: Breathing.AIR,
    Vital.SYSTOLIC_PRESSURE: 128.0,
    Vital.DIASTOLIC_PRESSURE: 72.0,
    Vital.PULSE_RATE: 76.0,
    Vital.CONSCIOUSNESS: Consciousness.ALERT,
    Vital.TEMPERATURE: 36.7,
}
_PER_UNIT = {
    Vital.RESPIRATION_RATE: 0.15,
    Vital.OXYGEN_SATURATION: -0.2,
    Vital.SYSTOLIC_PRESSURE: -0.02,
    Vital.DIASTOLIC_PRESSURE: -0.01,
    Vital.PULSE_RATE: 0.03,
    Vital.TEMPERATURE: 0.4,
}


def by_hand(current: Values, earlier: Sequence[Values], age_years: int | None) -> float:
    """A model that anybody can reckon: so much for each unit, the newest known value counts."""
    log_odds = -3.0 + (0.02 * (age_years - 65) if age_years is not None else 0.0)
    for vital, each in _PER_UNIT.items():
        known = [one[vital] for one in (*earlier, current) if vital in one]
        if known and math.isfinite(value := float(known[-1])):
            log_odds += each * (value - SCALES[vital].centre)
    log_odds += 0.6 * (current.get(Vital.SUPPLEMENTAL_OXYGEN) is Breathing.OXYGEN)
    log_odds += 0.8 * (current.get(Vital.CONSCIOUSNESS, Consciousness.ALERT) is not Consciousness.ALERT)
    return 1 / (1 + math.exp(-log_odds))


def asked(
    changed: Mapping[Vital, Value],
    earlier: Sequence[Values] = (WELL,) * 4,
    age_years: int | None = None,
    **more: int | Times,
) -> tuple[Reason, ...]:
    return reasons(by_hand, {**WELL, **changed}, earlier, age_years, **more)  # type: ignore[arg-type]  # by name


def with_times(earlier: Sequence[Values], *hours_before: float) -> Times:
    assert len(earlier) == len(hours_before)
    return Times(NOON, [dict.fromkeys(INPUT_VITALS, NOON - hours * HOUR) for hours in hours_before])


# --- what is said


@pytest.mark.parametrize(
    ("vital", "value", "words"),
    [
        (Vital.RESPIRATION_RATE, 26.0, "breathing faster than usual (26 a minute, usually 16)"),
        (Vital.OXYGEN_SATURATION, 91.0, "oxygen saturation lower than usual (91 %, usually 97)"),
        (Vital.SYSTOLIC_PRESSURE, 96.0, "blood pressure lower than usual (96 mmHg systolic, usually 128)"),
        (Vital.DIASTOLIC_PRESSURE, 50.0, "blood pressure lower than usual (50 mmHg diastolic, usually 72)"),
        (Vital.PULSE_RATE, 118.0, "pulse faster than usual (118 a minute, usually 76)"),
        (Vital.TEMPERATURE, 38.64, "temperature higher than usual (38.6 °C, usually 36.7)"),
        (Vital.SUPPLEMENTAL_OXYGEN, Breathing.OXYGEN, "oxygen newly given"),
        (
            Vital.CONSCIOUSNESS,
            Consciousness.VOICE,
            "less awake than usual (responds to voice, usually alert)",
        ),
        (Vital.CONSCIOUSNESS, Consciousness.NEW_CONFUSION, "newly confused"),
    ],
)
def test_what_is_other_than_usual_is_said_beside_what_is_usual(
    vital: Vital, value: Value, words: str
) -> None:
    (found,) = asked({vital: value})
    assert found.words == words
    assert (found.input, found.usual, found.since, found.hours_old) == (vital, True, None, None)


@pytest.mark.parametrize(
    ("vital", "value", "words"),
    [
        (Vital.RESPIRATION_RATE, 26.0, "breathing faster than typical (26 a minute)"),
        (Vital.OXYGEN_SATURATION, 91.0, "oxygen saturation lower than typical (91 %)"),
        (Vital.SUPPLEMENTAL_OXYGEN, Breathing.OXYGEN, "oxygen given"),
        (Vital.CONSCIOUSNESS, Consciousness.PAIN, "less than fully awake (responds only to pain)"),
    ],
)
@pytest.mark.parametrize("known", [0, 1])
def test_where_fewer_than_two_sets_know_what_is_usual_it_is_compared_with_what_is_typical(
    vital: Vital, value: Value, words: str, known: int
) -> None:
    (found,) = asked({vital: value}, [WELL] * known)
    assert found.words == words
    assert not found.usual


def test_a_value_that_has_always_been_so_is_compared_with_what_is_typical() -> None:
    fast: dict[Vital, Value] = {**WELL, Vital.RESPIRATION_RATE: 26.0}
    (found,) = asked({Vital.RESPIRATION_RATE: 27.0}, [fast] * 4)
    assert found.words == "breathing faster than typical (27 a minute)"


def test_a_typical_value_is_no_reason_though_the_model_makes_something_of_it() -> None:
    assert asked({Vital.RESPIRATION_RATE: 20.0, Vital.PULSE_RATE: 90.0}, []) == ()


def test_what_moved_most_comes_first_and_no_more_than_three_are_said() -> None:
    worse = {
        Vital.RESPIRATION_RATE: 30.0,  # 2.1
        Vital.OXYGEN_SATURATION: 88.0,  # 1.8
        Vital.SYSTOLIC_PRESSURE: 100.0,  # 0.56
        Vital.PULSE_RATE: 116.0,  # 1.2
        Vital.TEMPERATURE: 38.0,  # 0.52
    }
    found = asked(worse, age_years=90)
    assert [(each.input, each.moved) for each in found] == [
        (Vital.RESPIRATION_RATE, 2.1),
        (Vital.OXYGEN_SATURATION, 1.8),
        (Vital.PULSE_RATE, 1.2),
    ]
    assert in_words(found) == (
        "breathing faster than usual (30 a minute, usually 16); "
        "oxygen saturation lower than usual (88 %, usually 97); "
        "pulse faster than usual (116 a minute, usually 76)"
    )


def test_an_old_age_is_a_reason_beside_another_and_no_young_one() -> None:
    fast: dict[Vital, Value] = {Vital.PULSE_RATE: 88.0}
    assert [each.words for each in asked(fast, age_years=91)] == [
        "age (91)",
        "pulse faster than usual (88 a minute, usually 76)",
    ]
    assert [each.input for each in asked(fast, age_years=40)] == [Vital.PULSE_RATE]
    assert asked({}, age_years=91) == (), "it is no news"


def test_a_probability_that_is_known_is_not_asked_for_again() -> None:
    worse = {**WELL, Vital.PULSE_RATE: 118.0}
    questions: list[Values] = []

    def watched(current: Values, earlier: Sequence[Values], age_years: int | None) -> float:
        questions.append(current)
        return by_hand(current, earlier, age_years)

    found = reasons(watched, worse, [WELL] * 4, None, known=by_hand(worse, [WELL] * 4, None))
    assert found == reasons(by_hand, worse, [WELL] * 4, None) != ()
    assert worse not in questions


# --- since when


def test_since_when_it_has_been_so_is_said_where_the_times_tell() -> None:
    low: dict[Vital, Value] = {**WELL, Vital.OXYGEN_SATURATION: 93.0}
    earlier = [WELL, WELL, WELL, WELL, low, low]
    times = with_times(earlier, 96, 90, 80, 72, 46, 20)
    (found,) = asked({Vital.OXYGEN_SATURATION: 93.0}, earlier, times=times)
    assert found.words == "oxygen saturation lower than usual since Tuesday (93 %, usually 97)"


def test_what_falls_from_set_to_set_is_falling() -> None:
    earlier = [*[WELL] * 4, {**WELL, Vital.OXYGEN_SATURATION: 94.0}]
    times = with_times(earlier, 96, 90, 80, 72, 46)
    (found,) = asked({Vital.OXYGEN_SATURATION: 91.0}, earlier, times=times)
    assert found.words == "oxygen saturation falling since Tuesday (91 %, usually 97)"


def test_what_nobody_saw_otherwise_has_been_so_at_least_since_then() -> None:
    """The window moves on with each set: what is oldest in it is not when it began."""
    worse: dict[Vital, Value] = {
        **WELL,
        Vital.RESPIRATION_RATE: 26.0,
        Vital.SUPPLEMENTAL_OXYGEN: Breathing.OXYGEN,
        Vital.CONSCIOUSNESS: Consciousness.VOICE,
    }
    found = reasons(by_hand, worse, [worse] * 3, None, times=with_times([worse] * 3, 46, 30, 6))
    assert in_words(found) == (
        "breathing faster than typical since at least Tuesday (26 a minute); "
        "less than fully awake since at least Tuesday (responds to voice); "
        "oxygen given since at least Tuesday"
    )
    (since, *_) = reasons(
        by_hand, worse, [WELL, *[worse] * 3], None, times=with_times([WELL] * 4, 50, 46, 30, 6)
    )
    assert since.words == "breathing faster than typical since Tuesday (26 a minute)"


def test_what_is_said_of_time_is_of_when_the_value_itself_was_measured() -> None:
    """Not of the newest value that was measured in the same four hours."""
    now: Values = {Vital.PULSE_RATE: 76.0}
    fast: Values = {**WELL, Vital.RESPIRATION_RATE: 26.0}
    earlier = [WELL, WELL, WELL, fast, fast]
    times = with_times(earlier, 60, 48, 36, 26, 5)
    newest = {**times.earlier[4], Vital.RESPIRATION_RATE: NOON - 7 * HOUR}
    before = {**times.earlier[3], Vital.RESPIRATION_RATE: NOON - 38 * HOUR}
    exact = Times(NOON, [*times.earlier[:3], before, newest])
    (found,) = reasons(by_hand, now, earlier, None, carried=2, times=exact)
    assert found.words == (
        "breathing faster than usual since Tuesday (26 a minute, from 7 h ago, usually 16)"
    )


def test_a_value_of_a_few_minutes_ago_is_not_said_to_be_hours_old() -> None:
    now: Values = {Vital.PULSE_RATE: 76.0}
    earlier: list[Values] = [WELL, WELL, {Vital.RESPIRATION_RATE: 26.0}]
    (found,) = reasons(by_hand, now, earlier, None, times=with_times(earlier, 10, 6, 0.4))
    assert found.words == "breathing faster than usual (26 a minute, from less than an hour ago, usually 16)"


def test_without_times_nothing_is_said_of_since() -> None:
    (found,) = asked({Vital.OXYGEN_SATURATION: 92.0}, [*[WELL] * 4, {**WELL, Vital.OXYGEN_SATURATION: 92.0}])
    assert found.since is None


def test_all_sets_since_it_was_so_are_looked_at_and_not_the_newest_alone() -> None:
    """Else what has lasted a day would seem to have moved little, since the set before has it too."""

    def by_mean(current: Values, earlier: Sequence[Values], age_years: int | None) -> float:
        known = [float(each[Vital.PULSE_RATE]) for each in (*earlier, current)]
        return 1 / (1 + math.exp(3 - sum(known) / len(known) / 10 + 7.6))

    fast: dict[Vital, Value] = {**WELL, Vital.PULSE_RATE: 116.0}
    (one,) = reasons(by_mean, fast, [WELL] * 7, None)
    (three,) = reasons(by_mean, fast, [*[WELL] * 5, fast, fast], None)
    assert (one.moved, three.moved) == (0.5, 1.5)


@pytest.mark.parametrize(
    ("since", "words"),
    [
        ("2026-03-05T08:10", "this morning"),
        ("2026-03-05T03:00", "last night"),
        ("2026-03-04T23:59", "yesterday"),
        ("2026-03-03T09:00", "Tuesday"),
        ("2026-02-27T09:00", "Friday"),
        ("2026-02-26T23:59", "26 February"),
    ],
)
def test_a_moment_is_said_as_people_say_it(since: str, words: str) -> None:
    assert since_words(datetime.fromisoformat(since).replace(tzinfo=LONDON), NOON) == words


def test_an_afternoon_and_an_evening_are_of_today() -> None:
    night = NOON.replace(hour=22)
    assert since_words(NOON, night) == "this afternoon"
    assert since_words(NOON.replace(hour=19), night) == "this evening"


# --- what is not of this set


def test_a_value_of_an_earlier_set_is_said_with_its_age() -> None:
    now: Values = {vital: value for vital, value in WELL.items() if vital != Vital.RESPIRATION_RATE}
    earlier = [WELL, WELL, WELL, {**WELL, Vital.RESPIRATION_RATE: 26.0}]
    times = with_times(earlier, 30, 24, 12, 6)
    (found,) = reasons(by_hand, now, earlier, None, carried=3, times=times)
    assert found.words == "breathing faster than usual (26 a minute, from 6 h ago, usually 16)"
    (found,) = reasons(by_hand, now, earlier, None, carried=3)
    assert found.words == "breathing faster than usual (26 a minute, from an earlier set, usually 16)"


@pytest.mark.parametrize("at", ["2026-03-29T04:30Z", "2026-10-25T04:30Z"])
def test_how_old_a_value_is_does_not_change_with_the_clocks_in_the_night(at: str) -> None:
    now: Values = {vital: value for vital, value in WELL.items() if vital != Vital.RESPIRATION_RATE}
    earlier = [WELL, WELL, {**WELL, Vital.RESPIRATION_RATE: 26.0}]
    moment = datetime.fromisoformat(at)
    measured = [dict.fromkeys(WELL, moment - hours * HOUR) for hours in (18, 12, 6)]
    times = Times(moment.astimezone(LONDON), measured)
    (found,) = reasons(by_hand, now, earlier, None, times=times)
    assert found.hours_old == 6


def test_a_value_that_is_too_old_to_be_carried_is_no_reason() -> None:
    now: Values = {vital: value for vital, value in WELL.items() if vital != Vital.RESPIRATION_RATE}
    earlier = [WELL, WELL, WELL, {**WELL, Vital.RESPIRATION_RATE: 26.0}]
    assert reasons(by_hand, now, earlier, None, carried=0) == ()


# --- what is not said


def test_nothing_stands_out_where_all_is_as_usual() -> None:
    assert asked({}) == ()
    assert in_words(()) == NOTHING == "nothing stands out"


def test_what_is_reassuring_is_not_said() -> None:
    assert asked({Vital.RESPIRATION_RATE: 12.0, Vital.PULSE_RATE: 60.0}) == ()


def test_a_saturation_above_the_usual_is_not_said_though_the_model_takes_it_for_a_bad_sign() -> None:
    def of_ventilators(current: Values, earlier: Sequence[Values], age_years: int | None) -> float:
        return float(current[Vital.OXYGEN_SATURATION]) / 200 + (current[Vital.PULSE_RATE] == 110.0) / 10

    low: Values = {**WELL, Vital.OXYGEN_SATURATION: 91.0}
    high: Values = {**WELL, Vital.OXYGEN_SATURATION: 99.0}
    assert reasons(of_ventilators, high, [low] * 4, None) == ()
    (found,) = reasons(of_ventilators, {**high, Vital.PULSE_RATE: 110.0}, [low] * 4, None)
    assert found.input == Vital.PULSE_RATE


def test_nothing_is_said_where_the_risk_is_not_raised_by_all_of_it_together() -> None:
    """What one thing added another has taken away, and more."""
    assert asked({Vital.PULSE_RATE: 90.0, Vital.RESPIRATION_RATE: 10.0}) == ()


def test_no_inference_is_asked_for_where_nothing_stands_out() -> None:
    def refuse(current: Values, earlier: Sequence[Values], age_years: int | None) -> float:
        raise AssertionError("asked")

    assert reasons(refuse, WELL, [WELL] * 8, 65) == ()


@pytest.mark.parametrize("answer", [None, math.nan, math.inf, 0.5, 0.0, 1.0])
def test_of_a_model_that_says_always_the_same_or_no_number_nothing_is_said(answer: float | None) -> None:
    assert reasons(lambda *_: answer, {**WELL, Vital.PULSE_RATE: 150.0}, [WELL] * 4, 90) == ()


def test_times_that_are_not_of_the_sets_are_refused() -> None:
    with pytest.raises(ValueError, match="1 for 4"):
        asked({}, times=Times(NOON, [{}]))


# --- whatever is asked

measured: dict[Vital, st.SearchStrategy[Value]] = {
    Vital.RESPIRATION_RATE: st.integers(6, 45).map(float),
    Vital.OXYGEN_SATURATION: st.integers(75, 100).map(float),
    Vital.SYSTOLIC_PRESSURE: st.integers(65, 200).map(float),
    Vital.DIASTOLIC_PRESSURE: st.integers(30, 125).map(float),
    Vital.PULSE_RATE: st.integers(40, 150).map(float) | st.just(math.nan),
    Vital.TEMPERATURE: st.integers(335, 400).map(lambda tenths: tenths / 10),
    Vital.SUPPLEMENTAL_OXYGEN: st.sampled_from(Breathing),
    Vital.CONSCIOUSNESS: st.sampled_from(Consciousness),
}
any_set: st.SearchStrategy[Mapping[Vital, Value]] = st.fixed_dictionaries({}, optional=measured)
any_history = st.lists(any_set, max_size=10)
any_age = st.none() | st.integers(16, 105)
weights = st.lists(st.floats(-1, 1), min_size=8, max_size=8)


@given(any_set, any_history, any_age, st.integers(0, BASELINE_SETS), weights, st.booleans())
def test_a_reason_is_of_what_was_measured_and_moved_the_risk_up(
    current: Values,
    earlier: list[Values],
    age: int | None,
    carried: int,
    weight: list[float],
    timed: bool,
) -> None:
    def model(now: Values, before: Sequence[Values], age_years: int | None) -> float:
        vector = features(now, before, age_years, carried=carried)
        return 1 / (1 + math.exp(-float(vector @ (weight * len(vector))[: len(vector)])))

    hours = range(6 * len(earlier), 0, -6)
    times = (
        Times(NOON, [dict.fromkeys(INPUT_VITALS, NOON - each * HOUR) for each in hours]) if timed else None
    )
    found = reasons(model, current, earlier, age, carried=carried, times=times)
    assert len(found) <= MOST_REASONS
    assert found == reasons(model, current, earlier, age, carried=carried, times=times)
    assert [each.moved for each in found] == sorted((each.moved for each in found), reverse=True)
    for each in found:
        assert each.moved >= LEAST_MOVED
        assert each.words
        assert timed or each.since is None
        if each.input == AGE:
            assert each.value == age
        elif each.hours_old is None:
            assert current[Vital(each.input)] == each.value
        else:
            assert not math.isfinite(float(current.get(Vital(each.input), math.nan)))
            assert "from" in each.words
            newest = [one for one in earlier if one.get(Vital(each.input), math.nan) == each.value][-1]
            assert newest in earlier[max(0, len(earlier) - carried) :]
            assert (each.hours_old >= 6) if timed else (each.hours_old == -1)


def test_every_input_can_be_a_reason_and_has_its_words() -> None:
    assert REASONED == INPUT_VITALS
    assert NOTICEABLE.keys() == NOT_REMARKABLE.keys() == SCALES.keys()
