"""The hub on a machine that sleeps from one round to the next: days of observations pass in seconds.

Its wall clock and its time since boot are moved alike, as sleep moves them, so that the hub sees no clock
that was set; its timers stand still meanwhile, as they do in sleep. `CAREPORT_RIG_CLOCK` names the file that
says how far (`SleepingClock`). Only this suite starts the hub in this way; the hub knows nothing of it.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from datetime import UTC, datetime
from pathlib import Path

from hub import clock

VARIABLE = "CAREPORT_RIG_CLOCK"
_NANOSECONDS = struct.Struct("<q")
_SECOND = 1_000_000_000


class SleepingClock:
    """What a hub's wall clock says beside this machine's, in a file that both processes see."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(_NANOSECONDS.pack(0))
        with path.open("r+b") as file:
            self._ahead = mmap.mmap(file.fileno(), _NANOSECONDS.size)

    @property
    def ahead_nanoseconds(self) -> int:
        """By how much it is ahead of this machine's; negative where it is behind."""
        (ahead,) = _NANOSECONDS.unpack(self._ahead[:])
        return int(ahead)

    def wake_at(self, moment: datetime) -> None:
        """Let it say this moment now, and go on from there."""
        ahead = clock.to_microseconds(moment) * 1000 - time.time_ns()
        self._ahead[:] = _NANOSECONDS.pack(ahead)


def _rig(moved: SleepingClock) -> None:
    """Move what the hub's clock asks; before anything else of the hub has taken `now` from there."""
    ask, before = time.clock_gettime_ns, moved.ahead_nanoseconds

    def clock_gettime_ns(which: int) -> int:
        if which == time.CLOCK_REALTIME:
            return ask(which) + moved.ahead_nanoseconds
        if which == time.CLOCK_BOOTTIME:  # what it slept since it was started here
            return ask(which) + moved.ahead_nanoseconds - before
        return ask(which)

    def now() -> datetime:
        return datetime.fromtimestamp(clock_gettime_ns(time.CLOCK_REALTIME) / _SECOND, UTC)

    time.clock_gettime_ns = clock_gettime_ns
    clock.now = now
    clock.kernel_synchronised = lambda: True  # else no weekday is told; a build machine may not be
    clock.MACHINE_CLOCK = clock.MachineClock(first=clock.look_at_kernel(once=True))


if __name__ == "__main__":
    _rig(SleepingClock(Path(os.environ[VARIABLE])))

    from hub.cli import main

    main()
