"""A recording disturbed is the same rhythm, told by another device."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.train.measures.arrays import Floats
from models.train.rhythm.augmentation import (
    CLOCKS_PER_S,
    FEWEST_BEATS,
    TRIALS,
    clocked,
    disturbed,
    extra,
    jittered,
    missing,
)

some_intervals = st.lists(st.integers(400, 1400), min_size=2, max_size=120).map(
    lambda found: np.array(found, dtype=np.float64)
)
seeds = st.integers(0, 1000)


@settings(max_examples=30)
@given(some_intervals, seeds)
def test_a_beat_missed_or_too_many_changes_no_duration(intervals: Floats, seed: int) -> None:
    generator = np.random.default_rng(seed)
    less, more = missing(intervals, 0.2, generator), extra(intervals, 0.2, generator)
    assert len(less) <= len(intervals) <= len(more)
    assert less.sum() == pytest.approx(intervals.sum())
    assert more.sum() == pytest.approx(intervals.sum())
    assert (more > 0).all()


def test_of_many_beats_the_share_is_missed_or_found_too_many() -> None:
    intervals = np.full(5000, 800.0)
    generator = np.random.default_rng(1)
    assert 5000 - len(missing(intervals, 0.05, generator)) == pytest.approx(250, rel=0.3)
    assert len(extra(intervals, 0.05, generator)) - 5000 == pytest.approx(250, rel=0.3)


@settings(max_examples=30)
@given(some_intervals, st.sampled_from(CLOCKS_PER_S))
def test_a_clock_moves_no_beat_by_more_than_half_a_tick(intervals: Floats, per_second: int) -> None:
    told = np.cumsum(clocked(intervals, per_second))
    assert np.abs(told - np.cumsum(intervals)).max() <= 500 / per_second + 1e-6
    ticks = told * per_second / 1000
    assert np.abs(ticks - np.rint(ticks)).max() < 1e-6


def test_jitter_is_of_the_beats_and_so_goes_against_itself_in_neighbours() -> None:
    found = jittered(np.full(4000, 800.0), 4, np.random.default_rng(1)) - 800
    assert found.std() == pytest.approx(4 * 2**0.5, rel=0.05)
    assert np.corrcoef(found[1:], found[:-1])[0, 1] == pytest.approx(-0.5, abs=0.05)


@settings(max_examples=30)
@given(some_intervals, seeds)
def test_a_disturbed_recording_is_a_part_of_it(intervals: Floats, seed: int) -> None:
    found = disturbed(intervals, np.random.default_rng(seed))
    assert 1 <= len(found) <= 2 * 60
    if len(intervals) >= 60:
        assert len(found) >= FEWEST_BEATS * 0.6
    again = disturbed(intervals, np.random.default_rng(seed))
    assert found.tolist() == again.tolist()


@settings(max_examples=30)
@given(some_intervals)
def test_every_trial_leaves_intervals(intervals: Floats) -> None:
    for disturb in TRIALS.values():
        assert len(disturb(intervals, np.random.default_rng(1))) >= 1
    assert TRIALS["as recorded"](intervals, np.random.default_rng(1)) is intervals
