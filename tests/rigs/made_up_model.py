"""A made-up model for what stands around one: its risk is the pulse by 200, so that a test can say which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from hub.assessment.deterioration import HASH_PREFIX, DeteriorationModel, Probabilities
from hub.assessment.recalibration import Recalibration
from hub.readings import Value, Vital
from hub.store.rows import ModelName

NAME, VERSION, SHA256 = "made-up", "1.0", "ab" * 32
MODEL_NAME = ModelName(NAME, VERSION, SHA256[:HASH_PREFIX])
OTHER_NAME = ModelName("made-up", "2.0", "cd" * 6)


class _MadeUp:
    """What `hub.shadow.risks.Risks` asks of a model."""

    name, version, sha256 = NAME, VERSION, SHA256
    refused = None

    def __init__(self, recalibration: Recalibration | None = None) -> None:
        self.recalibration = recalibration

    def recalibrate(self) -> bool:
        """No file is read: what it was made with stays."""
        return False

    def probabilities(
        self,
        current: Mapping[Vital, Value],
        earlier: Sequence[Mapping[Vital, Value]],
        age_years: int | None,
        *,
        carried: int = 8,
    ) -> Probabilities | None:
        """Pulse by 200; None without one."""
        pulse = current.get(Vital.PULSE_RATE)
        if not isinstance(pulse, float):
            return None
        own = pulse / 200
        return (
            Probabilities(own)
            if self.recalibration is None
            else Probabilities(self.recalibration.applied(own), own)
        )

    def reasons(self, *_: object, **__: object) -> tuple[()]:
        """None: nothing stands out."""
        return ()


def made_up_model(recalibration: Recalibration | None = None) -> DeteriorationModel:
    """The model."""
    return cast(DeteriorationModel, _MadeUp(recalibration))
