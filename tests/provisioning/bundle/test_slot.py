"""A slot runs where it is put, by itself, from what was compiled for it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from provisioning.bundle.checkout import Checkout
from provisioning.bundle.compiling import Compiler, compiler
from provisioning.bundle.packages import prune
from provisioning.bundle.slot import assemble
from provisioning.bundle.target import Target
from provisioning.errors import ProvisioningError

OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
_HUB = """\
import json, sys
import helper

def main():
    print(json.dumps([__file__, helper.__file__, helper.__cached__, sys.flags.isolated, sys.argv[1:]]))
"""


@pytest.fixture(scope="module")
def by() -> Compiler:
    return compiler(Target(os.uname().machine, OWN), print)


@pytest.fixture(scope="module")
def slot(tmp_path_factory: pytest.TempPathFactory, by: Compiler) -> Path:
    tmp_path = tmp_path_factory.mktemp("made")
    root = tmp_path / "checkout"
    for name, text in {
        "hub/__init__.py": "",
        "hub/cli/__init__.py": _HUB,
        "systemd/carehub.service": "[Service]\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    subprocess.run(("git", "-C", root, "init", "--quiet"), check=True)
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "helper.py").write_text("WORDS = frozenset('abc')\n")
    by.compile(packages)
    slot = tmp_path / "work" / "slots" / "a"
    assemble(Checkout(root, "0123456", 0), packages, by, slot)
    return slot


def test_its_command_finds_its_own_packages_from_wherever_it_is_called(slot: Path) -> None:
    (slot.parents[1] / "current").symlink_to("slots/a")
    (slot.parents[1] / "carehub").symlink_to("current/bin/carehub")
    said = subprocess.run(
        (sys.executable, "-I", slot.parents[1] / "carehub", "--help"),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert str(slot / "lib/hub/cli/__init__.py") in said
    assert str(slot / "lib/helper.py") in said
    assert '["--help"]' in said


def test_its_command_is_started_by_the_systems_python_and_nothing_from_the_environment(slot: Path) -> None:
    assert (slot / "bin/carehub").read_text().startswith("#!/usr/bin/python3 -I\n")
    assert os.access(slot / "bin/carehub", os.X_OK)


def test_bytecode_is_of_that_python_and_is_taken_without_asking_for_the_source(
    slot: Path, by: Compiler
) -> None:
    compiled = [*(slot / "lib").rglob("*.pyc")]
    assert {path.parent.parent.relative_to(slot / "lib") / path.name.split(".")[0] for path in compiled} == {
        Path("helper"),
        Path("hub/__init__"),
        Path("hub/cli/__init__"),
    }
    assert by.magic == importlib.util.MAGIC_NUMBER.hex()
    for path in compiled:
        head = path.read_bytes()[:8]
        assert head[:4].hex() == by.magic
        assert int.from_bytes(head[4:8], "little") == 0b01  # hash-based, not checked (PEP 552)


def test_bytecode_names_no_directory_of_where_it_was_made(slot: Path) -> None:
    for path in (slot / "lib").rglob("*.pyc"):
        assert str(slot.parents[2]).encode() not in path.read_bytes()


def test_its_units_are_beside_its_code(slot: Path) -> None:
    assert sorted(path.name for path in slot.iterdir()) == ["bin", "lib", "systemd"]
    assert (slot / "systemd/carehub.service").is_file()


def test_what_does_not_compile_makes_no_release(tmp_path: Path, by: Compiler) -> None:
    (tmp_path / "broken.py").write_text("def\n")
    with pytest.raises(ProvisioningError, match=r"cannot be compiled(.|\n)*SyntaxError"):
        by.compile(tmp_path)


def test_of_a_package_is_kept_what_it_needs_at_run_time_and_its_licence(tmp_path: Path) -> None:
    kept = ["numpy/core/multiarray.py", "numpy/core/multiarray.so", "numpy-1.dist-info/licenses/LICENSE"]
    kept += ["numpy-1.dist-info/METADATA", "numpy-1.dist-info/entry_points.txt", "tzdata/zoneinfo/GB"]
    gone = ["numpy/core/tests/test_x.py", "numpy/core/tests/data/x.csv", "numpy/x.pyi", "bin/f2py"]
    gone += ["numpy-1.dist-info/RECORD", "numpy-1.dist-info/uv_cache.json", "numpy/core/include/numpy/x.h"]
    for name in (*kept, *gone):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    prune(tmp_path)
    left = list(tmp_path.rglob("*"))
    assert sorted(str(path.relative_to(tmp_path)) for path in left if path.is_file()) == sorted(kept)
    assert all(any(path.iterdir()) for path in left if path.is_dir())
