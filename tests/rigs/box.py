"""A machine's files below a directory, for what is applied to it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from provisioning.keeper.apply import apply
from provisioning.keeper.places import Places
from provisioning.keeper.resources import Outcome, Resource


class Box:
    """A machine's files below a directory; commands reach the machine of the test."""

    def __init__(self, root: Path, *, live: bool = True) -> None:
        self.root, self._live = root, live
        (root / "etc").mkdir(parents=True, exist_ok=True)
        (root / "etc/passwd").write_text(f"carehub:x:{os.getuid()}:{os.getgid()}::/:/bin/false\n")
        (root / "etc/group").write_text(f"carehub:x:{os.getgid()}:\n")

    def apply(self, *resources: Resource, dry_run: bool = False) -> list[Outcome]:
        return list(apply(resources, Places(self.root), dry_run=dry_run, live=self._live))

    def one(self, resource: Resource, *, dry_run: bool = False) -> Outcome:
        return self.apply(resource, dry_run=dry_run)[0]

    def __call__(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def everything(self) -> dict[str, tuple[int, int, str]]:
        """Each path with its mode, change time and content."""
        found = {}
        for each in sorted(self.root.rglob("*")):
            seen = each.lstat()
            content = (
                str(each.readlink()) if each.is_symlink() else each.read_text() if each.is_file() else ""
            )
            found[str(each.relative_to(self.root))] = (seen.st_mode, seen.st_mtime_ns, content)
        return found


def changes(outcomes: Sequence[Outcome]) -> list[str]:
    """What became of each."""
    return [each.change for each in outcomes]
