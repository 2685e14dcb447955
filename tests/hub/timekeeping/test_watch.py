"""The watch of the wall clock: each step is handed on once it was noticed, and until it was taken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from time import CLOCK_BOOTTIME, CLOCK_REALTIME, clock_gettime

import pytest

from hub import clock
from hub.clock import ClockQuality, ClockStamp, Look, MachineClock, Step, StepKind
from hub.errors import CareportError
from hub.timekeeping.watch import Timekeeper, in_words

HOUR = timedelta(hours=1)
OFTEN = timedelta(milliseconds=1)


class Setting:
    """This machine's clocks, as they would be if the wall clock were off and were set meanwhile."""

    def __init__(self, error: timedelta) -> None:
        self.error = error
        self.synchronised = False

    def look(self) -> Look:
        seen = clock.look_at_kernel()
        return Look(seen.wall + self.error, seen.since_boot, self.synchronised)

    def set_from_network(self) -> None:
        self.error, self.synchronised = timedelta(0), True


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def test_each_step_is_handed_on_once_and_in_order() -> None:
    setting = Setting(-5 * HOUR)
    machine = MachineClock(setting.look)
    taken: list[Step] = []

    async def on_step(step: Step) -> None:
        taken.append(step)

    watch = asyncio.create_task(Timekeeper(on_step, machine, every=OFTEN).run())
    await asyncio.sleep(0.02)
    assert taken == []
    setting.error += HOUR
    await until(lambda: len(taken) == 1)
    setting.set_from_network()
    await until(lambda: len(taken) == 2)
    setting.error = 2 * HOUR
    await until(lambda: len(taken) == 3)
    await asyncio.sleep(0.02)
    watch.cancel()
    assert [step.kind for step in taken] == [StepKind.SET, StepKind.FIRST_SET, StepKind.STEPPED]
    assert [round(step.shift / HOUR, 3) for step in taken] == [1, 4, 2]
    assert tuple(taken) == machine.steps


async def test_what_a_stamp_noticed_is_handed_on() -> None:
    seen = clock.look_at_kernel()
    began = Look(seen.wall - 5 * HOUR, seen.since_boot, False)
    machine = MachineClock(first=began)
    machine.stamp()
    taken: list[Step] = []

    async def on_step(step: Step) -> None:
        taken.append(step)

    await Timekeeper(on_step, machine).hand_on()
    assert [round(step.shift / HOUR, 3) for step in taken] == [5]


async def test_a_step_that_could_not_be_stored_is_handed_on_again() -> None:
    setting = Setting(-5 * HOUR)
    machine = MachineClock(setting.look)
    card_is_full = True
    taken: list[Step] = []

    async def on_step(step: Step) -> None:
        if card_is_full:
            raise CareportError("full")
        taken.append(step)

    keeper = Timekeeper(on_step, machine, every=OFTEN)
    setting.set_from_network()
    for _ in range(3):
        with pytest.raises(CareportError):
            await asyncio.wait_for(keeper.run(), 10)
    card_is_full = False
    watch = asyncio.create_task(keeper.run())
    await until(lambda: len(taken) == 1)
    watch.cancel()
    with suppress(asyncio.CancelledError):
        await watch
    assert tuple(taken) == machine.steps


async def test_a_clock_that_nobody_sets_has_no_step_to_tell() -> None:
    machine = MachineClock(lambda: Look(*_both(), False))

    async def on_step(step: Step) -> None:
        raise AssertionError(step)

    watch = asyncio.create_task(Timekeeper(on_step, machine, every=OFTEN).run())
    await asyncio.sleep(0.1)
    assert not watch.done()
    watch.cancel()


def _both() -> tuple[datetime, timedelta]:
    since_boot = clock_gettime(CLOCK_BOOTTIME)
    return datetime.fromtimestamp(clock_gettime(CLOCK_REALTIME), UTC), timedelta(seconds=since_boot)


@pytest.mark.parametrize(
    ("kind", "shift", "words"),
    [
        (StepKind.FIRST_SET, 5 * HOUR, "first time since the machine started, and was set 5:00:00 ahead"),
        (StepKind.FIRST_SET, timedelta(0), "first time since the machine started, and was right"),
        (StepKind.SET, -HOUR, "was set 1:00:00 back, and is not synchronised"),
        (StepKind.STEPPED, -49 * HOUR, "was set 2 days, 1:00:00 back after it had been synchronised"),
    ],
)
def test_a_step_is_told_in_words(kind: StepKind, shift: timedelta, words: str) -> None:
    stamp = ClockStamp(clock.stamp().boot, HOUR, ClockQuality.SYNCHRONISED)
    assert words in in_words(Step(kind, stamp, 100 * HOUR, 100 * HOUR + shift))
