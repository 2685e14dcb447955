"""The watch of the wall clock: notices that it was set, and says so.

It looks once a second whether the wall clock has moved against the time since boot. Linux would also wake a
timer when the clock is set (timerfd, TFD_TIMER_CANCEL_ON_SET); it is not used, since it tells neither how
far the clock was moved nor that it was synchronised without being moved, wakes for a leap second and after
sleep too, and so needs the same comparison beside it. Nor is it needed for promptness: `clock.stamp` makes
the comparison for each reading, so that no reading is ever stamped with what was believed before the clock
was set. The second only bounds how long it takes where no reading comes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from hub.clock import MACHINE_CLOCK, MachineClock, Step, StepKind
from hub.running import progress

_log = logging.getLogger(__name__)


class Timekeeper:
    """Hands on each step of the machine's clock, in their order, each until it was taken.

    `on_step` may be called again with a step that it failed on. It stores the step and what it changes in
    one transaction, so that either both are done or neither.
    """

    def __init__(
        self,
        on_step: Callable[[Step], Awaitable[None]],
        clock: MachineClock = MACHINE_CLOCK,
        *,
        every: timedelta = timedelta(seconds=1),
    ) -> None:
        self._on_step = on_step
        self._clock = clock
        self._every_seconds = every / timedelta(seconds=1)
        self._handed_on = 0

    async def run(self) -> None:
        """Watch until cancelled. What `on_step` raises ends it; run again, it goes on with that same step."""
        while True:
            progress.turn()
            self._clock.look()
            await self.hand_on()
            await asyncio.sleep(self._every_seconds)

    async def hand_on(self) -> None:
        """Hand on what was noticed and not yet handed on."""
        while self._handed_on < len(self._clock.steps):
            step = self._clock.steps[self._handed_on]
            _log.warning("%s", in_words(step))
            await self._on_step(step)
            self._handed_on += 1
            progress.turn()


def in_words(step: Step) -> str:
    """A step in one line, for people."""
    seconds = round(step.shift / timedelta(seconds=1))
    moved = f"{timedelta(seconds=abs(seconds))} {'ahead' if seconds > 0 else 'back'}"
    match step.kind:
        case StepKind.FIRST_SET:
            how = f"and was set {moved}" if seconds else "and was right"
            return f"the hub's clock is synchronised for the first time since the machine started, {how}"
        case StepKind.SET:
            return f"the hub's clock was set {moved}, and is not synchronised: what it says is not relied on"
        case StepKind.STEPPED:
            return f"the hub's clock was set {moved} after it had been synchronised: one of the two was wrong"
