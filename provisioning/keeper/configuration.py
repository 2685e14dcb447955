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

    def changed_since(self, moment: datetime | None) -> bool:
        """Whether the one of today is of after that moment; of one that is not known, it is. Raises
        OSError."""
        if moment is None:
            return True
        return self.path.exists() and self.path.stat().st_mtime > moment.timestamp()

    def accepted(self, slot: str, path: Path | None = None) -> bool:
        """Whether that slot's release can be run with the one of today, or with that file. It is believed to
        where its program does not say: what was changed since is nothing to be dropped on a guess."""
        try:
            done = subprocess.run(
                (self._program(slot), "check-config", "--config", path or self.path),
                capture_output=True, stdin=subprocess.DEVNULL, timeout=_CHECK_SECONDS, check=False,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return True
        return done.returncode != WRONG_CONFIGURATION

    def its_own(self, slot: str, release: Named, noted: datetime | None) -> NewConfiguration | None:
        """What that slot's release had, where it refuses the one of today; None where it does not. What is
        kept stays so: the release may not prove itself, and be gone back to once more.

        Raises:
            KeeperError: that was changed since `noted`, when the update that brought it was, and what is kept
                was not looked at after that: residents and sensors of then are not to be put in the place of
                today's unseen. Or it refuses that too.
            OSError: the card takes nothing.
        """
        kept, again = self.of(slot), self.path.with_name(".hub.toml.again")
        if not self.differs(slot) or self.accepted(slot):
            return None
        of = kept.stat().st_mtime
        if self.changed_since(noted) and of <= self.path.stat().st_mtime:
            raise KeeperError(
                f"release {release} refuses {self.path}, which was changed since, and its own, {kept}, is of"
                f" {datetime.fromtimestamp(of, UTC):%d %b %Y}: residents and sensors may be others today."
                f" Compare them ('diff {self.path} {kept}'). Change {kept.name} until it is true today"
                f" ('touch {kept}' where it is), and not {self.path.name}, which the release in force needs;"
                " then go back again"
            )
        if not self.accepted(slot, kept):
            raise KeeperError(
                f"release {release} refuses {self.path}, and {kept} too: see '{self._program(slot)}"
                f" check-config --config {kept}', put that file right, and go back again"
            )
        self._disk.remove(again)  # of a time that was cut off
        self._disk.step(f"link {again}")
        again.hardlink_to(kept)
        return NewConfiguration(again, lambda _slot: None)

    def forget(self, slot: str) -> None:
        """That slot has none any more. Raises OSError."""
        self._disk.remove(self.of(slot))

    def _program(self, slot: str) -> Path:
        return self._slots / slot / "bin/carehub"
