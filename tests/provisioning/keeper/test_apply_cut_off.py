"""The power goes in the middle of applying, and the same is applied again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provisioning.keeper.resources import Absent, Directory, File, Link, Resource
from tests.rigs.box import Box, changes

_CUT = 77
OWING = ("file", "mode", "link", "absent")


def resources(box: Box) -> list[Resource]:
    owed = [(f"echo reloaded >>{box(f'/log-{name}')}",) for name in OWING]
    return [
        Directory("/srv/data", "0700", "carehub", "carehub"),
        File(
            "/etc/carehub/hub.toml",
            "new = 1\n",
            "0640",
            group="carehub",
            check="grep -q new {}",
            then=owed[0],
        ),
        File("/etc/mode", "same", "0600", then=owed[1]),
        Link("/etc/unit", "/opt/carehub/current/unit", owed[2]),
        Absent("/etc/old", owed[3]),
    ]


def before(directory: Path) -> Box:
    box = Box(directory)
    box("/etc/carehub").mkdir()
    box("/etc/carehub/hub.toml").write_text("old = 1\n")
    box("/etc/mode").write_text("same")
    box("/etc/mode").chmod(0o644)
    box("/etc/old").write_text("old")
    return box


def cut_after(steps: int, work: Callable[[], object]) -> bool:
    """Do it in a process that ends, without any tidying up, before its so-manieth change; whether it did."""
    child = os.fork()
    if child == 0:
        left = steps

        def counted(function: Callable[..., Any]) -> Callable[..., Any]:
            def step(*arguments: Any, **named: Any) -> Any:
                nonlocal left
                if left == 0:
                    os._exit(_CUT)
                left -= 1
                return function(*arguments, **named)

            return step

        for name in ("open", "rename", "fsync", "fchmod", "fchown", "mkdir", "symlink", "unlink"):
            setattr(os, name, counted(getattr(os, name)))
        subprocess.run = counted(subprocess.run)
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == _CUT


def test_wherever_it_is_cut_the_same_again_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    steps = 0
    while True:
        box = before(tmp_path / f"cut-{steps}")
        was_cut = cut_after(steps, lambda box=box: box.apply(*resources(box)))  # type: ignore[misc]
        old = box("/etc/carehub/hub.toml").read_text()
        assert old in ("old = 1\n", "new = 1\n"), "there is one whole file or the other"
        again = box.apply(*resources(box))
        assert "failed" not in changes(again)
        for name in OWING:
            assert box(f"/log-{name}").exists(), f"cut after {steps}: what the {name} owed was never run"
        assert changes(box.apply(*resources(box))) == ["none"] * 5
        assert box("/etc/carehub/hub.toml").read_text() == "new = 1\n"
        assert box("/etc/carehub/hub.toml").stat().st_mode & 0o777 == 0o640
        assert box("/srv/data").stat().st_mode & 0o777 == 0o700
        assert not list(box("/etc").rglob(".*")), "nothing half is left"
        if not was_cut:
            break
        steps += 1
    assert steps > 25


def test_what_was_owed_is_owed_even_where_the_next_list_is_another(tmp_path: Path) -> None:
    for steps in range(100):
        box = before(tmp_path / f"cut-{steps}")
        file = File("/etc/a", "a", then=(f"echo reloaded >>{box('/log')}",))
        assert cut_after(steps, lambda box=box, file=file: box.apply(file))  # type: ignore[misc]
        if box("/etc/a").exists():
            break
    assert not box("/log").exists()
    assert changes(box.apply()) == ["changed"]
    assert box("/log").read_text() == "reloaded\n"


@pytest.mark.parametrize("content", ["", "{", '{"a": 1}', "[1"])
def test_a_spoilt_note_of_what_is_owed_stops_nothing(tmp_path: Path, content: str) -> None:
    box = before(tmp_path / "box")
    note = box("/var/lib/carehub-keeper/owed.json")
    note.parent.mkdir(parents=True)
    note.write_text(content)
    assert changes(box.apply(File("/etc/a", "a"))) == ["changed"]
