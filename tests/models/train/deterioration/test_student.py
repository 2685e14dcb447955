"""What holds the networks in shape, as far as it can be seen without TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.features import NAMES
from models.train.deterioration.student import EVERY, Layers, Student, mixed, signs
from models.train.deterioration.teacher import KNOWN, NEVER_REASSURING, OF_VITALS
from models.train.measures.arrays import Vectors

UNITS = (10, 6)


def network(columns: tuple[int, ...], seed: int, *, held: bool = True) -> Layers:
    generator = np.random.default_rng(seed)
    shapes = zip((len(columns), *UNITS), (*UNITS, 1), strict=True)
    weights = [generator.normal(size=shape).astype(np.float32) for shape in shapes]
    if held:
        weights = [
            np.where(sign == 0, weight, np.abs(weight) * sign)
            for weight, sign in zip(weights, signs(columns, UNITS), strict=True)
        ]
    biases = [generator.normal(size=count).astype(np.float32) for count in (*UNITS, 1)]
    return Layers(tuple(weights), tuple(biases), columns)


def vectors(seed: int, count: int = 50) -> Vectors:
    return np.random.default_rng(seed).normal(size=(count, len(NAMES))).astype(np.float32)


def falls(student: Layers, seed: int) -> int:
    """How often the risk falls where one thing gets worse that is never reassuring."""
    given = vectors(seed)
    before = student.logit(given)
    count = 0
    for name, direction in NEVER_REASSURING.items():
        worse = given.copy()
        worse[:, NAMES.index(name)] += direction * np.float32(0.7)
        count += int((student.logit(worse) < before - 1e-4).sum())
    return count


@given(st.integers(0, 2**31))
def test_what_is_never_reassuring_never_lowers_the_risk(seed: int) -> None:
    assert falls(network(EVERY, seed), seed + 1) == 0


def test_a_network_that_is_not_held_does_so() -> None:
    assert falls(network(EVERY, 1, held=False), 2) > 0


def test_consciousness_adds_nothing_where_it_is_not_known() -> None:
    vitals, consciousness = network(OF_VITALS, 1), network(EVERY, 2)
    given = vectors(3)
    given[:, KNOWN] = 0
    assert Student(vitals, consciousness).logit(given) == pytest.approx(vitals.logit(given))
    given[:, KNOWN] = 1
    both = vitals.logit(given) + consciousness.logit(given)
    assert Student(vitals, consciousness).logit(given) == pytest.approx(both)


def test_scaling_is_folded_into_the_last_layer() -> None:
    layers, given = network(EVERY, 1), vectors(2)
    assert layers.scaled(0.5, 1.0).logit(given) == pytest.approx(0.5 * layers.logit(given) + 1.0, rel=1e-4)


def test_people_are_mixed_by_whole_vitals_and_nobody_is_changed() -> None:
    whole = np.repeat(np.arange(1000, dtype=np.float32)[:, None], len(NAMES), axis=1)
    some = mixed(whole, [[0, 1, 2], [5]], np.random.default_rng(0))
    assert (whole == np.arange(1000)[:, None]).all()
    assert (some[:, 0] == some[:, 2]).all()
    assert 0.2 < (some[:, 0] != whole[:, 0]).mean() < 0.3
    assert (some[:, 3] == whole[:, 3]).all()
