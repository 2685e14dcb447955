"""The table: what was tried, what was found, and whether the promise held."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.aims import OF_THE_FAULTS, Aim, Found
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
    """A line of the table; of an aim's, with what was found where it was judged."""

    system: str
    scenario: str
    confirmed: str
    lost: str
    duplicates: str
    remarks: str
    verdict: Verdict
    aim: Aim | None = None
    judgement: Judgement | None = None

    def cells(self) -> tuple[str, ...]:
        """The line as it is printed."""
        return (
            self.system, self.scenario, self.confirmed, self.lost, self.duplicates, self.remarks, self.verdict
        )  # fmt: skip


HEADERS = ("system", "scenario", "confirmed (alerts) of fed", "lost", "duplicates", "remarks", "verdict")


def judged(
    system: str,
    scenario: str,
    judgement: Judgement,
    remarks: str = "",
    *,
    broken: str = "",
    aim: Aim | None = None,
) -> Row:
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
        aim=aim,
        judgement=judgement,
    )


def held_to_the_aims(rows: Sequence[Row]) -> list[Found]:
    """What came of each aim in these lines: met if each of the hub's own lines kept it.

    Beside it stands what the peers lost in the same scenarios.
    """
    return [_held(aim, [row for row in rows if row.aim is aim]) for aim in OF_THE_FAULTS]


def _held(aim: Aim, rows: Sequence[Row]) -> Found:
    own = [row for row in rows if row.verdict is not Verdict.TOLD]
    if not own:
        return Found(aim, "its part was not run", "", None)
    counted = [row for row in own if row.judgement is not None]
    told = [row for row in own if row.judgement is None or row.verdict is Verdict.BROKEN]
    peers: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row not in own:
            peers[row.system].append(row)
    return Found(
        aim,
        "; ".join([*_losses(counted), *(f"{row.scenario}: {row.remarks}" for row in told)]),
        "; ".join(f"{name}: {', '.join(_losses(theirs))}" for name, theirs in peers.items()),
        all(row.verdict in (Verdict.KEPT, Verdict.MET) for row in own),
    )


def _losses(rows: Sequence[Row]) -> list[str]:
    """What was lost of what was confirmed, and what came twice, over all of these; nothing of none."""
    found = [row.judgement for row in rows if row.judgement is not None]
    if not found:
        return []
    readings, alerts = sum(each.confirmed for each in found), sum(each.alerts for each in found)
    said = [
        f"{rows[0].scenario if len(rows) == 1 else f'{len(rows)} scenarios'}: "
        f"{sum(each.lost_readings for each in found):,} of {readings:,} readings lost"
    ]
    if alerts:
        said.append(f"{sum(each.lost_alerts for each in found):,} of {alerts:,} alerts")
    said.append(f"{sum(each.duplicates for each in found):,} duplicates by id")
    said.append(f"{sum(each.doubles for each in found):,} without")
    return [", ".join(said)]
