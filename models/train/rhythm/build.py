"""From the recordings to the file, its card and the cross-fitted predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hub.assessment.rhythm import quality
from models.train.card import text
from models.train.measures.arrays import Floats
from models.train.measures.calibration import fitted_line, probability
from models.train.rhythm import card
from models.train.rhythm.augmentation import disturbed
from models.train.rhythm.crossfit import ENTROPY, CrossFitted, cross_fitted
from models.train.rhythm.judging import evaluation, most_false_threshold
from models.train.rhythm.learners import SEED, fit, to_tflite
from models.train.rhythm.recordings import FIBRILLATION, SINUS, Recordings, Windows, read, weights, windows

FILE = "rhythm.npz"
COPIES = 8
"""Of each recording, each disturbed in another way, beside its own windows."""


def build(data: Path, into: Path, predictions: Path) -> None:
    """Train, judge and write rhythm.tflite, rhythm.json and, into the folder `predictions`, rhythm.npz."""
    recordings = read(data)
    label = (recordings.label == FIBRILLATION).astype(np.int64)
    own = windows(recordings.intervals_ms)
    generator = np.random.default_rng(SEED)
    copies = [
        windows([disturbed(each, generator) for each in recordings.intervals_ms]) for _ in range(COPIES)
    ]
    features = np.concatenate([own.features, *(each.features for each in copies)])
    of = np.concatenate([own.of, *(each.of for each in copies)])
    print(f"{len(recordings)} recordings, {label.sum()} in fibrillation; {len(of)} windows to learn from")

    found = cross_fitted(recordings, own, features, of)
    line = fitted_line(probability(found.network), label[own.of])
    found = found.calibrated(line)
    sinus = own.good & own.answered & (recordings.label == SINUS)[own.recording]
    threshold = most_false_threshold(probability(own.each(found.network)[sinus]))
    network = fit(features, label[of], weights(of)).network.scaled(line.slope, line.intercept)
    content = to_tflite(network)

    document = card.document(
        recordings, own, content, threshold, evaluation(recordings, own, found, threshold, content, network)
    )
    (into / "rhythm.tflite").write_bytes(content)
    (into / "rhythm.json").write_text(text(document), encoding="utf-8")
    predictions.mkdir(parents=True, exist_ok=True)
    _save(predictions / FILE, recordings, own, found, threshold)
    for name, figures in document["evaluation"]["scores"].items():
        print(f"{name:60} {figures['auroc']:.4f} ({figures['low']:.4f} to {figures['high']:.4f})")
    print(f"threshold {threshold}, {len(content)} bytes, sha256 {document['file']['sha256']}")


def _save(path: Path, recordings: Recordings, own: Windows, found: CrossFitted, threshold: float) -> None:
    """What `models.train.rhythm` describes."""
    signals = [quality(each.tolist()) for each in recordings.intervals_ms]

    def together(logit: Floats) -> Floats:
        return own.together(logit, len(recordings))

    np.savez_compressed(
        path,
        record=recordings.record,
        label=recordings.label,
        probability=probability(together(found.network)),
        teacher=probability(together(found.trees)),
        logistic=probability(together(found.logistic)),
        entropy=together(own.features[:, ENTROPY].astype(np.float64)),
        beats=np.array([each.beats for each in signals], dtype=np.int64),
        used=np.array([each.used for each in signals], dtype=np.int64),
        quality=np.array([each.share for each in signals], dtype=np.float64),
        good=np.array([each.good for each in signals], dtype=np.bool_),
        window_record=own.recording,
        window_probability=own.each(probability(found.network)),
        window_good=own.good,
        threshold=np.float64(threshold),
    )
