"""One hub to a data directory: two would both write, unlink each other's sockets, and share one name at the
broker."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.store.errors import StoreError

LOCK_NAME = "carehub.lock"


@contextmanager
def only_hub(data_directory: Path) -> Iterator[None]:
    """Hold the data directory, which is made if need be, against every other hub.

    The kernel lets go of it when the process ends, however it ends.

    Raises:
        StoreError: another hub runs there, or the directory cannot be used.
    """
    try:
        data_directory.mkdir(parents=True, exist_ok=True)
        file = (data_directory / LOCK_NAME).open("ab")
    except OSError as error:
        raise StoreError(
            data_directory, f"cannot be used: {error.strerror}. Check hub.data_directory and its owner."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(
                data_directory, "another hub runs on this data directory. Stop it, or give this one its own."
            ) from error
        yield
