"""The card says what the shipped model is, and says it of this very file and these very features."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.deterioration import SHIPPED_CARD, SHIPPED_MODEL, DeteriorationModel
from hub.assessment.features import AGE_SCALE, NAMES, NORMAL, SCALES, SPECIFICATION
from hub.readings import Breathing, Consciousness, Value, Vital
from models.train.card import text
from models.train.deterioration.card import golden_features
from models.train.deterioration.teacher import NEVER_REASSURING

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
    def of(name: str) -> float:
        return float(GOLDEN[name]["probability"])

    assert of("worse than before") > 3 * of("well, as before")
    assert of("worse than before, answers to voice alone") > 1.2 * of("worse than before")
    assert len({round(float(one["probability"]), 4) for one in GOLDEN.values()}) == len(GOLDEN)


WELL: dict[Vital, Value] = {
    Vital.RESPIRATION_RATE: 16.0,
    Vital.OXYGEN_SATURATION: 97.0,
    Vital.SUPPLEMENTAL_OXYGEN: Breathing.AIR,
    Vital.SYSTOLIC_PRESSURE: 128.0,
    Vital.DIASTOLIC_PRESSURE: 74.0,
    Vital.PULSE_RATE: 72.0,
    Vital.TEMPERATURE: 36.6,
    Vital.CONSCIOUSNESS: Consciousness.ALERT,
}
some_value = {
    **{vital: st.floats(scale.lowest, scale.highest) for vital, scale in SCALES.items()},
    Vital.SUPPLEMENTAL_OXYGEN: st.sampled_from(Breathing),
    Vital.CONSCIOUSNESS: st.sampled_from(Consciousness),
}
some_set: st.SearchStrategy[dict[Vital, Value]] = st.fixed_dictionaries({}, optional=some_value)
LIMITS = [
    (vital, limit, direction)
    for vital, normal in NORMAL.items()
    for limit, direction in zip(normal, (-1, 1), strict=True)
    if math.isfinite(limit)
]


@pytest.fixture(scope="module")
def shipped() -> DeteriorationModel:
    return DeteriorationModel.load(SHIPPED_MODEL, SHIPPED_CARD)


def risk(model: DeteriorationModel, current: dict[Vital, Value], earlier: list[dict[Vital, Value]]) -> float:
    found = model.probabilities(current, earlier, 84)
    assert found is not None
    return found.told


@given(some_set, st.lists(some_set, max_size=4), st.sampled_from(LIMITS), st.floats(0, 40), st.floats(0, 40))
def test_what_is_further_beyond_normal_never_lowers_the_risk(
    shipped: DeteriorationModel,
    current: dict[Vital, Value],
    earlier: list[dict[Vital, Value]],
    limit: tuple[Vital, float, int],
    one: float,
    other: float,
) -> None:
    vital, end, direction = limit
    nearer, further = (end + direction * each for each in sorted((one, other)))
    before = risk(shipped, {**current, vital: nearer}, earlier)
    assert risk(shipped, {**current, vital: further}, earlier) >= before - 1e-6


@given(some_set, st.lists(some_set, max_size=4))
def test_oxygen_and_less_consciousness_never_lower_the_risk(
    shipped: DeteriorationModel, current: dict[Vital, Value], earlier: list[dict[Vital, Value]]
) -> None:
    air, oxygen = (risk(shipped, {**current, Vital.SUPPLEMENTAL_OXYGEN: each}, earlier) for each in Breathing)
    assert oxygen >= air - 1e-6
    levels = [risk(shipped, {**current, Vital.CONSCIOUSNESS: each}, earlier) for each in Consciousness]
    assert all(worse >= better - 1e-6 for better, worse in itertools.pairwise(levels))


def test_the_card_says_which_features_are_held() -> None:
    assert CARD["features"]["never_reassuring"] == dict(NEVER_REASSURING)


def test_the_data_is_named_with_its_licence_and_attribution() -> None:
    data = {one["doi"]: one for one in CARD["training"]["data"]}
    assert data["10.13026/v64v-d857"]["licence"] == "CC BY 4.0"
    assert data["10.13026/C2HM3Q"]["licence"] == "ODC-By 1.0"
    assert "Reyna" in data["10.13026/v64v-d857"]["attribution"]
    assert all(one["changes"] and one["population"] for one in data.values())


def test_the_file_is_as_small_as_was_aimed_at() -> None:
    assert CARD["file"]["bytes"] <= 65_536


def test_the_card_tells_the_hub_what_to_expect() -> None:
    thresholds = [row["threshold"] for row in CARD["budget"]]
    assert thresholds == sorted(thresholds, reverse=True)
    assert set(CARD["drift"]) == {*SCALES, "age", "risk"}
    for name, histogram in CARD["drift"].items():
        assert sum(histogram["shares"]) == pytest.approx(1, abs=1e-3), name
        assert len(histogram["shares"]) == len(histogram["edges"]) + 1


def test_every_figure_has_an_interval_that_holds_it() -> None:
    for scores in (CARD["evaluation"][part]["scores"] for part in ("held_out_people", "cross_fitted")):
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
