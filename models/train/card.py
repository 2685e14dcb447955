"""What the cards of both models have in common: the file, its golden vectors, how fast it is, the text."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from models.train.measures.arrays import Vectors

Given = TypeVar("Given")

ROUNDS = 5
"""In which the time of an inference is taken."""


def file_of(name: str, content: bytes) -> dict[str, Any]:
    """The card's `file`: what the hub knows the model file by."""
    return {"name": name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def golden(
    vectors: Mapping[str, Vectors], answers: Callable[[Vectors], Vectors], tolerance: float
) -> dict[str, Any]:
    """The card's `golden`: vectors of shape (features,) by what they show, and the file's own answers.

    `answers` gives a probability to each of several vectors, of shape (rows, features).
    """
    told = answers(np.stack(list(vectors.values())))
    return {
        "tolerance": tolerance,
        "vectors": [
            {"name": name, "features": [float(each) for each in vector], "probability": float(answer)}
            for (name, vector), answer in zip(vectors.items(), told, strict=True)
        ],
    }


def inference(once: Callable[[Given], object], given: Sequence[Given]) -> dict[str, float]:
    """The card's `evaluation.inference`: microseconds of processor time that one takes, features and model.

    Of the thread alone, and of the quietest of some rounds: what else the machine does meanwhile takes the
    caches too, and says nothing of the model.
    """
    rounds = []
    for _ in range(ROUNDS):
        took = []
        for each in given:
            began = time.thread_time_ns()
            once(each)
            took.append((time.thread_time_ns() - began) / 1000)
        rounds.append([round(float(each), 1) for each in np.percentile(took, [99, 50])])
    slowest, typical = min(rounds)
    return {"p50_microseconds": typical, "p99_microseconds": slowest}


def text(card: Mapping[str, Any]) -> str:
    """The card as it is written: the same card gives the same bytes."""
    return json.dumps(card, indent=2, ensure_ascii=False) + "\n"
