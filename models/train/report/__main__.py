"""Write the report: `python -m models.train.report --predictions DIR --into FILE`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models.train.report import findings, rhythm_findings
from models.train.report.page import page
from models.train.report.predictions import (
    DETERIORATION,
    RHYTHM,
    ReportError,
    read_deterioration,
    read_rhythm,
)

CARDS = Path(__file__).resolve().parents[2]


def report(predictions: Path, cards: Path, rounds: int) -> str:
    """The page, from the predictions in one folder and the cards in another.

    The rhythm model may be missing, with its card or its predictions; the page says so.
    Raises ReportError if the deterioration model's are.
    """
    onsets, deaths = read_deterioration(predictions / DETERIORATION)
    told: dict[str, Mapping[str, Any]] = {"deterioration": _card(cards / "deterioration.json")}
    of_rhythm = None
    if (cards / "rhythm.json").exists():
        told["rhythm"] = _card(cards / "rhythm.json")
        if (predictions / RHYTHM).exists():
            of_rhythm = rhythm_findings.measured(read_rhythm(predictions / RHYTHM), rounds)
    return page(onsets, deaths, findings.measured(onsets, deaths, rounds), of_rhythm, told)


def _card(path: Path) -> Mapping[str, Any]:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReportError(f"{path} cannot be read as a card: {error}") from error
    if not isinstance(card, dict):
        raise ReportError(f"{path} is no card: it must be a JSON object")
    return card


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m models.train.report", description=__doc__)
    parser.add_argument(
        "--predictions", type=Path, default=Path("build/model"), help="the folder that training wrote"
    )
    parser.add_argument("--into", type=Path, default=Path("build/model/report.html"), help="the page")
    parser.add_argument(
        "--cards", type=Path, default=CARDS, help="the folder with the cards (default: models/)"
    )
    parser.add_argument(
        "--rounds", type=int, default=findings.ROUNDS, help="of the bootstrap (default: %(default)s)"
    )
    told = parser.parse_args(arguments)
    try:
        written = report(told.predictions, told.cards, told.rounds)
    except ReportError as error:
        print(error, file=sys.stderr)
        return 1
    told.into.parent.mkdir(parents=True, exist_ok=True)
    told.into.write_text(written, encoding="utf-8")
    print(f"{told.into}: {len(written.encode())} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
