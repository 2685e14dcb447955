"""What the browser tests measure, kept beside the pictures: it is told, never asserted."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median

FIGURES = Path("build/browser/figures.json")


def told(what: str, values: list[float], unit: str, aim: float | None = None) -> None:
    """Keep a figure: its median and its worst, beside its aim."""
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    worst = max(values)
    met = "" if aim is None else f"; aim {aim:g} {unit}: {'met' if worst <= aim else 'MISSED'}"
    known[what] = f"median {median(values):.0f}, worst {worst:.0f} {unit} (of {len(values)}){met}"
    FIGURES.write_text(json.dumps(known, indent=2) + "\n")
