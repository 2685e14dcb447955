"""The card: what the model is, what it was made of, how good it is and what it must not be used for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from hub.assessment.budget import History, afforded
from hub.assessment.features import AGE_SCALE, LEVELS, NAMES, SCALES, SPECIFICATION, Scale, features
from hub.readings import Breathing, Consciousness, Value, Vital
from models.train.card import file_of, golden
from models.train.deterioration import student
from models.train.deterioration.model_file import answers
from models.train.deterioration.sets import Sets
from models.train.deterioration.teacher import NEVER_REASSURING, SEED
from models.train.deterioration.words import DATA, FORBIDDEN, LIMITS, METHOD, PROTOCOL, TRIED
from models.train.measures.arrays import Floats, Integers, Vectors

NAME = "careport-deterioration"
VERSION = "1.1.0"
GOLDEN_TOLERANCE = 1e-4
BUDGETS = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0)
"""Alerts per 100 patient-days of which the card tells the threshold."""
BINS = 10

_MICROSECONDS_OF_AN_HOUR = 3_600_000_000

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
    alert = {**_WELL, Vital.CONSCIOUSNESS: Consciousness.ALERT}
    drowsy = {**_WORSE, Vital.CONSCIOUSNESS: Consciousness.VOICE}
    return {
        "well, as before": features(_WELL, [_WELL] * 4, 84),
        "well and alert, as before": features(alert, [alert] * 4, 84),
        "worse than before": features(_WORSE, [_WELL] * 4, 84),
        "worse than before, answers to voice alone": features(drowsy, [alert] * 4, 84),
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
        "unresponsive, nothing else known": features(
            {Vital.CONSCIOUSNESS: Consciousness.UNRESPONSIVE}, [], None
        ),
    }


def document(
    content: bytes, training: Mapping[str, Any], evaluation: Mapping[str, Any], sets: Sets, risk: Floats
) -> dict[str, Any]:
    """The whole card of a file.

    `training` are counts of who it was trained on, `evaluation` what it and the method came to (`judging`),
    `sets` and `risk` the cross-fitted risks of hospital A, for its budget and its histograms.
    """
    return {
        "name": NAME,
        "version": VERSION,
        "summary": "Risk that a person's state turns to sepsis within 12 hours, and, where consciousness is "
        "known, what it adds to the risk of death; learned in intensive care.",
        "status": "shadow: computed, stored and told; it raises no alert",
        "file": file_of("deterioration.tflite", content),
        "features": {
            "specification": SPECIFICATION,
            "names": list(NAMES),
            "scales": {
                **{vital.value: _scale(scale, vital.unit) for vital, scale in SCALES.items()},
                "age": _scale(AGE_SCALE, "a"),
            },
            "levels": {level.value: number for level, number in LEVELS.items()},
            "never_reassuring": dict(NEVER_REASSURING),
        },
        "training": {
            "data": DATA,
            "method": METHOD,
            "seed": SEED,
            "units": {"vitals": student.UNITS_OF_VITALS, "consciousness": student.UNITS_OF_CONSCIOUSNESS},
            **training,
        },
        "evaluation": {"protocol": PROTOCOL, **evaluation, "tried": list(TRIED)},
        "budget": budget(sets.person, sets.hour, risk),
        "drift": histograms(sets, risk),
        "limits": list(LIMITS),
        "must_not_be_used": list(FORBIDDEN),
        "golden": golden(golden_features(), partial(answers, content), GOLDEN_TOLERANCE),
    }


def budget(person: Integers, hour: Integers, risk: Floats) -> list[dict[str, float]]:
    """For some budgets the threshold that the hub would have found in hospital A, by its own rule."""
    history = History(
        (str(whose), int(at) * _MICROSECONDS_OF_AN_HOUR, float(each))
        for whose, at, each in zip(person, hour, risk, strict=True)
    )
    return [{"alerts_per_100_days": each, "threshold": round(afforded(history, each), 6)} for each in BUDGETS]


def histograms(sets: Sets, risk: Floats) -> dict[str, dict[str, Any]]:
    """How each input and the risk are spread in training, in about equal bins (`hub.assessment.drift`)."""
    found = {
        vital.value: _histogram(column, whole=vital is not Vital.TEMPERATURE)
        for vital, column in sets.values.items()
        if vital in SCALES
    }
    found["age"] = _histogram(sets.age, whole=True)
    found["risk"] = _histogram(risk, whole=False)
    return found


def _histogram(values: Floats, *, whole: bool) -> dict[str, Any]:
    known = values[~np.isnan(values)]
    cuts = np.quantile(known, np.arange(1, BINS) / BINS)
    edges = np.unique(np.round(cuts, 0 if whole else 5))
    counts = np.bincount(np.searchsorted(edges, known, side="right"), minlength=len(edges) + 1)
    return {
        "edges": [float(edge) for edge in edges],
        "shares": [round(float(share), 5) for share in counts / len(known)],
        "missing": round(1 - len(known) / len(values), 4),
    }


def _scale(scale: Scale, unit: str) -> dict[str, Any]:
    return {**dataclasses.asdict(scale), "unit": unit}


def counts(prefix: str, sets: Sets, of: str) -> dict[str, int]:
    """How many people and sets there are, and how many with `of`."""
    return {
        f"{prefix}people": len(np.unique(sets.person)),
        f"{prefix}people_with_{of}": len(np.unique(sets.person[sets.label == 1])),
        f"{prefix}sets": len(sets),
    }


def rounded(values: Sequence[float]) -> list[float]:
    """To four places, as figures are told."""
    return [round(float(value), 4) for value in values]
