"""What the model came to: every figure on the card, from predictions of people not learned from."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from hub.assessment.features import BASELINE_SETS, features
from hub.readings import Vital
from models.train.card import inference as measured
from models.train.deterioration.comparison import news2
from models.train.deterioration.model_file import interpreter_of
from models.train.deterioration.sets import BLOCK_HOURS, Sets
from models.train.deterioration.teacher import SEED
from models.train.measures.alerting import Alerting, compared
from models.train.measures.arrays import Floats, Integers
from models.train.measures.bootstrap import Estimate, bootstrap, person_weights
from models.train.measures.calibration import recalibrated_by_halves
from models.train.measures.discrimination import TimeMatched

ROUNDS = 1000
HALVES = 40
URGENT = 5
"""NEWS2 from which the chart asks for urgent assessment."""
CUFF_AND_OXIMETER_LACK = (Vital.RESPIRATION_RATE, Vital.TEMPERATURE, Vital.SUPPLEMENTAL_OXYGEN)
PAIRS = tuple(
    itertools.combinations(
        (
            Vital.RESPIRATION_RATE,
            Vital.OXYGEN_SATURATION,
            Vital.SUPPLEMENTAL_OXYGEN,
            Vital.SYSTOLIC_PRESSURE,
            Vital.DIASTOLIC_PRESSURE,
            Vital.PULSE_RATE,
            Vital.TEMPERATURE,
        ),
        2,
    )
)
"""Which two inputs a home may lack."""

Figures = dict[str, dict[str, float]]


def block_of(sets: Sets) -> Integers:
    """The six hours of the stay that each set ends in."""
    return np.asarray((sets.hour - 1) // BLOCK_HOURS, dtype=np.int64)


def time_matched(sets: Sets, scores: Mapping[str, Floats], leads: Mapping[str, tuple[str, str]]) -> Figures:
    """Each score's time-matched AUROC, and by how much one leads another, with intervals by person."""
    block = block_of(sets)
    measures = {name: TimeMatched(score, sets.label, block) for name, score in scores.items()}

    def told(weight: Floats) -> dict[str, float]:
        each = {name: measure.auroc(weight) for name, measure in measures.items()}
        return each | {name: each[one] - each[other] for name, (one, other) in leads.items()}

    return {
        name: estimate(found)
        for name, found in bootstrap(told, person_weights(sets.person, ROUNDS, SEED)).items()
    }


def estimate(found: Estimate) -> dict[str, float]:
    """As the card has it."""
    return {
        "auroc": round(found.value, 4), "low": round(found.low, 4), "high": round(found.high, 4)
    }  # fmt: skip


def of_sepsis(sets: Sets, logit: Floats, bare_logit: Floats, as_charted: Floats) -> Figures:
    """The model beside NEWS2, whole and with a cuff and an oximeter alone.

    `sets` are with oxygen held, so that NEWS2 knows of it what the model knows; `as_charted` is NEWS2 where
    oxygen is known only if it was charted in the very block, which also tells how a ward works.
    """
    return time_matched(
        sets,
        {
            "model": logit,
            "NEWS2 with oxygen": as_floats(news2(sets)),
            "NEWS2 with oxygen as charted in the block": as_charted,
            "NEWS2 without oxygen": as_floats(news2(sets, (Vital.SUPPLEMENTAL_OXYGEN,))),
            "model, cuff and oximeter alone": bare_logit,
            "NEWS2, cuff and oximeter alone": as_floats(news2(sets, CUFF_AND_OXIMETER_LACK)),
        },
        {
            "model minus NEWS2 with oxygen": ("model", "NEWS2 with oxygen"),
            "model minus NEWS2 with oxygen as charted in the block": (
                "model", "NEWS2 with oxygen as charted in the block",
            ),
            "model minus NEWS2, cuff and oximeter alone": (
                "model, cuff and oximeter alone", "NEWS2, cuff and oximeter alone",
            ),
        },
    )  # fmt: skip


def of_death(sets: Sets, logit: Floats, without_consciousness: Floats) -> Figures:
    """Death in hospital by the last set of 48 hours, one row a person: all rows are one block."""
    alike = np.zeros(len(sets), dtype=np.int64)
    measures = {
        "model": TimeMatched(logit, sets.label, alike),
        "model without consciousness": TimeMatched(without_consciousness, sets.label, alike),
        "NEWS2": TimeMatched(news2(sets), sets.label, alike),
        "NEWS2 without consciousness": TimeMatched(news2(sets, (Vital.CONSCIOUSNESS,)), sets.label, alike),
    }

    def told(weight: Floats) -> dict[str, float]:
        each = {name: measure.auroc(weight) for name, measure in measures.items()}
        return each | {"model minus NEWS2": each["model"] - each["NEWS2"]}

    found = bootstrap(told, person_weights(sets.person, ROUNDS, SEED))
    return {name: estimate(each) for name, each in found.items()}


def of_alerts(sets: Sets, risk: Floats) -> dict[str, Any]:
    """Beside NEWS2 >= 5: onsets found at as many alerts, alerts at as many onsets found, and how early."""
    ahead = sets.onset - sets.hour
    beside = compared(Alerting(risk, sets.person, ahead), Alerting(news2(sets), sets.person, ahead), URGENT)
    return {
        name: {
            "threshold": round(outcome.threshold, 6),
            "alerts_per_100_days": round(outcome.alerts_each_100_days, 2),
            "share_of_onsets_found": round(outcome.share_found, 4),
        }
        for name, outcome in vars(beside).items()
        if hasattr(outcome, "alerts_each_100_days")
    }


def of_calibration(sets: Sets, risk: Floats) -> dict[str, float]:
    """Before and after a site's recalibration, fitted on one half of the people and judged on the other."""
    halves = recalibrated_by_halves(risk, sets.label, sets.person, HALVES, SEED)

    def middle(values: list[float]) -> float:
        return round(float(np.median(values)), 4)

    return {
        "mean_probability": round(float(risk.mean()), 4),
        "share_before_onset": round(float(sets.label.mean()), 4),
        "slope": middle([each.before.slope for each in halves]),
        "expected_calibration_error": middle([each.before.expected_calibration_error for each in halves]),
        "slope_recalibrated": middle([each.after.slope for each in halves]),
        "expected_calibration_error_recalibrated": middle(
            [each.after.expected_calibration_error for each in halves]
        ),
    }


def subgroups(sets: Sets, logit: Floats) -> dict[str, dict[str, Any]]:
    """The time-matched AUROC by age band and by sex, and what is gained over NEWS2 with oxygen."""
    bands = {
        "under 50 years": sets.age < 50,
        "50 to 64 years": (sets.age >= 50) & (sets.age < 65),
        "65 to 79 years": (sets.age >= 65) & (sets.age < 80),
        "80 years and over": sets.age >= 80,
        "women": sets.male == 0,
        "men": sets.male == 1,
    }
    score = as_floats(news2(sets))
    found: dict[str, dict[str, Any]] = {}
    for name, rows in bands.items():
        some = sets.where(rows)
        figures = time_matched(
            some, {"model": logit[rows], "NEWS2": score[rows]}, {"gain": ("model", "NEWS2")}
        )
        gain = figures["gain"]
        found[name] = {
            "people": len(np.unique(some.person)),
            "people_with_onset": len(np.unique(some.person[some.label == 1])),
            **figures["model"],
            "news2": figures["NEWS2"]["auroc"],
            "gain": gain["auroc"],
            "gain_low": gain["low"],
            "gain_high": gain["high"],
        }
    return found


def pair_missing(sets: Sets, logits: Mapping[tuple[Vital, ...], Floats]) -> list[dict[str, Any]]:
    """For any two inputs that a home lacks, the model beside partial NEWS2 on what is left."""
    block, once = block_of(sets), np.ones(len(sets))

    def told(score: Floats) -> float:
        return round(TimeMatched(score, sets.label, block).auroc(once), 4)

    return [
        {
            "missing": [vital.value for vital in pair],
            "model": told(logits[pair]),
            "news2": told(as_floats(news2(sets, pair))),
        }
        for pair in PAIRS
    ]


def inference(content: bytes, sets: Sets) -> dict[str, float]:
    """How long features and one inference take, over some thousand sets."""
    ask = interpreter_of(content)
    rows = range(BASELINE_SETS, min(len(sets), 5000))
    windows = [[sets.values_of(row - back) for back in range(BASELINE_SETS, -1, -1)] for row in rows]
    return measured(lambda window: ask(features(window[-1], window[:-1], 80)), windows)


def as_floats(values: Integers) -> Floats:
    """Scores as numbers that a measure takes."""
    return np.asarray(values, dtype=np.float64)
