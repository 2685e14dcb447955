"""The card: what the model is, what it was made of, how good it is and what it must not be used for."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import numpy as np
import numpy.typing as npt

from hub.assessment.features import AGE_SCALE, NAMES, SCALES, SPECIFICATION, Scale, features
from hub.readings import Breathing, Value, Vital
from models.train import network
from models.train.dataset import Floats, Integers, Sets, Vectors, without
from models.train.evaluation import TimeMatched, interval, news2, person_weights

NAME = "careport-deterioration-additive"
VERSION = "0.1.0"
ROUNDS = 1000
GOLDEN_TOLERANCE = 1e-5
NO_SAY = 0.01
"""An input that adds less to the log-odds wherever it is has no say."""
TYPICAL: Vectors = np.zeros((1, len(NAMES)), dtype=np.float32)

_DATA = {
    "name": "PhysioNet/Computing in Cardiology Challenge 2019, version 1.0.0, hospital system A",
    "doi": "10.13026/v64v-d857",
    "licence": "CC BY 4.0",
    "attribution": (
        "Reyna MA, Josef CS, Jeter R, Shashikumar SP, Westover MB, Nemati S, Clifford GD, Sharma A. Early "
        "Prediction of Sepsis From Clinical Data: The PhysioNet/Computing in Cardiology Challenge 2019. "
        "Critical Care Medicine 48(2):210-217, 2020. doi:10.1097/CCM.0000000000004145"
    ),
    "changes": "hourly rows condensed to one observation set every six hours; see models/train/dataset.py",
    "population": "adults in intensive care of one hospital system in the United States",
}
_PROTOCOL = (
    "Time-matched. One observation set every six hours of stay, made of the last charted value of each "
    "vital in the block; oxygen is the last charted fraction of the stay, above 0.21. Positive: onset of "
    "sepsis-3 within 12 hours after the set's last hour (onset = 6 hours after the label's first 1). Sets "
    "at or after the onset and people labelled from their first row are left out. Only sets from the "
    "fourth block on. AUROC within each block of the stay, blocks weighted by their pairs, so that the "
    "hour of stay tells nothing. People are never shared between training and test. Interval: middle 95 % "
    "of a bootstrap that draws people."
)
_METHOD = (
    "Additive network: for each input six ReLU units that read its value and its change from the baseline "
    "only; the log-odds are a base and one term for each input. A term is 0 where the input is typical or "
    "missing and never negative. Masks of what is known are part of the feature specification but not "
    "read, since they tell what intensive care chose to chart. Negatives drawn per block in proportion to "
    "its positives. A quarter of the training sets reduced to what a cuff and an oximeter give, a third "
    "with random gaps, some without a baseline. Platt scaling on the training people, folded into the "
    "last layer. float16 weights."
)
_LIMITS = (
    "Trained on intensive care, not on care homes: no figure here says how it does in a care home.",
    (
        "Predicts the onset of sepsis-3 as defined afterwards from records; other deterioration was not "
        "learned."
    ),
    "The probability is calibrated to intensive care. In a care home it is too high; read it as a rank.",
    ("Consciousness is not an input, for want of data; it is the largest single sign of all. NEWS2 has it."),
    (
        "Oxygen in the training data mostly means a ventilator, not a resident's own oxygen; those who "
        "always have oxygen get a higher risk from it, whatever they are like otherwise."
    ),
    "What is missing adds nothing, so a set with gaps gets a lower risk than the same set in full.",
    (
        "The inputs listed in training.inputs_without_say change nothing, and low values of the others "
        "little (see training.terms): intensive care showed no sign of sepsis in them, which does not mean "
        "that they do not matter in a care home. A low saturation alone never shows in this risk; NEWS2 has "
        "it."
    ),
    "Changes were learned from sets six hours apart; a resident's sets may be days apart.",
    (
        "How oxygen is treated and how the network is held in shape was decided after looking at figures of "
        "these same people, so the figures are a little too good."
    ),
    "Not evaluated in another hospital, nor by age, sex or ethnicity.",
)
_FORBIDDEN = (
    "to suppress, delay or lower a NEWS2 alert",
    "to raise an alert of its own: it is computed and reported in shadow only",
    "as the only ground of a decision about a person",
    "for people under 16 or in pregnancy",
)

_WELL: dict[Vital, Value] = {
    Vital.RESPIRATION_RATE: 16.0,
    Vital.OXYGEN_SATURATION: 97.0,
    Vital.SUPPLEMENTAL_OXYGEN: Breathing.AIR,
    Vital.SYSTOLIC_PRESSURE: 128.0,
    Vital.DIASTOLIC_PRESSURE: 74.0,
    Vital.PULSE_RATE: 72.0,
    Vital.TEMPERATURE: 36.6,
}
_WORSE: dict[Vital, Value] = {
    Vital.RESPIRATION_RATE: 26.0,
    Vital.OXYGEN_SATURATION: 91.0,
    Vital.SUPPLEMENTAL_OXYGEN: Breathing.OXYGEN,
    Vital.SYSTOLIC_PRESSURE: 96.0,
    Vital.DIASTOLIC_PRESSURE: 52.0,
    Vital.PULSE_RATE: 118.0,
    Vital.TEMPERATURE: 38.7,
}
_CUFF_AND_OXIMETER = (
    Vital.OXYGEN_SATURATION,
    Vital.SYSTOLIC_PRESSURE,
    Vital.DIASTOLIC_PRESSURE,
    Vital.PULSE_RATE,
)


def golden_features() -> dict[str, Vectors]:
    """The vectors whose answers are on the card, by what they show."""
    return {
        "well, as before": features(_WELL, [_WELL] * 4, 84),
        "worse than before": features(_WORSE, [_WELL] * 4, 84),
        "worse, nothing known from before, age not known": features(_WORSE, [], None),
        "worse, cuff and oximeter alone": features(
            {vital: _WORSE[vital] for vital in _CUFF_AND_OXIMETER}, [_WELL] * 4, 84
        ),
        "below every limit": features(dict.fromkeys(SCALES, 0.0), [dict.fromkeys(SCALES, 999.0)], 0),
        "above every limit": features(
            {**dict.fromkeys(SCALES, 999.0), Vital.SUPPLEMENTAL_OXYGEN: Breathing.OXYGEN},
            [dict.fromkeys(SCALES, 0.0)],
            120,
        ),
        "nothing known": features({}, [], None),
    }


def document(
    sets: Sets, matrix: Vectors, fold: Integers, fits: list[network.Weights], content: bytes
) -> dict[str, Any]:
    """The whole card.

    `fits[k]` was trained without the people of fold k; `content` is the file made of `fits[0]`.
    """
    held_out = fold == 0
    bare = matrix.copy()
    for name in network.CUFF_AND_OXIMETER_LACK:
        without(bare, name, np.ones(len(bare), dtype=bool))

    test = sets.where(held_out)
    answers = network.run_tflite(content, matrix[held_out]).astype(np.float64)
    answers_bare = network.run_tflite(content, bare[held_out]).astype(np.float64)
    golden = golden_features()
    terms = _terms(fits[0])
    return {
        "name": NAME,
        "version": VERSION,
        "summary": "Risk that a person's state turns to sepsis within 12 hours, learned in intensive care.",
        "status": "a first, modest model that fills the slot; shadow only",
        "file": {
            "name": "deterioration.tflite",
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
        },
        "features": {
            "specification": SPECIFICATION,
            "names": list(NAMES),
            "scales": {
                **{vital.value: _scale(scale, vital.unit) for vital, scale in SCALES.items()},
                "age": _scale(AGE_SCALE, "a"),
            },
        },
        "training": {
            "data": _DATA,
            "method": _METHOD,
            "seed": network.SEED,
            **_counts(sets.where(~held_out)),
            "inputs_without_say": [name for name, row in terms.items() if _most_added(row) < NO_SAY],
            "terms": {"base": round(float(fits[0].logit(TYPICAL)[0]), 3), **terms},
        },
        "evaluation": {
            "protocol": _PROTOCOL,
            "held_out_people": {
                "of": "this very file, on a quarter of the people, who had no part in training",
                **_counts(test),
                "scores": _scores(test, answers, answers_bare),
                "calibration": _calibration(answers, test.label),
            },
            "cross_fitted": {
                "of": "the method: each person judged by one of four networks trained without them",
                **_counts(sets),
                "scores": _scores(sets, _cross_fitted(matrix, fold, fits), _cross_fitted(bare, fold, fits)),
            },
        },
        "limits": list(_LIMITS),
        "must_not_be_used": list(_FORBIDDEN),
        "golden": {
            "tolerance": GOLDEN_TOLERANCE,
            "vectors": [
                {
                    "name": name,
                    "features": [float(value) for value in vector],
                    "probability": float(network.run_tflite(content, vector[None])[0]),
                }
                for name, vector in golden.items()
            ],
        },
    }


def text(card: dict[str, Any]) -> str:
    """The card as it is written: the same card gives the same bytes."""
    return json.dumps(card, indent=2, ensure_ascii=False) + "\n"


def _scale(scale: Scale, unit: str) -> dict[str, Any]:
    return {**dataclasses.asdict(scale), "unit": unit}


def _terms(weights: network.Weights) -> dict[str, dict[str, list[float]]]:
    """What each input adds to the log-odds, at a few values: as this person usually is, and new for them."""
    base = float(weights.logit(TYPICAL)[0])
    table: dict[str, dict[str, list[float]]] = {}
    for name, scale in (*SCALES.items(), ("age", AGE_SCALE)):
        values = np.linspace(scale.lowest, scale.highest, 8)
        usual = np.zeros((len(values), len(NAMES)), dtype=np.float32)
        usual[:, NAMES.index(name)] = (values - scale.centre) / scale.spread
        row = {
            "value": [round(float(value), 1) for value in values],
            "usual": _added(weights, usual, base),
        }
        if name in SCALES:
            new = usual.copy()
            new[:, NAMES.index(f"{name} change")] = usual[:, NAMES.index(name)]
            row["new, from the centre"] = _added(weights, new, base)
        table[str(name)] = row
    oxygen = TYPICAL.copy()
    oxygen[0, NAMES.index(Vital.SUPPLEMENTAL_OXYGEN)] = 1
    table[Vital.SUPPLEMENTAL_OXYGEN] = {"given": _added(weights, oxygen, base)}
    return table


def _most_added(row: dict[str, list[float]]) -> float:
    return max(max(added) for column, added in row.items() if column != "value")


def _added(weights: network.Weights, matrix: Vectors, base: float) -> list[float]:
    return [round(float(logit) - base, 3) + 0.0 for logit in weights.logit(matrix)]


def _counts(sets: Sets) -> dict[str, int]:
    return {
        "people": len(np.unique(sets.person)),
        "people_with_onset": len(np.unique(sets.person[sets.label == 1])),
        "sets": len(sets),
        "sets_before_onset": int(sets.label.sum()),
    }


def _cross_fitted(matrix: Vectors, fold: Integers, fits: list[network.Weights]) -> Floats:
    return np.choose(fold, [weights.logit(matrix) for weights in fits])


def _scores(sets: Sets, answers: Floats, answers_bare: Floats) -> dict[str, dict[str, float]]:
    """Each score's time-matched AUROC with its interval, and the model's lead over NEWS2."""
    scores = {
        "model": answers,
        "NEWS2 with oxygen": news2(sets),
        "NEWS2 without oxygen": news2(sets, lacking=(Vital.SUPPLEMENTAL_OXYGEN,)),
        "model, cuff and oximeter alone": answers_bare,
        "NEWS2, cuff and oximeter alone": news2(sets, lacking=network.CUFF_AND_OXIMETER_LACK),
        "oxygen alone, as the model has it": sets.values[Vital.SUPPLEMENTAL_OXYGEN] == 1,
        "oxygen charted in this block (not used)": sets.oxygen_charted,
    }
    measures = {
        name: TimeMatched(np.asarray(score, dtype=np.float64), sets.label, sets.block)
        for name, score in scores.items()
    }
    once = np.ones(len(sets))
    point = {name: measure.auroc(once) for name, measure in measures.items()}
    drawn: dict[str, list[float]] = {name: [] for name in scores}
    for weight in person_weights(sets.person, ROUNDS, network.SEED):
        for name, measure in measures.items():
            drawn[name].append(measure.auroc(weight))

    rows = {name: _row(point[name], drawn[name]) for name in scores}
    for lead, model, other in (
        ("model minus NEWS2 with oxygen", "model", "NEWS2 with oxygen"),
        (
            "model minus NEWS2, cuff and oximeter alone",
            "model, cuff and oximeter alone",
            "NEWS2, cuff and oximeter alone",
        ),
    ):
        differences = [a - b for a, b in zip(drawn[model], drawn[other], strict=True)]
        rows[lead] = _row(point[model] - point[other], differences)
    return rows


def _row(point: float, drawn: list[float]) -> dict[str, float]:
    low, high = interval(drawn)
    return {"auroc": round(point, 4), "low": round(low, 4), "high": round(high, 4)}


def _calibration(answers: Floats, label: npt.NDArray[np.int64]) -> dict[str, float]:
    """Slope 1 and intercept 0 would be perfect."""
    slope, intercept = network.platt(np.log(answers / (1 - answers)), label)
    return {
        "mean_probability": round(float(answers.mean()), 4),
        "share_before_onset": round(float(label.mean()), 4),
        "slope": round(slope, 3),
        "intercept": round(intercept, 3),
    }
