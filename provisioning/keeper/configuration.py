"""hub.toml, where it is changed together with the release: the one that the release before had is kept beside
it under that release's slot, and is back with it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from provisioning.keeper.atomic import Disk, sync
from provisioning.keeper.places import Places

_CHECK_SECONDS = 60.0
"""The hub's program is loaded within seconds from a slow card."""


@dataclass(frozen=True, slots=True)
class NewConfiguration:
    """A hub.toml that comes with a release: `path` lies beside the one in force, with the mode and owners
    that it is to have. `refused` says what the release in the slot of that name has against it; None where
    it is good."""

    path: Path
    refused: Callable[[str], str | None]


class Configuration:
    """hub.toml of a machine, and those of its slots."""

    def __init__(self, places: Places, disk: Disk) -> None:
        self.path = places.etc / "hub.toml"
        self._disk = disk

    def of(self, slot: str) -> Path:
        """What it was when that slot was in force last."""
        return self.path.with_name(f".hub.toml.of-{slot}")

    def keep(self, slot: str) -> None:
        """Keep it as that slot's. It is the same file, since a change puts another in its place. Raises
        OSError."""
        self.forget(slot)
        if self.path.exists():
            self._disk.step(f"link {self.of(slot)}")
            self.of(slot).hardlink_to(self.path)
            sync(self.path.parent)

    def put(self, new: Path) -> None:
        """Have another one in its place, in one step. Raises OSError."""
        self._disk.rename(new, self.path)

    def back(self, slot: str) -> None:
        """Have that slot's in its place again, where one was kept. Raises OSError."""
        if self.of(slot).exists():
            self._disk.rename(self.of(slot), self.path)
            self.forget(slot)  # which rename leaves there where it is the same file

    def forget(self, slot: str) -> None:
        """That slot has none any more. Raises OSError."""
        self._disk.remove(self.of(slot))


def accepted(slot: Path, configuration: Path) -> bool:
    """Whether that slot's release can be run with it."""
    try:
        done = subprocess.run(
            (slot / "bin/carehub", "check-config", "--config", configuration),
            capture_output=True, stdin=subprocess.DEVNULL, timeout=_CHECK_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
