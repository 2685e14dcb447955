"""Rebuild the model and its card: `python -m models.train --data DIR`.

DIR holds the training file (see models/README.md). Takes a few minutes on two cores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from models.train import card, network
from models.train.dataset import FIRST_BLOCK, Integers, Sets, observation_sets, read, vectors

FOLDS = 4
"""People are dealt into so many parts; the file is trained on all but the first and judged on the first."""


def fold_of_each_set(sets: Sets) -> Integers:
    """Which part each set's person is in."""
    people, index = np.unique(sets.person, return_inverse=True)
    folds = np.arange(len(people)) % FOLDS
    np.random.default_rng(network.SEED).shuffle(folds)
    return np.asarray(folds[index], dtype=np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m models.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder with the training file")
    parser.add_argument(
        "--into",
        type=Path,
        default=Path(__file__).resolve().parent.parent,
        help="where to write (default: models/)",
    )
    arguments = parser.parse_args()

    every = observation_sets(read(arguments.data))
    features = vectors(every)  # before the early sets go: they are part of later sets' baselines
    late = every.block >= FIRST_BLOCK
    sets, features, fold = every.where(late), features[late], fold_of_each_set(every)[late]
    print(f"{len(sets)} sets of {len(np.unique(sets.person))} people, {sets.label.sum()} before an onset")

    fits = []
    for held_out in range(FOLDS):
        train = fold != held_out
        fits.append(network.fit(features[train], sets.label[train], sets.block[train]))
        print(f"trained without part {held_out + 1} of {FOLDS}")
    content = network.to_tflite(fits[0])

    document = card.document(sets, features, fold, fits, content)
    (arguments.into / "deterioration.tflite").write_bytes(content)
    (arguments.into / "deterioration.json").write_text(card.text(document), encoding="utf-8")
    for name, figures in document["evaluation"]["held_out_people"]["scores"].items():
        print(f"{name:45} {figures['auroc']:.3f} ({figures['low']:.3f} to {figures['high']:.3f})")
    print(f"{len(content)} bytes, sha256 {document['file']['sha256']}")


if __name__ == "__main__":
    main()
