"""What the cards of both models have in common."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from models.train.card import ROUNDS, file_of, golden, inference, text
from models.train.measures.arrays import Vectors


def test_the_file_is_known_by_its_hash_and_size() -> None:
    assert file_of("one.tflite", b"abc") == {
        "name": "one.tflite",
        "sha256": hashlib.sha256(b"abc").hexdigest(),
        "bytes": 3,
    }


def test_each_golden_vector_has_its_own_answer() -> None:
    def answers(vectors: Vectors) -> Vectors:
        return np.asarray(vectors.sum(axis=1) / 10, dtype=np.float32)

    vectors = {"low": np.array([1, 0.5], dtype=np.float32), "high": np.array([4, 5], dtype=np.float32)}
    made = golden(vectors, answers, 1e-4)
    assert made["tolerance"] == 1e-4
    assert [each["name"] for each in made["vectors"]] == ["low", "high"]
    assert [each["features"] for each in made["vectors"]] == [[1.0, 0.5], [4.0, 5.0]]
    assert [round(each["probability"], 6) for each in made["vectors"]] == [0.15, 0.9]
    assert json.loads(text(made)) == made


def test_what_one_inference_takes_is_measured_of_each_one_given() -> None:
    asked: list[int] = []
    found = inference(asked.append, range(20))
    assert asked == ROUNDS * list(range(20))
    assert 0 <= found["p50_microseconds"] <= found["p99_microseconds"]
