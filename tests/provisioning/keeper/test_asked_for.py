"""What the centre asked is judged once it was cut off, by what became of it, and by nothing else."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from provisioning.keeper.asked_for import FETCH_UNIT, settle_asked
from provisioning.keeper.centre import Asked, Centre
from provisioning.keeper.judge import UnitSeen
from provisioning.keeper.places import Places
from provisioning.keeper.requested import UPDATE_UNIT
from provisioning.keeper.settle import settle
from provisioning.keeper.state import Named, State, Trial
from tests.rigs.releases import Machine, Processes

ID = str(uuid.uuid4())


@pytest.fixture
def tried(machine: Machine) -> Machine:
    """1.0 in slot a is in force, 1.1 in slot b is what the centre asked for."""
    machine.slots.switch(machine.slots.install(machine.bundle()))
    machine.slots.install(machine.bundle(version="1.1"))
    Centre(machine.places).note(Asked(ID, "a" * 64, "1.1", "one", "trying", "", datetime.now(UTC)))
    return machine


def cut_off(machine: Machine, *, asked: str) -> None:
    """A power cut in the trial, and then a boot; without a battery the clock is some minutes back."""
    began = datetime.now(UTC) - timedelta(minutes=8)
    trial = Trial(Named("1.0", "one"), "a", Named("1.1", "one"), "b", began, asked)
    machine.keeper().notes.write(State(trial))
    machine.slots.switch("b")
    settle(machine.places, services=machine.services)
    state = machine.keeper().notes.path
    said = json.loads(state.read_text())
    said["last"]["at"] = began.isoformat()
    state.write_text(json.dumps(said))


def outcome(machine: Machine) -> tuple[str, str]:
    last = Centre(machine.places).last()
    assert last is not None
    return last.outcome, last.words


def test_a_trial_that_was_cut_off_is_told_as_what_became_of_it_whatever_the_clock_is(tried: Machine) -> None:
    cut_off(tried, asked=ID)
    assert settle_asked(tried.places) == "what the centre asked (1.1, one): interrupted"
    assert outcome(tried)[0] == "interrupted"
    assert "1.0 (one) is in force again" in outcome(tried)[1]
    assert settle_asked(tried.places) is None, "once"


def test_an_engineers_trial_of_the_same_release_is_not_what_the_centre_asked(tried: Machine) -> None:
    cut_off(tried, asked="")
    settle_asked(tried.places)
    assert outcome(tried) == ("refused", "it was cut off before it was tried, as by a power cut: ask again")


def test_notes_of_a_keeper_that_did_not_say_who_asked_are_read_all_the_same(tried: Machine) -> None:
    cut_off(tried, asked=ID)
    path = tried.keeper().notes.path
    before = json.loads(path.read_text())
    del before["last"]["asked"]
    path.write_text(json.dumps(before))
    last = tried.keeper().notes.read().last
    assert last is not None
    assert (last.outcome, last.asked) == ("interrupted", "")


class Systemd(Processes):
    """With these units in these states."""

    def __init__(self, places: Places, **states: str) -> None:
        super().__init__(places)
        names = {"fetch": FETCH_UNIT, "update": UPDATE_UNIT}
        self._states = {names[name]: state for name, state in states.items()}

    def seen(self, unit: str) -> UnitSeen:
        return UnitSeen(self._states.get(unit, "inactive"), queued=unit == FETCH_UNIT)


@pytest.mark.parametrize(
    "states", [{"fetch": "deactivating", "update": "deactivating"}, {"update": "activating"}]
)
def test_what_is_handed_on_or_tried_just_now_is_not_judged_by_whoever_ends_another_update(
    tried: Machine, states: dict[str, str]
) -> None:
    assert settle_asked(tried.places, Systemd(tried.places, **states)) is None
    assert outcome(tried)[0] == "trying"


@pytest.mark.parametrize("states", [{}, {"update": "deactivating"}])
def test_at_a_boot_and_once_its_own_keeper_was_killed_it_is_judged(
    tried: Machine, states: dict[str, str]
) -> None:
    assert settle_asked(tried.places, Systemd(tried.places, **states)) is not None
    assert outcome(tried)[0] == "refused"
