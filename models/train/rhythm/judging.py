"""How good the rhythm model is: figures with intervals, recordings drawn again for these."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from hub.assessment.beats import features, plausible
from hub.assessment.rhythm import cut
from models.train.card import inference
from models.train.deterioration.model_file import answers, interpreter_of
from models.train.deterioration.student import Layers
from models.train.measures.arrays import Booleans, Floats
from models.train.measures.bootstrap import interval, person_weights
from models.train.measures.calibration import calibration, probability
from models.train.measures.discrimination import TimeMatched, auroc
from models.train.rhythm.crossfit import ENTROPY, CrossFitted, Trial
from models.train.rhythm.learners import SEED
from models.train.rhythm.recordings import FIBRILLATION, NOISE, OTHER, SINUS, Recordings, Windows

ROUNDS = 1000
MOST_FALSE = 1 / 200
"""Of the good windows in sinus rhythm so many may be taken for fibrillation."""
MARGIN = 0.8
"""The threshold is chosen for so much of that, since it is chosen on the windows it is judged on."""
RATES_PER_MINUTE = (0, 60, 75, 90, 110, 250)
AGAINST: Mapping[str, tuple[str, ...]] = {
    "all else": (SINUS, OTHER, NOISE),
    "normal and other": (SINUS, OTHER),
    "normal": (SINUS,),
}


def most_false_threshold(sinus: Floats) -> float:
    """The lowest threshold, in hundredths, that few enough of these windows in sinus rhythm reach."""
    allowed = float(np.quantile(sinus, 1 - MARGIN * MOST_FALSE, method="higher"))
    return (int(100 * allowed) + 1) / 100


def evaluation(
    recordings: Recordings,
    own: Windows,
    found: CrossFitted,
    threshold: float,
    content: bytes,
    network: Layers,
) -> dict[str, Any]:
    """All figures of the card."""
    count = len(recordings)
    scores = {
        "network": own.together(found.network, count),
        "its teachers together": own.together((found.trees + found.labelled) / 2, count),
        "boosted trees": own.together(found.trees, count),
        "network taught by the labels": own.together(found.labelled, count),
        "boosted trees without the typical interval": own.together(found.without_rate, count),
        "logistic regression": own.together(found.logistic, count),
        "entropy rule": own.together(own.features[:, ENTROPY].astype(np.float64), count),
    }
    untold = np.isnan(scores["network"])
    label = (recordings.label == FIBRILLATION).astype(np.int64)
    told = probability(scores["network"][~untold])
    line = calibration(told, label[~untold])
    of_file = np.asarray(answers(content, own.features), dtype=np.float64)
    return {
        "recordings": {name: int((recordings.label == name).sum()) for name in np.unique(recordings.label)},
        "recordings_with_too_few_intervals": int(untold.sum()),
        "scores": _scores(recordings, scores),
        "windows": _windows(recordings, own, own.each(probability(found.network)) >= threshold),
        "found_by_rate": _by_rate(recordings, own, own.each(probability(found.network)) >= threshold),
        "disturbed": {name: _disturbed(recordings, each, threshold) for name, each in found.trials.items()},
        "calibration": {
            "slope": round(line.slope, 3),
            "intercept": round(line.intercept, 3),
            "expected_calibration_error": round(line.expected_calibration_error, 4),
        },
        "inference": _inference(content, recordings),
        "float16": {
            "auroc_change": round(
                auroc(of_file, label[own.of]) - auroc(network.logit(own.features), label[own.of]), 5
            ),
            "largest_change": round(
                float(np.abs(of_file - probability(network.logit(own.features))).max()), 5
            ),
        },
    }


def _scores(recordings: Recordings, scores: Mapping[str, Floats]) -> dict[str, dict[str, float]]:
    fibrillation = recordings.label == FIBRILLATION
    rows: dict[str, dict[str, float]] = {}
    for name, told in scores.items():
        score = _lowest_where_untold(told)
        for against, labels in AGAINST.items():
            chosen = fibrillation | np.isin(recordings.label, labels)
            rows[f"{name}, against {against}"] = _with_interval(score[chosen], fibrillation[chosen])
    answered = ~np.isnan(scores["network"])
    rows["network, against all else, recordings with an answer alone"] = _with_interval(
        scores["network"][answered], fibrillation[answered]
    )
    return rows


def _with_interval(score: Floats, label: Booleans) -> dict[str, float]:
    measure = TimeMatched(score, label.astype(np.int64), np.zeros(len(score), dtype=np.int64))
    drawn = [measure.auroc(weight) for weight in person_weights(np.arange(len(score)), ROUNDS, SEED)]
    low, high = interval(drawn)
    return {
        "auroc": round(measure.auroc(np.ones(len(score))), 4),
        "low": round(low, 4),
        "high": round(high, 4),
    }


def _inference(content: bytes, recordings: Recordings) -> dict[str, float]:
    """How long features and one inference take, over the windows that have an answer."""
    ask = interpreter_of(content)

    def once(window: tuple[float, ...]) -> None:
        vector = features(window)
        if vector is not None:
            ask(vector)

    cuts = (cut(intervals.tolist()) for intervals in recordings.intervals_ms)
    return inference(once, [part for parts in cuts for part in parts if features(part) is not None])


def _windows(recordings: Recordings, own: Windows, irregular: Booleans) -> dict[str, dict[str, float]]:
    """Of the good windows of each label, the share that is irregular, in per cent."""
    counted = own.good & own.answered
    rounds = list(person_weights(np.arange(len(recordings)), ROUNDS, SEED))
    rows = {}
    for name in np.unique(recordings.label):
        inside = counted & (recordings.label[own.recording] == name)
        of = own.recording[inside]
        hit = irregular[inside]
        low, high = interval([float(100 * np.average(hit, weights=weight[of])) for weight in rounds])
        rows[str(name)] = {
            "windows": int(inside.sum()),
            "irregular_percent": round(100 * float(hit.mean()), 3),
            "low": round(low, 3),
            "high": round(high, 3),
        }
    return rows


def _by_rate(recordings: Recordings, own: Windows, irregular: Booleans) -> list[dict[str, float]]:
    """Good windows in fibrillation and in sinus rhythm by the recording's rate: what share is irregular."""
    rate = np.array([_rate(each) for each in recordings.intervals_ms])[own.recording]
    label = recordings.label[own.recording]
    rows = []
    for lowest, below in pairwise(RATES_PER_MINUTE):
        inside = own.good & own.answered & (rate >= lowest) & (rate < below)
        row: dict[str, float] = {"from_per_minute": lowest, "below_per_minute": below}
        for name, part in (("fibrillation", FIBRILLATION), ("sinus", SINUS)):
            chosen = inside & (label == part)
            row[f"windows_{name}"] = int(chosen.sum())
            if chosen.any():
                row[f"irregular_percent_{name}"] = round(100 * float(irregular[chosen].mean()), 2)
        rows.append(row)
    return rows


def _rate(intervals_ms: Floats) -> float:
    used = [each for each in intervals_ms.tolist() if plausible(each)]
    return 60_000 / float(np.median(used)) if used else float("nan")


def _disturbed(recordings: Recordings, trial: Trial, threshold: float) -> dict[str, float]:
    score = _lowest_where_untold(trial.windows.together(trial.network, len(recordings)))
    fibrillation = recordings.label == FIBRILLATION
    counted = trial.windows.good & trial.windows.answered
    irregular = trial.windows.each(probability(trial.network)) >= threshold
    label = recordings.label[trial.windows.recording]
    return {
        "auroc_against_all_else": round(auroc(score, fibrillation.astype(np.int64)), 4),
        "good_windows_percent": round(100 * float(counted.mean()), 1),
        "irregular_percent_fibrillation": round(
            100 * float(irregular[counted & (label == FIBRILLATION)].mean()), 2
        ),
        "irregular_percent_sinus": round(100 * float(irregular[counted & (label == SINUS)].mean()), 3),
    }


def _lowest_where_untold(logit: Floats) -> Floats:
    """What has too few intervals for a probability is found last."""
    return np.where(np.isnan(logit), float(np.nanmin(logit)) - 1, logit)
