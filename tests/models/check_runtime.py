"""Loads the shipped models on whatever runtime is installed here: `python -m tests.models.check_runtime`.

For a second environment with the other runtime, which need not have pytest. Ends with 1 and the
reason where a model is refused; loading one checks the golden vectors.
"""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

from hub.assessment.deterioration import DeteriorationModel
from hub.assessment.model_file import HASH_PREFIX, ModelError
from hub.assessment.rhythm import RhythmModel
from hub.readings import Vital


def main() -> int:
    try:
        deterioration, rhythm = DeteriorationModel.configured(None), RhythmModel.configured(None)
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    assert deterioration.risk({Vital.PULSE_RATE: 118.0, Vital.TEMPERATURE: 38.7}, [], 84) is not None
    assert rhythm.probability([620.0, 910.0, 540.0, 1010.0, 700.0, 660.0, 880.0]) is not None
    for model in (deterioration, rhythm):
        told = f"{model.name} {model.version} ({model.sha256[:HASH_PREFIX]})"
        print(f"{told} answers its golden vectors on {_runtimes()}")
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
