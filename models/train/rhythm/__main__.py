"""Rebuild the rhythm model and its card: `python -m models.train.rhythm --data DIR`.

DIR holds the training file (see models/README.md). Takes two to three minutes on one core.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from models.train.rhythm.build import build

ROOT = Path(__file__).resolve().parents[3]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m models.train.rhythm", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder with the training file")
    parser.add_argument(
        "--into", type=Path, default=ROOT / "models", help="where to write (default: models/)"
    )
    parser.add_argument(
        "--predictions",
        type=Path,
        default=ROOT / "build" / "model",
        help="the folder for the cross-fitted predictions (default: build/model)",
    )
    arguments = parser.parse_args()
    build(arguments.data, arguments.into, arguments.predictions)


if __name__ == "__main__":
    main()
