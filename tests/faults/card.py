"""A memory card: ext4 on a loop device, that can lose power, be full, or fail. Needs root."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

_EXT4_SHUTDOWN = 0x8004587D  # FS_IOC_SHUTDOWN, linux/fs.h
_NO_LOG_FLUSH = struct.pack("I", 2)  # EXT4_GOING_FLAGS_NOLOGFLUSH: what was not synced is gone
_TOOLS = {"mkfs.ext4": "e2fsprogs", "fsck.ext4": "e2fsprogs", "losetup": "mount", "mount": "mount"}
_PATIENCE_SECONDS = 15.0
_MEGABYTE = bytes(1_000_000)


class CardError(Exception):
    """The machine cannot make a card; says what is missing or what failed."""


def check_machine() -> None:
    """Raises `CardError` with the remedy where power cuts and full cards cannot be tried here."""
    if os.geteuid() != 0:
        raise CardError("loop devices and mounts need root: run it as root (sudo make test-faults)")
    for tool, package in _TOOLS.items():
        if _tool(tool) is None:
            raise CardError(f"{tool} is not installed: apt-get install {package}")
    if not Path("/dev/loop-control").exists():
        raise CardError(
            "there is no /dev/loop-control: modprobe loop, or run it where loop devices are allowed"
        )


def _tool(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


class Card:
    """An ext4 that is mounted at `path`. `card` makes one and cleans up after it."""

    def __init__(self, device: str, path: Path) -> None:
        self.path = path
        self._device = device
        self._filler = path / "filler"

    def mount(self) -> None:
        """Mount it; the journal is replayed, as at boot. A card that fails a write becomes read-only."""
        _run("mount", "-t", "ext4", "-o", "errors=remount-ro", self._device, str(self.path))

    def unmount(self) -> None:
        """Unmount it; whoever had files open on it must be gone."""
        _insist("umount", str(self.path))

    def cut(self) -> None:
        """Cut the power: nothing that was not synced will ever be on it, and nothing more can be written."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _EXT4_SHUTDOWN, _NO_LOG_FLUSH)
        finally:
            os.close(descriptor)

    def fill(self) -> None:
        """Fill it to the last block with a file."""
        piece = len(_MEGABYTE)
        with self._filler.open("ab", buffering=0) as file:
            while piece:
                try:
                    file.write(_MEGABYTE[:piece])
                    os.fsync(file.fileno())
                except OSError:
                    piece //= 2

    def free(self) -> None:
        """Take that file away again."""
        self._filler.unlink()

    def fail(self) -> None:
        """Have ext4 find an error, upon which it takes no more writes until it is mounted again."""
        name = Path(self._device).name
        Path(f"/sys/fs/ext4/{name}/trigger_fs_error").write_text("the fault suite\n")

    def repair(self) -> None:
        """Check it, as at boot. It must not be mounted."""
        subprocess.run(
            [_tool("fsck.ext4") or "fsck.ext4", "-p", self._device], capture_output=True, check=False
        )


@contextlib.contextmanager
def card(directory: Path, megabytes: int) -> Iterator[Card]:
    """A new card, mounted; taken away again whatever happens."""
    check_machine()
    image, path = directory / "card.img", directory / "card"
    path.mkdir()
    with image.open("wb") as file:
        file.truncate(megabytes * 1_000_000)
    _run("mkfs.ext4", "-q", "-F", "-m", "0", str(image))
    device = _run("losetup", "--find", "--show", str(image)).strip()
    made = Card(device, path)
    try:
        made.mount()
        yield made
    finally:
        if os.path.ismount(path):
            try:
                made.unmount()
            except CardError:
                _run("umount", "--lazy", str(path))
        _run("losetup", "--detach", device)
        _wait_for_detach(image)
        image.unlink()


def _wait_for_detach(image: Path) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while _run("losetup", "--associated", str(image)).strip():
        if time.monotonic() > end:
            raise CardError(f"{image} is still a loop device: losetup --associated {image}")
        time.sleep(0.05)


def _insist(*command: str) -> None:
    """Run a command again and again while the device is busy: a killed process lets go a little later."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            _run(*command)
        except CardError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


def _run(*command: str) -> str:
    ended = subprocess.run(
        [_tool(command[0]) or command[0], *command[1:]], capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise CardError(f"{' '.join(command)}: {ended.stderr.strip()}")
    return ended.stdout
