"""What was noted by a clock that was set later: which times are put right, which are marked, which move.

Nothing that the hub has noted is overwritten. A time is kept as it was told, with the stamp of the clock
that told it (`hub/clock.py`), and beside it each step of that clock; what the time was in truth follows
from the three, here, whenever it is asked for. So both values are there, and the way from one to the other.

**For the record** (`corrected`, `placed`), a time of the wall clock that was told

- by a synchronised clock is what it is, whatever is set later;
- before the clock was first synchronised in that boot is moved by as much as the clock was moved until then:
  CORRECTED. When a reading was measured is decided anew by the rule of `hub/timekeeping/timing.py`, since a
  sensor's clock may have "agreed" with a hub that was wrong, or been called doubtful because the hub was;
- by a clock that was never synchronised in that boot stays as told: NOT_SET, perhaps days off;
- before or by a clock that was STEPPED, after it had been synchronised, stays too, and is CONTRADICTED: one
  of the two was wrong, and nothing tells which.

**For windows and waits** (`present`, `shifted`) what counts is how long ago something was, and that the time
since boot tells, whoever sets the wall clock. So at every step of any kind the moments that are compared with
the clock (of the measurements in memory, and of an open alert's recovery) are told anew by the clock as it
is now: A and B that were measured 2 min apart stay 2 min apart, though the clock was set by 5 h in between.
Invariant: whatever is in memory, and whatever an open alert compares, is told by the present clock.

**Across boots** an age is known only where both clocks were believed. Where they were not, a measurement
of an earlier boot is in no window (missing, never carried forward), and an alert's recovery begins anew,
while any quiet before the boot counts as long, so that no relapse is hidden (`carried_over`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from hub.alerts.life import Alert
from hub.clock import STEP, ClockQuality, ClockStamp, Step, StepKind, from_microseconds
from hub.readings import Reading
from hub.timekeeping.timing import ClockRule, TimeQuality, measured_at

_NONE = timedelta(0)
_STAMPED_WITHIN = timedelta(minutes=1)  # a flood waits this long at most between its receipt and its stamp
_STAMPED_BEFORE = timedelta(seconds=1)


class Told(StrEnum):
    """How a time that the hub's wall clock told is to be taken."""

    TRULY = "as told"
    CORRECTED = "corrected"  # told before the clock was set, and moved as it was
    NOT_SET = "clock not set"  # nobody knows by how much it is wrong
    CONTRADICTED = "clock stepped"  # the clock was set although it had been synchronised

    @property
    def believed(self) -> bool:
        """True where the time can be compared with others that are believed, of any boot."""
        return self in {Told.TRULY, Told.CORRECTED}


@dataclass(frozen=True, slots=True)
class Placed:
    """A reading's place in time as it is known now; what was told at first is kept with the reading."""

    received_at: datetime
    told: Told
    measured_at: datetime
    time_quality: TimeQuality


def corrected(at: datetime, stamp: ClockStamp, steps: Sequence[Step]) -> tuple[datetime, Told]:
    """What a time in truth was, for the record, and how that is known.

    Args:
        at: as the wall clock told it, aware.
        stamp: when it was noted, no more than a minute later.
        steps: those of its boot, at the least, oldest first; those of others are passed over.
    """
    steps = _of_boot(stamp, steps)
    before = _steps_before(at, stamp, steps)
    first_set = next((index for index, step in enumerate(steps) if step.kind is StepKind.FIRST_SET), None)
    contradicted = any(step.kind is StepKind.STEPPED for step in steps[before:])
    if first_set is not None and before <= first_set:
        moved = at + sum((step.shift for step in steps[before : first_set + 1]), _NONE)
        return moved, Told.CONTRADICTED if contradicted else Told.CORRECTED
    if contradicted or stamp.quality is ClockQuality.STEPPED:
        return at, Told.CONTRADICTED
    if stamp.quality is ClockQuality.NOT_YET and first_set is None:
        return at, Told.NOT_SET
    return at, Told.TRULY


def placed(reading: Reading, stamp: ClockStamp, steps: Sequence[Step], rule: ClockRule) -> Placed:
    """A reading's place in time for the record, decided anew: by the steps that its clock has made since.

    With no steps it is what was known when it was received.
    """
    received_at, told = corrected(reading.raw.received_at, stamp, steps)
    retold = replace(reading, raw=replace(reading.raw, received_at=received_at))
    believed = told.believed or (told is Told.CONTRADICTED and stamp.quality is not ClockQuality.STEPPED)
    hub_clock = ClockQuality.SYNCHRONISED if believed else stamp.quality
    return Placed(received_at, told, *measured_at(retold, rule, hub_clock))


def present(at: datetime, stamp: ClockStamp, steps: Sequence[Step], now: ClockStamp) -> datetime | None:
    """A time as the present clock would tell it, for windows and waits; None where its age is not known.

    Args:
        at: as the wall clock told it, aware; never one that is corrected already.
        stamp: when `at` was noted, no more than a minute later.
        steps: those of both boots, at the least, oldest first.
        now: the present.
    """
    if stamp.boot == now.boot:
        own = _of_boot(stamp, steps)
        return at + sum((step.shift for step in own[_steps_before(at, stamp, own) :]), _NONE)
    moved, told = corrected(at, stamp, steps)
    return moved if told.believed and now.quality is ClockQuality.SYNCHRONISED else None


def measured_by_present(
    reading: Reading, stamp: ClockStamp, steps: Sequence[Step], rule: ClockRule, now: ClockStamp
) -> datetime | None:
    """When a reading was measured as the present clock would tell it, for windows; see `present`."""
    received_at = present(reading.raw.received_at, stamp, steps, now)
    if received_at is None:
        return None
    place = placed(reading, stamp, steps, rule)
    return received_at - (place.received_at - place.measured_at)


def _of_boot(stamp: ClockStamp, steps: Sequence[Step]) -> tuple[Step, ...]:
    return tuple(step for step in steps if step.at.boot == stamp.boot)


def _steps_before(at: datetime, stamp: ClockStamp, steps: Sequence[Step]) -> int:
    """How many of these steps came before a time was told.

    The stamp says it, but for what was received just before a step and stamped just after it: then the
    time since boot would make the clock's offset that of before the step, and that shows.
    """
    stamped = sum(step.at.since_boot <= stamp.since_boot for step in steps)
    if not steps:
        return stamped
    offset = at - from_microseconds(0) - stamp.since_boot
    offsets = [steps[0].from_offset, *(step.to_offset for step in steps)]
    near = [
        before
        for before in range(len(steps) + 1)
        if before == stamped
        or (before < stamped and stamp.since_boot - steps[before].at.since_boot <= _STAMPED_WITHIN)
        or (before > stamped and steps[before - 1].at.since_boot - stamp.since_boot <= _STAMPED_BEFORE)
    ]
    return min(near, key=lambda before: (abs(offset - offsets[before]) // (2 * STEP), abs(before - stamped)))


@dataclass(frozen=True, slots=True)
class AlertStamps:
    """Which clock told what an alert's record says; its history has them, a line for each."""

    raised: ClockStamp
    delivered: ClockStamp | None = None
    acknowledged: ClockStamp | None = None
    resolved: ClockStamp | None = None
    concern: ClockStamp | None = None


def shifted(alert: Alert, step: Step) -> Alert:
    """An open alert after a step of the clock, of any kind: what it compares is told by the present clock.

    Without it, setting the clock ahead would end an alert early (`resolve_after` would be over at once), or
    call a relapse what is none; setting it back would do the opposite. The record stays (see `retold`).
    """
    return replace(
        alert,
        assessed_until=alert.assessed_until + step.shift,
        below_since={band: since + step.shift for band, since in alert.below_since.items()},
        quiet_since={band: since + step.shift for band, since in alert.quiet_since.items()},
    )


def retold(alert: Alert, stamps: AlertStamps, steps: Sequence[Step]) -> Alert:
    """An alert whose record is put right: only when the clock was first set, and once.

    Its times must be as they were told. An unset clock places every measurement at its receipt
    (`hub/timekeeping/timing.py`), so what was measured moves as what was received.
    """
    raised_at, _ = corrected(alert.raised_at, stamps.raised, steps)
    concern = alert.concern
    if concern is not None and (said_at := _retold(concern.said_at, stamps.concern, steps)) is not None:
        concern = replace(concern, said_at=said_at)
    return replace(
        alert,
        concern=concern,
        raised_at=raised_at,
        measured_at=alert.measured_at + (raised_at - alert.raised_at),
        delivered_at=_retold(alert.delivered_at, stamps.delivered, steps),
        acknowledged_at=_retold(alert.acknowledged_at, stamps.acknowledged, steps),
        resolved_at=_retold(alert.resolved_at, stamps.resolved, steps),
    )


def _retold(at: datetime | None, stamp: ClockStamp | None, steps: Sequence[Step]) -> datetime | None:
    return at if at is None or stamp is None else corrected(at, stamp, steps)[0]


def carried_over(alert: Alert, clock: datetime, resolve_after: timedelta) -> Alert:
    """An open alert of an earlier boot, where one of the two boots' clocks is not believed.

    How long the machine was off nobody knows. So a recovery begins anew, and whatever was quiet counts as
    having been so for long: the alert ends late rather than early, and no relapse is hidden.

    Args:
        clock: what the wall clock says now.
        resolve_after: of the alert policy.
    """
    return replace(
        alert,
        assessed_until=clock,
        below_since={},
        quiet_since=dict.fromkeys(alert.quiet_since, clock - resolve_after),
    )
