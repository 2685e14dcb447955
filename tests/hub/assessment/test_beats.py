"""Features of the intervals between beats: bounded, the same at any rate, and what their names say."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.assessment.beats import (
    FAST_MS,
    LEAST_USED,
    NAMES,
    SLOW_MS,
    believed,
    entropies,
    features,
    plausible,
)

STEADY = [800.0] * 40
BIGEMINY = [560.0, 1060.0] * 20
CHANCE = random.Random(3)
IRREGULAR = [CHANCE.uniform(450, 1150) for _ in range(60)]

any_intervals = st.lists(st.floats(0, 70_000), max_size=80)
some_intervals = st.lists(st.floats(400, 1200), min_size=LEAST_USED, max_size=60)


def of(intervals_ms: Sequence[float]) -> dict[str, float]:
    vector = features(intervals_ms)
    assert vector is not None
    return dict(zip(NAMES, vector.tolist(), strict=True))


@settings(max_examples=40)
@given(any_intervals)
def test_whatever_is_told_features_are_finite_or_none(intervals_ms: list[float]) -> None:
    vector = features(intervals_ms)
    usable = [plausible(each) for each in intervals_ms]
    following = sum(itertools.starmap(lambda a, b: a and b, itertools.pairwise(usable)))
    if vector is None:
        assert sum(usable) < LEAST_USED or following < LEAST_USED - 1
    else:
        assert sum(usable) >= LEAST_USED
        assert vector.shape == (len(NAMES),)
        assert vector.dtype == np.float32
        assert np.isfinite(vector).all()


@settings(max_examples=40)
@given(some_intervals)
def test_shares_are_shares(intervals_ms: list[float]) -> None:
    shares = [value for name, value in of(intervals_ms).items() if name.endswith("share")]
    assert len(shares) == 18
    assert all(0 <= each <= 1 for each in shares)


@settings(max_examples=40)
@given(some_intervals, st.floats(0.7, 1.4))
def test_a_heart_twice_as_fast_has_the_same_features_but_for_its_rate(
    intervals_ms: list[float], factor: float
) -> None:
    # Away from the limits at which a share jumps, by rounding the changes' logarithms.
    rounded = [math.exp(round(math.log(each) * 30.1) / 30.1) for each in intervals_ms]
    slower = [factor * each for each in rounded]
    first, second = of(rounded), of(slower)
    for name in NAMES[:-1]:
        assert first[name] == pytest.approx(second[name], abs=1e-4), name


def test_the_rate_is_told_between_two_limits_alone() -> None:
    def typical(interval_ms: float) -> float:
        return of([interval_ms] * 10)["typical interval"]

    assert typical(FAST_MS) == typical(300) == 0
    assert typical(SLOW_MS) == typical(1500) == pytest.approx(math.log(SLOW_MS / FAST_MS))
    assert typical(600) < typical(700)


def test_nothing_is_taken_over_an_interval_that_no_heart_has() -> None:
    broken = [*[800.0] * 10, 5000.0, *[400.0] * 10]
    assert of(broken)["log change, root mean square"] == of(STEADY)["log change, root mean square"]
    whole = [*[800.0] * 10, *[400.0] * 10]
    assert of(whole)["log change, root mean square"] > of(STEADY)["log change, root mean square"] + 2


def test_a_steady_pulse_never_changes() -> None:
    found = of(STEADY)
    assert found["log change, quantile 0.9"] == pytest.approx(math.log(0.002))
    assert found["changes above 0.025, share"] == found["turning points, share"] == 0
    assert found["steady beats, share"] == found["longest steady run, share"] == 1
    assert found["near the local median, share"] == 1
    assert found["sample entropy within 0.06"] == pytest.approx(0, abs=0.01)


def test_every_second_beat_ectopic_repeats_every_second_beat() -> None:
    found = of(BIGEMINY)
    assert found["level, autocorrelation at 1"] < -0.9
    assert found["level, autocorrelation at 2"] > 0.9
    assert found["log change over 2, median"] == pytest.approx(math.log(0.002))
    assert found["log change over 3, median"] > -1
    assert found["turning points, share"] == found["unchanged over two, share"] == 1
    assert found["shorter then longer, share"] + found["longer then shorter, share"] == pytest.approx(1)
    assert found["sample entropy within 0.12"] == pytest.approx(0, abs=0.1)


def test_chance_repeats_nothing() -> None:
    found = of(IRREGULAR)
    assert abs(found["level, autocorrelation at 2"]) < 0.4
    assert found["sample entropy within 0.12"] > 1
    assert found["steady beats, share"] < 0.1
    assert found["cells of the Lorenz plot, share"] > 0.8
    assert found["longest unsteady run, share"] > 0.15


def test_one_ectopic_beat_does_not_move_the_medians() -> None:
    ectopic = [*STEADY[:20], 520.0, 1080.0, *STEADY[20:]]
    found, without = of(ectopic), of(STEADY)
    for name in (
        "log change, quantile 0.75",
        "log distance from local median, median",
        "level, quantile 0.25",
    ):
        assert found[name] == pytest.approx(without[name])
    assert found["log change, root mean square"] > without["log change, root mean square"] + 2


def test_a_beat_missed_and_a_beat_too_many_are_seen_as_such() -> None:
    assert of([*STEADY, 1600.0])["twice the median, share"] == pytest.approx(1 / 41)
    assert of([*STEADY, 400.0, 400.0])["half the median, share"] == pytest.approx(2 / 42)


def sample_entropy(values: Sequence[float], within: float) -> tuple[int, int]:
    """Pairs of templates of one value that match, and those of them whose next value matches too."""
    pairs = [
        (i, j)
        for i, j in itertools.combinations(range(len(values) - 1), 2)
        if abs(values[i] - values[j]) <= within
    ]
    return len(pairs), sum(abs(values[i + 1] - values[j + 1]) <= within for i, j in pairs)


@given(st.lists(st.integers(-300, 300), min_size=LEAST_USED, max_size=40))
def test_entropies_are_those_of_the_definition(thousandths: list[int]) -> None:
    levels = [each / 1000 + 1e-6 * i * i for i, each in enumerate(thousandths)]
    coefficient, *fixed = entropies(np.array(levels))
    count = len(levels) - 1
    for number, within in enumerate((0.06, 0.12)):
        one, both = sample_entropy(levels, within)
        assert fixed[2 * number] == pytest.approx(-math.log((both + 0.5) / (one + 1)))
        assert fixed[2 * number + 1] == pytest.approx(math.log((one + 1) / (count * (count - 1) / 2)))
    apart = sorted(
        max(abs(levels[i] - levels[j]), abs(levels[i + 1] - levels[j + 1]))
        for i, j in itertools.combinations(range(count), 2)
    )
    radius = max(0.0375, apart[min(5, len(apart)) - 1] + 1e-9)
    one, both = sample_entropy(levels, radius)
    assert coefficient == pytest.approx(-math.log(both / one) + math.log(2 * radius))


# --- believed


@pytest.mark.parametrize("times", [2, 3])
def test_a_beat_missed_among_regular_ones_is_not_believed(times: int) -> None:
    told = [*STEADY[:10], times * 790.0, *STEADY[:10]]
    assert [i for i, good in enumerate(believed(told)) if not good] == [10]


def test_a_beat_too_many_spoils_the_two_intervals_that_it_makes() -> None:
    told = [*STEADY[:10], 300.0, 510.0, *STEADY[:10]]
    assert [i for i, good in enumerate(believed(told)) if not good] == [10, 11]


def test_an_ectopic_beat_with_its_pause_is_believed() -> None:
    assert all(believed([*STEADY[:10], 520.0, 1080.0, *STEADY[:10]]))


@pytest.mark.parametrize("interval_ms", [0.0, 239.0, 2501.0, math.inf])
def test_an_interval_that_no_heart_has_is_not_believed(interval_ms: float) -> None:
    assert not plausible(interval_ms)
    assert believed([*STEADY[:5], interval_ms, *STEADY[:5]])[5] is False


def test_among_irregular_ones_none_is_taken_for_a_fault_of_the_sensor() -> None:
    assert sum(believed(IRREGULAR)) >= len(IRREGULAR) - 1


@given(
    st.lists(
        st.sampled_from([300, 395, 410, 520, 700, 790, 800, 830, 915, 1080, 1600, 2390, 3000]), max_size=30
    )
)
def test_belief_is_what_the_slow_way_to_say_it_says(intervals_ms: list[int]) -> None:
    def usual(neighbours: list[int]) -> float | None:
        if len(neighbours) < 3:
            return None
        middle = statistics.median(neighbours)
        return middle if all(abs(each - middle) < 0.15 * middle for each in neighbours) else None

    good = [plausible(each) for each in intervals_ms]
    for i, each in enumerate(intervals_ms):
        middle = usual([*intervals_ms[max(0, i - 2) : i], *intervals_ms[i + 1 : i + 3]])
        if middle and any(abs(each - n * middle) < 0.15 * middle for n in (2, 3)):
            good[i] = False
        if i + 1 < len(intervals_ms):
            middle = usual([*intervals_ms[max(0, i - 2) : i], *intervals_ms[i + 2 : i + 4]])
            if middle and abs(each + intervals_ms[i + 1] - middle) < 0.15 * middle:
                good[i : i + 2] = [False, False]
    assert believed(intervals_ms) == good
