"""Going back by hand: to the release that was in force before, and to no other; the systemd is played."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioning.keeper.configuration import NewConfiguration
from provisioning.keeper.errors import KeeperError
from tests.rigs.releases import Machine


def in_force(machine: Machine) -> str:
    found = machine.slots.in_force()
    assert found is not None
    return found.version


def test_going_back_by_hand_is_a_trial_too(machine: Machine) -> None:
    machine.with_hub()
    with pytest.raises(KeeperError, match="no release to go back to"):
        machine.keeper().roll_back()
    machine.keeper().update(machine.bundle(version="1.1"))
    verdict = machine.keeper().roll_back()
    assert verdict.good
    assert in_force(machine) == "1.0"
    state = machine.keeper().notes.read()
    assert state.last is not None
    assert state.last.from_.version == "1.1"
    assert state.probation is None, "nobody wants 1.1 back"


def test_there_is_no_going_back_to_what_was_just_taken_back(machine: Machine) -> None:
    machine.with_hub()
    machine.keeper().update(machine.bundle(version="1.1", hub={"ends": 1}))
    with pytest.raises(KeeperError, match=r"1\.1 \(one\), which was rolled back .*carehub update FILE"):
        machine.keeper().roll_back()
    assert in_force(machine) == "1.0"


def test_there_is_no_going_back_to_what_cannot_read_the_database(machine: Machine) -> None:
    slots = machine.slots
    slots.switch(slots.install(machine.bundle(version="1.0", schema=9, readable_from=9)))
    slots.switch(slots.install(machine.bundle(version="1.1", schema=10, readable_from=9)))
    machine.keeper().update(machine.bundle(version="1.2", schema=11, readable_from=10))
    slots.switch("b")
    (machine.places.slots / "a/manifest.json").write_text(
        (machine.places.slots / "a/manifest.json").read_text().replace('"schema": 11', '"schema": 8')
    )
    with pytest.raises(KeeperError, match="cannot read the database"):
        machine.keeper().roll_back()


def test_there_is_no_going_back_to_what_was_never_in_force(machine: Machine) -> None:
    machine.with_hub()
    assert machine.keeper().update(machine.bundle(version="1.1")).good
    machine.keeper().notes.write(replace(machine.keeper().notes.read(), probation=None))
    staged = machine.places.etc / ".hub.toml.new"
    staged.write_text("new = 1\n")
    refusing = NewConfiguration(staged, lambda _slot: "hub.other")
    with pytest.raises(KeeperError, match=r"hub\.other\. 1\.0 \(one\) made room for it"):
        machine.keeper().update(machine.bundle(version="1.2"), configuration=refusing)
    with pytest.raises(KeeperError, match=r"has 1\.2 \(one\), and it is not noted that it was"):
        machine.keeper().roll_back()
    assert in_force(machine) == "1.1"


def test_a_going_back_that_fails_leaves_the_release_watched_over_and_may_be_tried_again(
    machine: Machine,
) -> None:
    machine.with_hub()
    keeper = machine.keeper()
    assert keeper.update(machine.bundle(version="1.1")).good
    watched, refresh = keeper.notes.read().probation, machine.services.refresh
    assert watched is not None

    def fails() -> list[str]:
        raise KeeperError("'systemctl daemon-reload' failed")

    machine.services.refresh = fails  # type: ignore[method-assign]
    assert keeper.roll_back().outcome == "rolled back"
    assert in_force(machine) == "1.1"
    assert keeper.notes.read().probation == watched
    machine.services.refresh = refresh  # type: ignore[method-assign]
    assert keeper.roll_back().good
