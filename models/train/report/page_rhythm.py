"""The part of the page about the rhythm model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from models.train.measures.discrimination import curve
from models.train.report.aims import of_card
from models.train.report.markup import Cell, Html, estimate, figure, number, paragraph, section, table, whole
from models.train.report.plots import roc
from models.train.report.rhythm_findings import FIBRILLATION, LABELS, MOST_FALSE, SINUS, RhythmFindings
from models.train.report.svg import MODEL, NEWS2, NEWS2_BARE, SECOND_MODEL, Style

_STYLES: dict[str, Style] = {
    "network": MODEL,
    "boosted trees": SECOND_MODEL,
    "logistic regression": NEWS2,
    "entropy rule": NEWS2_BARE,
}
_OF_AUROC = (
    ("network, against all", "network (this is shipped), against everything else"),
    ("network, against sinus rhythm", "network, against sinus rhythm alone"),
    ("network, against all but noise", "network, against everything else but noise"),
    ("network, against all, told", "network, recordings with beats enough for an answer"),
    ("network, against all, good recordings", "network, recordings good enough to count"),
    ("boosted trees, against all", "boosted trees, against everything else"),
    ("logistic regression, against all", "logistic regression, against everything else"),
    ("entropy rule, against all", "entropy rule, against everything else"),
)
FEW_FALSE = 0.1
HIGHEST_RATE = 200
"""Beats a minute: a band that reaches beyond is open."""


def rhythm(findings: RhythmFindings | None, card: Mapping[str, Any]) -> Html:
    heading = "Rhythm: is the pulse irregular?"
    if findings is None:
        return section(
            "rhythm", heading, paragraph("There is no rhythm model, or its predictions are not there.")
        )
    figures, windows = findings.figures, findings.labels
    curves = [
        (name, curve(score, findings.fibrillation), _STYLES[name]) for name, score in findings.scores.items()
    ]
    sinus, fibrillation = windows[SINUS], windows[FIBRILLATION]
    rows: list[list[str | Cell]] = [[words, estimate(figures[name])] for name, words in _OF_AUROC]
    by_label: list[list[str | Cell]] = [
        [
            words,
            *(whole(count) for count in (windows[label].recordings, windows[label].good_recordings)),
            *(whole(count) for count in (windows[label].good_windows, windows[label].irregular)),
            estimate(windows[label].share_irregular, 2),
        ]
        for label, words in LABELS.items()
    ]
    return section(
        "rhythm",
        heading,
        paragraph(
            "From the intervals between beats alone. The finding is “irregular pulse: consider an ECG”: it "
            "is no diagnosis, and that nothing was found rules nothing out. The hub asks for several "
            "irregular windows before it says anything; what follows is of single windows and single "
            "recordings.",
            f"{whole(findings.recordings)} recordings of 9 to 61 seconds (2017 data), each judged by a "
            f"model that had not seen it. {whole(findings.untold)} had too few beats for any answer; they "
            "count here as no fibrillation found. The data does not say which recordings are of one "
            "person: somebody may be in both the training and the test, and the intervals are a little too "
            "narrow for it.",
        ),
        figure(
            roc(
                "roc-rhythm",
                "Receiver operating characteristic for atrial fibrillation, by recording",
                "Sensitivity against false positives for the network, boosted trees, logistic regression "
                "and the entropy rule; the higher, the better.",
                curves,
            ),
            "Atrial fibrillation against everything else (sinus rhythm, other rhythms, noise), by recording.",
            table(
                "AUROC by recording; 95 % interval in brackets, from drawing recordings again.",
                ["method", "AUROC"],
                rows,
            ),
        ),
        figure(
            roc(
                "roc-rhythm-few",
                "The same, where few are flagged falsely",
                "The left tenth of the plot above, drawn larger.",
                curves,
                FEW_FALSE,
            ),
            "The left tenth of the plot above: this is where a screening rule works.",
            table(
                "Windows that are good enough to count.",
                ["rule", "threshold", "false in sinus rhythm, %", "found in fibrillation, %"],
                [
                    [
                        "as on the card",
                        number(findings.threshold, 4),
                        estimate(sinus.share_irregular, 2),
                        estimate(fibrillation.share_irregular, 1),
                    ],
                    [
                        f"at most 1 in {round(1 / MOST_FALSE)} false, found on these windows",
                        number(findings.threshold_for_most_false, 4),
                        estimate(figures["false at most false"], 2),
                        estimate(figures["found at most false"], 1),
                    ],
                ],
            ),
        ),
        table(
            "By what the people who labelled the ECG saw. Irregular: windows at or above the card's "
            "threshold, of the good ones.",
            ["label", "recordings", "good recordings", "good windows", "irregular", "irregular, %"],
            by_label,
        ),
        *_by_rate(card),
        *_disturbed(card),
    )


def _by_rate(card: Mapping[str, Any]) -> list[Html]:
    """Who is found among the slow and the fast; nothing where the card does not tell."""
    told = of_card(card, "evaluation", "found_by_rate")
    rows: list[list[str | Cell]] = [
        [
            _rates(row["from_per_minute"], row["below_per_minute"]),
            *(
                words
                for of in ("fibrillation", "sinus")
                for words in (
                    whole(row[f"windows_{of}"]),
                    number(row.get(f"irregular_percent_{of}", math.nan), 1),
                )
            ),
        ]
        for row in (told if isinstance(told, list) else [])
    ]
    if not rows:
        return []
    return [
        paragraph(
            "Many residents take medicines that slow the heart: see how much of slow fibrillation is found."
        ),
        table(
            "By the heart's rate (the recording's median): good windows, and how many in 100 are irregular.",
            [
                "beats a minute",
                "windows in fibrillation",
                "found, %",
                "windows in sinus rhythm",
                "taken for irregular, %",
            ],
            rows,
        ),
    ]


def _rates(lowest: int, below: int) -> str:
    if lowest == 0:
        return f"below {below}"
    return f"{lowest} and over" if below > HIGHEST_RATE else f"{lowest} to {below - 1}"


def _disturbed(card: Mapping[str, Any]) -> list[Html]:
    """What becomes of the same recordings as a worse sensor would tell them."""
    told = of_card(card, "evaluation", "disturbed")
    names = {
        "auroc_against_all_else": 3,
        "good_windows_percent": 1,
        "irregular_percent_fibrillation": 1,
        "irregular_percent_sinus": 2,
    }
    rows: list[list[str | Cell]] = [
        [how, *(number(row[name], digits) for name, digits in names.items())]
        for how, row in (told.items() if isinstance(told, dict) else ())
    ]
    if not rows:
        return []
    return [
        table(
            "The same recordings as another sensor, or a worse contact, would have told them (simulated).",
            [
                "how",
                "AUROC by recording",
                "good windows, %",
                "of fibrillation found, %",
                "of sinus rhythm irregular, %",
            ],
            rows,
        )
    ]
