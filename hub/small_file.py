"""Files that a configuration names, read whole: never more of one in memory than a small hub has room for."""

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
