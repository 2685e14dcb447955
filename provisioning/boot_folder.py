"""The folder carehub/ of the card's boot partition, which any laptop can write and read, and what was taken
from it: on the machine's own file system, for nobody but root.

Nothing private stays on that partition for longer than it takes to bring it over. What is taken off is
overwritten where it lies and then removed. The power may go at any moment: what is still there of a file
that was taken is told by its content, and what else is there was put there since.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from provisioning.errors import ProvisioningError
from provisioning.keeper.applying_files import root_owned, written_beside
from provisioning.keeper.atomic import sync
from provisioning.keeper.places import Places

SITE, STATUS, README = "site.toml", "status.txt", "README.txt"
KEY, CERTIFICATE, REQUEST = "hub.key", "hub.crt", "hub.csr"

_FOR_THE_PERSON = (README, STATUS, REQUEST)
_DONE = ".site.toml.done"
_LARGEST = 1 << 20
"""Bytes: nothing that a site's file names may be larger."""


class Card:
    """The folder on the boot partition, which is mounted read-only but for the moments of a change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def files(self) -> dict[str, bytes]:
        """What somebody has put there, by its name below the folder. Raises `ProvisioningError`."""
        found = {}
        try:
            for path in sorted(self.folder.rglob("*")):
                name = str(path.relative_to(self.folder))
                if name not in _FOR_THE_PERSON and path.is_file() and path.stat().st_size <= _LARGEST:
                    found[name] = path.read_bytes()
        except OSError as error:
            raise ProvisioningError(f"{self.folder} cannot be read: {error.strerror}") from error
        return found

    def empty(self, names: Iterable[str]) -> None:
        """Overwrite these files where they lie and remove them, site.toml last. Raises `ProvisioningError`:
        what is private may be there still."""
        there = sorted(
            (each for each in names if (self.folder / each).exists()), key=lambda each: each == SITE
        )
        if not there:
            return
        try:
            with self._writable():
                for name in sorted(there, key=lambda each: each == SITE):
                    _wipe(self.folder / name)
        except OSError as error:
            raise ProvisioningError(f"{self.folder} cannot be emptied: {error.strerror}") from error

    def say(self, words: str) -> None:
        """For whoever has the card in a laptop next. Where it cannot be written, the journal has it."""
        with contextlib.suppress(OSError, ProvisioningError):
            self.leave(STATUS, f"{words}\n")

    def leave(self, name: str, text: str) -> None:
        """Have a file there that is not private. Raises `OSError`, `ProvisioningError`."""
        path, content = self.folder / name, text.encode()
        if not path.is_file() or path.read_bytes() != content:
            with self._writable():
                path.write_bytes(content)

    @contextlib.contextmanager
    def _writable(self) -> Iterator[None]:
        partition = self.folder.parent
        if not partition.is_mount():
            yield
            return
        _mount("rw", partition)
        try:
            yield
        finally:
            os.sync()
            with contextlib.suppress(ProvisioningError):  # then it is read-only from the next start on
                _mount("ro", partition)


class Kept:
    """What was taken off the card, until it is brought about.

    `pending` as long as it is to be. What is done with stays only where the card could not be emptied, so
    that it is known again there and not taken for new.
    """

    def __init__(self, places: Places) -> None:
        self.directory = places.etc / "first-boot"

    @property
    def pending(self) -> bool:
        """Whether it is still to be brought about."""
        return (self.directory / SITE).exists()

    def files(self) -> dict[str, bytes]:
        """By the names that they had on the card."""
        found = {}
        for path in sorted(self.directory.rglob("*")):
            if path.is_file():
                name = str(path.relative_to(self.directory))
                found[SITE if name == _DONE else name] = path.read_bytes()
        return found

    def take(self, files: Mapping[str, bytes], *, anew: bool) -> None:
        """Keep these files, beside those that are kept or `anew`, in their place. site.toml comes last: with
        it they are pending."""
        if anew:
            self.remove()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync(self.directory.parent)
        for name in sorted(files, key=lambda each: each == SITE):
            path = self.directory / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.rename(written_beside(path, files[name], root_owned(0o600)), path)  # noqa: PTH104  # in one step
            sync(path.parent)
        sync(self.directory)

    def settle(self) -> None:
        """It is done with, and not pending any more."""
        if self.pending:
            (self.directory / SITE).rename(self.directory / _DONE)
            sync(self.directory)

    def remove(self) -> None:
        """Keep nothing."""
        if self.directory.exists():
            self.settle()
            shutil.rmtree(self.directory)
            sync(self.directory.parent)


def left_of(found: bytes, whole: bytes | None) -> bool:
    """Whether that is a file of which the whole is known, or what a cut left of it while it was
    overwritten."""
    if whole is None or len(found) > len(whole):
        return False
    return found == whole or all(left in (0, was) for left, was in zip(found, whole, strict=False))


def _wipe(path: Path) -> None:
    """Not by writing a new content: that would go to another place of the card, and leave the old one."""
    with path.open("r+b") as file:
        file.write(b"\0" * os.fstat(file.fileno()).st_size)
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    sync(path.parent)


def _mount(how: str, partition: Path) -> None:
    command = ("mount", "-o", f"remount,{how}", str(partition))
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise ProvisioningError(f"{partition}: {error}") from error
    if said.returncode:
        raise ProvisioningError(f"{partition} cannot be mounted {how}: {said.stderr.strip()}")
