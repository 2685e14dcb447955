"""hub.toml, where it is changed together with the release: the one that the release before had is kept beside
it under that release's slot, and is back with it."""

from __future__ import annotations

import filecmp
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from provisioning.keeper.atomic import Disk, sync
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.judge import WRONG_CONFIGURATION
from provisioning.keeper.places import Places
from provisioning.keeper.state import Named

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
        self._slots = places.slots
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

    def differs(self, slot: str) -> bool:
        """Whether that slot's is kept, and says something else than the one of today. Raises OSError."""
        kept = self.of(slot)
        return kept.exists() and not (self.path.exists() and filecmp.cmp(kept, self.path, shallow=False))

    def accepted(self, slot: str) -> bool:
        """Whether that slot's release can be run with the one of today. It is believed to where its program
        does not say: what was changed since is nothing to be dropped on a guess."""
        program = self._slots / slot / "bin/carehub"
        try:
            done = subprocess.run(
                (program, "check-config", "--config", self.path),
                capture_output=True, stdin=subprocess.DEVNULL, timeout=_CHECK_SECONDS, check=False,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return True
        return done.returncode != WRONG_CONFIGURATION

    def its_own(self, slot: str, release: Named, noted: datetime | None) -> NewConfiguration | None:
        """What that slot's release had, where it refuses the one of today; None where it does not.

        Raises:
            KeeperError: that was changed since `noted`, when the update that brought it ended: residents and
                sensors of then are not to be put in the place of today's unseen.
        """
        kept = self.of(slot)
        if not self.differs(slot) or self.accepted(slot):
            return None
        changed = self.path.stat().st_mtime if self.path.exists() else 0.0
        if noted is None or changed > noted.timestamp():
            of = datetime.fromtimestamp(kept.stat().st_mtime, UTC)
            raise KeeperError(
                f"release {release} refuses {self.path}, which was changed since, and its own, {kept}, is of"
                f" {of:%d %b %Y}: residents and sensors may be others today. Compare them, have in"
                f" {self.path.name} what release {release} takes and is true today, and go back again"
            )
        return NewConfiguration(kept, lambda _slot: None)

    def forget(self, slot: str) -> None:
        """That slot has none any more. Raises OSError."""
        self._disk.remove(self.of(slot))
