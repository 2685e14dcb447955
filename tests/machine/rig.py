"""The rig of one run: a place in memory and the bridge; what a killed run left is taken away first."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.faults.card import check_machine
from tests.machine import network
from tests.machine.errors import RigError
from tests.machine.running import insist, quietly, run

PLACE = Path(f"/run/{network.NAME}-machine")
_LOCK = Path(f"/run/{network.NAME}-machine.lock")
_MEMORY_MEGABYTES = 10_000
_TOOLS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "ssh": "openssh-client",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "mosquitto": "mosquitto",
    "openssl": "openssl",
}
_PATIENCE_SECONDS = 15.0
_WATCHES = Path("/proc/sys/fs/inotify/max_user_instances")
_MOST_WATCHES = 1024
"""Of inotify. Each machine has seven: with the kernel's 128 eighteen machines start, and no more."""


@dataclass(frozen=True, slots=True)
class Rig:
    """Where machines are made."""

    place: Path


def in_its_own_mounts() -> None:
    """Begin this program anew in a mount namespace of its own, unless it is in one.

    Nobody else's namespace then holds a card that was cut, and all mounts go with the last process.
    """
    mine, parents = (Path(f"/proc/{pid}/ns/mnt") for pid in ("self", os.getppid()))
    if mine.readlink() == parents.readlink():
        again = [sys.executable, *sys.orig_argv[1:]]
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", *again])


@contextlib.contextmanager
def rig() -> Iterator[Rig]:
    """One run's; only one at a time on this machine.

    Raises:
        RigError: something that it needs is not here, or another run is under way.
    """
    _check()
    with _LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RigError("another 'make test-machine' is under way on this machine: wait for it") from None
        clean_up()
        try:
            PLACE.mkdir()
            size = f"size={_MEMORY_MEGABYTES}m,mode=0755"
            insist("mount", "-t", "tmpfs", "-o", size, network.NAME, str(PLACE))
            # What is unmounted here is so in every machine's own namespace too.
            insist("mount", "--make-shared", str(PLACE))
            network.set_up()
            if int(_WATCHES.read_text()) < _MOST_WATCHES:
                _WATCHES.write_text(str(_MOST_WATCHES))
            yield Rig(PLACE)
        finally:
            clean_up()


def clean_up() -> None:
    """End every process of the rig's machines, and take away their mounts, loop devices and networks."""
    for group in groups():
        for each in group.parent.glob(f"{network.NAME}-*"):
            end_group(each)
    _unmount_below(PLACE)
    for line in run("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE").output.splitlines():
        device, _, image = line.partition(" ")
        if image.strip().startswith(str(PLACE)):
            quietly([("losetup", "--detach", device)])
    network.take_down()
    shutil.rmtree(PLACE, ignore_errors=True)


def groups(name: str = "") -> list[Path]:
    """The control group of a machine, in each hierarchy that systemd's own processes are kept in."""
    top = Path("/sys/fs/cgroup")
    hierarchies = [top / "systemd", top / "unified"] if (top / "systemd").is_dir() else [top]
    return [each / f"{network.NAME}-{name}" for each in hierarchies if each.is_dir()]


def end_group(group: Path) -> None:
    """Kill whatever is in a control group and below it, and remove it."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while group.is_dir() and time.monotonic() < end:
        for file in group.rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                for word in file.read_text().split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(word), signal.SIGKILL)
        for below in sorted(group.rglob("*/"), reverse=True):
            with contextlib.suppress(OSError):
                below.rmdir()
        with contextlib.suppress(OSError):
            group.rmdir()
        if group.is_dir():
            time.sleep(0.05)


def _unmount_below(place: Path) -> None:
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for each in sorted((path for path in mounted if Path(path).is_relative_to(place)), reverse=True):
        quietly([("umount", each)] if run("umount", each).code == 0 else [("umount", "--lazy", each)])


def _check() -> None:
    check_machine()
    for tool, package in _TOOLS.items():
        if shutil.which(tool) is None and shutil.which(tool, path="/usr/sbin:/sbin") is None:
            raise RigError(f"{tool} is not installed: apt-get install {package}")
