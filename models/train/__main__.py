"""Rebuild the models and their cards: `python -m models.train --data DIR`.

DIR holds the training files (see models/README.md). Both take half an hour on two cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m models.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder with the training files")
    parser.add_argument("--only", choices=("deterioration", "rhythm"), help="one of the two (default: both)")
    parser.add_argument(
        "--into", type=Path, default=ROOT / "models", help="where to write (default: models/)"
    )
    parser.add_argument(
        "--predictions",
        type=Path,
        default=ROOT / "build" / "model",
        help="where to write the cross-fitted predictions that the report is of (default: build/model)",
    )
    arguments = parser.parse_args()
    if arguments.only != "rhythm":
        from models.train.deterioration.build import build as build_deterioration

        with told_whether_the_same(arguments.into / "deterioration.tflite"):
            build_deterioration(arguments.data, arguments.into, arguments.predictions)
    if arguments.only != "deterioration":
        from models.train.rhythm.build import build as build_rhythm

        with told_whether_the_same(arguments.into / "rhythm.tflite"):
            build_rhythm(arguments.data, arguments.into, arguments.predictions)


@contextmanager
def told_whether_the_same(file: Path) -> Iterator[None]:
    """Say whether what is written is, byte for byte, what was there."""
    before = file.read_bytes() if file.exists() else None
    yield
    if before is None:
        print(f"{file}: new")
    elif file.read_bytes() == before:
        print(f"{file}: byte for byte what was there")
    else:
        print(
            f"{file}: other bytes than what was there. With the same sources, data and versions of the tools "
            "that is so where another kind of processor adds floats in another order; see the card's figures"
        )


if __name__ == "__main__":
    main()
