"""NEWS2 skeleton: the types that other rooms use; the scoring comes next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from hub.readings import Vital


class OxygenScale(IntEnum):
    """The SpO2 scale a person is scored on: 2 only with a prescribed 88 to 92 % target."""

    SCALE_1 = 1
    SCALE_2 = 2


class Band(StrEnum):
    """The bands of NEWS2's chart 4, lowest first; compare them by `rank`."""

    ZERO = "zero"
    LOW = "low"
    SINGLE_RED = "single_red"  # a 3 in any one parameter, with a total below 5
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """0 for the lowest band, rising with clinical risk."""
        return list(Band).index(self)


@dataclass(frozen=True, slots=True)
class News2:
    """A NEWS2 score, complete or partial."""

    scale: OxygenScale
    sub_scores: Mapping[Vital, int]
    missing: tuple[Vital, ...]

    @property
    def total(self) -> int:
        return sum(self.sub_scores.values())

    @property
    def complete(self) -> bool:
        return not self.missing

    @property
    def band(self) -> Band:
        raise AssertionError("written next")
