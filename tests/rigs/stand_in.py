"""What stands in the model's place where a test wants to say what it says: the shipped one may be any."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from hub.assessment.deterioration import DeteriorationModel, Probabilities
from hub.assessment.features import CARRIED_SETS
from hub.assessment.reason import Reason
from hub.assessment.reasons import Times, reasons
from hub.readings import Value, Vital

Values = Mapping[Vital, Value]


@dataclass(frozen=True)
class Asked:
    """What it was asked, once."""

    current: Values
    earlier: Sequence[Values]
    age_years: int | None
    carried: int


class StandIn:
    """Says always the same, whatever that is; with None for `says`, the faster the pulse the more.

    `recalibrated` is what a site's recalibration makes of it; `why` is raised where reasons are asked for;
    `seconds` is for how long it computes.
    """

    name, version, sha256 = "stand-in", "0", "0" * 64

    def __init__(
        self,
        says: float | Exception | None = None,
        *,
        recalibrated: float | None = None,
        why: Exception | None = None,
        seconds: float = 0.0,
    ) -> None:
        self._says, self._recalibrated, self._why, self._seconds = says, recalibrated, why, seconds
        self.asked: list[Asked] = []
        self.times: list[Times | None] = []

    @property
    def model(self) -> DeteriorationModel:
        """As the hub takes it."""
        return cast(DeteriorationModel, self)

    def probabilities(
        self, current: Values, earlier: Sequence[Values], age_years: int | None, *, carried: int
    ) -> Probabilities | None:
        """As `DeteriorationModel.probabilities`."""
        self.asked.append(Asked(current, earlier, age_years, carried))
        begun = time.thread_time()
        while time.thread_time() - begun < self._seconds:
            pass
        if isinstance(self._says, Exception):
            raise self._says
        own = by_pulse(current, earlier, age_years) if self._says is None else self._says
        return Probabilities(own) if self._recalibrated is None else Probabilities(self._recalibrated, own)

    def reasons(
        self,
        current: Values,
        earlier: Sequence[Values],
        age_years: int | None,
        *,
        carried: int = CARRIED_SETS,
        times: Times | None = None,
        known: float | None = None,
    ) -> tuple[Reason, ...]:
        """As `DeteriorationModel.reasons`."""
        if self._why is not None:
            raise self._why
        self.times.append(times)
        return reasons(by_pulse, current, earlier, age_years, carried=carried, times=times)


def by_pulse(current: Values, earlier: Sequence[Values], age_years: int | None) -> float:
    """5 % at 84, and more the faster the pulse; where that is not known 5 %."""
    pulse = float(current.get(Vital.PULSE_RATE, 84.0))
    return 1 / (1 + math.exp(2.944 - (pulse - 84) / 10)) if math.isfinite(pulse) else 0.05
