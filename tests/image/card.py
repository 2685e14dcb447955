"""What is on a card, read as it lies there: nothing is mounted."""

from __future__ import annotations

import os
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

_ENTRY = struct.Struct("<B3sB3sII")
_ENVIRONMENT = {**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "UTC", "DEBUGFS_PAGER": "cat"}


@dataclass(frozen=True)
class Card:
    """An image, or a card that was used."""

    path: Path

    def partitions(self) -> list[tuple[int, int]]:
        """Where each begins and how long it is, in bytes, by the table in its first sector."""
        with self.path.open("rb") as card:
            sector = card.read(512)
        assert sector[510:] == b"\x55\xaa"
        entries = (_ENTRY.unpack_from(sector, 446 + 16 * number) for number in range(4))
        return [(start * 512, size * 512) for _, _, kind, _, start, size in entries if kind]

    def text(self, path: str) -> str:
        """A file of the root; empty where there is none."""
        return self._debugfs(f"cat {path}")

    def names(self, path: str) -> list[str]:
        """What a directory of the root holds."""
        listed = self._debugfs(f"ls -p {path}").splitlines()
        names = [line.split("/")[5] for line in listed if line.startswith("/")]
        return [each for each in names if each not in (".", "..")]

    def boot_names(self, folder: str) -> list[str]:
        """What a folder of the boot partition holds."""
        listed = _run("mdir", "-b", "-i", self._boot(), f"::{folder}")
        return [line.rsplit("/", 1)[-1] for line in listed.splitlines() if line.strip()]

    def boot_text(self, path: str) -> str:
        """A file of the boot partition."""
        return _run("mtype", "-i", self._boot(), f"::{path}")

    def boot_holds(self, content: bytes) -> bool:
        """Whether this is anywhere on the boot partition: in a file, or in what is left of one."""
        start, size = self.partitions()[0]
        with self.path.open("rb") as card:
            card.seek(start)
            return content in card.read(size)

    def take(self, path: str, into: Path) -> Path:
        """Copy a file of the boot partition."""
        to = into / Path(path).name
        _run("mcopy", "-n", "-o", "-i", self._boot(), f"::{path}", str(to))
        return to

    def _boot(self) -> str:
        return f"{self.path}@@{self.partitions()[0][0]}"

    def _debugfs(self, command: str) -> str:
        return _run("debugfs", "-R", command, f"{self.path}?offset={self.partitions()[1][0]}")


def _run(*command: str) -> str:
    return subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=_ENVIRONMENT,
        timeout=120,
    ).stdout
