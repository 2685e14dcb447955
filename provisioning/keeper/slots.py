"""Two slots, each a whole release, and the link that says which one is in force.

A slot is whole when its marker is there, which is written last: it is made beside, is on the card, and only
then gets its name. The slot in force is never written to. Which one that is, the link alone says.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from provisioning.keeper import bundle_file, linking, manifest
from provisioning.keeper.atomic import Disk
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.manifest import MANIFEST, Manifest, Payload
from provisioning.keeper.places import SLOT_NAMES, Places

MARKER = "payload.json"
"""In each slot: which payload it was made of."""

_ON_THE_CARD = 1.2
"""How much more room a slot takes than its files have bytes: each begins a block of its own."""
_ROOM_LEFT = 64 << 20
"""Bytes that stay free for the hub's database while an update is unpacked."""

_MARKS = {"dev": 0, "a": 1, "alpha": 1, "b": 2, "beta": 2, "c": 3, "rc": 3, "": 5, "post": 6}
_OTHER_MARK = 4
"""What may stand behind a version's numbers, in their order; empty is the version itself."""

_ELF_MACHINES = {62: "x86_64", 183: "aarch64"}  # elf.h: EM_X86_64, EM_AARCH64


@dataclass(frozen=True, slots=True)
class Slot:
    """A whole release in its place; `sha256` is of the payload that it was made of."""

    name: str
    manifest: Manifest
    sha256: str


@dataclass(frozen=True, slots=True)
class Machine:
    """What a release must be made for: the architecture as `uname -m` names it, and Python ("3.11")."""

    architecture: str
    python: str

    @classmethod
    def below(cls, root: Path) -> Machine:
        """The machine whose files are below `root`: this one, or that of an image which is being made."""
        python = root / "usr/bin/python3"
        if root != Path("/") and python.exists():
            with python.open("rb") as file:
                number = int.from_bytes(file.read(20)[18:20], "little")  # e_machine of its ELF header
            named = re.search(r"3\.\d+", python.readlink().name if python.is_symlink() else "")
            if number in _ELF_MACHINES and named:
                return cls(_ELF_MACHINES[number], named[0])
        return cls(platform.machine(), f"{sys.version_info.major}.{sys.version_info.minor}")


class Slots:
    """The slots of a machine."""

    def __init__(self, places: Places, disk: Disk | None = None, machine: Machine | None = None) -> None:
        self._places = places
        self._disk = disk or Disk()
        self._machine = machine or Machine.below(places.root)

    def slot(self, name: str) -> Slot | None:
        """The release in a slot; None where it is empty or not whole."""
        directory = self._places.slots / name
        try:
            found = manifest.from_json((directory / MANIFEST).read_text())
            marker = json.loads((directory / MARKER).read_text())
            if not (directory / "bin/carehub").is_file():
                return None
            return Slot(name, found, str(marker["sha256"]))
        except (OSError, ValueError, KeyError, TypeError, KeeperError):
            return None

    def linked(self) -> str | None:
        """The name of the slot that the link leads to, whole or not; None where it leads to none."""
        try:
            target = Path(os.readlink(self._places.current))  # noqa: PTH115  # it must not be followed further
        except OSError:
            return None
        return target.name if target.parent.name == "slots" and target.name in SLOT_NAMES else None

    def current(self) -> Slot | None:
        """The slot in force; None where there is none, or it is not whole."""
        name = self.linked()
        return None if name is None else self.slot(name)

    def in_force(self) -> Manifest | None:
        """The release in force."""
        found = self.current()
        return None if found is None else found.manifest

    def in_force_sha256(self) -> str | None:
        """Of the payload that the release in force was made of."""
        found = self.current()
        return None if found is None else found.sha256

    def idle(self) -> str:
        """The name of the slot that is not in force."""
        return next(name for name in SLOT_NAMES if name != self.linked())

    def install(self, bundle: Path, *, older: bool = False, anew: bool = False, needed: str = "") -> str:
        """Have a release in a slot, and say which one: the one in force where it has it already, otherwise
        the idle one, unpacked anew whatever is in it: what was tried and failed may have come to the card
        spoilt. Nothing is switched.

        Args:
            older: an older version than the one in force is allowed.
            anew: unpack it even where the slot in force has it.
            needed: why what is in the idle slot must stay, in words; empty where it may go.

        Raises:
            KeeperError: it is not signed by whom this machine trusts, is spoilt, not for this machine, could
                not be taken back, there is too little room, or the idle slot is needed.
        """
        with bundle_file.opened(bundle, self._places.signers) as opened:
            release = opened.manifest
            payload = self.payload_for(release)
            current = self.current()
            if current is not None and current.sha256 == payload.sha256 and not anew:
                return current.name
            if current is not None:
                check_way(current.manifest, release, older=older)
            if needed:
                raise KeeperError(f"release {release.name} cannot be installed now: {needed}")
            idle = self.idle()
            self.tidy()
            self._places.slots.mkdir(parents=True, exist_ok=True)
            self._check_room(payload)
            fresh, replaced = self._beside(idle)
            self._disk.step(f"unpack into {fresh}")
            opened.unpack(self._machine.python, fresh, architecture=self._machine.architecture)
        self._disk.write(fresh / MARKER, json.dumps({"sha256": payload.sha256}) + "\n")
        place = self._places.slots / idle
        if os.path.lexists(place):
            self._disk.rename(place, replaced)
        self._disk.rename(fresh, place)
        self._disk.remove(replaced)
        return idle

    def switch(self, name: str) -> None:
        """Put a slot in force, in one step, and then see to the links in /etc that only one of them needs.

        Raises:
            KeeperError: it is not whole.
            OSError: the card takes nothing.
        """
        if self.slot(name) is None:
            raise KeeperError(f"slot {name} is not whole: install a release first ('carehub update FILE')")
        self._disk.link(self._places.current, f"slots/{name}")
        before = next(each for each in SLOT_NAMES if each != name)
        linking.follow(self._places, self._disk, self._places.slots / name, self._places.slots / before)

    def tidy(self) -> list[str]:
        """Remove what an installation that was interrupted has left; the names of it."""
        removed = []
        if self._places.slots.is_dir():
            for left in sorted(self._places.slots.iterdir()):
                if left.name not in SLOT_NAMES:
                    self._disk.remove(left)
                    removed.append(left.name)
        return removed

    def _beside(self, name: str) -> tuple[Path, Path]:
        """Where a slot is made, and where the one goes that it takes the place of."""
        return self._places.slots / f".{name}.new", self._places.slots / f".{name}.old"

    def payload_for(self, release: Manifest) -> Payload:
        """What of a release is for this machine. Raises `KeeperError`: nothing is."""
        mine = self._machine
        if release.architecture != mine.architecture:
            raise KeeperError(
                f"release {release.name} is for {release.architecture}, and this machine is"
                f" {mine.architecture}: make or fetch its bundle for that"
            )
        payload = release.payloads.get(mine.python)
        if payload is None:
            raise KeeperError(
                f"release {release.name} has nothing for this machine's Python {mine.python}, only for"
                f" {', '.join(sorted(release.payloads)) or 'none'}: make its bundle with that Python too"
            )
        return payload

    def _check_room(self, payload: Payload) -> None:
        needed = room_for(payload)
        free = shutil.disk_usage(self._places.slots).free
        if free < needed:
            raise KeeperError(
                f"too little room in {self._places.slots}: {_mebibytes(needed)} are needed and"
                f" {_mebibytes(free)} are free. Make room (journalctl --vacuum-size=50M, apt-get clean), or"
                " use a larger card"
            )


def room_for(payload: Payload) -> int:
    """Bytes that must be free for a slot to be made of it."""
    return int(payload.size * _ON_THE_CARD) + _ROOM_LEFT


def check_way(current: Manifest, release: Manifest, *, older: bool) -> None:
    """Raises `KeeperError`: from the release in force to that one there is no way, or none back."""
    if release.readable_from > current.schema:
        raise KeeperError(
            f"release {release.name} cannot be taken back: {current.name} could not read the database that it"
            f" writes (schema {release.schema}, readable from {release.readable_from} on, and in force is"
            f" {current.schema}): install an intermediate release first"
        )
    if current.readable_from > release.schema:
        raise KeeperError(
            f"release {release.name} cannot read the database of {current.name} (schema {current.schema},"
            f" readable from {current.readable_from} on, and it knows {release.schema}): it is too old"
        )
    if not older and _age(release) < _age(current):
        raise KeeperError(
            f"release {release.name} is older than {current.name}, which is in force: 'carehub update --older"
            " FILE' on the hub if you mean it"
        )


def _age(release: Manifest) -> tuple[list[int], list[tuple[int, int]], int]:
    """By its version as Python orders versions (PEP 440): 1.0 is 1.0.0, and 1.0rc1 comes before it."""
    version = release.version.lower().partition("+")[0]
    numbers = re.match(r"v?([\d.]*)", version)
    assert numbers is not None  # it may be empty
    parts = [int(each) for each in numbers[1].split(".") if each]
    while parts and parts[-1] == 0:
        parts.pop()
    marks = re.findall(r"([a-z]+)[-_.]?(\d*)", version[numbers.end() :])
    order = [(_MARKS.get(word, _OTHER_MARK), int(number or 0)) for word, number in marks]
    return parts, [*order, (_MARKS[""], 0)], release.built


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):.0f} MB"
