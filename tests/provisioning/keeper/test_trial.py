"""A release has to prove itself: with real processes on a real control socket; the systemd is played."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from provisioning.keeper.apply import apply
from provisioning.keeper.atomic import Disk
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.health import ask, database_size
from provisioning.keeper.held import held
from provisioning.keeper.judge import UnitSeen
from provisioning.keeper.look import look
from provisioning.keeper.places import PAGE_UNIT, UNIT
from provisioning.keeper.resources import Release
from provisioning.keeper.settle import settle
from provisioning.keeper.state import Named, State, Trial
from provisioning.keeper.trial import Keeper
from tests.rigs.releases import QUICK, WELL, Machine, Processes

AWAY: dict[str, Any] = {**WELL, "broker": {"connected": False}}
HUNG: dict[str, Any] = {
    **WELL,
    "progress": {"well": True, "stages": {"outbox": {"well": True, "turned": False, "words": "gets on"}}},
}
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "crashes at start": ({"ends": 1}, "the hub ended with exit code 1"),
    "hangs once ready": ({"says": WELL, "hangs after": 0.0}, "the hub hung"),
    "hangs a little later": ({"says": WELL, "hangs after": 0.3}, "the hub hung"),
    "ends a little later": ({"says": WELL, "ends after": 0.3}, "the hub ended with exit code 1"),
    "does not reach the broker": ({"says": AWAY}, "did not reach the broker"),
    "may publish nothing": ({"says": WELL, "publishes nothing": True}, "did not take what it published"),
    "has no stage": ({"says": {**WELL, "progress": {"well": True, "stages": {}}}}, "no stage"),
    "has a stage that hangs from the start": ({"says": HUNG}, "outbox: it has not got on once"),
    "does not commit": ({"says": WELL, "commits nothing": True}, "did not commit"),
    "answers nonsense": ({"says": []}, "the hub hung"),
}


def noted(machine: Machine) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((machine.places.state / "state.json").read_text())
    return said


def in_force(machine: Machine) -> str:
    found = machine.slots.in_force()
    assert found is not None
    return found.version


def test_the_first_release_is_in_force_untried_and_starts_nothing(machine: Machine) -> None:
    verdict = machine.keeper().update(machine.bundle())
    assert (verdict.good, verdict.outcome) == (True, "kept")
    assert in_force(machine) == "1.0"
    assert machine.services.seen(UNIT) == UnitSeen("inactive")


def test_a_release_that_proves_itself_is_kept_and_noted(machine: Machine) -> None:
    machine.with_hub()
    verdict = machine.keeper().update(machine.bundle(version="1.1", build="two"))
    assert verdict.good
    assert "release 1.1 (two) is in force: it started" in verdict.words
    assert in_force(machine) == "1.1"
    assert machine.services.seen(UNIT).running
    state = noted(machine)
    assert state["trial"] is None
    assert state["last"]["outcome"] == "kept"
    assert state["last"]["from"] == {"version": "1.0", "build": "one"}
    assert state["last"]["to"] == {"version": "1.1", "build": "two"}
    assert machine.services.refreshed == ["b"]


@pytest.mark.parametrize("fault", BAD)
def test_a_release_that_does_not_prove_itself_is_taken_back_and_why_is_said(
    machine: Machine, fault: str
) -> None:
    machine.with_hub()
    hub, words = BAD[fault]
    # Its patience is not what ends it, nor may a look that is late take it for one that has lasted.
    pace = replace(QUICK, patience=60, soak=4)
    if "hangs after" in hub:
        pace = replace(pace, answer=0.4)
    began = time.monotonic()
    verdict = machine.keeper(pace=pace).update(machine.bundle(version="1.1", hub=hub))
    assert verdict.outcome == "rolled back"
    assert not verdict.good
    assert words in verdict.why
    assert in_force(machine) == "1.0"
    assert ask(machine.places, 20) is not None, "the release before answers again"
    assert machine.services.refreshed == ["b", "a"]
    assert noted(machine)["trial"] is None
    assert noted(machine)["last"]["outcome"] == "rolled back"
    assert words in noted(machine)["last"]["why"]
    assert time.monotonic() - began < pace.patience


def test_what_cannot_be_seen_at_once_is_still_seen_long_before_patience_ends(machine: Machine) -> None:
    machine.with_hub()
    began = time.monotonic()
    machine.keeper(pace=replace(QUICK, patience=60)).update(machine.bundle(version="1.1", hub={"ends": 1}))
    assert time.monotonic() - began < 20


def test_a_broker_that_was_not_reached_before_is_not_asked_of_the_new_release(machine: Machine) -> None:
    machine.with_hub(hub={"says": AWAY})
    assert machine.keeper().update(machine.bundle(version="1.1", hub={"says": AWAY})).good


def test_a_broker_that_is_away_just_now_is_asked_of_the_new_release_all_the_same(machine: Machine) -> None:
    machine.with_hub(hub={"says": AWAY, "later": WELL, "later after": 0.3})
    verdict = machine.keeper(pace=replace(QUICK, before=3)).update(
        machine.bundle(version="1.1", hub={"says": AWAY})
    )
    assert "did not reach the broker" in verdict.why


def test_where_the_release_before_is_not_to_be_believed_nothing_is_compared_with_it(machine: Machine) -> None:
    machine.with_hub()
    bare = {**WELL, "broker": {"connected": False}, "card": "full", "radio": None, "usb": None}
    release = machine.bundle(version="1.1", hub={"says": bare})
    assert not machine.keeper().update(release).good
    assert machine.keeper(compared=False).update(release).good


def test_how_large_the_database_is_is_asked_where_the_configuration_has_it(machine: Machine) -> None:
    assert database_size(machine.places) == 0
    for directory in (machine.places.data, machine.places.root / "srv/hub"):
        directory.mkdir(parents=True)
        (directory / "carehub.db").write_bytes(bytes(len(str(directory.name))))
        (directory / "carehub.db-wal").write_bytes(bytes(1000))
    assert database_size(machine.places) == 1007
    (machine.places.etc / "hub.toml").write_text('[hub]\ndata_directory = "/srv/hub"\n')
    assert database_size(machine.places) == 1003


def test_patience_by_hand_is_all_that_it_has_and_reaches_the_broker_too(machine: Machine) -> None:
    machine.with_hub()
    slow = machine.bundle(version="1.1", hub={"says": AWAY, "later": WELL, "later after": 0.9})
    assert machine.keeper(patience=16).update(slow).good
    never = machine.bundle(version="1.2", hub={"never ready": True})
    verdict = machine.keeper(patience=1).update(never, on_probation=True)
    waited = re.fullmatch(r"it was not ready \((\d+) s after its start\)", verdict.why)
    assert waited
    assert int(waited[1]) < QUICK.patience
    assert in_force(machine) == "1.1"


def test_a_hub_that_is_broken_can_be_updated_out_of_it(machine: Machine) -> None:
    machine.keeper().update(machine.bundle(hub={"ends": 1}))
    machine.services.start([UNIT])
    verdict = machine.keeper().update(machine.bundle(version="1.1", hub={"says": AWAY}))
    assert verdict.good


def test_a_release_before_that_does_not_come_back_is_said_so(machine: Machine) -> None:
    machine.keeper().update(machine.bundle(hub={"ends": 1}))
    verdict = machine.keeper(pace=replace(QUICK, back=0.3)).update(
        machine.bundle(version="1.1", hub={"ends": 3})
    )
    assert in_force(machine) == "1.0"
    assert "the release before has not answered" in verdict.why
    assert noted(machine)["last"]["why"] == verdict.why


def test_the_release_in_force_is_no_update(machine: Machine) -> None:
    machine.with_hub()
    before = machine.services.seen(UNIT)
    verdict = machine.keeper().update(machine.bundle())
    assert verdict.outcome == "unchanged"
    assert verdict.good
    assert machine.services.seen(UNIT) == before
    assert machine.services.refreshed == []
    assert not (machine.places.state / "state.json").exists()


def test_what_failed_is_unpacked_anew_when_it_is_tried_again(machine: Machine) -> None:
    machine.with_hub()
    bundle = machine.bundle(version="1.1", hub={"says": WELL})
    machine.keeper().update(machine.bundle(version="1.2", hub={"ends": 1}))
    machine.keeper().slots.install(bundle)
    (machine.places.slots / "b/bin/carehub").write_text("spoilt by the card")
    assert machine.keeper().update(bundle).good


def test_where_the_hub_is_not_enabled_a_release_is_only_put_in_force_and_that_is_said(
    machine: Machine,
) -> None:
    machine.services = Processes(machine.places, enabled=())
    machine.keeper().update(machine.bundle())
    verdict = machine.keeper().update(machine.bundle(version="1.1", hub={"ends": 1}))
    assert verdict.good
    assert "not tried" in verdict.why
    assert in_force(machine) == "1.1"


def test_a_staff_page_that_ran_before_must_run_after(machine: Machine) -> None:
    machine.services = Processes(machine.places, enabled=(UNIT, PAGE_UNIT))
    machine.with_hub()
    machine.services.page = UnitSeen("active", "running")
    assert machine.keeper().update(machine.bundle(version="1.1")).good

    start = machine.services.start

    def started_and_the_page_dies(units: Sequence[str]) -> None:
        if machine.slots.linked() == "a":
            machine.services.page = UnitSeen("failed", "failed", "exit-code", code=1)
        start(units)

    machine.services.start = started_and_the_page_dies  # type: ignore[method-assign]
    verdict = machine.keeper().update(machine.bundle(version="1.2"), on_probation=True)
    assert "the staff page ended" in verdict.why
    assert in_force(machine) == "1.1"


def test_a_release_in_force_that_the_card_has_spoilt_is_mended_by_its_own_bundle(machine: Machine) -> None:
    machine.with_hub()
    machine.services.stop([UNIT])
    assert machine.keeper().update(machine.bundle()).outcome == "unchanged", "it was stopped by hand"
    (machine.places.slots / "a/bin/carehub").write_text("spoilt by the card")
    machine.services.start([UNIT])
    while not machine.services.seen(UNIT).ended:
        time.sleep(0.01)
    verdict = machine.keeper().update(machine.bundle())
    assert verdict.outcome == "kept", verdict.why
    assert machine.slots.linked() == "b"
    assert ask(machine.places, 20) is not None


def test_a_hub_that_is_only_starting_is_waited_for_and_compared_with(machine: Machine) -> None:
    machine.with_hub()
    machine.places.data.mkdir(parents=True)
    with (machine.places.data / "carehub.db").open("wb") as database:
        database.truncate(50_000_000)  # ten seconds may it take to be read whole
    seen, until = machine.services.seen, time.monotonic() + 1.5

    def still_starting(unit: str) -> UnitSeen:
        starting = unit == UNIT and machine.slots.linked() == "a" and time.monotonic() < until
        return UnitSeen("activating", "start") if starting else seen(unit)

    machine.services.seen = still_starting  # type: ignore[method-assign]
    verdict = machine.keeper().update(machine.bundle(version="1.1", hub={"says": AWAY}))
    assert "did not reach the broker" in verdict.why


def test_an_update_that_is_refused_changes_nothing(machine: Machine) -> None:
    machine.with_hub()
    with pytest.raises(KeeperError, match="older"):
        machine.keeper().update(machine.bundle(version="0.9"))
    assert machine.services.seen(UNIT).running
    assert in_force(machine) == "1.0"
    assert not (machine.places.state / "state.json").exists()


def cut_off(machine: Machine) -> None:
    """As a keeper that was killed in the middle of a trial leaves a machine with 1.0 in a and 1.1 in b."""
    trial = Trial(Named("1.0", "one"), "a", Named("1.1", "one"), "b", datetime.now(UTC))
    machine.keeper().notes.write(State(trial))
    machine.slots.switch("b")


def test_a_trial_that_was_interrupted_is_settled_before_the_next(machine: Machine) -> None:
    machine.with_hub()
    machine.slots.install(machine.bundle(version="1.1"))
    cut_off(machine)
    assert machine.keeper().update(machine.bundle(version="1.2")).good
    assert any("the update to 1.1 (one) was interrupted" in words for words in machine.words)
    assert noted(machine)["last"]["from"]["version"] == "1.0"
    assert in_force(machine) == "1.2"


def test_a_release_whose_trial_was_interrupted_is_not_yet_the_one_that_provisioning_wants(
    machine: Machine,
) -> None:
    bundle, slots = machine.bundle(version="1.1"), machine.slots
    slots.switch(slots.install(machine.bundle()))
    slots.install(bundle)
    cut_off(machine)
    current, new = slots.slot("a"), slots.slot("b")
    assert current is not None
    assert new is not None
    assert look(machine.places, "pi")["sha256"] == current.sha256, "so that the bundle is brought"
    (outcome,) = apply([Release(new.sha256, str(bundle))], machine.places, dry_run=False, live=False)
    assert outcome.change == "changed"
    assert noted(machine)["trial"] is None
    assert slots.linked() == "b"


def test_neither_a_lost_session_nor_ctrl_c_ends_a_trial_half_way(machine: Machine) -> None:
    machine.with_hub()
    before, start, sent = signal.getsignal(signal.SIGINT), machine.services.start, list[signal.Signals]()

    def disturbed(units: Sequence[str]) -> None:
        for each in (signal.SIGHUP, signal.SIGINT) if machine.slots.linked() == "b" else ():
            os.kill(os.getpid(), each)
            sent.append(each)
        start(units)

    machine.services.start = disturbed  # type: ignore[method-assign]
    verdict = machine.keeper().update(machine.bundle(version="1.1"))
    assert sent
    assert verdict.good
    assert signal.getsignal(signal.SIGINT) is before


def test_a_systemd_that_fails_in_the_middle_is_a_reason_to_go_back(machine: Machine) -> None:
    machine.with_hub()

    def refresh() -> list[str]:
        if machine.slots.linked() == "b":
            raise KeeperError("'systemctl daemon-reload' failed: no room")
        return []

    machine.services.refresh = refresh  # type: ignore[method-assign]
    verdict = machine.keeper().update(machine.bundle(version="1.1"))
    assert "no room" in verdict.why
    assert in_force(machine) == "1.0"
    assert machine.keeper().notes.read() != State()


def test_whatever_systemd_refuses_on_the_way_back_the_release_before_runs_again(machine: Machine) -> None:
    """Nobody else starts it before the next boot: a home would be without its hub until an engineer came."""
    machine.with_hub()
    start, refused = machine.services.start, ["once", "and once more"]

    def refresh() -> list[str]:
        raise KeeperError("'systemctl daemon-reload' was not done within 20 s")

    def start_late(units: Sequence[str]) -> None:
        if machine.slots.linked() == "a" and refused:
            raise KeeperError(f"'systemctl start' failed {refused.pop()}")
        start(units)

    machine.services.refresh = refresh  # type: ignore[method-assign]
    machine.services.start = start_late  # type: ignore[method-assign]
    verdict = machine.keeper().update(machine.bundle(version="1.1"))
    assert verdict.outcome == "rolled back"
    assert "on the way back: 'systemctl daemon-reload'" in verdict.why
    assert in_force(machine) == "1.0"
    machine.services.wait_until_ready()


class FailingCard(Disk):
    """Takes the switch to the new slot, and nothing after it: as ext4 does that made itself read-only."""

    def __init__(self) -> None:
        super().__init__(self._refuse)
        self.after = False

    def _refuse(self, step: str) -> None:
        if self.after:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def link(self, path: Path, to: str) -> None:
        super().link(path, to)
        self.after = True


def test_a_card_that_takes_nothing_in_a_trial_keeps_no_hub_from_running(machine: Machine) -> None:
    machine.with_hub()
    card = FailingCard()
    with pytest.raises(KeeperError, match="taken back at the next start"):
        machine.keeper(disk=card).update(machine.bundle(version="1.1", hub={"says": AWAY}))
    machine.services.wait_until_ready()
    machine.services.stop([UNIT])
    with pytest.raises(OSError, match="Read-only"):
        settle(machine.places, services=machine.services, disk=card)
    machine.services.wait_until_ready()
    # The card has been mended, and the machine starts anew.
    settle(machine.places, services=machine.services)
    assert in_force(machine) == "1.0"


def test_nobody_but_root_can_hold_the_keepers_lock(machine: Machine) -> None:
    machine.places.state.mkdir(parents=True, exist_ok=True)
    lock = machine.places.state / "lock"
    lock.touch(0o644)
    with held(machine.places, "a test"):
        assert lock.stat().st_mode & 0o777 == 0o600


def test_a_listener_who_has_gone_is_no_reason_to_go_back(machine: Machine) -> None:
    machine.with_hub()

    def gone(_words: str) -> None:
        raise BrokenPipeError

    keeper = Keeper(machine.places, services=machine.services, pace=QUICK, tell=gone)
    assert keeper.update(machine.bundle(version="1.1")).good
