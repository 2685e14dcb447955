"""A release names the commit that it was made of, and says where it is not all of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from provisioning.bundle.checkout import ROOT, checkout
from provisioning.errors import ProvisioningError

_FILES = {
    "requirements.lock": "",
    ".gitignore": "__pycache__/\n",
    "README.md": "",
    "hub/__init__.py": "",
    "hub/README.md": "",
    "hub/web/static/page.css": "",
    "hub/web/pictures/home.png": "",
    "drivers/__init__.py": "",
    "models/deterioration.tflite": "",
    "models/train/__init__.py": "",
    "provisioning/__init__.py": "",
    "systemd/carehub.service": "",
    "tests/__init__.py": "",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in _FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "All of it", "--date", "2026-03-01T12:00:00Z")
    return tmp_path


def git(root: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Sam Field", "-c", "user.email=sam@careport.example", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ("git", "-C", root, *who, *arguments), capture_output=True, text=True, check=True
    ).stdout.strip()


def test_a_release_has_what_a_hub_runs_and_nothing_else(root: Path) -> None:
    assert [str(path) for path in checkout(root).files()] == [
        "drivers/__init__.py",
        "hub/__init__.py",
        "hub/web/static/page.css",
        "models/deterioration.tflite",
        "provisioning/__init__.py",
        "systemd/carehub.service",
    ]


def test_what_is_not_committed_yet_is_in_it_and_is_said_and_what_is_ignored_is_not(root: Path) -> None:
    assert checkout(root).build == git(root, "rev-parse", "HEAD")[:7]
    (root / "hub/__pycache__").mkdir()
    (root / "hub/__pycache__/x.pyc").write_text("")
    assert "-dirty" not in checkout(root).build
    (root / "hub/new.py").write_text("")
    (root / "drivers/__init__.py").unlink()
    made = checkout(root)
    assert made.build == git(root, "rev-parse", "HEAD")[:7] + "-dirty"
    names = [str(path) for path in made.files()]
    assert "hub/new.py" in names
    assert "drivers/__init__.py" not in names
    assert not any("pyc" in name for name in names)


def test_its_time_is_the_commits_or_what_the_environment_says(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert checkout(root).time == int(git(root, "log", "-1", "--format=%ct"))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert checkout(root).time == 1_700_000_000
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(
        ProvisioningError, match="SOURCE_DATE_EPOCH is to be seconds since 1970, not 'yesterday'"
    ):
        checkout(root)


def test_an_installed_programme_is_no_checkout(tmp_path: Path) -> None:
    with pytest.raises(ProvisioningError, match=r"is no checkout of the project.*make setup"):
        checkout(tmp_path)


def test_this_checkout_has_its_hub_and_its_units() -> None:
    names = {str(path) for path in checkout(ROOT).files()}
    assert {"hub/cli/__init__.py", "drivers/devices.py", "models/deterioration.tflite"} <= names
    assert {"systemd/carehub.service", "hub/web/static/page.css"} <= names
    units = {f"systemd/keeper/{each.name}" for each in (ROOT / "systemd/keeper").iterdir()}
    assert units <= names
    assert len(units) >= 6
    assert "systemd/links" in names
    assert "provisioning/keeper/__main__.py" in names  # an image's first boot sets the machine up by itself
    assert not any(name.startswith(("tests/", "models/train/")) for name in names)
