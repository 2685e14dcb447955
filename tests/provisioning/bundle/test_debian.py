"""What this machine lacks for building a release is said, with how to get it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioning.bundle.debian import tree
from provisioning.bundle.target import Target
from provisioning.errors import ProvisioningError

OWN = Target(os.uname().machine, "3.11")


@pytest.fixture(autouse=True)
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no programme but those put into this directory, and nothing built yet."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return programs


def put(programs: Path, name: str, text: str) -> None:
    (programs / name).write_text(f"#!/bin/sh\n{text}\n")
    (programs / name).chmod(0o755)


def test_a_missing_programme_is_named_with_the_line_that_installs_it() -> None:
    with pytest.raises(ProvisioningError, match=r"lacks: mmdebstrap(.|\n)*sudo apt-get install mmdebstrap"):
        tree(OWN, print)


def test_who_is_not_root_is_told(nothing_here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(nothing_here, "mmdebstrap", "exit 0")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ProvisioningError, match="needs root: put sudo before the command"):
        tree(OWN, print)


def test_a_tree_that_could_not_be_made_is_not_kept_and_its_makers_words_are_told(
    nothing_here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(nothing_here, "mmdebstrap", "echo 'E: the mirror does not answer' >&2; exit 25")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    told: list[str] = []
    with pytest.raises(
        ProvisioningError, match=r"mmdebstrap ended with 25\n    E: the mirror does not answer"
    ):
        tree(OWN, told.append)
    assert list((tmp_path / "cache/carehub/debian").iterdir()) == []
    assert told[0].startswith("Unpacking Debian bookworm")
