"""The power goes in the middle of applying, and the same is applied again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from provisioning.keeper.resources import Absent, Directory, File, Leftover, Link, Resource, Tree, title
from tests.rigs.box import Box, changes

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
        Tree("/usr/lib/x", {"a": "new", "b": "new"}),
    ]


def before(directory: Path) -> Box:
    box = Box(directory)
    box("/etc/carehub").mkdir()
    box("/etc/carehub/hub.toml").write_text("old = 1\n")
    box("/etc/mode").write_text("same")
    box("/etc/mode").chmod(0o644)
    box("/etc/old").write_text("old")
    box.apply(Tree("/usr/lib/x", {"a": "old", "b": "old"}))
    return box


class Cut(BaseException):
    """The power went."""


CHANGES = ("open", "rename", "fsync", "fchmod", "fchown", "mkdir", "symlink", "unlink")


def cut_after(steps: int, work: Callable[[], object]) -> bool:
    """Do it, and let the power go before its so-manieth change; whether it did. From then on nothing is
    changed any more, whatever tidies up on the way out."""
    left = steps

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            if left <= 0:
                raise Cut
            left -= 1
            return function(*arguments, **named)

        return step

    with pytest.MonkeyPatch.context() as patched:
        for name in CHANGES:
            patched.setattr(os, name, counted(getattr(os, name)))
        patched.setattr(subprocess, "run", counted(subprocess.run))
        try:
            work()
        except Cut:
            return True
    return False


def cut_and_applied_again(box: Box, steps: int, wanted: Sequence[Resource]) -> bool:
    """Whether it was cut; and then all is as if it had not been."""
    was_cut = cut_after(steps, lambda: box.apply(*wanted))
    assert box("/etc/carehub/hub.toml").read_text() in ("old = 1\n", "new = 1\n"), (
        "one whole file or the other"
    )
    used = box("/usr/lib/x").resolve()
    assert not used.exists() or len({(used / name).read_text() for name in "ab"}) == 1, "never a mix"
    assert "failed" not in changes(box.apply(*wanted))
    assert set(changes(box.apply(*wanted))) == {"none"}
    for each in wanted:
        for command in each.then if isinstance(each, File | Link | Absent) else ():
            log = Path(command.partition(">>")[2])
            assert log.exists(), f"cut after {steps}: what {title(each)} owed was never run"
    hidden = [each for each in box("/").rglob(".*") if each.name.startswith(".")]
    assert hidden == [], "nothing half is left"
    return was_cut


@pytest.mark.parametrize("number", range(6))
def test_wherever_it_is_cut_the_same_again_ends_as_if_it_had_not_been(tmp_path: Path, number: int) -> None:
    steps, was_cut = 0, True
    while was_cut:
        box = before(tmp_path / f"cut-{steps}")
        was_cut = cut_and_applied_again(box, steps, [resources(box)[number]])
        steps += 1
    assert steps > 4


def test_in_a_list_too_wherever_it_is_cut(tmp_path: Path) -> None:
    steps, was_cut = 3, True
    while was_cut:
        box = before(tmp_path / f"cut-{steps}")
        was_cut = cut_and_applied_again(box, steps, resources(box))
        assert not was_cut or box("/etc/carehub/hub.toml").stat().st_mode & 0o777 == 0o640
        assert box("/srv/data").stat().st_mode & 0o777 == 0o700
        steps += 7
    assert steps > 70


def brokers(broker: str, box: Box) -> list[Resource]:
    """What names a broker, and hub.toml that names both."""
    paths = ["/etc/carehub/ca.crt", "/etc/carehub/broker.password"]
    then = (f"echo restarted >>{box('/log')}",)
    files = [File(path, f"{broker} {path}", "0600", secret=True, named=True) for path in paths]
    return [
        *files,
        File("/etc/carehub/hub.toml", f'broker = ["{paths[0]}", "{paths[1]}"]\n', then=then),
        *(Leftover(path) for path in paths),
    ]


def test_wherever_it_is_cut_hub_toml_names_one_broker_whole(tmp_path: Path) -> None:
    steps, was_cut = 0, True
    seen = set()
    while was_cut:
        box = before(tmp_path / f"cut-{steps}")
        box.apply(*brokers("old", box))
        box("/log").unlink()
        was_cut = cut_after(steps, lambda box=box: box.apply(*brokers("new", box)))  # type: ignore[misc]
        named = box("/etc/carehub/hub.toml").read_text().split('"')[1::2]
        found = {box(path).read_text().split()[0] for path in named}
        assert len(found) == 1, "the old one's CA and password, or the new one's"
        seen |= found
        box.apply(*brokers("new", box))
        assert box("/log").exists(), "the hub is restarted"
        assert set(changes(box.apply(*brokers("new", box)))) == {"none"}
        there = {each.name for each in box("/etc/carehub").iterdir()}
        assert there == {"hub.toml", "ca-2.crt", "broker-2.password"}
        steps += 1
    assert seen == {"old", "new"}


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
