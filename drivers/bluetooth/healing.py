"""Healing a radio that fails: the mildest remedy first, each given time to work, and none for ever.

`Ladder` and `Silence` are pure: they are told what happened and when, in seconds of a clock that does not
jump. `Healer` does what they say, and keeps an account of it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from drivers.bluetooth.radio import Radio, Remedy, RemedyError, loop_time

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """A remedy, and for how many seconds the radio must have failed, and the remedy before it been given."""

    remedy: Remedy
    wait: float


LADDER = (
    Step(Remedy.POWER_CYCLE, 5.0),
    Step(Remedy.HAND_OVER, 10.0),
    Step(Remedy.RESTART_BLUETOOTHD, 15.0),
    Step(Remedy.POWER_CYCLE, 45.0),  # what the bluetoothd before has begun goes on in the kernel until then
    Step(Remedy.REBOOT, 600.0),
)
"""To scan anew comes before all of them, at each failure, and is the collector's own."""

_WELL_AGAIN = 1800.0
"""Seconds: a radio that fails again sooner has not been healed, and the next remedy is due, not the first."""

_LONGEST_WAIT = 3600.0  # seconds, when all remedies were in vain
_MOST_DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class Failure:
    """What is the matter with the radio, in words; since when, if that is known better than by when it was
    first and always seen to be so; and the strongest remedy that it can justify."""

    words: str
    since: float | None = None
    at_most: Remedy = Remedy.REBOOT


class Ladder:
    """Where on the ladder a radio is. Each time that all of it was in vain, the waits double."""

    def __init__(self, steps: Sequence[Step] = LADDER) -> None:
        self._steps = steps
        self._next = 0
        self._rounds = 0
        self._failing_since: float | None = None
        self._well_since: float | None = None
        self._tried_at: float | None = None
        self._at_most = Remedy.REBOOT
        self._climbed_for: Remedy | None = None

    def well(self, now: float) -> None:
        """The radio was heard: it lives. What was tried is forgotten when that has lasted."""
        self._failing_since = None
        if self._well_since is None:
            self._well_since = now
        if now - self._well_since >= _WELL_AGAIN:
            self._begin_anew()

    def failing(
        self, now: float, since: float | None = None, at_most: Remedy = Remedy.REBOOT
    ) -> Remedy | None:
        """The radio fails: the remedy that is due now, or None while an earlier one may still work.

        `since` is when it began, if that is known; a remedy stronger than `at_most` is not
        due for this.
        """
        if self._failing_since is None:
            if self._well_since is not None:
                self.well(now)
            self._failing_since = now if since is None else since
            self._well_since = None
        elif since is not None:  # it was seen to work until then
            self._failing_since = max(self._failing_since, since)
        if self._climbed_for is not None and self._climbed_for < at_most:
            # What was tried was for something of lesser weight: this has not been tried to heal.
            self._begin_anew()
            self._failing_since = now if since is None else since
        self._at_most = at_most
        step = self._steps[self._next]
        if step.remedy > at_most:
            return None
        wait = min(step.wait * 2 ** min(self._rounds, _MOST_DOUBLINGS), max(_LONGEST_WAIT, step.wait))
        begun = self._failing_since
        if self._tried_at is not None:
            begun = max(begun, self._tried_at)
        return step.remedy if now - begun >= wait else None

    def tried(self, now: float, *, had: bool) -> None:
        """The remedy that was due was tried. One that could not be had gives way to the next at once."""
        if had:
            self._tried_at = now
        self._climbed_for = max(self._at_most, self._climbed_for or self._at_most)
        self._next += 1
        if self._next == len(self._steps):
            self._next = 0
            self._rounds += 1
            self._tried_at = now

    def _begin_anew(self) -> None:
        self._next = self._rounds = 0
        self._tried_at = self._climbed_for = None


_LEAST_SILENCE = 600.0  # seconds


class Silence:
    """Whether a radio that answers and hears nothing is deaf, or the home is quiet.

    Where phones come and go a radio always hears something; beside one cuff in a cottage it hears nothing for
    a day. So what counts is the longest silence that ended by itself: four times as long is too long.
    """

    def __init__(self) -> None:
        self.heard_at = 0.0
        self._longest = 0.0
        self._suspicions = 0

    def listen(self, now: float) -> None:
        """Listening begins, or begins anew: what was before is nobody's silence."""
        self.heard_at = now

    def heard(self, now: float) -> None:
        """Something was heard."""
        if not self._suspicions:
            self._longest = max(self._longest, now - self.heard_at)
        self._suspicions = 0
        self.heard_at = now

    def too_long(self, now: float) -> bool:
        """Whether it is time to suspect deafness: once, and again only after twice as long each time."""
        bearable = max(_LEAST_SILENCE, 4 * self._longest) * 2 ** min(self._suspicions, _MOST_DOUBLINGS)
        if now - self.heard_at < bearable:
            return False
        self._suspicions += 1
        return True


def none_can_be_connected(failures: Sequence[int], suspicions: int = 0) -> bool:
    """Whether it is the radio that cannot connect, and not one sensor that cannot be connected to.

    `failures` has, for each sensor that was heard since any connection was made, how often in vain it was
    tried since: three times with two of them, or ten times with one. After three `suspicions`, so many as
    there are remedies for it, it takes twice as many each time: sensors may be heard, and yet too far away.
    """
    times = 2 ** min(max(suspicions - 2, 0), _MOST_DOUBLINGS)
    return sum(each >= 3 * times for each in failures) >= 2 or any(each >= 10 * times for each in failures)


@dataclass(frozen=True, slots=True)
class HealingStatus:
    """What ails the radio, and the last remedy: which, when, what came of it, and how many there were so far.

    `ails` is None while the radio is well.
    """

    ails: str | None = None
    remedy: Remedy | None = None
    tried_at: datetime | None = None
    outcome: str | None = None
    tried: int = 0


async def _never() -> bool:
    return False


class Healer:
    """Tries what is due on a radio that fails. `may_reboot` is asked before the machine is restarted."""

    def __init__(
        self,
        radio: Radio,
        may_reboot: Callable[[], Awaitable[bool]] | None = None,
        ladder: Sequence[Step] = LADDER,
    ) -> None:
        self._radio = radio
        self._may_reboot = may_reboot or _never
        self._ladder = Ladder(ladder)
        self.status = HealingStatus()

    def well(self) -> None:
        """The radio was heard."""
        self._ladder.well(loop_time())
        if self.status.ails is not None:
            self.status = replace(self.status, ails=None)

    async def heal(self, failure: Failure) -> None:
        """The radio fails: try the remedy that is due, if one is. Its own failure is told, and not raised."""
        self.status = replace(self.status, ails=failure.words)
        remedy = self._ladder.failing(loop_time(), failure.since, failure.at_most)
        if remedy is None:
            return
        named = remedy.name.lower().replace("_", " ")
        if remedy is Remedy.REBOOT and not await self._may_reboot():
            self._ladder.tried(loop_time(), had=False)
            logger.warning("Bluetooth: nothing helped, and the machine may not be restarted for it now")
            return
        logger.warning("Bluetooth: %s; now trying: %s", failure.words, named)
        try:
            outcome = await self._radio.heal(remedy)
        except RemedyError as error:
            self._ladder.tried(loop_time(), had=False)
            outcome = str(error)
            logger.warning("Bluetooth: %s", outcome)
        else:
            self._ladder.tried(loop_time(), had=True)
            logger.info("Bluetooth: %s", outcome)
        self.status = HealingStatus(failure.words, remedy, datetime.now(UTC), outcome, self.status.tried + 1)
