"""The parts of the page that the cards tell: what was measured or tried while training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from models.train.measures.bootstrap import Estimate
from models.train.report.aims import missing_pairs, named, of_card
from models.train.report.markup import (
    NOT_KNOWN,
    Cell,
    Html,
    estimate,
    number,
    paragraph,
    section,
    table,
)


def as_charted(card: Mapping[str, Any]) -> list[Html]:
    """The model beside NEWS2 that counts oxygen only where it was charted in the very block."""
    scores = of_card(card, "evaluation", "cross_fitted", "scores") or {}
    name = "NEWS2 with oxygen as charted in the block"
    score, gain = scores.get(name), scores.get(f"model minus {name}")
    if score is None or gain is None:
        return []
    return [
        paragraph(
            "What was charted of oxygen holds for a day here, for the model and for NEWS2. Where it counts "
            "for NEWS2 only in the six hours in which it was charted, it does better in intensive care "
            f"({_figure_of(score)}): it was charted of those whose ventilators were being adjusted. "
            f"The model has {_figure_of(gain)} more than that.",
        )
    ]


def missing(card: Mapping[str, Any]) -> Html:
    pairs = missing_pairs(card)
    if not pairs:
        told = paragraph("This is not measured yet: the card has nothing under evaluation.missing_pairs.")
        return section("missing", "When something is not measured", told)
    values = {frozenset(pair["missing"]): pair for pair in pairs}
    names: list[str] = sorted({name for pair in pairs for name in pair["missing"]})

    def cell(row: str, column: str) -> str | Cell:
        pair = values.get(frozenset((row, column)))
        if pair is None or row == column:
            return Cell("", "empty")
        gain = pair["model"] - pair["news2"]
        words = f"{number(pair['model'])} / {number(pair['news2'])}"
        return Cell(f"{words}, worse" if gain < 0 else words, "missed" if gain < 0 else "reached")

    rows = [
        [named([row]), *(cell(row, column) for column in names[:place])] for place, row in enumerate(names)
    ]
    width = len(names)
    return section(
        "missing",
        "When something is not measured",
        paragraph(
            "A home with an oximeter alone has no pressure; breaths are often not counted. For any two "
            "inputs taken away from everybody: time-matched AUROC of the model, then of NEWS2 on the same "
            "inputs.",
        ),
        table(
            "Model / NEWS2 without the input of the row and that of the column.",
            ["without", *(named([name]) for name in names[:-1])],
            [[*row, *[Cell("", "empty")] * (width - len(row))] for row in rows[1:]],
        ),
    )


def tried(cards: Mapping[str, Mapping[str, Any]]) -> Html:
    parts: list[Html] = []
    for name, card in cards.items():
        found = of_card(card, "evaluation", "tried")
        rows: list[list[str | Cell]] = [
            [str(one["what"]), _figure_of(one), str(one.get("why_not", ""))]
            for one in (found if isinstance(found, list) else [])
        ]
        if rows:
            parts.append(
                table(f"Tried for the {name} model.", ["what", "AUROC", "why it was not taken"], rows)
            )
        else:
            parts.append(
                paragraph(f"The card of the {name} model lists nothing that was tried and not taken.")
            )
        parts += _selection(card)
    return section("tried", "What was tried, and did not work", *parts)


def _selection(card: Mapping[str, Any]) -> list[Html]:
    """Among which ways to grow it a model's teacher was chosen, where the card tells of it."""
    found = of_card(card, "evaluation", "selection")
    if not isinstance(found, Mapping):
        return []
    candidates: Mapping[str, list[float]] = found["candidates"]
    chosen = [*found["chosen"], found["chosen_for_the_file"]]
    rows: list[list[str | Cell]] = [
        [name, number(sum(seen) / len(seen)), f"{chosen.count(name)} of {len(chosen)}"]
        for name, seen in candidates.items()
    ]
    return [
        table(
            "How its teacher is grown, chosen each time by people who do not judge the model of that choice.",
            ["candidate", "AUROC, mean of all choices", "chosen"],
            rows,
        )
    ]


def _figure_of(one: Mapping[str, Any]) -> str:
    value = one.get("auroc")
    if not isinstance(value, int | float) or math.isnan(value):
        return NOT_KNOWN
    low, high = one.get("low"), one.get("high")
    if isinstance(low, int | float) and isinstance(high, int | float):
        return estimate(Estimate(float(value), float(low), float(high)))
    return number(float(value))
