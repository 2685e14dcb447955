"""A machine whose clocks are set, slewed and lost as on a Pi, and that keeps the truth beside them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from hub.clock import ClockQuality, ClockStamp, Look

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
BOOTED_AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


class SimulatedMachine:
    """`true` is the time that it is; `error` is by how much the wall clock is ahead of it."""

    def __init__(self, error: timedelta = timedelta(0), *, synchronised: bool = False) -> None:
        self.boot = uuid.uuid4()
        self.booted_at = BOOTED_AT
        self.since_boot = 20 * SECOND
        self.error = error
        self.synchronised = synchronised

    @property
    def true(self) -> datetime:
        return self.booted_at + self.since_boot

    @property
    def wall(self) -> datetime:
        return self.true + self.error

    def pass_time(self, time: timedelta, slewed: timedelta = timedelta(0)) -> None:
        """Also while the machine sleeps: the wall clock and CLOCK_BOOTTIME both go on."""
        self.since_boot += time
        self.error += slewed

    def insert_leap_second(self) -> None:
        self.error -= SECOND

    def set_by_hand(self, by: timedelta) -> None:
        """The kernel forgets that it was synchronised (its ntp_clear)."""
        self.error += by
        self.synchronised = False

    def set_from_network(self) -> timedelta:
        """As systemd-timesyncd does it: moved and called synchronised in one system call."""
        moved, self.error = -self.error, timedelta(0)
        self.synchronised = True
        return moved

    def look(self) -> Look:
        return Look(self.wall, self.since_boot, self.synchronised)

    def stamp(self, quality: ClockQuality) -> ClockStamp:
        return ClockStamp(self.boot, self.since_boot, quality)
