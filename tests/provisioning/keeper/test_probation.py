"""A release that was kept is watched for a while, and so is whoever tries one; the systemd is played."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from provisioning.keeper.errors import KeeperError
from provisioning.keeper.health import ask
from provisioning.keeper.held import held
from provisioning.keeper.judge import UnitSeen
from provisioning.keeper.places import UNIT
from provisioning.keeper.probation import watch
from provisioning.keeper.settle import settle
from provisioning.keeper.slots import Slots
from provisioning.keeper.state import Named, State, Trial
from tests.rigs.releases import QUICK, WELL, Machine, Processes

AT_ONCE = replace(QUICK, soak=0.0, steady=0.0)
AGAIN_AND_AGAIN = UnitSeen("active", "running", restarts=3)


@pytest.fixture
def kept(machine: Machine) -> Machine:
    """1.1 is in force, and on probation; 1.0 is in the other slot."""
    machine.with_hub()
    assert machine.keeper(pace=AT_ONCE).update(machine.bundle(version="1.1")).good
    return machine


def watched(machine: Machine) -> list[str]:
    said: list[str] = []
    watch(machine.places, said.append, services=machine.services, pace=QUICK)
    return said


def ends(machine: Machine, version: str) -> None:
    """From now on that release ends again and again."""
    seen: Callable[[str], UnitSeen] = machine.services.seen

    def seen_so(unit: str) -> UnitSeen:
        current = machine.slots.in_force()
        bad = unit == UNIT and current is not None and current.version == version
        return AGAIN_AND_AGAIN if bad else seen(unit)

    machine.services.seen = seen_so  # type: ignore[method-assign]


def in_force(machine: Machine) -> str:
    found = machine.slots.in_force()
    assert found is not None
    return found.version


def noted(machine: Machine) -> State:
    return machine.keeper().notes.read()


def test_whoever_tries_and_what_is_kept_is_watched_over(kept: Machine) -> None:
    assert kept.services.watched == 2
    assert noted(kept).probation is not None


def test_one_that_goes_on_running_stays_and_is_watched_no_longer(kept: Machine) -> None:
    assert watched(kept) == ["release 1.1 (one) stays: it ran for 0.4 s without an end"]
    state = noted(kept)
    assert (state.probation, state.trial) == (None, None)
    assert state.last is not None
    assert state.last.outcome == "kept"
    assert in_force(kept) == "1.1"


def test_one_that_ends_again_and_again_is_taken_back_once_and_told(kept: Machine) -> None:
    ends(kept, "1.1")
    said = watched(kept)
    assert "the hub ended 3 times soon after it was kept; going back to 1.0 (one)" in said
    assert in_force(kept) == "1.0"
    assert ask(kept.places, 20) is not None, "the release before answers"
    state = noted(kept)
    assert (state.probation, state.trial) == (None, None)
    assert state.last is not None
    assert (state.last.outcome, state.last.to.version) == ("rolled back", "1.1")
    ends(kept, "1.0")
    assert watched(kept) == [], "and nobody goes forth again"
    assert in_force(kept) == "1.0"


def test_at_each_boot_it_is_watched_until_its_time_is_over(kept: Machine) -> None:
    before = kept.services.watched
    assert settle(kept.places, services=kept.services) == []
    assert kept.services.watched == before + 1
    assert noted(kept).probation is not None
    watched(kept)
    settle(kept.places, services=kept.services)
    assert kept.services.watched == before + 1


@pytest.mark.parametrize(("boots", "stays"), [(2, True), (3, False)])
def test_one_that_brings_the_machine_down_again_and_again_is_taken_back(
    machine: Machine, boots: int, *, stays: bool
) -> None:
    machine.with_hub()
    assert machine.keeper(pace=AT_ONCE).update(machine.bundle(version="1.1")).good
    for _ in range(boots):
        machine.places.boot.unlink()  # as all that is in /run
        for _ in range(2):  # settled once more in the same boot, it is no other
            settle(machine.places, services=machine.services)
    said = watched(machine)
    assert ("this machine was started 3 times and the hub ended 0 times" in "".join(said)) is not stays
    assert in_force(machine) == ("1.1" if stays else "1.0")


def test_a_power_cut_while_it_is_taken_back_is_settled_to_the_release_before(kept: Machine) -> None:
    ends(kept, "1.1")

    def cut() -> list[str]:
        raise SystemExit

    refresh = kept.services.refresh
    kept.services.refresh = cut  # type: ignore[method-assign]
    with pytest.raises(SystemExit):
        watched(kept)
    kept.services.refresh = refresh  # type: ignore[method-assign]
    settle(kept.places, services=kept.services)
    assert in_force(kept) == "1.0"
    assert noted(kept).probation is None


def test_an_update_that_comes_between_ends_it(kept: Machine) -> None:
    old = noted(kept).probation
    assert kept.keeper(pace=AT_ONCE).update(kept.bundle(version="1.2"), on_probation=True).good
    probation = noted(kept).probation
    assert probation is not None
    assert old is not None
    assert (old.to.version, probation.to.version) == ("1.1", "1.2")
    ends(kept, "1.2")
    watched(kept)
    assert in_force(kept) == "1.1"


def test_what_it_may_be_taken_back_to_is_not_given_up_for_another_release(kept: Machine) -> None:
    third = kept.bundle(version="1.2")
    for bundle in (third, kept.bundle(version="1.3", build="two")):
        with pytest.raises(KeeperError, match=r"1\.1 \(one\) is watched over .* 1\.0 \(one\) must be there"):
            kept.keeper().update(bundle)
    assert kept.keeper().update(kept.bundle(version="1.1")).outcome == "unchanged", "as provision does it"
    ends(kept, "1.1")
    watched(kept)
    assert in_force(kept) == "1.0"
    assert kept.keeper(pace=AT_ONCE).update(third).good, "once it is over"


def test_where_there_is_nothing_left_to_go_back_to_another_release_is_not_refused(machine: Machine) -> None:
    machine.services = Processes(machine.places, enabled=())  # nothing is tried
    keeper = machine.keeper()
    keeper.update(machine.bundle())
    gone = Trial(Named("0.9", "one"), "b", Named("1.0", "one"), "a", datetime.now(UTC))
    keeper.notes.write(State(None, None, gone))
    assert keeper.update(machine.bundle(version="1.2")).good


def test_going_back_by_hand_that_a_power_cut_interrupts_leaves_it_watched_over(kept: Machine) -> None:
    before, switch = noted(kept).probation, Slots.switch

    def cut(slots: Slots, name: str) -> None:
        switch(slots, name)
        raise SystemExit

    keeper = kept.keeper(pace=AT_ONCE)
    keeper.slots.switch = partial(cut, keeper.slots)  # type: ignore[method-assign]
    with pytest.raises(SystemExit):
        keeper.roll_back()
    assert in_force(kept) == "1.0"
    settle(kept.places, services=kept.services)
    assert in_force(kept) == "1.1"
    assert noted(kept).probation == before
    assert kept.keeper(pace=AT_ONCE).roll_back().good, "and it may be gone back from, in the ten minutes"
    assert noted(kept).probation is None


def test_where_the_release_before_has_gone_it_stays_and_that_is_said(kept: Machine) -> None:
    kept.slots.install(kept.bundle(version="1.2"))
    ends(kept, "1.1")
    assert "not there any more" in watched(kept)[-1]
    assert in_force(kept) == "1.1"
    assert noted(kept).probation is None


@pytest.mark.parametrize(("good_for_both", "text"), [(True, "today = 1\n"), (False, "before = 1\n")])
def test_the_configuration_of_today_stays_where_the_release_before_takes_it(
    machine: Machine, *, good_for_both: bool, text: str
) -> None:
    checks = f"#!/bin/sh\ngrep -q before $3 || exit {3 * (not good_for_both)}\n"
    hub_toml = machine.places.etc / "hub.toml"
    hub_toml.write_text("before = 1\n")
    machine.with_hub()
    assert machine.keeper(pace=AT_ONCE).update(machine.bundle(version="1.1")).good
    _changed(hub_toml, "today = 1\n")
    ends(machine, "1.1")
    program = machine.places.slots / "a/bin/carehub"
    python = program.read_text()
    program.write_text(checks)
    start = machine.services.start

    def started(units: list[str]) -> None:
        program.write_text(python)
        start(units)

    machine.services.start = started  # type: ignore[assignment, method-assign]
    watched(machine)
    assert in_force(machine) == "1.0"
    assert hub_toml.read_text() == text


def _changed(path: Path, text: str) -> None:
    """Another file in its place, as the keeper changes it."""
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.rename(path)


def test_of_a_release_before_that_did_not_answer_there_is_no_probation(machine: Machine) -> None:
    machine.keeper().update(machine.bundle(hub={"ends": 1}))
    machine.services.start([UNIT])
    assert machine.keeper(pace=AT_ONCE).update(machine.bundle(version="1.1")).good
    assert noted(machine).probation is None


def test_a_keeper_that_was_killed_in_a_trial_is_settled_at_once(machine: Machine) -> None:
    """Also where no unit does it: of 'provision', whose process is a child of the SSH session."""
    machine.with_hub()
    machine.slots.install(machine.bundle(version="1.1", hub={"says": WELL}))
    trying = os.fork()
    if not trying:
        with held(machine.places, "provisioning"):
            trial = Trial(Named("1.0", "one"), "a", Named("1.1", "one"), "b", datetime.now(UTC))
            machine.keeper().notes.write(State(trial))
            machine.slots.switch("b")
            time.sleep(60)
    while noted(machine).trial is None or machine.slots.linked() != "b":
        time.sleep(0.01)
    said: list[str] = []
    watching = threading.Thread(target=lambda: said.extend(watched(machine)))
    watching.start()
    time.sleep(0.2)
    assert noted(machine).trial is not None, "for as long as somebody works on it"
    os.kill(trying, 9)
    os.waitpid(trying, 0)
    watching.join(10)
    assert any("the update to 1.1 (one) was interrupted" in words for words in said)
    assert in_force(machine) == "1.0"
    assert replace(noted(machine), last=None) == State()


def test_its_time_begins_anew_after_a_going_back_that_failed(kept: Machine) -> None:
    """It was stopped for that, and started again."""
    over: list[tuple[list[str], float]] = []
    watching = threading.Thread(target=lambda: over.append((watched(kept), time.monotonic())))
    looked, seen = threading.Event(), kept.services.seen

    def seen_so(unit: str) -> UnitSeen:
        looked.set()
        return seen(unit)

    kept.services.seen = seen_so  # type: ignore[method-assign]
    watching.start()
    assert looked.wait(20)
    state, notes = noted(kept), kept.keeper().notes
    assert state.probation is not None
    assert state.last is not None
    with held(kept.places, "going back"):
        notes.write(replace(state, trial=state.probation))
        time.sleep(1.5 * QUICK.probation)
        notes.write(replace(state, last=replace(state.last, at=datetime.now(UTC))))
        began = time.monotonic()
    watching.join(20)
    said, at = over[0]
    assert said == ["release 1.1 (one) stays: it ran for 0.4 s without an end"]
    assert at - began >= QUICK.probation
