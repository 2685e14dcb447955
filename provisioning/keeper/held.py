"""One keeper at a time."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from provisioning.keeper.errors import KeeperError
from provisioning.keeper.places import Places

_AGAIN_SECONDS = 0.2


class BusyError(KeeperError):
    """Another keeper holds the lock."""


@contextmanager
def held(places: Places, doing: str, wait_seconds: float = 0.0, *, name: str = "lock") -> Iterator[None]:
    """Hold the keeper's lock; the kernel gives it back, however this process ends.

    Args:
        doing: what for, as others are told who come meanwhile.
        wait_seconds: for another keeper to end.
        name: of another lock than that of those who change the machine.

    Raises:
        BusyError: another keeper works on this machine.
        KeeperError: the lock cannot be made.
    """
    try:
        places.state.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(places.state / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fchmod(descriptor, 0o600)  # who can read it can hold it
    except OSError as error:
        raise KeeperError(f"{places.state}: {error.strerror}; run this as root") from error
    try:
        until = time.monotonic() + wait_seconds
        while not _taken(descriptor):
            if time.monotonic() >= until:
                who = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
                raise BusyError(f"another keeper works on this machine ({who}): wait until it has ended")
            time.sleep(_AGAIN_SECONDS)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{doing}, process {os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
