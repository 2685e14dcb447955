"""Predictions of people who do not exist, in the form that training leaves them in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def deterioration(people: int = 400, seed: int = 4) -> dict[str, Any]:
    """Stays of 4 to 14 sets; one person in five turns to sepsis; the model knows a little more than NEWS2."""
    generator = np.random.default_rng(seed)
    rows: list[tuple[float, ...]] = []
    for person in range(people):
        blocks = int(generator.integers(4, 15))
        onset = 6 * (blocks + 3) + int(generator.integers(1, 7)) if person % 5 == 0 else np.inf
        age, sex = float(generator.integers(20, 95)), float(generator.integers(0, 2))
        ill = generator.normal(0, 1)
        for block in range(3, 3 + blocks):
            hour = 6 * (block + 1)
            ahead = onset - hour
            if ahead <= 0:
                break
            worse = ill + (1.5 if ahead <= 24 else 0)
            news2 = max(0, round(float(generator.normal(3 + worse, 1.5))))
            logit = -3.2 + 0.9 * worse + float(generator.normal(0, 0.5))
            oxygen = 2 if news2 >= 2 and generator.random() < 0.4 else 0
            risk = 1 / (1 + np.exp(-logit))
            label = float(ahead <= 12)
            rows.append(
                (person, block, hour, label, ahead, age, sex, news2, news2 - oxygen, risk, person % 4)
            )
    names = ["person", "block", "hour", "label", "hours_to_onset", "age", "sex", "news2"]
    names += ["news2_without_oxygen", "risk", "fold"]
    table = {name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    for name in set(names) - {"hours_to_onset", "age", "risk"}:
        table[name] = table[name].astype(np.int64)
    died = (generator.random(people) < 0.2).astype(np.int64)
    table |= {
        "death_person": np.arange(people),
        "death_died": died,
        "death_age": generator.integers(20, 91, people).astype(float),
        "death_sex": generator.integers(0, 2, people),
        "death_risk": 1 / (1 + np.exp(2 - 2 * died - generator.normal(0, 1, people))),
        "death_news2": np.clip(np.round(generator.normal(4 + 2 * died, 2)), 0, 20).astype(np.int64),
    }
    return table


def rhythm(recordings: int = 300, seed: int = 4) -> dict[str, Any]:
    """Recordings of one or two windows; some are too noisy to tell anything."""
    generator = np.random.default_rng(seed)
    label = np.array(["N", "N", "N", "A", "O", "~"])[np.arange(recordings) % 6]
    height = {"N": -4.0, "A": 3.0, "O": -2.5, "~": -2.0}
    logit = np.array([height[one] for one in label]) + generator.normal(0, 1, recordings)
    probability = 1 / (1 + np.exp(-logit))
    noise = label == "~"
    probability[noise & (generator.random(recordings) < 0.4)] = np.nan
    windows = np.repeat(np.arange(recordings), 1 + np.arange(recordings) % 2)
    return {
        "record": np.array([f"made-up-{number}" for number in range(recordings)]),
        "label": label,
        "probability": probability,
        "teacher": np.clip(probability + 0.01, 0, 1),
        "logistic": probability**0.5,
        "entropy": -1 / np.maximum(probability, 0.01),
        "beats": np.full(recordings, 40),
        "used": np.full(recordings, 38),
        "quality": np.where(noise, 0.5, 0.98),
        "good": ~noise,
        "window_record": windows,
        "window_probability": probability[windows],
        "window_good": ~noise[windows],
        "threshold": np.array(0.6),
    }


def card(name: str) -> dict[str, Any]:
    """As much of a card as the page reads."""
    return {
        "name": name,
        "version": "0.0.1",
        "summary": f"What {name} is for.",
        "status": "shadow only",
        "file": {"name": f"{name}.tflite", "sha256": "0" * 64, "bytes": 12_345},
        "training": {
            "data": [
                {"name": "Made-up data", "licence": "CC0", "population": "nobody", "of": "all"},
                {"name": "More of it", "licence": "CC0", "population": "nobody either"},
            ],
            "method": "The numbers are drawn.",
        },
        "evaluation": {
            "protocol": "Made up.",
            "missing_pairs": [
                {"missing": ["temperature", "pulse_rate"], "model": 0.61, "news2": 0.55},
                {"missing": ["temperature", "respiration_rate"], "model": 0.6, "news2": 0.62},
            ],
            "tried": [{"what": "a <coin>", "auroc": 0.5, "why_not": "it knows nothing & says so"}],
            "cross_fitted": {
                "scores": {
                    "NEWS2 with oxygen as charted in the block": {"auroc": 0.612, "low": 0.6, "high": 0.63},
                    "model minus NEWS2 with oxygen as charted in the block": {
                        "auroc": 0.051,
                        "low": -0.02,
                        "high": 0.1,
                    },
                }
            },
            "selection": {
                "candidates": {"few <trees>": [0.7, 0.6], "many": [0.68, 0.66]},
                "chosen": ["few <trees>", "many"],
                "chosen_for_the_file": "many",
            },
            "inference": {"p99_microseconds": 120.0},
            "float_and_file": {"difference": 0.0004},
            "found_by_rate": [
                {
                    "from_per_minute": 0,
                    "below_per_minute": 60,
                    "windows_fibrillation": 24,
                    "irregular_percent_fibrillation": 41.67,
                    "windows_sinus": 700,
                    "irregular_percent_sinus": 0.29,
                },
                {
                    "from_per_minute": 60,
                    "below_per_minute": 250,
                    "windows_fibrillation": 0,
                    "windows_sinus": 3,
                    "irregular_percent_sinus": 0.0,
                },
            ],
            "disturbed": {
                "every beat twice": {
                    "auroc_against_all_else": 0.9123,
                    "good_windows_percent": 12.3,
                    "irregular_percent_fibrillation": 45.6,
                    "irregular_percent_sinus": 0.789,
                }
            },
        },
        "limits": ["Made of numbers that were drawn."],
        "must_not_be_used": ["for anything but a test"],
    }


def write(folder: Path) -> None:
    """Both archives, as training writes them."""
    np.savez_compressed(folder / "deterioration.npz", **deterioration())
    np.savez_compressed(folder / "rhythm.npz", **rhythm())
