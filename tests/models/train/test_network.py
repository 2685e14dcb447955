"""What holds the network in shape, as far as it can be seen without TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

from hub.assessment.features import INPUTS, NAMES
from models.train.dataset import columns_of
from models.train.network import (
    NEGATIVES_FOR_EACH_POSITIVE,
    UNITS_FOR_EACH_INPUT,
    Weights,
    draw,
    platt,
    signs,
    with_gaps,
)


def test_each_hidden_unit_reads_one_input_and_no_mask() -> None:
    held = signs()
    for unit in range(held.shape[1]):
        read = set(np.flatnonzero(held[:, unit]).tolist())
        assert read
        assert read <= set(columns_of(INPUTS[unit // UNITS_FOR_EACH_INPUT]))
        assert not any(NAMES[column].endswith(" known") for column in read)
        assert len(set(held[list(read), unit].tolist())) == 1  # all rising, or all falling


def test_only_a_fall_of_the_saturation_can_add() -> None:
    assert set(signs()[NAMES.index("oxygen_saturation")].tolist()) == {0, -1}
    assert set(signs()[NAMES.index("pulse_rate")].tolist()) == {0, -1, 1}


def test_negatives_are_drawn_in_proportion_to_the_positives_of_their_block() -> None:
    block = np.repeat([3, 4, 5], 200)
    label = np.zeros(600, dtype=np.int64)
    label[[0, 1, 2, 200]] = 1
    rows = draw(label, block, np.random.default_rng(0))
    assert len(set(rows.tolist())) == len(rows)
    assert [int(label[rows][block[rows] == number].sum()) for number in (3, 4, 5)] == [3, 1, 0]
    drawn = [int((block[rows] == number).sum()) for number in (3, 4, 5)]
    assert drawn == [3 + 3 * NEGATIVES_FOR_EACH_POSITIVE, 1 + NEGATIVES_FOR_EACH_POSITIVE, 0]


def test_gaps_are_made_in_a_copy_and_nothing_else_is_changed() -> None:
    whole = np.ones((1000, len(NAMES)), dtype=np.float32)
    gaps = with_gaps(whole, np.random.default_rng(0))
    assert (whole == 1).all()
    assert set(np.unique(gaps).tolist()) == {0, 1}
    lacks_two = (gaps[:, columns_of("respiration_rate") + columns_of("temperature")] == 0).all(axis=1)
    assert 0.2 < lacks_two.mean() < 0.4
    assert (gaps == 1).all(axis=1).mean() > 0.2


def test_platt_scaling_finds_what_the_log_odds_were_spoilt_with() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(-1, 1.5, 100_000)
    label = (generator.random(len(truth)) < 1 / (1 + np.exp(-truth))).astype(np.int64)
    slope, intercept = platt(truth * 2 + 3, label)
    assert slope == pytest.approx(0.5, abs=0.02)
    assert intercept == pytest.approx(-1.5, abs=0.05)


def test_scaling_is_folded_into_the_last_layer() -> None:
    generator = np.random.default_rng(0)
    hidden = generator.normal(size=(len(NAMES), 4)).astype(np.float32)
    weights = Weights(hidden, np.zeros(4, np.float32), np.ones(4, np.float32), -2.0)
    given = generator.normal(size=(10, len(NAMES))).astype(np.float32)
    assert weights.scaled(0.5, 1.0).logit(given) == pytest.approx(0.5 * weights.logit(given) + 1.0, rel=1e-5)
