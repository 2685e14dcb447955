"""Room held back for when the card is full: a file beside the database, allocated and never written."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

SIZE = 16 << 20
"""Bytes: of 30 residents' spot checks some weeks, of a stream of 1 Hz more than a day."""

FULL_BELOW = 1 << 20
"""Bytes: a card with less than that is full. A file system says so while a few blocks are left, and the
database's log alone may grow to as much."""


class Reserve:
    """The reserve of one database. It is there, or it was given up since the card is full."""

    def __init__(self, path: Path, size: int = SIZE) -> None:
        self._path = path
        self._size = size

    @property
    def there(self) -> bool:
        """Whether it is held back now."""
        return self._path.exists()

    def make(self, least_free: int = 0) -> bool:
        """Hold it back, where that leaves `least_free` bytes; return whether it is there."""
        if self.there:
            return True
        try:
            if shutil.disk_usage(self._path.parent).free < self._size + max(least_free, FULL_BELOW):
                return False
            with self._path.open("xb") as file:
                try:
                    os.posix_fallocate(file.fileno(), 0, self._size)
                except OSError:
                    self._path.unlink()
                    raise
        except OSError:
            return False  # full after all, read-only, or a file system that cannot
        return True

    def give_up(self, below: int = FULL_BELOW) -> bool:
        """Let the database have it, if less than that is free; return whether that made room."""
        try:
            if not self.there or shutil.disk_usage(self._path.parent).free >= below:
                return False
            self._path.unlink()
            directory = os.open(self._path.parent, os.O_RDONLY)
            try:
                # ext4 gives blocks to others only when their release is committed.
                with contextlib.suppress(OSError):
                    os.fsync(directory)
            finally:
                os.close(directory)
        except OSError:
            return False
        return True
