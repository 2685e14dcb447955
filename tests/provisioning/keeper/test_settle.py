"""At boot: what an update that was cut off has left is put right, and a broken link is mended."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from provisioning.keeper.atomic import Disk
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.places import UNIT
from provisioning.keeper.settle import settle
from provisioning.keeper.slots import Slots
from provisioning.keeper.state import Named, Notes, State, Trial, judged
from tests.rigs.releases import Machine

TRIAL = Trial(Named("1.0", "one"), "a", Named("1.1", "two"), "b", datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
def two(machine: Machine) -> Machine:
    """1.0 in slot a and 1.1 in slot b; 1.0 is in force."""
    slots = machine.slots
    slots.switch(slots.install(machine.bundle()))
    slots.install(machine.bundle(version="1.1", build="two"))
    return machine


def notes(machine: Machine) -> Notes:
    return Notes(machine.places, Disk())


def test_where_all_is_well_nothing_is_done(two: Machine) -> None:
    notes(two).write(judged(TRIAL, "kept", "it started"))
    two.slots.switch("b")
    before = (two.places.state / "state.json").read_bytes()
    assert settle(two.places, services=two.services) == []
    assert (two.places.state / "state.json").read_bytes() == before
    assert two.slots.linked() == "b"
    assert two.services.refreshed == []


@pytest.mark.parametrize("switched", [True, False])
def test_a_trial_that_nobody_judged_is_taken_back_and_noted(two: Machine, *, switched: bool) -> None:
    notes(two).write(State(TRIAL))
    if switched:
        two.slots.switch("b")
    done = settle(two.places, services=two.services)
    assert any("1.1 (two) was interrupted" in words for words in done)
    assert two.slots.linked() == "a"
    state = notes(two).read()
    assert state.trial is None
    assert state.last is not None
    assert state.last.outcome == "interrupted"
    assert state.last.to == TRIAL.to


def test_a_keeper_that_was_killed_in_a_trial_leaves_the_hub_running_once_it_is_settled(two: Machine) -> None:
    """As carehub-update.service does when the keeper ends otherwise than by itself."""
    notes(two).write(State(TRIAL))
    two.slots.switch("b")
    two.services.start([UNIT])
    settle(two.places, services=two.services)
    two.services.wait_until_ready()
    assert two.services.refreshed == ["a"]
    two.services.stop([UNIT])
    # And where it was killed after it had stopped the hub, before it switched.
    notes(two).write(State(TRIAL))
    settle(two.places, services=two.services)
    two.services.wait_until_ready()


def test_whatever_fails_beside_a_release_that_was_taken_back_does_not_go_on_running(
    two: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes(two).write(State(TRIAL))
    two.slots.switch("b")
    two.services.start([UNIT])
    two.services.wait_until_ready()
    start, refused = two.services.restart, ["once"]

    def no_room(_slots: Slots) -> list[str]:
        raise OSError(errno.EUCLEAN, "Structure needs cleaning")

    def fails() -> list[str]:
        raise KeeperError("'systemctl daemon-reload' was not done within 20 s")

    def restart_late(units: Sequence[str]) -> None:
        if refused:
            raise KeeperError(f"'systemctl restart' failed {refused.pop()}")
        start(units)

    monkeypatch.setattr(Slots, "tidy", no_room)
    monkeypatch.setattr(two.services, "refresh", fails)
    monkeypatch.setattr(two.services, "restart", restart_late)
    before = two.services.process
    said = settle(two.places, services=two.services)
    two.services.wait_until_ready()
    assert two.services.process != before
    assert any("daemon-reload" in words for words in said)
    assert any("needs cleaning" in words for words in said)


def test_where_the_release_before_is_not_whole_any_more_the_new_one_stays(two: Machine) -> None:
    notes(two).write(State(TRIAL, probation=replace(TRIAL, to=TRIAL.from_, to_slot="a", from_slot="b")))
    two.slots.switch("b")
    (two.places.slots / "a/manifest.json").unlink()
    settle(two.places, services=two.services)
    assert two.slots.linked() == "b"
    state = notes(two).read()
    assert (state.trial, state.probation) == (None, None), "nor is a release on probation that is gone"
    assert state.last is not None
    assert "stays" in state.last.why


@pytest.mark.parametrize("outcome", ["kept", "rolled back"])
def test_a_broken_link_is_mended_to_the_release_that_had_proved_itself(two: Machine, outcome: str) -> None:
    state = judged(TRIAL, "kept", "it started")
    assert state.last is not None
    notes(two).write(State(None, replace(state.last, outcome="kept" if outcome == "kept" else "rolled back")))
    two.places.current.unlink()
    settle(two.places, services=two.services)
    assert two.slots.linked() == ("b" if outcome == "kept" else "a")
    two.services.wait_until_ready()


@pytest.mark.parametrize("target", ["slots/b", "slots/none", "/nowhere"])
def test_a_link_to_what_is_not_whole_is_mended_to_what_is(two: Machine, target: str) -> None:
    shutil.rmtree(two.places.slots / "b/bin")
    two.places.current.unlink()
    two.places.current.symlink_to(target)
    settle(two.places, services=two.services)
    assert two.slots.linked() == "a"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"trial": 1, "last": null}', '{"trial": null, "last": {}}', "\0"]
)
def test_a_spoilt_note_keeps_no_hub_from_its_release(two: Machine, text: str) -> None:
    two.places.state.mkdir(parents=True, exist_ok=True)
    (two.places.state / "state.json").write_text(text)
    assert settle(two.places, services=two.services) == []
    assert two.slots.linked() == "a"


def test_leftovers_of_an_installation_go(two: Machine) -> None:
    for name in (".b.new", ".b.new.unfinished", ".a.old"):
        (two.places.slots / name / "lib").mkdir(parents=True)
    assert len(settle(two.places, services=two.services)) == 3
    assert sorted(path.name for path in two.places.slots.iterdir()) == ["a", "b"]


def test_it_is_quick_where_there_is_nothing_to_do(two: Machine) -> None:
    began = time.monotonic()
    settle(two.places, services=two.services)
    assert time.monotonic() - began < 5
