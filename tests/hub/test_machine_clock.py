"""This machine's own clocks: read as they are, stamped cheaply, and noticed when they are set."""

from __future__ import annotations

import platform
import subprocess
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import CLOCK_BOOTTIME, CLOCK_REALTIME, clock_gettime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import clock
from hub.clock import (
    STEP,
    ClockQuality,
    ClockStamp,
    ClockState,
    Look,
    MachineClock,
    StepKind,
    from_microseconds,
)
from tests.rigs.simulated_machine import HOUR, SECOND


def test_the_kernel_answers_as_timedatectl_would_judge_it() -> None:
    """Asked by another program too, with the system call's own number and the field's place in the struct."""
    program = (
        "my $timex = chr(0) x 512; exit 1 if syscall(shift() + 0, $timex) < 0; print unpack('x24 q', $timex)"
    )
    number = {"x86_64": "159", "aarch64": "171"}[platform.machine()]
    found = subprocess.run(["perl", "-e", program, number], check=False, capture_output=True, text=True)
    expected = int(found.stdout) < 16_000_000 if found.returncode == 0 else None  # None: a sandbox refuses it
    assert clock.kernel_synchronised() == expected


@pytest.mark.parametrize("said", [True, False, None])
@pytest.mark.parametrize("once", [True, False])
@pytest.mark.parametrize("timesyncd_has_set_it", [True, False])
def test_timesyncds_file_answers_where_the_kernel_may_not_be_asked_and_at_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: bool | None, once: bool, timesyncd_has_set_it: bool
) -> None:
    marker = tmp_path / "synchronized"
    if timesyncd_has_set_it:
        marker.touch()
    monkeypatch.setattr(clock, "_TIMESYNCD_HAS_SET_IT", marker)
    monkeypatch.setattr(clock, "kernel_synchronised", lambda: said)
    expected = timesyncd_has_set_it if said is None else said or (once and timesyncd_has_set_it)
    assert clock.look_at_kernel(once=once).synchronised is expected


def test_a_look_is_at_both_clocks_at_once() -> None:
    seen = [clock.look_at_kernel().offset for _ in range(200)]
    assert max(seen) - min(seen) < STEP


def test_a_stamp_is_of_this_boot_and_of_now() -> None:
    before = clock_gettime(CLOCK_BOOTTIME)
    stamped = clock.stamp()
    after = clock_gettime(CLOCK_BOOTTIME)
    assert str(stamped.boot) == Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    assert before - 1e-6 <= stamped.since_boot.total_seconds() <= after


def test_a_machine_whose_clock_nobody_sets_has_no_steps() -> None:
    machine = MachineClock()
    for _ in range(1000):
        machine.stamp()
        machine.look()
    assert [step.kind for step in machine.steps if step.kind is not StepKind.FIRST_SET] == []


def unset(hours: float, *, synchronised: bool = False) -> Look:
    """A look of a minute ago at this machine, if its wall clock had then been so many hours behind."""
    now = clock_gettime(CLOCK_BOOTTIME) - 60
    wall = datetime.fromtimestamp(clock_gettime(CLOCK_REALTIME) - 60, UTC) - hours * HOUR
    return Look(wall, timedelta(seconds=now), synchronised)


def this_machine(*, synchronised: bool) -> Callable[[], Look]:
    def look() -> Look:
        seen = clock.look_at_kernel()
        return Look(seen.wall, seen.since_boot, synchronised)

    return look


@pytest.mark.parametrize("hours", [-30, -0.01, 0.01, 5])
def test_a_stamp_notices_by_itself_that_the_clock_was_set(hours: float) -> None:
    machine = MachineClock(this_machine(synchronised=True), first=unset(hours))
    stamped = machine.stamp()
    (step,) = machine.steps
    assert step.kind is StepKind.FIRST_SET
    assert abs(step.shift - hours * HOUR) < SECOND
    assert stamped.quality is ClockQuality.SYNCHRONISED
    assert step.at.since_boot <= stamped.since_boot
    machine.stamp()
    assert len(machine.steps) == 1


def test_a_step_is_noticed_once_by_however_many_threads() -> None:
    machine = MachineClock(this_machine(synchronised=False), first=unset(5, synchronised=True))
    qualities: set[ClockQuality] = set()
    begin = threading.Barrier(8)

    def ask() -> None:
        begin.wait()
        qualities.update(machine.stamp().quality for _ in range(200))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [step.kind for step in machine.steps] == [StepKind.STEPPED]
    assert qualities == {ClockQuality.STEPPED}


@given(st.floats(3, 1000), st.sampled_from(ClockQuality), st.booleans())
def test_a_hub_that_starts_again_goes_on_from_what_it_left(
    hours: float, quality: ClockQuality, synchronised: bool
) -> None:
    machine = MachineClock(this_machine(synchronised=synchronised))
    before = unset(hours)
    machine.resume(ClockState(machine.state.boot, before.since_boot, before.offset, quality))
    (step,) = machine.steps
    assert step.kind is (
        StepKind.STEPPED
        if quality is not ClockQuality.NOT_YET
        else StepKind.FIRST_SET
        if synchronised
        else StepKind.SET
    )
    assert abs(step.shift - hours * HOUR) < SECOND


def test_what_was_left_in_another_boot_is_not_gone_on_from() -> None:
    machine = MachineClock(this_machine(synchronised=False))
    left, before = unset(5, synchronised=True), machine.state
    machine.resume(ClockState(uuid.uuid4(), left.since_boot, left.offset, ClockQuality.SYNCHRONISED))
    assert machine.state == before
    assert machine.steps == ()
    assert machine.stamp().quality is ClockQuality.NOT_YET


@pytest.mark.parametrize("hours", [-30, 5])
def test_what_was_noticed_before_it_goes_on_is_not_noticed_twice(hours: float) -> None:
    machine = MachineClock(this_machine(synchronised=False), first=unset(hours))
    machine.stamp()
    assert len(machine.steps) == 1
    before = unset(hours)
    machine.resume(ClockState(machine.state.boot, before.since_boot, before.offset, ClockQuality.NOT_YET))
    assert len(machine.steps) == 1


def test_the_state_to_go_on_from_is_in_any_reading_and_in_any_step() -> None:
    machine = MachineClock(this_machine(synchronised=True), first=unset(5))
    before = machine.state
    at = from_microseconds(0) + before.offset + before.since_boot
    assert ClockState.noted(at, ClockStamp(before.boot, before.since_boot, before.quality)) == before
    machine.look()
    assert ClockState.after(machine.steps[-1]) == machine.state
