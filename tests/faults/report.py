"""The table: what was tried, what was found, and whether the promise held."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tests.faults.account import Judgement


class Verdict(StrEnum):
    """KEPT and BROKEN are of the hub's promises, and BROKEN fails the run; the others are for reading."""

    KEPT = "kept"
    BROKEN = "BROKEN"
    MET = "aim met"
    MISSED = "aim missed"
    TOLD = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    system: str
    scenario: str
    confirmed: str
    lost: str
    duplicates: str
    remarks: str
    verdict: Verdict

    def cells(self) -> tuple[str, ...]:
        """The line as it is printed."""
        return (
            self.system, self.scenario, self.confirmed, self.lost, self.duplicates, self.remarks, self.verdict
        )  # fmt: skip


HEADERS = ("system", "scenario", "confirmed (alerts) of fed", "lost", "duplicates", "remarks", "verdict")


def judged(system: str, scenario: str, judgement: Judgement, remarks: str = "", *, broken: str = "") -> Row:
    """The line of a judgement; `broken` says what else was promised and not kept."""
    faults = "; ".join(filter(None, [judgement.faults, broken]))
    verdict = Verdict.BROKEN if faults else Verdict.KEPT
    order = f"{judgement.disorder} out of order" if judgement.disorder else ""
    return Row(
        system=system,
        scenario=scenario,
        confirmed=f"{judgement.confirmed:,} ({judgement.alerts:,}) of {judgement.offered:,}",
        lost=f"{judgement.lost_readings} ({judgement.lost_alerts})",
        duplicates=f"{judgement.duplicates:,}",
        remarks="; ".join(filter(None, [faults, order, remarks])),
        verdict=verdict if system == "hub" else Verdict.TOLD,
    )
