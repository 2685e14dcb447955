"""Recordings and their windows, as the hub cuts them; parts in which nobody is twice; the threshold."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from hub.assessment.beats import LEAST_USED, NAMES, features
from models.train.measures.calibration import Line
from models.train.rhythm.crossfit import FOLDS, CrossFitted, folds_of
from models.train.rhythm.judging import MARGIN, MOST_FALSE, most_false_threshold
from models.train.rhythm.recordings import FILE, read, weights, windows

CALM = np.tile([790.0, 800.0, 815.0, 800.0], 30)


def test_the_file_is_read_as_it_is_published(tmp_path: Path) -> None:
    with gzip.open(tmp_path / FILE, "wt", encoding="utf-8") as file:
        file.write("record,label,duration_s,n_rr,rr_ms\nX1,N,9.0,3,800 790 810\nX2,~,9.0,0,\n")
    found = read(tmp_path)
    assert found.record.tolist() == ["X1", "X2"]
    assert found.label.tolist() == ["N", "~"]
    assert [each.tolist() for each in found.intervals_ms] == [[800, 790, 810], []]


def test_windows_are_the_hubs_and_know_their_recording() -> None:
    found = windows([CALM, CALM[: LEAST_USED - 1], np.array([]), CALM[:30]])
    assert found.recording.tolist() == [0, 0, 1, 3]
    assert found.answered.tolist() == [True, True, False, True]
    assert found.good.tolist() == [True, True, False, True]
    assert found.of.tolist() == [0, 0, 3]
    assert found.features.shape == (3, len(NAMES))
    vector = features(CALM[:30].tolist())
    assert vector is not None
    assert found.features[2].tolist() == vector.tolist()


def test_a_recording_is_its_windows_mean_and_nothing_where_it_has_none() -> None:
    found = windows([CALM, np.array([]), CALM[:30]])
    told = found.together(np.array([1.0, 3.0, 5.0]), 3)
    assert told[[0, 2]].tolist() == [2, 5]
    assert np.isnan(told[1])
    short = windows([CALM[:3], CALM[:30]])
    spread = short.each(np.array([7.0]))
    assert np.isnan(spread[0])
    assert spread[1] == 7


def test_every_recording_weighs_the_same() -> None:
    recording = np.array([0, 0, 0, 2, 2, 5])
    found = weights(recording)
    assert found.mean() == pytest.approx(1)
    assert [found[recording == number].sum() for number in (0, 2, 5)] == pytest.approx([2, 2, 2])


def test_labels_are_dealt_out_evenly_and_each_recording_once() -> None:
    label = np.array(["N"] * 101 + ["A"] * 23)
    folds = folds_of(label)
    assert set(folds.tolist()) == set(range(FOLDS))
    for name in ("N", "A"):
        counts = np.bincount(folds[label == name], minlength=FOLDS)
        assert counts.max() - counts.min() <= 1
    assert folds_of(label).tolist() == folds.tolist()


def test_the_threshold_takes_few_enough_windows_in_sinus_rhythm() -> None:
    sinus = np.random.default_rng(1).beta(1, 20, 5000)
    threshold = most_false_threshold(sinus)
    assert np.mean(sinus >= threshold) <= MARGIN * MOST_FALSE
    assert np.mean(sinus >= threshold - 0.02) > MARGIN * MOST_FALSE
    assert threshold == round(threshold, 2)


def test_calibrating_touches_the_network_alone() -> None:
    logit = np.array([-1.0, 2.0])
    found = CrossFitted(logit, logit, logit, logit, logit, {}).calibrated(Line(2.0, 1.0))
    assert found.network.tolist() == [-1, 5]
    assert found.trees is logit
