"""The card says what the shipped model is, and says it of this very file and these very features."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hub.assessment.deterioration import SHIPPED_CARD, SHIPPED_MODEL, DeteriorationModel
from hub.assessment.features import AGE_SCALE, NAMES, SCALES, SPECIFICATION
from models.train.card import golden_features, text

CARD: dict[str, Any] = json.loads(SHIPPED_CARD.read_text(encoding="utf-8"))
GOLDEN = {vector["name"]: vector for vector in CARD["golden"]["vectors"]}


def test_the_card_is_of_this_file() -> None:
    content = SHIPPED_MODEL.read_bytes()
    assert CARD["file"] == {
        "name": SHIPPED_MODEL.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }


def test_the_card_is_of_these_features() -> None:
    assert CARD["features"]["specification"] == SPECIFICATION
    assert CARD["features"]["names"] == list(NAMES)
    scales = {**{vital.value: scale for vital, scale in SCALES.items()}, "age": AGE_SCALE}
    assert CARD["features"]["scales"].keys() == scales.keys()
    for name, scale in scales.items():
        on_card = CARD["features"]["scales"][name]
        for part in ("lowest", "highest", "centre", "spread"):
            assert on_card[part] == getattr(scale, part), name


def test_the_golden_vectors_are_what_the_hub_makes_of_the_same_people() -> None:
    made = golden_features()
    assert GOLDEN.keys() == made.keys()
    for name, vector in made.items():
        assert vector.tolist() == pytest.approx(GOLDEN[name]["features"], abs=1e-6), name


def test_the_golden_vectors_are_answered_on_the_runtime_installed() -> None:
    DeteriorationModel.load(SHIPPED_MODEL, SHIPPED_CARD)  # refuses if they are not
    assert CARD["golden"]["tolerance"] <= 1e-4


def test_the_runtime_check_for_other_environments_passes_here() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.models.check_runtime"],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert f"{CARD['name']} {CARD['version']}" in run.stdout


def test_the_golden_answers_are_far_enough_apart_to_show_a_wrong_model() -> None:
    assert GOLDEN["worse than before"]["probability"] > 5 * GOLDEN["well, as before"]["probability"]
    assert GOLDEN["nothing known"]["probability"] == min(one["probability"] for one in GOLDEN.values())


def test_the_base_term_is_the_answer_to_nothing_known() -> None:
    base = CARD["training"]["terms"]["base"]
    assert GOLDEN["nothing known"]["probability"] == pytest.approx(1 / (1 + math.exp(-base)), rel=0.01)


def test_the_data_is_named_with_its_licence_and_attribution() -> None:
    data = CARD["training"]["data"]
    assert data["doi"] == "10.13026/v64v-d857"
    assert data["licence"] == "CC BY 4.0"
    assert "Reyna" in data["attribution"]
    assert data["changes"]


def test_every_figure_has_an_interval_that_holds_it() -> None:
    for evaluation in ("held_out_people", "cross_fitted"):
        scores = CARD["evaluation"][evaluation]["scores"]
        assert {"model", "NEWS2 with oxygen", "NEWS2 without oxygen"} <= scores.keys()
        for name, figures in scores.items():
            assert figures["low"] < figures["auroc"] < figures["high"], name


def test_people_who_judged_the_model_did_not_train_it() -> None:
    trained, judged = CARD["training"]["people"], CARD["evaluation"]["held_out_people"]["people"]
    assert trained + judged == CARD["evaluation"]["cross_fitted"]["people"]


def test_the_card_says_what_it_must_not_be_used_for() -> None:
    forbidden = " ".join(CARD["must_not_be_used"])
    assert "suppress, delay or lower a NEWS2 alert" in forbidden
    limits = " ".join(CARD["limits"])
    for word in ("care home", "Consciousness", "saturation", "Oxygen"):
        assert word in limits


def test_the_readme_tells_the_figures_of_the_card() -> None:
    readme = (SHIPPED_CARD.parent / "README.md").read_text(encoding="utf-8")
    for evaluation in ("held_out_people", "cross_fitted"):
        for name in ("model", "NEWS2 with oxygen", "NEWS2 without oxygen", "model minus NEWS2 with oxygen"):
            figures = CARD["evaluation"][evaluation]["scores"][name]
            told = f"{figures['auroc']:.3f} ({figures['low']:.3f} to {figures['high']:.3f})"
            assert told in readme, (evaluation, name)


def test_the_card_is_written_as_training_writes_it() -> None:
    assert SHIPPED_CARD.read_text(encoding="utf-8") == text(CARD)
