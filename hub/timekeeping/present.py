"""Readings as they are known now: by the present clock, for what is compared; put right, for the record.

What the card has is as it was told. `hub/timekeeping/correction.py` has the rules; here they are applied to
readings that come in or come back from the card.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hub.clock import ClockStamp, Step, StepKind
from hub.readings import Reading
from hub.timekeeping.correction import Told, corrected, measured_by_present, placed, present
from hub.timekeeping.placed import PlacedReading
from hub.timekeeping.timing import ClockRule, TimeQuality

if TYPE_CHECKING:
    from hub.configuration.file import Config


def clock_rule(config: Config) -> ClockRule:
    """How far sensors' clocks are believed in this home."""
    sensors = config.sensor_clock
    return ClockRule(sensors.agrees_within, sensors.believed_for, ZoneInfo(config.site.timezone))


Steps = Callable[[uuid.UUID], tuple[Step, ...]]
"""The steps of a boot, oldest first."""

_SETTLED = timedelta(minutes=1)  # after a step: whatever is stamped then was told after it
_STEPS_REGARDED = 20  # of one boot, where readings of long ago are looked for
_NONE = timedelta(0)


@dataclass(frozen=True, slots=True)
class Place:
    """When a reading was received and measured, and how the latter is known."""

    received_at: datetime
    measured_at: datetime
    time_quality: TimeQuality


@dataclass(frozen=True, slots=True)
class Present:
    """Tells times by the present clock, for windows and waits.

    `steps` has those of each boot, oldest first; `now` is the present, or any later moment until the next
    step.
    """

    rule: ClockRule
    steps: Mapping[uuid.UUID, tuple[Step, ...]]
    now: ClockStamp

    @classmethod
    def of(cls, rule: ClockRule, steps: Iterable[Step], now: ClockStamp) -> Present:
        """After these steps."""
        by_boot: dict[uuid.UUID, tuple[Step, ...]] = {}
        for step in steps:
            by_boot[step.at.boot] = (*by_boot.get(step.at.boot, ()), step)
        return cls(rule, by_boot, now)

    def place(self, reading: Reading, stamp: ClockStamp, told: Place) -> Place | None:
        """A reading's place in time by the present clock; None where its age is not known.

        `told` is its place as it was told when it was received.
        """
        steps = self.steps.get(stamp.boot, ())
        if stamp.boot == self.now.boot and told_after(stamp.since_boot, steps):
            return told
        received_at = present(reading.raw.received_at, stamp, steps, self.now)
        measured_at = measured_by_present(reading, stamp, steps, self.rule, self.now)
        if received_at is None or measured_at is None:
            return None
        return Place(received_at, measured_at, placed(reading, stamp, steps, self.rule).time_quality)

    def moment(self, at: datetime, stamp: ClockStamp) -> datetime | None:
        """A time that was told and stamped then; None where its age is not known."""
        return present(at, stamp, self.steps.get(stamp.boot, ()), self.now)

    @property
    def shifts(self) -> frozenset[timedelta]:
        """By how much times that were told may differ from what they are now; nothing is among them."""
        found = {_NONE}
        for steps in self.steps.values():
            newest = steps[-_STEPS_REGARDED:]
            for first in range(len(newest)):
                moved = _NONE
                for step in newest[first:]:
                    moved += step.shift
                    found.add(moved)
        return frozenset(found)


def told_after(since_boot: timedelta, steps: Sequence[Step]) -> bool:
    """Whether what was stamped then was told when all these steps of its boot, oldest first, were made."""
    return not steps or since_boot > steps[-1].at.since_boot + _SETTLED


@dataclass(frozen=True, slots=True)
class Record:
    """Puts the times of what comes back from the card right, for people and for the ICS."""

    rule: ClockRule
    steps: Steps

    def placed(self, kept: PlacedReading) -> PlacedReading:
        """A reading with its times as they are known now; the same object where all are right."""
        steps = self.steps(kept.stamp.boot)
        if told_after(kept.stamp.since_boot, steps) or not any(
            step.kind is StepKind.FIRST_SET for step in steps
        ):
            return kept
        reading = kept.reading
        received_at, told = corrected(reading.raw.received_at, kept.stamp, steps)
        if told is not Told.CORRECTED and received_at == reading.raw.received_at:
            return kept
        place = placed(reading, kept.stamp, steps, self.rule)
        if (received_at, place.measured_at, place.time_quality) == (
            reading.raw.received_at,
            kept.measured_at,
            kept.time_quality,
        ):
            return kept
        return replace(
            kept,
            reading=replace(reading, raw=replace(reading.raw, received_at=received_at)),
            measured_at=place.measured_at,
            time_quality=place.time_quality,
        )
