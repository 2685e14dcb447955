"""Two slots: a release is whole in one or is not there; the one in force is never written to."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from provisioning.keeper.errors import KeeperError
from provisioning.keeper.places import Places
from provisioning.keeper.slots import MARKER, Machine, Slots, check_way
from tests.rigs import releases
from tests.rigs.site import manifest


def contents(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Every file, with when it was last changed."""
    return {
        str(path.relative_to(directory)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_a_release_is_put_into_the_idle_slot_and_is_in_force_only_once_switched(
    machine: releases.Machine,
) -> None:
    slots = machine.slots
    assert slots.in_force() is None
    assert slots.install(machine.bundle()) == "a"
    assert slots.in_force() is None
    slots.switch("a")
    assert slots.install(machine.bundle(version="1.1")) == "b"
    in_force = slots.in_force()
    assert in_force is not None
    assert in_force.version == "1.0"
    slots.switch("b")
    in_force = slots.in_force()
    assert in_force is not None
    assert in_force.version == "1.1"
    assert os.access(machine.places.current / "bin/carehub", os.X_OK)


def test_the_slot_in_force_is_not_touched_by_an_installation(machine: releases.Machine) -> None:
    slots = machine.slots
    slots.switch(slots.install(machine.bundle()))
    before = contents(machine.places.slots / "a")
    for version in ("1.1", "1.2"):
        assert slots.install(machine.bundle(version=version, build=version)) == "b"
    assert contents(machine.places.slots / "a") == before


def test_whatever_is_in_the_idle_slot_is_unpacked_anew_since_the_card_may_have_spoilt_it(
    machine: releases.Machine,
) -> None:
    slots, bundle = machine.slots, machine.bundle(version="1.1", build="two")
    slots.switch(slots.install(machine.bundle()))
    slots.install(bundle)
    program = machine.places.slots / "b/bin/carehub"
    whole = program.read_bytes()
    program.write_bytes(b"spoilt by the card")
    assert slots.install(bundle) == "b"
    assert program.read_bytes() == whole


def test_what_is_in_force_goes_into_the_other_slot_where_it_is_to_be_anew(machine: releases.Machine) -> None:
    slots, bundle = machine.slots, machine.bundle()
    slots.switch(slots.install(bundle))
    assert slots.install(bundle, anew=True) == "b"
    assert slots.linked() == "a"


def test_what_is_in_force_already_is_installed_where_it_is(machine: releases.Machine) -> None:
    slots, bundle = machine.slots, machine.bundle()
    slots.switch(slots.install(bundle))
    assert slots.install(bundle) == "a"
    assert slots.slot("b") is None


def test_what_an_interrupted_installation_left_goes_with_the_next_one(machine: releases.Machine) -> None:
    slots = machine.slots
    for name in (".a.new", ".b.old", ".b.new.unfinished"):
        (machine.places.slots / name / "lib").mkdir(parents=True)
    slots.switch(slots.install(machine.bundle()))
    assert sorted(path.name for path in machine.places.slots.iterdir()) == ["a"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architecture": "sparc64"}, "is for sparc64, and this machine is"),
        ({"pythons": ("2.7",)}, "has nothing for this machine's Python 3"),
        ({"schema": 12, "readable_from": 11}, "cannot be taken back.*intermediate release first"),
        ({"schema": 8, "readable_from": 8}, "cannot read the database"),
        ({"version": "0.9"}, "is older than 1.0"),
        ({"size": 1 << 50}, "too little room .* MB are needed and"),
    ],
)
def test_what_this_machine_cannot_use_or_could_not_take_back_is_refused_in_words_and_changes_nothing(
    machine: releases.Machine, changes: dict[str, Any], words: str
) -> None:
    slots = machine.slots
    slots.switch(slots.install(machine.bundle()))
    refused = machine.bundle(**{"version": "1.1", "build": "two", **changes})
    with pytest.raises(KeeperError, match=words):
        slots.install(refused)
    assert sorted(path.name for path in machine.places.slots.iterdir()) == ["a"]


def test_of_one_version_the_release_that_was_built_before_is_the_older_one(machine: releases.Machine) -> None:
    slots = machine.slots
    slots.switch(slots.install(machine.bundle(built=2_000)))
    for build, built in (("two", 1_999), ("three", 0)):
        with pytest.raises(KeeperError, match=r"is older than 1\.0"):
            slots.install(machine.bundle(build=build, built=built))
    assert slots.install(machine.bundle(build="four", built=2_000)) == "b"
    assert slots.install(machine.bundle(version="1.1", build="five", built=1)) == "b"


def test_versions_are_in_the_order_that_python_has_for_them() -> None:
    in_order = (
        "0.9", "1.0.dev3", "1.0a1.dev1", "1.0a1", "1.0.0b2", "1.0rc1", "1.0rc2", "1.0-trial", "1",
        "1.0.post1.dev1", "1.0.post1", "1.0.1rc1", "1.0.1", "1.2", "1.10", "2",
    )  # fmt: skip
    for older, newer in pairwise(replace(manifest(), version=each) for each in in_order):
        check_way(older, newer, older=False)
        with pytest.raises(KeeperError, match="is older than"):
            check_way(newer, older, older=False)
    for same, too in (("1.0", "1.0.0"), ("1.0rc1", "1.0.0-RC.1"), ("1.0", "v1.0+local")):
        check_way(replace(manifest(), version=same), replace(manifest(), version=too), older=False)


def test_an_older_version_goes_in_where_it_is_meant(machine: releases.Machine) -> None:
    slots = machine.slots
    slots.switch(slots.install(machine.bundle(version="0.10")))
    older = machine.bundle(version="0.9", build="two")
    assert slots.install(older, older=True) == "b"


def test_what_nobody_trusted_has_signed_is_refused(machine: releases.Machine, tmp_path: Path) -> None:
    bundle = releases.bundle(tmp_path / "x.bundle", releases.Signer(tmp_path), releases.Made())
    with pytest.raises(KeeperError, match="sign"):
        machine.slots.install(bundle)
    assert machine.slots.slot("a") is None


@pytest.mark.parametrize("lost", [MARKER, "manifest.json", "bin/carehub"])
def test_a_slot_that_lacks_something_is_not_whole_and_is_not_switched_to(
    machine: releases.Machine, lost: str
) -> None:
    slots = machine.slots
    slots.switch(slots.install(machine.bundle()))
    other = slots.install(machine.bundle(version="1.1"))
    (machine.places.slots / other / lost).unlink()
    with pytest.raises(KeeperError, match="not whole"):
        slots.switch(other)
    assert slots.linked() == "a"


@pytest.mark.parametrize("target", ["slots/c", "/somewhere/else", "slots/../a", "a"])
def test_a_link_to_anything_but_a_slot_has_none_in_force(machine: releases.Machine, target: str) -> None:
    machine.places.current.parent.mkdir(parents=True)
    machine.places.current.symlink_to(target)
    assert machine.slots.linked() is None
    assert machine.slots.in_force() is None


def test_an_image_is_made_for_its_own_python_and_architecture_not_for_those_of_who_makes_it(
    tmp_path: Path,
) -> None:
    programs = tmp_path / "usr/bin"
    programs.mkdir(parents=True)
    head = bytearray(Path(sys.executable).read_bytes()[:64])
    head[18:20] = (183).to_bytes(2, "little")  # EM_AARCH64 (elf.h)
    (programs / "python3.13").write_bytes(bytes(head))
    (programs / "python3").symlink_to("python3.13")
    assert Machine.below(tmp_path) == Machine("aarch64", "3.13")
    made = releases.Made()
    assert Machine.below(Path("/")) == Machine(made.architecture, releases.PYTHON)
    assert Slots(Places(tmp_path)).in_force() is None
