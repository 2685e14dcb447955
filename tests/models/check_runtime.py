"""Loads the shipped model on whatever runtime is installed here: `python -m tests.models.check_runtime`.

For a second environment with the other runtime, which need not have pytest. Ends with 1 and the
reason where the model is refused; loading it checks the golden vectors.
"""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

from hub.assessment.deterioration import SHIPPED_CARD, SHIPPED_MODEL, DeteriorationModel, ModelError
from hub.readings import Vital


def main() -> int:
    try:
        model = DeteriorationModel.load(SHIPPED_MODEL, SHIPPED_CARD)
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    risk = model.risk({Vital.PULSE_RATE: 118.0, Vital.TEMPERATURE: 38.7}, [], 84)
    assert risk is not None
    print(f"{model.name} {model.version} ({risk.sha256_prefix}) answers its golden vectors on {_runtimes()}")
    return 0


def _runtimes() -> str:
    found = [f"Python {sys.version_info.major}.{sys.version_info.minor}"]
    for package in ("tflite-runtime", "ai-edge-litert", "numpy"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


if __name__ == "__main__":
    sys.exit(main())
