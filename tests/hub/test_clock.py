"""How far the hub's wall clock can be believed: no more than the kernel says; and what is set is noticed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hub.clock import (
    ClockQuality,
    ClockStamp,
    ClockState,
    HubClock,
    Look,
    Step,
    StepKind,
    from_microseconds,
    local_now,
    to_microseconds,
)
from tests.rigs.simulated_machine import HOUR, MINUTE, SECOND, SimulatedMachine

NOTHING = timedelta(0)


@pytest.mark.parametrize("quality", ClockQuality)
def test_what_a_clock_on_the_wall_shows_is_told_only_while_it_is_to_be_believed(
    quality: ClockQuality, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sensor's clock is set by it."""
    stamped = ClockStamp(uuid.UUID(int=1), NOTHING, quality)
    summer = datetime(2026, 7, 1, 12, tzinfo=UTC)
    monkeypatch.setattr("hub.clock.stamp", lambda: stamped)
    monkeypatch.setattr("hub.clock.now", lambda: summer)
    shown = local_now(ZoneInfo("Europe/London"))
    if quality is ClockQuality.SYNCHRONISED:
        assert shown == summer
        assert shown is not None
        assert shown.hour == 13
    else:
        assert shown is None


def test_microseconds_and_back_is_the_same_moment() -> None:
    moment = datetime(2026, 11, 22, 1, 2, 3, 456789, tzinfo=UTC)
    assert from_microseconds(to_microseconds(moment)) == moment


# The rule, case by case


def begun(machine: SimulatedMachine) -> HubClock:
    return HubClock(machine.boot, machine.look())


def test_a_clock_is_not_believed_until_the_kernel_has_been_synchronised() -> None:
    machine = SimulatedMachine(-5 * HOUR)
    hub = begun(machine)
    assert hub.state.quality is ClockQuality.NOT_YET
    machine.pass_time(48 * HOUR)
    assert hub.look(machine.look()) is None
    assert hub.state.quality is ClockQuality.NOT_YET
    machine.set_from_network()
    step = hub.look(machine.look())
    assert step is not None
    assert (step.kind, step.shift) == (StepKind.FIRST_SET, 5 * HOUR)
    assert hub.state.quality is step.at.quality is ClockQuality.SYNCHRONISED


def test_a_clock_that_was_right_is_first_set_by_nothing() -> None:
    machine = SimulatedMachine()
    hub = begun(machine)
    machine.set_from_network()
    step = hub.look(machine.look())
    assert step is not None
    assert (step.kind, step.shift) == (StepKind.FIRST_SET, NOTHING)


def test_a_clock_that_was_synchronised_stays_so_without_a_network() -> None:
    machine = SimulatedMachine(synchronised=True)
    hub = begun(machine)
    machine.synchronised = False  # nine hours later
    machine.pass_time(9 * HOUR)
    assert hub.look(machine.look()) is None
    assert hub.state.quality is ClockQuality.SYNCHRONISED


def test_a_clock_set_by_hand_before_it_was_synchronised_is_not_believed() -> None:
    machine = SimulatedMachine(-5 * HOUR)
    hub = begun(machine)
    machine.set_by_hand(4 * HOUR)
    by_hand = hub.look(machine.look())
    assert by_hand is not None
    assert (by_hand.kind, by_hand.shift, hub.state.quality) == (
        StepKind.SET,
        4 * HOUR,
        ClockQuality.NOT_YET,
    )
    machine.set_from_network()
    from_network = hub.look(machine.look())
    assert from_network is not None
    assert (from_network.kind, from_network.shift) == (StepKind.FIRST_SET, HOUR)


@pytest.mark.parametrize("by", [-5 * HOUR, -3 * SECOND, 3 * SECOND, 5 * HOUR])
def test_a_clock_that_is_set_after_it_was_synchronised_is_doubted_until_it_has_settled(by: timedelta) -> None:
    machine = SimulatedMachine(synchronised=True)
    hub = begun(machine)
    machine.pass_time(SECOND)
    machine.set_by_hand(by)
    step = hub.look(machine.look())
    assert step is not None
    assert (step.kind, step.shift, step.at.quality) == (StepKind.STEPPED, by, ClockQuality.STEPPED)
    machine.pass_time(HOUR)
    hub.look(machine.look())
    assert hub.state.quality is ClockQuality.STEPPED  # nobody has synchronised it since
    machine.synchronised = True
    for minutes, quality in [
        (0, ClockQuality.STEPPED),
        (9, ClockQuality.STEPPED),
        (1, ClockQuality.SYNCHRONISED),
    ]:
        machine.pass_time(minutes * MINUTE)
        assert hub.look(machine.look()) is None
        assert hub.state.quality is quality


def test_a_clock_that_is_set_once_more_has_to_settle_anew() -> None:
    machine = SimulatedMachine(synchronised=True)
    hub = begun(machine)
    for _ in range(3):
        machine.pass_time(6 * MINUTE)
        assert hub.look(machine.look()) is None
        machine.set_by_hand(HOUR)
        machine.synchronised = True
        assert hub.look(machine.look()) is not None
        assert hub.state.quality is ClockQuality.STEPPED
        machine.pass_time(5 * MINUTE)
        hub.look(machine.look())
        assert hub.state.quality is ClockQuality.STEPPED
    machine.pass_time(5 * MINUTE)
    hub.look(machine.look())
    assert hub.state.quality is ClockQuality.SYNCHRONISED


@pytest.mark.parametrize("every", [SECOND, MINUTE, HOUR, 30 * 24 * HOUR])
@pytest.mark.parametrize("direction", [-1, 1])
def test_slewing_is_no_step_however_long_between_two_looks(every: timedelta, direction: int) -> None:
    machine = SimulatedMachine(synchronised=True)
    hub = begun(machine)
    for _ in range(100):
        machine.pass_time(every, slewed=direction * every * 500e-6)
        assert hub.look(machine.look()) is None


def test_the_fastest_slewing_of_chrony_is_no_step() -> None:
    machine = SimulatedMachine(synchronised=True)
    hub = begun(machine)
    for _ in range(1000):
        machine.pass_time(SECOND, slewed=SECOND * 83_333e-6)
        assert hub.look(machine.look()) is None


def test_a_leap_second_and_sleep_are_no_steps() -> None:
    machine = SimulatedMachine(synchronised=True)
    hub = begun(machine)
    machine.insert_leap_second()
    assert hub.look(machine.look()) is None
    machine.pass_time(8 * HOUR)
    assert hub.look(machine.look()) is None


def test_a_look_that_comes_after_a_later_one_changes_nothing() -> None:
    machine = SimulatedMachine(-5 * HOUR)
    hub = begun(machine)
    earlier = machine.look()
    machine.pass_time(SECOND)
    machine.set_from_network()
    assert hub.look(machine.look()) is not None
    state = hub.state
    assert hub.look(earlier) is None
    assert hub.state == state


def test_a_hub_that_starts_again_notices_what_was_set_while_it_was_away() -> None:
    machine = SimulatedMachine(-5 * HOUR)
    left = begun(machine).state
    machine.pass_time(3 * HOUR)
    machine.set_from_network()
    step = HubClock.resumed(left).look(machine.look())
    assert step is not None
    assert (step.kind, step.shift) == (StepKind.FIRST_SET, 5 * HOUR)


# The rule, under anything that may happen


class Belief(RuleBasedStateMachine):
    """Judges by the whole history of looks, from the definition, where `HubClock` keeps only a state."""

    begin: Callable[[uuid.UUID, Look], HubClock] = HubClock
    resume: Callable[[ClockState], HubClock] = HubClock.resumed

    def __init__(self) -> None:
        super().__init__()
        self.machine = SimulatedMachine(-5 * HOUR)
        self.hub = type(self).begin(self.machine.boot, self.machine.look())
        self.moved = NOTHING  # by setting it, since the last look
        self.slewed = NOTHING
        self.leapt = False
        self.looks: list[_Seen] = [_Seen(self.machine.since_boot, False, False)]
        self.steps: list[Step] = []

    @rule(
        time=st.timedeltas(NOTHING, 20 * MINUTE) | st.timedeltas(NOTHING, 20 * HOUR),
        slew=st.floats(-500e-6, 500e-6),
    )
    def time_passes(self, time: timedelta, slew: float) -> None:
        self.machine.pass_time(time, slewed=time * slew)
        self.slewed += abs(time * slew)

    @precondition(lambda self: not self.leapt)  # there was never more than one in half a year
    @rule()
    def a_leap_second(self) -> None:
        self.machine.insert_leap_second()
        self.leapt = True

    @rule(by=st.timedeltas(5 * SECOND, 400 * HOUR), direction=st.sampled_from([-1, 1]))
    def set_by_hand(self, by: timedelta, direction: int) -> None:
        self.machine.set_by_hand(direction * by)
        self.moved += direction * by

    @rule()
    def set_from_network(self) -> None:
        self.moved += self.machine.set_from_network()

    @rule(synchronised=st.booleans())
    def the_kernel_says(self, synchronised: bool) -> None:
        self.machine.synchronised = synchronised

    @rule()
    def starts_again(self) -> None:
        self.hub = type(self).resume(self.hub.state)
        self.looks[-1].interrupted = True

    @rule()
    def look(self) -> None:
        elapsed = self.machine.since_boot - self.looks[-1].since_boot
        # What lies between the threshold and what slewing explains may be called either.
        if 0.5 * SECOND < abs(self.moved) < 5 * SECOND + 2 * 500e-6 * elapsed:
            return
        step = self.hub.look(self.machine.look())
        was_set = abs(self.moved) > 0.5 * SECOND
        synchronised = self.machine.synchronised
        was_before = any(seen.synchronised for seen in self.looks)
        self.looks.append(_Seen(self.machine.since_boot, synchronised, was_set))
        expected = None
        if was_before:
            expected = StepKind.STEPPED if was_set else None
        elif synchronised:
            expected = StepKind.FIRST_SET
        elif was_set:
            expected = StepKind.SET
        assert (step and step.kind) == expected
        if step is not None:
            assert abs(step.shift - self.moved) <= self.slewed + 1.1 * SECOND
            assert step.at.since_boot == self.machine.since_boot
            self.steps.append(step)
        self.moved = self.slewed = NOTHING

    @invariant()
    def is_believed_as_far_as_its_history_allows(self) -> None:
        assert self.hub.state.quality is self._quality()

    @invariant()
    def is_set_for_the_first_time_once(self) -> None:
        assert sum(step.kind is StepKind.FIRST_SET for step in self.steps) <= 1

    def _quality(self) -> ClockQuality:
        first = next((index for index, seen in enumerate(self.looks) if seen.synchronised), None)
        if first is None:
            return ClockQuality.NOT_YET
        steps = [index for index, seen in enumerate(self.looks) if seen.was_set and index > first]
        if not steps:
            return ClockQuality.SYNCHRONISED
        since = self.looks[steps[-1] :]
        for index, begin in enumerate(since):
            for end_index in range(index, len(since)):
                run = since[index : end_index + 1]
                if not all(seen.synchronised for seen in run) or any(seen.interrupted for seen in run[:-1]):
                    break
                if run[-1].since_boot - begin.since_boot >= 10 * MINUTE:
                    return ClockQuality.SYNCHRONISED
        return ClockQuality.STEPPED


@dataclass
class _Seen:
    since_boot: timedelta
    synchronised: bool
    was_set: bool
    interrupted: bool = False


RARE = settings(max_examples=60, stateful_step_count=40, deadline=None)
CONTROL = settings(RARE, max_examples=2000, phases=[Phase.generate], derandomize=True)


def test_the_clock_is_believed_as_far_as_its_history_allows() -> None:
    run_state_machine_as_test(Belief, settings=RARE)


class TakesTheKernelAtItsWord(HubClock):
    """Not settling: believed again as soon as the kernel says so."""

    def look(self, look: Look) -> Step | None:
        step = super().look(look)
        if look.synchronised:
            self._state = ClockState(
                self._state.boot, look.since_boot, look.offset, ClockQuality.SYNCHRONISED
            )
        return step


class ForgetsBelow(HubClock):
    """Doubts a clock as soon as its kernel does."""

    def look(self, look: Look) -> Step | None:
        step = super().look(look)
        if not look.synchronised:
            self._state = ClockState(self._state.boot, look.since_boot, look.offset, ClockQuality.NOT_YET)
        return step


class CallsALeapSecondAStep(HubClock):
    """Compares with half a second."""

    def look(self, look: Look) -> Step | None:
        last = self._state
        if abs(look.offset - last.offset) > 0.9 * SECOND + (look.since_boot - last.since_boot) * 500e-6:
            far = 2 * HOUR if look.offset > last.offset else -2 * HOUR
            self._state = ClockState(last.boot, last.since_boot, look.offset - far, last.quality)
        return super().look(look)


@pytest.mark.parametrize("broken", [TakesTheKernelAtItsWord, ForgetsBelow, CallsALeapSecondAStep])
def test_the_account_finds_a_clock_that_is_believed_too_far_or_not_enough(broken: type[HubClock]) -> None:
    """Positive controls."""

    class Broken(Belief):
        begin = broken
        resume = broken.resumed

    with pytest.raises(AssertionError):
        run_state_machine_as_test(Broken, settings=CONTROL)
