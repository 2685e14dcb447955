"""The hub.toml that is kept for the release before: it is there for as long as that may be gone back to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from provisioning.keeper.atomic import Disk
from provisioning.keeper.configuration import Configuration, NewConfiguration
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.health import ask
from provisioning.keeper.places import UNIT
from provisioning.keeper.settle import settle
from tests.rigs.releases import QUICK, WELL, Machine

AT_ONCE = replace(QUICK, soak=0.0, steady=0.0)
WHY = "it ended"


@pytest.fixture
def hub_toml(machine: Machine) -> Path:
    path = machine.places.etc / "hub.toml"
    path.write_text("old = 1\n")
    return path


def knowing(*keys: str, **more: Any) -> dict[str, Any]:
    """A hub that knows these keys of a hub.toml, and refuses another."""
    return {"says": WELL, "knows": list(keys), **more}


def renewed(machine: Machine, hub: dict[str, Any]) -> None:
    """1.0 was in force with "old = 1", and 1.1 is on probation with "new = 1", which came with it."""
    machine.with_hub(hub=hub)
    new = machine.places.etc / ".hub.toml.new"
    new.write_text("new = 1\n")
    bundle, came = (
        machine.bundle(version="1.1", hub=knowing("new")),
        NewConfiguration(new, lambda _slot: None),
    )
    assert machine.keeper(pace=AT_ONCE).update(bundle, configuration=came).good
    machine.services.wait_until_ready()


def changed(path: Path, text: str) -> None:
    """Today, by a person."""
    time.sleep(0.02)
    path.unlink(missing_ok=True)  # what is kept is the same file
    path.write_text(text)


def taken_back(machine: Machine) -> str:
    """As who watches over 1.1 does it."""
    keeper = machine.keeper(pace=AT_ONCE)
    probation = keeper.notes.read().probation
    assert probation is not None
    return keeper.take_back(probation, WHY).why


def kept(machine: Machine, slot: str = "a") -> Path:
    return Configuration(machine.places, Disk()).of(slot)


def in_force(machine: Machine) -> tuple[str, str]:
    found = machine.slots.in_force()
    assert found is not None
    return found.version, (machine.places.etc / "hub.toml").read_text()


@contextmanager
def failing(machine: Machine, by: BaseException) -> Iterator[None]:
    """systemd does not take up the units of the release that the link leads to now; or the power goes."""
    refresh = machine.services.refresh

    def fails() -> list[str]:
        raise by

    machine.services.refresh = fails  # type: ignore[method-assign]
    try:
        yield
    finally:
        machine.services.refresh = refresh  # type: ignore[method-assign]


def fails(machine: Machine) -> None:
    with failing(machine, KeeperError("'systemctl daemon-reload' failed")):
        assert machine.keeper(pace=AT_ONCE).roll_back().outcome == "rolled back"


def is_cut_off(machine: Machine) -> None:
    with failing(machine, SystemExit()), pytest.raises(SystemExit):
        machine.keeper(pace=AT_ONCE).roll_back()
    assert in_force(machine) == ("1.0", "old = 1\n")
    settle(machine.places, services=machine.services)


@pytest.mark.parametrize("goes_wrong", [fails, is_cut_off])
def test_it_is_there_still_after_a_going_back_that_did_not_succeed(
    machine: Machine, hub_toml: Path, goes_wrong: Callable[[Machine], None]
) -> None:
    """Used up, it would be missed where 1.1 is taken back later: 1.0 refuses that of 1.1, again and again."""
    renewed(machine, knowing("old"))
    for _ in range(2):
        goes_wrong(machine)
        assert in_force(machine) == ("1.1", "new = 1\n")
        assert kept(machine).read_text() == "old = 1\n"
    assert taken_back(machine) == WHY
    assert in_force(machine) == ("1.0", "old = 1\n")
    assert ask(machine.places, 20) is not None, "it runs with that"


def test_one_that_came_with_a_release_goes_with_it_though_the_one_before_would_take_it(
    machine: Machine, hub_toml: Path
) -> None:
    """It may name the broker that 1.1 could not live with."""
    renewed(machine, knowing("old", "new"))
    assert taken_back(machine) == WHY
    assert in_force(machine) == ("1.0", "old = 1\n")


def test_one_that_a_person_changed_since_stays_where_the_release_before_takes_it(
    machine: Machine, hub_toml: Path
) -> None:
    renewed(machine, knowing("old", "new"))
    changed(hub_toml, "new = 2\n")
    assert taken_back(machine) == WHY
    assert in_force(machine) == ("1.0", "new = 2\n")
    assert not kept(machine).exists()


def test_one_that_a_person_changed_since_makes_room_where_the_release_before_refuses_it(
    machine: Machine, hub_toml: Path
) -> None:
    renewed(machine, knowing("old"))
    changed(hub_toml, "new = 2\n")
    assert (
        taken_back(machine) == f"{WHY}; with the hub.toml that it had then, since it refuses the one of today"
    )
    assert in_force(machine) == ("1.0", "old = 1\n")


def test_it_is_kept_where_the_release_before_takes_that_of_today_and_yet_does_not_answer(
    machine: Machine, hub_toml: Path
) -> None:
    renewed(machine, knowing("old", "new"))
    program = machine.places.slots / "a/bin/carehub"
    program.write_text(program.read_text().replace("'knows'", "'ends': 1, 'knows'"))
    changed(hub_toml, "new = 2\n")
    machine.services.kill([UNIT], 1)
    assert taken_back(machine).endswith(f"'carehub doctor'. {kept(machine)} is the hub.toml that it had then")
    assert in_force(machine) == ("1.0", "new = 2\n")
    assert kept(machine).read_text() == "old = 1\n"


def test_a_power_cut_while_a_release_is_taken_back_leaves_what_a_person_changed(
    machine: Machine, hub_toml: Path
) -> None:
    renewed(machine, knowing("old", "new"))
    changed(hub_toml, "new = 2\n")
    with failing(machine, SystemExit()), pytest.raises(SystemExit):
        taken_back(machine)
    settle(machine.places, services=machine.services)
    assert in_force(machine) == ("1.0", "new = 2\n")


def test_a_release_for_which_there_is_no_hub_toml_is_not_gone_back_to(
    machine: Machine, hub_toml: Path
) -> None:
    renewed(machine, knowing("old"))
    changed(hub_toml, "new = 2\n")
    kept(machine).unlink()
    with pytest.raises(KeeperError, match=r"^it ended; and 1\.0 \(one\) refuses .* no other is kept"):
        taken_back(machine)
    assert in_force(machine) == ("1.1", "new = 2\n")
    state = machine.keeper().notes.read()
    assert (state.trial, state.probation) == (None, None)


def test_by_hand_it_is_the_kept_one_that_a_person_puts_right(machine: Machine, hub_toml: Path) -> None:
    """What runs must find its own, should the release before not prove itself."""
    renewed(machine, knowing("old"))
    changed(hub_toml, "old = 2\n")
    with pytest.raises(
        KeeperError, match=r"1\.1 \(one\) runs, and refuses .* belongs in .*\.hub\.toml\.of-a"
    ):
        machine.keeper(pace=AT_ONCE).roll_back()
    changed(hub_toml, "new = 2\n")
    with pytest.raises(KeeperError, match=r"refuses .*hub\.toml, which was changed since.*touch .*of-a"):
        machine.keeper(pace=AT_ONCE).roll_back()
    changed(kept(machine), "other = 1\n")
    with pytest.raises(
        KeeperError, match=r"refuses .*hub\.toml, and .*of-a too: .*/a/bin/carehub check-config"
    ):
        machine.keeper(pace=AT_ONCE).roll_back()
    assert in_force(machine) == ("1.1", "new = 2\n")
    changed(kept(machine), "old = 2\n")
    assert machine.keeper(pace=AT_ONCE).roll_back().good
    assert in_force(machine) == ("1.0", "old = 2\n")
    assert not kept(machine).exists(), "it is in force"
    assert kept(machine, "b").read_text() == "new = 2\n"
    assert not list(machine.places.etc.glob(".*.again"))
