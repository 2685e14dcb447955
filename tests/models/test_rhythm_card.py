"""The rhythm model's card says what the shipped file is, and says it of this very file and these features."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from hub.assessment.beats import NAMES, SPECIFICATION, features
from hub.assessment.rhythm import (
    LEAST_BEATS,
    LEAST_BELIEVED,
    MOST_BEATS,
    SHIPPED_CARD,
    SHIPPED_MODEL,
    RhythmModel,
)
from models.train.card import text
from models.train.rhythm.card import golden_intervals
from models.train.rhythm.judging import MOST_FALSE

CARD: dict[str, Any] = json.loads(SHIPPED_CARD.read_text(encoding="utf-8"))
GOLDEN = {vector["name"]: vector for vector in CARD["golden"]["vectors"]}


def test_the_card_is_of_this_file_which_is_small() -> None:
    content = SHIPPED_MODEL.read_bytes()
    assert CARD["file"] == {
        "name": SHIPPED_MODEL.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    assert len(content) <= 64 * 1024


def test_the_card_is_of_these_features_and_rules() -> None:
    assert (CARD["features"]["specification"], tuple(CARD["features"]["names"])) == (SPECIFICATION, NAMES)
    told = CARD["decision"]
    assert (told["most_beats"], told["least_usable"], told["least_believed"]) == (
        MOST_BEATS,
        LEAST_BEATS,
        LEAST_BELIEVED,
    )


def test_the_golden_vectors_are_what_the_hub_makes_of_the_same_intervals_and_are_answered() -> None:
    model = RhythmModel.load(SHIPPED_MODEL, SHIPPED_CARD)  # refuses if they are not answered
    assert GOLDEN.keys() == golden_intervals().keys()
    for name, intervals in golden_intervals().items():
        vector = features(intervals)
        assert vector is not None
        assert vector.tolist() == pytest.approx(GOLDEN[name]["features"], abs=1e-5), name
        assert model.probability(intervals) == pytest.approx(GOLDEN[name]["probability"], abs=1e-4), name
    assert CARD["golden"]["tolerance"] <= 1e-4


def test_the_golden_answers_are_far_enough_apart_to_show_a_wrong_model() -> None:
    for name in ("irregular", "irregular and fast"):
        assert GOLDEN[name]["probability"] > CARD["decision"]["threshold"]
    for name in ("steady", "sinus, breathing", "a beat missed"):
        assert GOLDEN[name]["probability"] < 0.05


def test_the_figures_on_the_card_are_those_that_the_threshold_was_chosen_by() -> None:
    sinus = CARD["evaluation"]["windows"]["N"]
    assert sinus["irregular_percent"] <= 100 * MOST_FALSE
    for figures in CARD["evaluation"]["scores"].values():
        assert 0 <= figures["low"] <= figures["auroc"] <= figures["high"] <= 1


def test_what_was_tried_and_not_taken_is_where_the_report_looks_for_it() -> None:
    tried = CARD["evaluation"]["tried"]
    assert len(tried) > 5
    assert all(each["what"] and each["why_not"] for each in tried)
    shipped = CARD["evaluation"]["scores"]["network, against all else"]
    rule = next(each for each in tried if "entropy" in each["what"])
    assert rule["auroc"] < shipped["low"]


def test_how_fast_it_is_was_measured() -> None:
    told = CARD["evaluation"]["inference"]
    assert 0 < told["p50_microseconds"] <= told["p99_microseconds"]


def test_the_data_is_named_with_its_licence_and_attribution() -> None:
    data = CARD["training"]["data"]
    assert (data["doi"], data["licence"]) == ("10.13026/d3hm-sf11", "ODC-By 1.0")
    assert "doi:10.22489/CinC.2017.065-469" in data["attribution"]


def test_the_card_is_written_alike_each_time() -> None:
    assert SHIPPED_CARD.read_text(encoding="utf-8") == text(CARD)


def test_what_it_must_not_be_used_for_is_said() -> None:
    forbidden = " ".join(CARD["must_not_be_used"])
    for words in ("diagnosis", "rule atrial fibrillation out", "NEWS2", "anticoagulation"):
        assert words in forbidden
