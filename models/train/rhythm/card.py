"""The card: what the rhythm model is, what it was made of, how good it is, what it must not be used for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from hub.assessment.beats import NAMES, SPECIFICATION, features
from hub.assessment.rhythm import LEAST_BEATS, LEAST_BELIEVED, MOST_BEATS
from models.train.card import file_of, golden
from models.train.deterioration.model_file import answers
from models.train.measures.arrays import Vectors
from models.train.rhythm.crossfit import FOLDS
from models.train.rhythm.learners import SEED
from models.train.rhythm.recordings import Recordings, Windows

NAME = "careport-rhythm-distilled"
VERSION = "0.1.0"
GOLDEN_TOLERANCE = 1e-5

_DATA = {
    "name": (
        "AF Classification from a Short Single Lead ECG Recording: the PhysioNet/Computing in Cardiology "
        "Challenge 2017, version 1.0.0, training set with the labels REFERENCE-v3"
    ),
    "doi": "10.13026/d3hm-sf11",
    "licence": "ODC-By 1.0",
    "attribution": (
        "Clifford GD, Liu C, Moody B, Lehman LH, Silva I, Li Q, Johnson AE, Mark RG. AF Classification "
        "from a Short Single Lead ECG Recording: the PhysioNet/Computing in Cardiology Challenge 2017. "
        "Computing in Cardiology 44, 2017. doi:10.22489/CinC.2017.065-469. Recordings by courtesy of "
        "AliveCor"
    ),
    "changes": "only the intervals between beats, found in each recording with neurokit2, were used",
    "population": (
        "people who recorded a single-lead ECG of 9 to 61 s by hand with an AliveCor device; age, sex, "
        "place and which recordings are of one person are not told"
    ),
}
_METHOD = (
    "A recording is cut into equal windows of at most {most} intervals; from each 48 features of how the "
    "intervals change, scatter, repeat and match (hub/assessment/beats.py). Boosted trees (300 of 15 "
    "leaves) and a network (64 and 32 ReLU units, dropout) learn from these windows and from eight disturbed "
    "parts of each recording: 20 to 60 beats, up to 28 % faster or slower, with beats missed, beats found "
    "too many, beats placed off, and the clocks of straps and Holters. Every recording counts alike. A "
    "second network of that size then learns what both say of the same windows. A recording's probability "
    "is that of the mean log-odds of its windows. Calibrated on cross-fitted windows (Platt), folded into "
    "the last layer; float16 weights."
)
_PROTOCOL = (
    "By recording, cross-fitted in {folds} parts with the labels dealt out evenly: every recording is "
    "judged by a model trained without it. A recording with too few intervals for a probability counts "
    "as the least suspicious (but in the score of those with an answer alone). Interval: middle 95 % of a "
    "bootstrap that draws recordings. The threshold is the lowest, in hundredths, that takes at most 1 in "
    "250 good cross-fitted windows in sinus rhythm for irregular (the aim is 1 in 200); the shares of "
    "irregular windows are told at it. 'found_by_rate' is by the recording's median rate."
)
_SCORED = (
    (
        "entropy rule",
        "the coefficient of sample entropy alone, which needs no training",
        "Far behind on these recordings: other rhythms with many ectopic beats have a high entropy too.",
    ),
    ("logistic regression", "logistic regression on the same features", "Behind the trees."),
    (
        "boosted trees",
        "boosted trees as they are",
        "No file for the hub's runtime. The network was taught by them and by another network.",
    ),
    (
        "network taught by the labels",
        "a network taught by the labels alone",
        "Its teachers together are better, and so is what they teach.",
    ),
    (
        "boosted trees without the typical interval",
        "boosted trees that are not told how fast the heart is",
        "Told without limits, 0.001 more was gained than told between 67 and 133 beats a minute, but fewer "
        "were found whose fibrillation is slow. Nearly all of what the rate adds is that fast recordings "
        "here are more often fibrillation, which need not hold in a care home.",
    ),
)
"""Of `evaluation.scores`: the score, what was tried, and why it was not taken."""
_NOT_SCORED = (
    (
        "a network taught by the trees alone",
        "0.0007 behind them; taught by trees and another network it comes nearer.",
    ),
    (
        "a convolutional network on the intervals themselves",
        "On two of the five parts behind the trees (0.006 and 0.008); added less than 0.001 to them.",
    ),
    (
        "more entropies, radii, quantiles and templates of two intervals",
        "Changed nothing (0.0002).",
    ),
    (
        "trees that learn normal, other and noise apart instead of 'not fibrillation'",
        "Gained 0.0003.",
    ),
    (
        "the share of intervals that look missed or extra as a feature",
        "0.0008 more in validation inside four of the five parts, but it takes half as long as all other "
        "features together. The share that no heart has brought nothing.",
    ),
    (
        "the longest and the shortest interval told as features; teachers that have not seen what they teach",
        "Not built yet: inside four of the five parts the first brought the trees 0.0008, the second the "
        "network 0.0014.",
    ),
    (
        "forests in half the steps; three labelled networks among the teachers; extremely randomised trees",
        "Nothing (0.0002 and less); the last were 0.003 behind the other trees and added nothing to them.",
    ),
)


def _tried(scores: Mapping[str, Mapping[str, float]]) -> list[dict[str, object]]:
    """What was tried and not taken, as the card of deterioration has it."""
    tried: list[dict[str, object]] = [{"what": what, "why_not": why} for what, why in _NOT_SCORED]
    for name, what, why in reversed(_SCORED):
        tried.insert(0, {"what": what, **scores[f"{name}, against all else"], "why_not": why})
    return tried


_LIMITS = (
    (
        "Nothing here was measured in a care home, on a chest strap, on an oximeter's pulse, or on "
        "anything longer than 61 seconds: what it does over hours is not known from this data."
    ),
    (
        "Which recordings are of one person is not told, so that a person may be on both sides of the "
        "cross-fitting; the figures may be a little too good for that. The features were chosen "
        "on the same recordings."
    ),
    (
        "It sees intervals alone: atrial flutter with steady conduction, fibrillation with a paced or a "
        "very regular ventricle, and short runs are not found; frequent ectopic beats, block and "
        "multifocal rhythms may be taken for fibrillation (see the windows labelled 'O')."
    ),
    (
        "Noise looks irregular (see the windows labelled '~'). A window counts only with at least "
        "{least} usable intervals of which {believed} % look like no missed and no extra beat; a sensor "
        "that places beats at random still passes."
    ),
    (
        "Slow fibrillation is found less often than fast (see what is found by rate), and care homes have "
        "much of it."
    ),
    "The probability is calibrated to these recordings, of which 9 % are fibrillation.",
    (
        "The rule for a day (hub/assessment/rhythm.py: five sixths of at least six good windows over "
        "five minutes) is after published ones, and has not been tried on recordings of a day."
    ),
    "Not evaluated by age, sex or ethnicity: the data does not tell them.",
)
_FORBIDDEN = (
    (
        "as a diagnosis: a finding says 'irregular pulse: consider an ECG', and an ECG that a person has "
        "read decides"
    ),
    "to rule atrial fibrillation out",
    "to start, change or stop a treatment, anticoagulation above all",
    "to raise an alert of its own, or to suppress, delay or lower a NEWS2 alert: it runs in shadow",
    "for people with a pacemaker, and people under 16",
)


def golden_intervals() -> dict[str, tuple[float, ...]]:
    """Made-up windows in ms: a few rhythms as they are in textbooks, and none of a person."""
    breathing = [round(820 + 45 * np.sin(i / 2.2)) for i in range(48)]
    generator = np.random.default_rng(1)
    irregular = [float(each) for each in np.rint(generator.gamma(16, 45, 55) + 60)]
    ectopic = [float(each) for each in breathing]
    for at in (7, 19, 33):
        ectopic[at : at + 2] = [520.0, 1120.0]
    return {
        "steady": (800.0,) * 40,
        "sinus, breathing": tuple(float(each) for each in breathing),
        "sinus with ectopic beats": tuple(ectopic),
        "every second beat ectopic": (560.0, 1060.0) * 20,
        "irregular": tuple(irregular),
        "irregular and fast": tuple(round(each * 0.6) for each in irregular),
        "few beats": tuple(irregular[:8]),
        "a beat missed": (*(800.0,) * 15, 1600.0, *(800.0,) * 15),
    }


def golden_vectors() -> dict[str, Vectors]:
    """The hub's features of them."""
    vectors = {name: features(intervals) for name, intervals in golden_intervals().items()}
    return {name: vector for name, vector in vectors.items() if vector is not None}


def document(
    recordings: Recordings,
    own: Windows,
    content: bytes,
    threshold: float,
    evaluation: Mapping[str, Any],
) -> dict[str, Any]:
    """The card of this file."""
    return {
        "name": NAME,
        "version": VERSION,
        "summary": "Whether a pulse is irregular as in atrial fibrillation, from the times between beats.",
        "status": "shadow only; its finding is 'irregular pulse: consider an ECG', no diagnosis",
        "file": file_of("rhythm.tflite", content),
        "features": {"specification": SPECIFICATION, "names": list(NAMES)},
        "decision": {
            "threshold": threshold,
            "meaning": "a window is irregular from this probability on",
            "most_beats": MOST_BEATS,
            "least_usable": LEAST_BEATS,
            "least_believed": LEAST_BELIEVED,
        },
        "training": {
            "data": _DATA,
            "method": _METHOD.format(most=MOST_BEATS),
            "seed": SEED,
            "recordings": len(recordings),
            "windows": len(own.recording),
        },
        "evaluation": {
            "protocol": _PROTOCOL.format(folds=FOLDS),
            **evaluation,
            "tried": _tried(evaluation["scores"]),
        },
        "limits": _filled(_LIMITS),
        "must_not_be_used": list(_FORBIDDEN),
        "golden": golden(golden_vectors(), partial(answers, content), GOLDEN_TOLERANCE),
    }


def _filled(limits: Sequence[str]) -> list[str]:
    return [each.format(least=LEAST_BEATS, believed=round(100 * LEAST_BELIEVED)) for each in limits]
