"""What was found of residents' rhythm in a period: by the windows of their straps, and by their cuffs.

Read from the card whenever it is asked for (summaries, `carehub residents`). A shadow: it raises no alert.
Windows are put in their place in time as it is known now, and counted where they end; those that another
model judged than the newest one are left out, since two models' probabilities do not compare.

What a cuff says of the rhythm (`Flag.IRREGULAR_PULSE`) is its own finding, by its maker's rule, and stands
beside ours. Of a cuff that cannot say so (nothing tells) the count is always 0.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING

from hub.assessment.rhythm import DayFinding, JudgedWindow, judge
from hub.clock import from_microseconds
from hub.readings import Flag, Vital
from hub.store.encoding import VITAL_NUMBERS, measurements_of
from hub.store.rhythm import KeptWindow, kept_windows
from hub.store.rows import ModelName
from hub.store.steps import steps_of
from hub.timekeeping.correction import corrected

if TYPE_CHECKING:
    from hub.telling.summary import Period

_log = logging.getLogger(__name__)
_NONE = timedelta(0)
_SYSTOLIC = f"%[{VITAL_NUMBERS[Vital.SYSTOLIC_PRESSURE]},%"  # as `measurements_text` writes one


@dataclass(frozen=True, slots=True)
class PulseSummary:
    """What was found of one resident's rhythm.

    `finding` and `model` are None where no window was judged. `good_time` is how long the good windows were
    together, `irregular_time` how long those of them that were irregular. `cuff_measured` is how often a cuff
    measured a pressure, `cuff_irregular` how often it said besides that the pulse was irregular.
    """

    finding: DayFinding | None = None
    model: ModelName | None = None
    good_time: timedelta = _NONE
    irregular_time: timedelta = _NONE
    cuff_measured: int = 0
    cuff_irregular: int = 0

    @property
    def words(self) -> str:
        """As a carer reads it."""
        said = [] if self.finding is None else [self.finding.words]
        if self.cuff_irregular:
            said.append(f"cuff said irregular {self.cuff_irregular} of {self.cuff_measured} times")
        return "; ".join(said)


def pulses(connection: sqlite3.Connection, period: Period, first_reading: int) -> dict[str, PulseSummary]:
    """What was found of each resident's rhythm in a period, of whom anything was.

    `first_reading` is a number below which no reading was received in it.

    Raises:
        sqlite3.Error: the card cannot be read.
    """
    found = {
        resident: _of_windows(windows)
        for resident, windows in _windows(connection, period, first_reading).items()
    }
    measured: dict[str, list[bool]] = defaultdict(list)
    for resident, irregular in _cuffs(connection, period, first_reading):
        measured[resident].append(irregular)
    for resident, said in measured.items():
        if any(said) or resident in found:
            ours = found.get(resident, PulseSummary())
            found[resident] = replace(ours, cuff_measured=len(said), cuff_irregular=sum(said))
    return found


def pulses_or_none(
    connection: sqlite3.Connection, period: Period, first_reading: int
) -> dict[str, PulseSummary]:
    """As `pulses`; of nobody anything where it fails, the windows' part of the card being damaged too: a
    shadow must not take a summary away."""
    try:
        return pulses(connection, period, first_reading)
    except Exception:  # noqa: BLE001  # as said
        _log.error("what was found of rhythms is in no summary; please report this", exc_info=True)
        return {}


def _of_windows(windows: Sequence[KeptWindow]) -> PulseSummary:
    newest = windows[-1]
    judged = sorted(
        (each.window for each in windows if each.model == newest.model), key=lambda each: each.ended
    )
    counted = [each for each in judged if each.counts]
    irregular = [each for each in counted if (each.probability or 0.0) >= newest.threshold]
    return PulseSummary(judge(judged, newest.threshold), newest.model, _time(counted), _time(irregular))


def _time(windows: Sequence[JudgedWindow]) -> timedelta:
    return sum((each.ended - each.began for each in windows), _NONE)


def _windows(
    connection: sqlite3.Connection, period: Period, first_reading: int
) -> dict[str, list[KeptWindow]]:
    """The windows that ended in the period, in the order in which they came, their times put right."""
    steps = cache(partial(steps_of, connection))
    found: dict[str, list[KeptWindow]] = defaultdict(list)
    for kept in kept_windows(connection, first_reading):
        received_at, _ = corrected(kept.received_at, kept.stamp, steps(kept.stamp.boot))
        moved = received_at - kept.received_at
        window = replace(kept.window, began=kept.window.began + moved, ended=kept.window.ended + moved)
        if window.ended in period:
            found[kept.resident].append(replace(kept, window=window))
    return found


def _cuffs(connection: sqlite3.Connection, period: Period, first_reading: int) -> Iterator[tuple[str, bool]]:
    """Whose each measurement of a cuff is, and whether it said that the pulse was irregular."""
    unreadable = 0
    rows = connection.execute(
        "SELECT resident, coalesce(measured_at, received_at), measurements, flags FROM reading"
        " WHERE sequence >= ? AND resident IS NOT NULL AND stretch IS NULL AND measurements LIKE ?",
        (first_reading, _SYSTOLIC),
    )
    for resident, measured_at, measurements, flags in rows:
        try:
            at: datetime = from_microseconds(measured_at)
            usable = any(
                each.vital is Vital.SYSTOLIC_PRESSURE and each.usable
                for each in measurements_of(measurements)
            )
            irregular = Flag.IRREGULAR_PULSE.value in flags.split("\n")
        except (ValueError, TypeError, LookupError, OverflowError, AttributeError):
            unreadable += 1  # as elsewhere: it must not keep all others from being summed up
            continue
        if usable and at in period:
            yield str(resident), irregular
    if unreadable:
        _log.error("%d reading(s) on the card cannot be read, and are in no summary of a pulse", unreadable)
