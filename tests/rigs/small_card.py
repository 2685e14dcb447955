"""A file system of a few megabytes, to be filled to the last block. Needs root, as CI is."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class SmallCard:
    """A mounted file system; what fills it is one file of others'."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._filler = root / "others"

    def fill(self) -> None:
        """Others take all that is free."""
        with self._filler.open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                try:
                    while file.write(bytes(size)):
                        pass
                except OSError:
                    continue

    def free_bytes(self) -> int:
        """How many bytes are free."""
        return shutil.disk_usage(self.root).free

    def free(self) -> None:
        """Others give it back."""
        self._filler.unlink()


@contextmanager
def small_card(directory: Path, megabytes: int) -> Iterator[SmallCard]:
    """A tmpfs of that size; the kernel says ENOSPC there as it does on a card."""
    root = directory / "card"
    root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", root], check=True)
    try:
        yield SmallCard(root)
    finally:
        subprocess.run(["umount", "--lazy", root], check=True)
