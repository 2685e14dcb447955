"""What is printed: measured beside aim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table. `met` is None where there is no aim; an aim `of_time` is for the command
    alone, as a machine that runs tests may be busy."""

    what: str
    measured: str
    aim: str
    met: bool | None
    of_time: bool = False

    def cells(self) -> tuple[str, str, str, str]:
        """As it is printed."""
        return self.what, self.measured, self.aim, {True: "met", False: "MISSED", None: ""}[self.met]


@dataclass(frozen=True, slots=True)
class Run:
    """Where a scenario may write, whether it is played in full size, and its dice."""

    directory: Path
    full: bool
    dice: Random

    def of(self, full: int, brief: int) -> int:
        """How often: as the aim says, or as often as a test has time for."""
        return full if self.full else brief


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so large a share (0 to 1) of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
