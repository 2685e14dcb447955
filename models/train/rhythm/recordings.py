"""The training recordings, and the feature vectors of their windows, made by the hub's own code."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hub.assessment.beats import NAMES, features
from hub.assessment.rhythm import cut, quality
from models.train.measures.arrays import Booleans, Floats, Integers

FILE = "cinc2017_rr.csv.gz"
FIBRILLATION, SINUS, OTHER, NOISE = "A", "N", "O", "~"

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Recordings:
    """Intervals between beats in ms of each recording, with its name and label."""

    record: npt.NDArray[np.str_]
    label: npt.NDArray[np.str_]
    intervals_ms: Sequence[Floats]

    def __len__(self) -> int:
        return len(self.record)


@dataclass(frozen=True)
class Windows:
    """Feature vectors of windows: row i is of recording `recording[i]` (its row there).

    `answered` tells which windows have features; the rows of `features` are of these alone, in their order.
    """

    recording: Integers
    good: Booleans
    answered: Booleans
    features: Vectors

    @property
    def of(self) -> Integers:
        """The recording of each row of `features`."""
        return self.recording[self.answered]

    def each(self, answers: Floats) -> Floats:
        """Answers to the rows of `features` spread over all windows; NaN where there are no features."""
        spread = np.full(len(self.recording), np.nan)
        spread[self.answered] = answers
        return spread

    def together(self, logit: Floats, recordings: int) -> Floats:
        """The mean log-odds of each recording's windows; NaN where none has features."""
        total = np.bincount(self.of, logit, recordings)
        count = np.bincount(self.of, minlength=recordings)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def read(data: Path) -> Recordings:
    """Read the training file in the folder `data`."""
    with gzip.open(data / FILE, "rt", encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return Recordings(
        np.array([row["record"] for row in rows]),
        np.array([row["label"] for row in rows]),
        [np.array(row["rr_ms"].split(), dtype=np.float64) for row in rows],
    )


def windows(sequences: Sequence[Floats]) -> Windows:
    """The hub's windows of each of these runs of intervals, one run a recording."""
    recording: list[int] = []
    good: list[bool] = []
    answered: list[bool] = []
    rows: list[Vectors] = []
    for number, sequence in enumerate(sequences):
        for window in cut(sequence.tolist()):
            vector = features(window)
            recording.append(number)
            good.append(quality(window).good)
            answered.append(vector is not None)
            if vector is not None:
                rows.append(vector)
    return Windows(
        np.array(recording, dtype=np.int64),
        np.array(good, dtype=np.bool_),
        np.array(answered, dtype=np.bool_),
        np.array(rows, dtype=np.float32).reshape(len(rows), len(NAMES)),
    )


def weights(recording: Integers) -> Floats:
    """Of each window, so that every recording counts alike, however many windows it has; 1 on average."""
    weight = 1 / np.bincount(recording)[recording]
    return np.asarray(weight / weight.mean())
