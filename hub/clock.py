"""The one place that asks what time it is, and how far the answer can be believed.

A Raspberry Pi has no clock that survives being unplugged: at boot it says what it last said, hours or days
ago, until it is set from the network. So whatever the hub notes is stamped with the boot of the machine and
the time since that boot (CLOCK_BOOTTIME: it goes on while the machine sleeps, and nobody can set it), and
with how far the wall clock could be believed then (`ClockQuality`). What is done with that once the clock
is set is the business of `hub/timekeeping/correction.py`.

**Synchronised** is what the kernel says: its largest possible error is below 16 s (`adjtimex`, field
maxerror). systemd-timesyncd, chrony and ntpd all keep that field; setting the clock by hand puts it to 16 s
(the kernel's `ntp_clear`), and without its daemon it grows by 500 ppm, back to 16 s after nine hours. It is
the rule of systemd's own `timedatectl` (src/timedate/timedated.c, `ntp_synced`); STA_UNSYNC is left out of
account as there, since chrony without `rtcsync` leaves it set for ever. A container shares the kernel's
clock, and so its answer. Where a sandbox refuses the question (systemd's ProtectClock=), the file by which
systemd-timesyncd says that it has set the clock in this boot answers it.

**The rule** (`HubClock`): NOT_YET until the kernel has once been synchronised in this boot; from then on
SYNCHRONISED, without a network too, since a Pi's crystal then strays by a few seconds a day. STEPPED when
the wall clock was set after that, until the kernel has said for ten minutes without a break that it is
synchronised again: whoever set it contradicts what was believed before, and one of the two was wrong.

**Set** means that the wall clock has moved against the time since boot by more than two seconds and what
slewing explains (500 ppm). A leap second is one second; sleep moves both alike. chrony slews by up to
83,333 ppm where it may not step: that is less than two seconds from look to look, and so is no step.
"""

from __future__ import annotations

import ctypes
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SLEWS_AT_MOST = (
    500e-6  # the kernel's limit (MAXFREQ, and adjtime's rate), as a share of the time that went by
)
_SETTLES_AFTER = timedelta(minutes=10)
STEP = timedelta(seconds=2)
"""The wall clock was set where it moved by more: above a leap second, below what any window minds."""


def now() -> datetime:
    """The wall clock, aware, in UTC."""
    return datetime.now(UTC)


def local_now(zone: ZoneInfo) -> datetime | None:
    """What a clock on the wall of that zone shows; None while this machine's clock is not to be believed."""
    return now().astimezone(zone) if stamp().quality is ClockQuality.SYNCHRONISED else None


def to_microseconds(moment: datetime) -> int:
    """Microseconds since 1970 UTC: how the store keeps time, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """The aware UTC time that `to_microseconds` was given."""
    return _EPOCH + microseconds * _MICROSECOND


class ClockQuality(StrEnum):
    """How far the hub's wall clock could be believed when something was stamped with it.

    A Pi's clock does not survive being unplugged: until it is set from the network it says what it last said.
    """

    SYNCHRONISED = "synchronised"
    NOT_YET = "not yet synchronised"
    STEPPED = "stepped"  # it was set while the hub ran, after it had said that it was synchronised


@dataclass(frozen=True, slots=True)
class ClockStamp:
    """What orders events without the wall clock: which boot of the machine, and how long since it.

    `since_boot` goes on while the machine sleeps (CLOCK_BOOTTIME) and is never set.
    """

    boot: uuid.UUID
    since_boot: timedelta
    quality: ClockQuality


class StepKind(StrEnum):
    """What it meant that the wall clock was set."""

    FIRST_SET = "first set"  # synchronised for the first time in this boot; the shift may be nothing
    SET = "set, not synchronised"  # set before it was ever synchronised (by hand; ntpd confirms it later)
    STEPPED = "stepped"  # set after it had been synchronised


@dataclass(frozen=True, slots=True)
class Step:
    """The wall clock was set, at the moment `at` (its quality is the one from then on).

    The offsets are the wall clock less the time since boot, as time since 1970 UTC.
    """

    kind: StepKind
    at: ClockStamp
    from_offset: timedelta
    to_offset: timedelta

    @property
    def shift(self) -> timedelta:
        """How far the wall clock was moved; negative where it was set back."""
        return self.to_offset - self.from_offset


@dataclass(frozen=True, slots=True)
class Look:
    """What both clocks said at one moment, and whether the kernel called its wall clock synchronised."""

    wall: datetime
    since_boot: timedelta
    synchronised: bool

    @property
    def offset(self) -> timedelta:
        """The wall clock (since 1970 UTC) less the time since boot: it changes only where that was set."""
        return self.wall - _EPOCH - self.since_boot


@dataclass(frozen=True, slots=True)
class ClockState:
    """What a hub that starts again must know of the boot it is in: what the clock was when it last looked.

    Its store has that without a row of its own: it is the later of what was noted with the newest reading of
    this boot and of what the newest step left.
    """

    boot: uuid.UUID
    since_boot: timedelta
    offset: timedelta
    quality: ClockQuality

    @classmethod
    def noted(cls, at: datetime, stamp: ClockStamp) -> ClockState:
        """The state in which a time of the wall clock was noted, as with a reading's receipt."""
        return cls(stamp.boot, stamp.since_boot, at - _EPOCH - stamp.since_boot, stamp.quality)

    @classmethod
    def after(cls, step: Step) -> ClockState:
        """The state that a step left."""
        return cls(step.at.boot, step.at.since_boot, step.to_offset, step.at.quality)


class HubClock:
    """How far the wall clock can be believed, told from one look at it after another. Pure.

    It begins with the first look, or with the state that an earlier run of the hub left in the same boot.
    """

    def __init__(self, boot: uuid.UUID, first: Look) -> None:
        quality = ClockQuality.SYNCHRONISED if first.synchronised else ClockQuality.NOT_YET
        self._state = ClockState(boot, first.since_boot, first.offset, quality)
        self._settling_since: timedelta | None = None

    @classmethod
    def resumed(cls, state: ClockState) -> HubClock:
        """The clock as an earlier run of the hub left it."""
        clock = cls(state.boot, Look(_EPOCH + state.offset + state.since_boot, state.since_boot, False))
        clock._state = state
        return clock

    @property
    def state(self) -> ClockState:
        """What is known since the last look."""
        return self._state

    def look(self, look: Look) -> Step | None:
        """Take one more look into account; return the step that it shows, if it does.

        A look that was taken before the last one (in another thread) is not regarded.
        """
        last = self._state
        elapsed = look.since_boot - last.since_boot
        if elapsed < timedelta(0):
            return None
        was_set = abs(look.offset - last.offset) > STEP + _SLEWS_AT_MOST * elapsed
        kind, quality = _judged(last.quality, look.synchronised, was_set)
        if kind is StepKind.STEPPED or not look.synchronised:
            self._settling_since = None
        if quality is ClockQuality.STEPPED and look.synchronised:
            if self._settling_since is None:
                self._settling_since = look.since_boot
            if look.since_boot - self._settling_since >= _SETTLES_AFTER:
                quality = ClockQuality.SYNCHRONISED
        self._state = ClockState(last.boot, look.since_boot, look.offset, quality)
        if kind is None:
            return None
        return Step(kind, ClockStamp(last.boot, look.since_boot, quality), last.offset, look.offset)


def _judged(quality: ClockQuality, synchronised: bool, was_set: bool) -> tuple[StepKind | None, ClockQuality]:
    if quality is not ClockQuality.NOT_YET:
        return (StepKind.STEPPED, ClockQuality.STEPPED) if was_set else (None, quality)
    if synchronised:
        return StepKind.FIRST_SET, ClockQuality.SYNCHRONISED
    return (StepKind.SET if was_set else None), ClockQuality.NOT_YET


_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TIMESYNCD_HAS_SET_IT = Path("/run/systemd/timesync/synchronized")  # in /run: gone at the next boot
_NOT_SYNCHRONISED_MICROSECONDS = 16_000_000  # the kernel's NTP_PHASE_LIMIT


class _Timex(ctypes.Structure):
    """The beginning of `struct timex` (adjtimex(2)); the kernel writes 208 bytes, the rest is room."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("rest", ctypes.c_long * 32),
    )


_adjtimex = ctypes.CDLL(None).adjtimex


def kernel_synchronised() -> bool | None:
    """Whether the kernel calls its wall clock synchronised; None where a sandbox refuses the question."""
    timex = _Timex()  # modes = 0: asks, and sets nothing
    if _adjtimex(ctypes.byref(timex)) < 0:
        return None
    return bool(timex.maxerror < _NOT_SYNCHRONISED_MICROSECONDS)


def look_at_kernel(*, once: bool = False) -> Look:
    """A look at the machine's own clocks.

    Args:
        once: whether it is enough that the clock has once been synchronised in this boot; that is so for
            the first look of a hub that starts, perhaps long after the network was lost.
    """
    # Asked before the wall clock is read: one that is set in between is then seen as set and not yet
    # synchronised, and the next look puts that right. The other way round it would look like two steps.
    synchronised = kernel_synchronised()
    if synchronised is None or once:
        synchronised = bool(synchronised) or _TIMESYNCD_HAS_SET_IT.exists()
    # What comes between the readings would be taken for a move of the clock: the closest of three.
    _, wall, since_boot = min(_both_clocks() for _ in range(3))
    return Look(from_microseconds(wall // 1000), timedelta(microseconds=since_boot // 1000), synchronised)


def _both_clocks() -> tuple[int, int, int]:
    """How long it took, and what the two clocks said in the middle of that; in nanoseconds."""
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    wall = time.clock_gettime_ns(time.CLOCK_REALTIME)
    after = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return after - before, wall, (before + after) // 2


class Clock(Protocol):
    """What the hub asks of its clock: the machine's own (`MachineClock`), or one that is simulated."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every step that was noticed, oldest first; each is here before any stamp that comes after it."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""

    def stamp(self) -> ClockStamp:
        """This moment, without the wall clock."""

    def resume(self, state: ClockState) -> None:
        """Go on from what an earlier run of the hub knew; that of another boot is worth nothing now."""


class MachineClock:
    """The machine's clocks under a `HubClock`, cheap enough to be asked for each reading.

    A stamp costs two readings of a clock and no system call. It notices by itself that the wall clock was
    set, so that no reading is stamped with what was believed before: `steps` has each step before any stamp
    that comes after it. Whether the kernel is synchronised is asked only by `look`, which the watch
    (`hub/timekeeping/watch.py`) does each second. Any thread may ask.
    """

    def __init__(self, look: Callable[[], Look] = look_at_kernel, *, first: Look | None = None) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._steps: tuple[Step, ...] = ()
        boot = uuid.UUID(_BOOT_ID.read_text(encoding="ascii").strip())
        self._adopt(HubClock(boot, first or look()))

    @property
    def state(self) -> ClockState:
        """What to keep for the next run of the hub in the same boot (`resume`)."""
        return self._hub.state

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every step that this process has noticed, oldest first; after `resume` it only ever grows."""
        return self._steps

    def resume(self, state: ClockState) -> None:
        """Go on from what an earlier run of the hub knew; that of another boot is worth nothing now.

        Where the clock was set while no hub ran, `steps` then has that step.
        """
        if state.boot != self.state.boot:
            return
        with self._lock:
            self._steps = ()  # what was noticed since it began is noticed again, from that state
            begun_as_synchronised = self._hub.state.quality is not ClockQuality.NOT_YET
            self._adopt(HubClock.resumed(state))
            seen = self._look()
            self._take(Look(seen.wall, seen.since_boot, seen.synchronised or begun_as_synchronised))

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        return now()

    def look(self) -> None:
        """Look whether the clock was set, and whether it is synchronised."""
        with self._lock:
            self._take(self._look())

    def stamp(self) -> ClockStamp:
        """This moment, without the wall clock."""
        since_boot = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        if abs(time.clock_gettime_ns(time.CLOCK_REALTIME) - since_boot - self._offset) > _STEP_NANOSECONDS:
            self.look()
            since_boot = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        return ClockStamp(self._boot, timedelta(microseconds=since_boot // 1000), self._quality)

    def _take(self, look: Look) -> None:
        step = self._hub.look(look)
        if step is not None:
            self._steps = (*self._steps, step)
        self._adopt(self._hub)

    def _adopt(self, hub: HubClock) -> None:
        self._hub = hub
        self._boot = hub.state.boot
        self._quality = hub.state.quality
        self._offset = hub.state.offset // _MICROSECOND * 1000


_STEP_NANOSECONDS = STEP // _MICROSECOND * 1000
MACHINE_CLOCK = MachineClock(first=look_at_kernel(once=True))
"""The clock of this process."""


def stamp() -> ClockStamp:
    """This moment, without the wall clock, and how far the wall clock can be believed now."""
    return MACHINE_CLOCK.stamp()
