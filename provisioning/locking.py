"""One at a time in an authority's directory, which stays its owner's."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from provisioning.errors import ProvisioningError


@contextmanager
def locked(directory: Path, name: str = ".lock", *, wait: bool = True) -> Iterator[bool]:
    """Hold a lock of that name in the directory, against threads and processes; whether it is held, which is
    so unless `wait` is False and somebody else holds it. The kernel gives it back, however this process ends.

    Raises:
        ProvisioningError: the directory cannot be written.
    """
    try:
        file = os.open(directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ProvisioningError(f"{directory / name}: cannot be written: {error.strerror}") from error
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            _give_to_owner(directory)
    finally:
        os.close(file)


def _give_to_owner(directory: Path) -> None:
    """Under sudo what was made here would be root's, and the engineer could not go on without it."""
    if os.geteuid() != 0 or (owner := directory.stat()).st_uid == 0:
        return
    for place, _, files in os.walk(directory):
        for path in (Path(place), *(Path(place) / name for name in files)):
            with suppress(OSError):  # removed meanwhile, or a file system without owners
                if path.lstat().st_uid == 0:
                    os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
