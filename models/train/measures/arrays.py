"""The arrays of training: what measures take, and what models do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
Vectors = npt.NDArray[np.float32]
"""Of features, or of a model's answers: as the model file takes and gives them."""
