"""A power cut before and after every single change of an update, and of what settles it.

Each cut ends a real process between two changes of the disk, so that the order of them is tested; that each
is whole, and on the card when the next is made, is tested on an ext4 that is really cut (tests/machine).
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from provisioning.keeper.atomic import Disk
from provisioning.keeper.configuration import NewConfiguration
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.judge import Pace, UnitSeen
from provisioning.keeper.places import UNIT, Places
from provisioning.keeper.settle import settle
from provisioning.keeper.slots import Slots
from provisioning.keeper.state import Named, Notes, State, Trial
from provisioning.keeper.trial import Keeper
from tests.rigs.releases import WELL, Machine

AT_ONCE = Pace(patience=2, soak=0.0, steady=0.0, answer=20, look=0.001, kill=0.1, back=1.0)
CUT, DONE = 9, 0
BRINGS = {"systemd/new.service": "[Unit]", "systemd/links": "new.service /etc/systemd/system/new.service\n"}


class OnPaper:
    """A hub that runs, but where slot b is in force and bad: then it has failed."""

    def __init__(self, places: Places, *, bad: bool) -> None:
        self._slots = Slots(places)
        self._bad = bad

    def running(self) -> bool:
        return True

    def wanted(self, unit: str) -> bool:
        return unit == UNIT

    def seen(self, unit: str) -> UnitSeen:
        if self._bad and self._slots.linked() == "b":
            return UnitSeen("failed", "failed", "exit-code", code=1)
        return UnitSeen("active", "running")

    def stop(self, units: Sequence[str]) -> None:
        pass

    def kill(self, units: Sequence[str], seconds: float) -> None:
        pass

    def start(self, units: Sequence[str]) -> None:
        pass

    def restart(self, units: Sequence[str]) -> None:
        pass

    def refresh(self) -> list[str]:
        return []


@pytest.fixture
def answering(machine: Machine) -> Iterator[Machine]:
    """A machine whose hub, whichever it is, answers that it is well."""
    path = machine.places.root / "run/carehub/control.sock"
    path.parent.mkdir()
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(64)

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection, suppress(OSError):  # whoever asked may have given up
                command = json.loads(connection.makefile().readline())["command"]
                said = WELL if command == "status" else {"committed": "now"}
                connection.sendall(json.dumps({"result": said}).encode() + b"\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield machine
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def cut_at(number: int, work: Callable[[Disk], object]) -> int:
    """Do the work in a process of its own, which ends before its change of that number; how it ended."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    made = 0

    def step(_words: str) -> None:
        nonlocal made
        made += 1
        if made == number:
            os._exit(CUT)

    try:
        work(Disk(step))
    except BaseException:  # noqa: BLE001  # whatever it is, this process must not go on as the test
        os._exit(1)
    os._exit(DONE)


def assert_sane(machine: Machine, *, bad: bool) -> None:
    """A whole release is in force that had proved itself, and nothing is left of what was begun."""
    state, current = Notes(machine.places, Disk()).read(), machine.slots.current()
    assert current is not None
    assert state.trial is None
    kept = state.last is not None and state.last.outcome == "kept"
    assert current.manifest.version == ("1.1" if kept else "1.0")
    assert not (bad and kept)
    whole = machine.places.current / "lib/version.txt"
    assert whole.read_text() == f"{current.manifest.version} one"
    assert {path.name for path in machine.places.slots.iterdir()} <= {"a", "b"}


@pytest.mark.parametrize("bad", [False, True])
def test_after_a_cut_at_any_moment_of_an_update_a_whole_release_that_proved_itself_is_in_force(
    answering: Machine, *, bad: bool
) -> None:
    machine, services = answering, OnPaper(answering.places, bad=bad)
    new, slots = machine.bundle(version="1.1", brings=BRINGS), machine.slots
    slots.switch(slots.install(machine.bundle()))
    hub_toml, staged = machine.places.etc / "hub.toml", machine.places.etc / ".hub.toml.new"
    # What is replaced in the idle slot goes in several changes too.
    slots.install(machine.bundle(version="0.9"), older=True)
    beginning = machine.places.root / "beginning"
    shutil.copytree(machine.places.slots, beginning)

    def begin_anew() -> None:
        slots.switch("a")
        for left in (machine.places.slots, machine.places.state, machine.places.root / "etc/systemd"):
            shutil.rmtree(left, ignore_errors=True)
        for path, text in ((hub_toml, "old = 1\n"), (staged, "new = 1\n")):
            path.unlink(missing_ok=True)
            path.write_text(text)
        shutil.copytree(beginning, machine.places.slots)

    def update(disk: Disk) -> None:
        Keeper(machine.places, services=services, disk=disk, pace=AT_ONCE).update(
            new, configuration=NewConfiguration(staged, lambda _slot: None)
        )

    def settled(disk: Disk) -> None:
        settle(machine.places, services=services, disk=disk)

    number, outcomes = 1, set()
    while True:
        begin_anew()
        ended = cut_at(number, update)
        assert ended in (CUT, DONE)
        assert slots.current() is not None, "a hub starts though settling fails"
        # Cut in settling as well, now here and now there.
        cut_at(1 + number % 9, settled)
        settled(Disk())
        assert_sane(machine, bad=bad)
        # What goes with a release is there with it, and not without it.
        new_is_in_force = slots.linked() == "b"
        assert hub_toml.read_text() == ("new = 1\n" if new_is_in_force else "old = 1\n")
        assert (machine.places.root / "etc/systemd/system/new.service").is_symlink() == new_is_in_force
        last = Notes(machine.places, Disk()).read().last
        outcomes.add(None if last is None else last.outcome)
        # And settling it once more changes nothing.
        assert settle(machine.places, services=services) == []
        if ended == DONE:
            break
        number += 1
    assert number > 15
    assert outcomes == {None, "interrupted", "rolled back" if bad else "kept"}


def test_an_update_can_be_done_after_one_that_was_cut(answering: Machine) -> None:
    machine, services = answering, OnPaper(answering.places, bad=False)
    slots, new = machine.slots, machine.bundle(version="1.1")
    slots.switch(slots.install(machine.bundle()))

    def update(disk: Disk) -> None:
        Keeper(machine.places, services=services, disk=disk, pace=AT_ONCE).update(new)

    for number in range(1, 40, 4):
        ended = cut_at(number, update)
        settle(machine.places, services=services)
        if ended == DONE:
            break
    update(Disk())
    assert_sane(machine, bad=False)
    in_force = slots.in_force()
    assert in_force is not None
    assert in_force.version == "1.1"


def test_each_cut_of_settling_is_settled_by_the_next(answering: Machine) -> None:
    machine, services = answering, OnPaper(answering.places, bad=False)
    slots = machine.slots
    slots.switch(slots.install(machine.bundle()))
    slots.install(machine.bundle(version="1.1"))
    proved, new = Named("1.0", "one"), Named("1.1", "one")
    number, ended = 1, CUT
    while ended == CUT:
        # In the middle of a trial, and with leftovers.
        Notes(machine.places, Disk()).write(State(Trial(proved, "a", new, "b", datetime.now(UTC))))
        slots.switch("b")
        (machine.places.slots / ".a.new/lib").mkdir(parents=True, exist_ok=True)
        ended = cut_at(number, lambda disk: settle(machine.places, services=services, disk=disk))
        settle(machine.places, services=services)
        assert_sane(machine, bad=True)
        number += 1
    assert number > 6


def test_a_machine_with_no_whole_release_says_what_to_do(machine: Machine) -> None:
    assert settle(machine.places, services=machine.services) == [], "nor is one wanted before the first"
    slots = machine.slots
    slots.switch(slots.install(machine.bundle()))
    (machine.places.slots / "a/manifest.json").unlink()
    with pytest.raises(KeeperError, match="carehub provision"):
        settle(machine.places, services=machine.services)
