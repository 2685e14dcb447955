"""Cells that hold a value, none, or something that is not believed; and the account of what was remarkable.

A number is written with a decimal point, without thousands, signs of comparison or a unit. An empty cell, or
one of `NOTHING`, was not measured.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from hub.tables.csv_text import Row, UnreadableCellError, shown

NOTHING = frozenset({"", "na", "n/a", "nan", "null", "none"})
"""What programs write where nothing was measured, in lower case."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)


class Remark(StrEnum):
    """What is remarkable in a cell, as said of many of them."""

    UNREADABLE = "not understood, and counts as not measured"
    IMPLAUSIBLE = "outside what is physically plausible, and counts as not measured"
    CONTRADICTORY = "a diastolic pressure that is not below the systolic, and neither counts as measured"
    FRACTION_BELOW_AIR = "below what is in the air, and counts as air"
    FRACTION_ABOVE_1 = "above 1, though it is a fraction, and counts as oxygen given"
    UNDER_16 = "under 16 years: neither NEWS2 nor the model is meant for them"
    NOBODY = "nobody's: seen without earlier rows, and never an earlier row"
    LEFT_OUT = "nobody's, and left out"
    NO_HEARTBEAT = "no interval that a heart can have, and counts as noise"
    BACKWARDS = "before the row before it, and begins a new run"


def number(text: str) -> float | Remark | None:
    """The finite number of a cell; None where nothing was measured; `Remark.UNREADABLE` where it is none."""
    bare = text.strip()
    if bare.lower() in NOTHING:
        return None
    found = float(bare) if _NUMBER.fullmatch(bare) else math.inf
    return found if math.isfinite(found) else Remark.UNREADABLE


@dataclass(slots=True)
class _Counted:
    place: str
    text: str
    count: int = 0


class Account:
    """How often each remark was made of each column, and of which cell first.

    Where `strict`, no cell may be unreadable.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict
        self._counted: dict[tuple[str, Remark], _Counted] = {}

    def note(self, column: str, remark: Remark, row: Row, text: str) -> None:
        """Count one.

        Raises:
            UnreadableCellError: it is `Remark.UNREADABLE`, and none may be.
        """
        if self._strict and remark is Remark.UNREADABLE:
            raise UnreadableCellError(f"{row.place}: {column}: {shown(text)} is not understood")
        found = self._counted.get((column, remark))
        if found is None:
            found = self._counted[column, remark] = _Counted(row.place, shown(text))
        found.count += 1

    def lines(self) -> Iterator[str]:
        """One line for each column and remark, in the order in which they were met."""
        for (column, remark), found in self._counted.items():
            times = f"{found.count} times, first in" if found.count > 1 else "in"
            yield f"{column}: {remark}: {times} {found.place}: {found.text}"
