"""Observation sets of held-back people before their onset, for a replay through the hub.

`python -m models.train.held_back --data DIR` prints one JSON object a line and a person:
{"age": years, "sets": [{"hours": from admission, "values": {vital: number, or "air"/"oxygen"}}]}. The file
that is shipped has not seen these people. They are real: what is printed is for the memory of whoever reads
it (`tests/model_replay`), and for no file.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hub.readings import Value
from models.train.deterioration.folds import HELD_BACK, fold_of_each
from models.train.deterioration.hospital_stays import Hours, read
from models.train.deterioration.sets import BLOCK_HOURS, Sets
from models.train.deterioration.training import stays_by_phase


def held_back(hours: Hours) -> Iterator[dict[str, object]]:
    """Each held-back person with an onset: their sets before it, oldest first, in the order of the data."""
    by_phase, judged = stays_by_phase(hours)
    # Whom training dealt into parts: some are judged at another phase alone.
    dealt = np.concatenate([sets.person[rows] for sets, rows in zip(by_phase, judged, strict=True)])
    held = dealt[fold_of_each(dealt) == HELD_BACK]
    sets, late = by_phase[0], judged[0]
    for person in np.intersect1d(held, sets.person[late & (sets.label == 1)]):
        rows = np.flatnonzero(sets.person == person)
        age = float(sets.age[rows[0]])
        yield {
            "age": None if np.isnan(age) else int(age),
            "sets": [
                {"hours": BLOCK_HOURS * (int(sets.block[row]) + 1), "values": _values(sets, int(row))}
                for row in rows
            ],
        }


def _values(sets: Sets, row: int) -> dict[str, Value]:
    return {vital.value: value for vital, value in sets.values_of(row).items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m models.train.held_back", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder with the training file")
    for person in held_back(read(parser.parse_args().data)):
        print(json.dumps(person))


if __name__ == "__main__":
    main()
