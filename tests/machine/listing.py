"""What is on a machine's disk, with hashes: so that "nothing changed" is seen and not believed."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# What any boot, login or command of Debian's own writes.
_OF_DEBIAN = (
    "home/pi/.cache",
    "tmp",
    "var/cache",
    "var/lib/NetworkManager",
    "var/lib/dbus",
    "var/lib/systemd",
    "var/log",
    "var/tmp",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, directory or link: kind and mode, owners, and its content's hash or where it leads."""

    mode: str
    owners: tuple[int, int]
    content: str


Listing = Mapping[str, Entry]


def listing(root: Path, *, but: tuple[str, ...] = ()) -> Listing:
    """All that is on the disk whose root is there, but for what Debian itself writes and `but`, paths below
    it."""
    device = root.stat().st_dev
    return dict(_entries(root, root, device, frozenset((*_OF_DEBIAN, *but))))


def difference(before: Listing, after: Listing) -> list[str]:
    """What came, went or is otherwise, by path."""
    said = [f"{path} is new" for path in sorted(after.keys() - before.keys())]
    said += [f"{path} is gone" for path in sorted(before.keys() - after.keys())]
    said += [
        f"{path} is otherwise" for path in sorted(before.keys() & after.keys()) if before[path] != after[path]
    ]
    return said


def shortened(said: list[str], most: int = 8) -> list[str]:
    """The first of them, and how many more there are."""
    return said if len(said) <= most else [*said[:most], f"and {len(said) - most} more"]


def _entries(root: Path, place: Path, device: int, but: frozenset[str]) -> Iterator[tuple[str, Entry]]:
    for each in sorted(place.iterdir()):
        name = str(each.relative_to(root))
        status = each.lstat()
        if name in but or status.st_dev != device:
            continue
        content = ""
        if stat.S_ISLNK(status.st_mode):
            content = str(each.readlink())
        elif stat.S_ISREG(status.st_mode):
            with each.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        yield name, Entry(stat.filemode(status.st_mode), (status.st_uid, status.st_gid), content)
        if stat.S_ISDIR(status.st_mode):
            yield from _entries(root, each, device, but)
