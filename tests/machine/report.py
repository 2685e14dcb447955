"""The table: what was tried, what was measured beside its aim, and whether the promise held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """KEPT and BROKEN are of promises, and BROKEN fails the run; MET and MISSED of aims of speed, which fail
    nothing, since a machine may be busy; TOLD is for reading."""

    KEPT = "kept"
    BROKEN = "BROKEN"
    MET = "aim met"
    MISSED = "aim missed"
    TOLD = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    part: str
    what: str
    measured: str
    aim: str = ""
    verdict: Verdict = Verdict.TOLD

    def cells(self) -> tuple[str, ...]:
        """The line as it is printed."""
        return self.part, self.what, self.measured, self.aim, self.verdict


HEADERS = ("part", "what", "measured", "aim", "verdict")


def promised(part: str, what: str, faults: Sequence[str], measured: str = "", aim: str = "") -> Row:
    """A promise, with what was found against it: kept where that is nothing."""
    found = "; ".join(fault for fault in faults if fault)
    verdict = Verdict.BROKEN if found else Verdict.KEPT
    return Row(part, what, "; ".join(filter(None, (found, measured))), aim, verdict)


def timed(part: str, what: str, seconds: Sequence[float], least: float, remark: str = "") -> Row:
    """An aim of speed: so many seconds at the most, each time."""
    said = ", ".join(f"{each:.1f}" for each in seconds) + " s" if seconds else "not measured"
    met = bool(seconds) and max(seconds) <= least
    measured = "; ".join(filter(None, (said, remark)))
    return Row(part, what, measured, f"{least:g} s", Verdict.MET if met else Verdict.MISSED)


def broken(rows: Sequence[Row]) -> int:
    """How many promises were not kept; a run that shows nothing has kept none."""
    return sum(row.verdict is Verdict.BROKEN for row in rows) if rows else 1
