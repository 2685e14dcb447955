"""The checkout from which a release is made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from provisioning.bundle.commands import run
from provisioning.errors import ProvisioningError

ROOT = Path(__file__).resolve().parents[2]

_FOLDERS = ("hub", "drivers", "models", "provisioning", "systemd")
_LEFT_OUT = ("models/train", "hub/web/pictures")
"""Nothing of it is for a hub."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """`build` names its commit, and says where more was changed than was committed. `time`, of the commit
    unless SOURCE_DATE_EPOCH is set, is what all files of the release get: seconds since 1970."""

    root: Path
    build: str
    time: int

    @property
    def lock(self) -> Path:
        """The versions and hashes of all packages."""
        return self.root / "requirements.lock"

    def files(self) -> Iterator[Path]:
        """What goes into a slot, relative to the checkout: what is committed, or will be (not ignored)."""
        listed = _git(
            self.root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *_FOLDERS
        )
        for name in sorted({each for each in listed.split("\0") if each}):
            path = Path(name)
            if (
                path.suffix != ".md"
                and not any(path.is_relative_to(each) for each in _LEFT_OUT)
                and (self.root / path).is_file()
            ):
                yield path


def checkout(root: Path = ROOT) -> Checkout:
    """This checkout.

    Raises:
        ProvisioningError: the programme was not started from one.
    """
    if not (root / ".git").exists() or not (root / "requirements.lock").is_file():
        raise ProvisioningError(
            f"{root} is no checkout of the project, and a release is made from one: clone it, and there run"
            " 'make setup' and .venv/bin/carehub bundle"
        )
    dirty = "-dirty" if _git(root, "status", "--porcelain").strip() else ""
    commit, committed_at = _git(root, "log", "-1", "--format=%H %ct").split()
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or committed_at
    try:
        return Checkout(root, commit[:7] + dirty, int(epoch))
    except ValueError:
        raise ProvisioningError(f"SOURCE_DATE_EPOCH is to be seconds since 1970, not {epoch!r}") from None


def _git(root: Path, *arguments: str) -> str:
    # Without optional locks it writes nothing, and disturbs nobody who works there.
    return run("git", "--no-optional-locks", "-C", root, *arguments, doing="the checkout cannot be read")
