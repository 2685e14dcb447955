"""Links in /etc to a release's units and rules, where one of two releases has what the other has not.

Provisioning makes them all. They lead through the link that is switched, so a switch needs to see only to
those that the release before lacked, and to those that lead nowhere now. Which there are says the release
itself, in `FILE`: on each line a file's name below its systemd/, and its place.
"""

from __future__ import annotations

from pathlib import Path

from provisioning.keeper.atomic import Disk
from provisioning.keeper.places import Places

FILE = "systemd/links"
_IN_FORCE = "/opt/carehub/current/systemd/"


def follow(places: Places, disk: Disk, now: Path, before: Path) -> None:
    """Have the links be those of the slot `now`, where they were those of `before`. What is not ours stays as
    it is. Raises OSError."""
    for path, name in listed(now).items():
        place, to = places.root / path.lstrip("/"), _IN_FORCE + name
        new = (now / "systemd" / name).is_file() and not (before / "systemd" / name).exists()
        if new and not place.exists() and not place.is_symlink():
            disk.link(place, to)
    for path, name in listed(before).items():
        place = places.root / path.lstrip("/")
        if not (now / "systemd" / name).exists() and _leads(place) == _IN_FORCE + name:
            disk.remove(place)


def listed(slot: Path) -> dict[str, str]:
    """What a release links: names below its systemd/, by their places. Nothing, where it says nothing."""
    try:
        lines = (slot / FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return {}
    found = (line.split() for line in lines if line.strip() and not line.startswith("#"))
    return {
        each[1]: each[0]
        for each in found
        if len(each) == 2 and each[1].startswith("/etc/") and ".." not in f"{each[0]}/{each[1]}".split("/")
    }


def _leads(path: Path) -> str | None:
    return str(path.readlink()) if path.is_symlink() else None
