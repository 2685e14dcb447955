"""Changes of the card that are whole or not at all, whenever the power goes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path


class Disk:
    """Makes each change so that a power cut leaves either what was or what is to be, and never in another
    order than they were made: each is on the card when it returns.

    `step` is told of each change before it is made, so that a test can cut there.
    """

    def __init__(self, step: Callable[[str], None] = lambda _words: None) -> None:
        self.step = step

    def write(self, path: Path, text: str, mode: int = 0o644) -> None:
        """Put a text into a file. Raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        self.step(f"write {beside}")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "w") as file:
            os.fchmod(descriptor, mode)  # whatever the umask is
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        self.rename(beside, path)

    def link(self, path: Path, to: str) -> None:
        """Have `path` be a symbolic link to `to`; one that is there is replaced in one step.

        Raises OSError.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        self.step(f"link {beside}")
        beside.unlink(missing_ok=True)
        beside.symlink_to(to)
        self.rename(beside, path)

    def rename(self, old: Path, new: Path) -> None:
        """Give it another name in the same directory. Raises OSError."""
        self.step(f"rename {old} to {new.name}")
        old.rename(new)
        self.step(f"fsync {new.parent}")
        sync(new.parent)

    def remove(self, path: Path) -> None:
        """Remove a file or a tree; one that is not there is no error. Raises OSError."""
        if not os.path.lexists(path):
            return
        self.step(f"remove {path}")
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
        self.step(f"fsync {path.parent}")
        sync(path.parent)


def sync(path: Path) -> None:
    """Have a file, or a directory's names, on the card. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
