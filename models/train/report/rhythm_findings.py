"""What the predictions of rhythm come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.train.measures.arrays import Booleans, Floats
from models.train.measures.bootstrap import Estimate, bootstrap, person_weights
from models.train.measures.discrimination import TimeMatched
from models.train.report.predictions import Rhythms

SEED = 20190801
ROUNDS = 1000
FIBRILLATION, SINUS, OTHER, NOISE = "A", "N", "O", "~"
LABELS = {
    SINUS: "normal sinus rhythm",
    FIBRILLATION: "atrial fibrillation",
    OTHER: "another rhythm",
    NOISE: "too noisy for the people who labelled",
}
MOST_FALSE = 1 / 200
"""Of the windows in sinus rhythm so many may be taken for fibrillation."""


@dataclass(frozen=True)
class OfLabel:
    """What became of the recordings with one label, and of their windows."""

    recordings: int
    good_recordings: int
    windows: int
    good_windows: int
    irregular: int
    share_irregular: Estimate
    """Of the good windows, in %."""


@dataclass(frozen=True)
class RhythmFindings:
    """Everything about the rhythm model."""

    recordings: int
    untold: int
    """Recordings with too few intervals for a probability: they count as no fibrillation."""
    figures: Mapping[str, Estimate]
    labels: Mapping[str, OfLabel]
    threshold: float
    """From which probability a window is irregular, as on the card."""
    threshold_for_most_false: float
    """The lowest that keeps false windows in sinus rhythm at `MOST_FALSE`, found on the same data."""
    scores: Mapping[str, Floats]
    fibrillation: Booleans


def measured(rhythms: Rhythms, rounds: int = ROUNDS) -> RhythmFindings:
    """Measure it all. Recordings are drawn again for the intervals, each with its windows.

    The recordings do not say whose they are: a person with several counts as several.
    """
    label = rhythms.label
    fibrillation = np.asarray(label == FIBRILLATION)
    scores = {
        "network": _lowest_where_untold(rhythms.probability),
        "boosted trees": _lowest_where_untold(rhythms.teacher),
        "logistic regression": _lowest_where_untold(rhythms.logistic),
        "entropy rule": _lowest_where_untold(rhythms.entropy),
    }
    together = np.zeros(len(label), dtype=np.int64)
    measures = {
        f"{name}, against all": (
            TimeMatched(score, fibrillation, together),
            np.ones(len(label), dtype=np.bool_),
        )
        for name, score in scores.items()
    }
    for name, rows in (
        ("network, against sinus rhythm", np.isin(label, (FIBRILLATION, SINUS))),
        ("network, against all, told", ~np.isnan(rhythms.probability)),
        ("network, against all, good recordings", rhythms.good),
        ("network, against all but noise", label != NOISE),
    ):
        chosen = np.asarray(rows, dtype=np.bool_)
        score = scores["network"][chosen]
        measures[name] = (TimeMatched(score, fibrillation[chosen], together[chosen]), chosen)

    of_window = label[rhythms.window_record]
    good = rhythms.window_good & ~np.isnan(rhythms.window_probability)
    probability = np.where(good, rhythms.window_probability, -1.0)
    threshold = float(rhythms.threshold)
    for_most_false = _threshold(probability[good & (of_window == SINUS)])

    def figures(weight: Floats) -> dict[str, float]:
        told = {name: one.auroc(weight[rows]) for name, (one, rows) in measures.items()}
        of_windows = weight[rhythms.window_record]
        for name in LABELS:
            inside = good & (of_window == name)
            told[f"irregular {name}"] = _percent(of_windows, inside & (probability >= threshold), inside)
        inside = good & (of_window == FIBRILLATION)
        told["found at most false"] = _percent(of_windows, inside & (probability >= for_most_false), inside)
        sinus = good & (of_window == SINUS)
        told["false at most false"] = _percent(of_windows, sinus & (probability >= for_most_false), sinus)
        return told

    found = bootstrap(figures, person_weights(np.arange(len(label)), rounds, SEED))
    return RhythmFindings(
        recordings=len(label),
        untold=int(np.isnan(rhythms.probability).sum()),
        figures=found,
        labels={
            name: OfLabel(
                int((label == name).sum()),
                int((rhythms.good & (label == name)).sum()),
                int((of_window == name).sum()),
                int((good & (of_window == name)).sum()),
                int((good & (of_window == name) & (probability >= threshold)).sum()),
                found[f"irregular {name}"],
            )
            for name in LABELS
        },
        threshold=threshold,
        threshold_for_most_false=for_most_false,
        scores=scores,
        fibrillation=fibrillation,
    )


def _lowest_where_untold(score: Floats) -> Floats:
    """What tells nothing finds nothing: below every other."""
    told = score[~np.isnan(score)]
    return np.where(np.isnan(score), (told.min() if len(told) else 0.0) - 1.0, score)


def _percent(weight: Floats, part: Booleans, of: Booleans) -> float:
    total = float(weight[of].sum())
    return 100 * float(weight[part].sum()) / total if total else float("nan")


def _threshold(of_sinus: Floats) -> float:
    """The lowest at which no more than `MOST_FALSE` of these are at or above it."""
    if not len(of_sinus):
        return float("nan")
    falling = np.sort(of_sinus)[::-1]
    allowed = int(MOST_FALSE * len(falling))
    # Just above the first that is one too many; whatever ties with it stays below too.
    return float(np.nextafter(falling[allowed], np.inf)) if allowed < len(falling) else float(falling[-1])
