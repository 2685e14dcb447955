"""Small files, never more of one in memory than a small hub has room for: what a configuration names, and the
hub's own notes, which are written whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

LARGEST_BYTES = 4 << 20
"""A model, a card, a certificate: what comes with the hub has a fiftieth of it at the most."""


def read_whole(path: Path) -> bytes:
    """What is in a file.

    Raises:
        OSError: it cannot be read, is larger than `LARGEST_BYTES`, or the path is none.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except ValueError as error:  # a path with a zero byte
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL)) from error
    if len(content) > LARGEST_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return content


def write_whole(path: Path, text: str) -> None:
    """Put a text into a file, whole or not at all, and on the card. Raises OSError."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Have a file, or a directory's names, on the card. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
