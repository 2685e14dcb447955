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
    return section("tried", "What was tried, and did not work", *parts)


def _figure_of(one: Mapping[str, Any]) -> str:
    value = one.get("auroc")
    if not isinstance(value, int | float) or math.isnan(value):
        return NOT_KNOWN
    low, high = one.get("low"), one.get("high")
    if isinstance(low, int | float) and isinstance(high, int | float):
        return estimate(Estimate(float(value), float(low), float(high)))
    return number(float(value))
