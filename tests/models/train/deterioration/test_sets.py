"""People in other homes, and blocks of six hours."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hub.assessment.features import NAMES
from hub.readings import Breathing, Consciousness, Vital
from models.train.deterioration.sets import NUMBERS, OF_ONE_KIT, Sets, last_of_blocks, vectors, with_gaps

PEOPLE, SETS_EACH = 600, 5


def full() -> Sets:
    """People of whom everything is known; nobody is alert."""
    count = PEOPLE * SETS_EACH
    generator = np.random.default_rng(0)
    values = {vital: generator.uniform(60, 90, count) for vital in NUMBERS}
    values[Vital.SUPPLEMENTAL_OXYGEN] = np.ones(count)
    values[Vital.CONSCIOUSNESS] = np.full(count, 4.0)
    block = np.tile(np.arange(SETS_EACH), PEOPLE)
    return Sets(
        person=np.repeat(np.arange(PEOPLE), SETS_EACH),
        block=block,
        hour=(block + 1) * 6,
        label=np.zeros(count, dtype=np.int64),
        onset=np.full(count, math.inf),
        age=np.full(count, 84.0),
        male=np.full(count, math.nan),
        values=values,
    )


def test_a_kit_is_a_persons_own_and_gaps_come_and_go() -> None:
    whole = full()
    gapped = with_gaps(whole, np.random.default_rng(1))
    known = {vital: (~np.isnan(column)).reshape(PEOPLE, SETS_EACH) for vital, column in gapped.values.items()}
    has_now_and_then = np.zeros(PEOPLE, dtype=bool)
    of_a_kit = np.zeros(PEOPLE, dtype=bool)
    for kit in OF_ONE_KIT:
        lacking = [known[vital] for vital in known if vital not in kit]
        of_a_kit |= ~np.any(lacking, axis=(0, 2)) & np.all([known[vital] for vital in kit], axis=(0, 2))
    for each in known.values():
        has_now_and_then |= each.any(axis=1) & ~each.all(axis=1)
    assert 0.15 < of_a_kit.mean() < 0.35
    assert 0.25 < has_now_and_then.mean() < 0.45
    assert np.all(list(known.values()), axis=(0, 2)).mean() > 0.3  # nothing is missing
    for vital, column in whole.values.items():
        assert not np.isnan(column).any(), vital  # the original is as it was
        kept = ~np.isnan(gapped.values[vital])
        if vital is not Vital.CONSCIOUSNESS:
            assert (gapped.values[vital][kept] == column[kept]).all()


def test_not_everywhere_are_the_levels_below_alert_told_apart_but_nobody_becomes_alert() -> None:
    level = with_gaps(full(), np.random.default_rng(1)).values[Vital.CONSCIOUSNESS]
    assert set(level[~np.isnan(level)].tolist()) == {1.0, 2.0, 4.0}
    assert 0.15 < (level[~np.isnan(level)] < 4).mean() < 0.45


def test_a_home_that_never_measures_a_vital_has_no_feature_of_it() -> None:
    some = full().where(np.arange(PEOPLE * SETS_EACH) < 10)
    lacking = some.lacking(Vital.PULSE_RATE, Vital.CONSCIOUSNESS)
    assert Vital.PULSE_RATE not in lacking.values_of(7)
    assert some.values_of(7)[Vital.CONSCIOUSNESS] is Consciousness.UNRESPONSIVE
    assert some.values_of(7)[Vital.SUPPLEMENTAL_OXYGEN] is Breathing.OXYGEN
    assert (vectors(some) != vectors(lacking)).any()


def test_the_last_of_a_block_is_the_last_that_was_charted() -> None:
    person, hour = np.array([0] * 8 + [1] * 3), np.array([1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3])
    pulse = np.array([60, 61, math.nan, 63, math.nan, math.nan, 66, 67, math.nan, 81, math.nan])
    ends, block, values = last_of_blocks(person, hour, {Vital.PULSE_RATE: pulse})
    assert (ends.tolist(), block.tolist()) == ([5, 7, 10], [0, 1, 0])
    assert values[Vital.PULSE_RATE].tolist() == [63, 67, 81]
    ends, block, values = last_of_blocks(person, hour, {Vital.PULSE_RATE: pulse}, 4)
    assert (ends.tolist(), block.tolist()) == ([1, 7, 9, 10], [0, 1, 0, 1])
    assert values[Vital.PULSE_RATE].tolist() == pytest.approx([61, 67, 81, math.nan], nan_ok=True)


def test_oxygen_is_held_as_the_features_hold_it() -> None:
    states = [0.0, 1.0, math.nan]
    generator = np.random.default_rng(0)
    person = np.repeat(np.arange(30), 20)
    oxygen = generator.choice(states, len(person), p=[0.1, 0.1, 0.8])
    unknown = np.full(len(person), math.nan)
    sets = Sets(
        person,
        np.tile(np.arange(20), 30),
        np.tile(np.arange(20) * 6 + 6, 30),
        np.zeros(len(person), dtype=np.int64),
        unknown,
        unknown,
        unknown,
        {Vital.SUPPLEMENTAL_OXYGEN: oxygen},
    )
    held = sets.with_oxygen_held().values[Vital.SUPPLEMENTAL_OXYGEN]
    assert (vectors(sets)[:, NAMES.index(Vital.SUPPLEMENTAL_OXYGEN)] == np.nan_to_num(held)).all()
    assert (held == 1).sum() > (oxygen == 1).sum(), "or nothing was held"
