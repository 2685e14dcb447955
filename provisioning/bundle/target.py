"""For which machines releases are made."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ARCHITECTURES = {"aarch64": "arm64", "x86_64": "amd64"}
"""By the kernel's name (uname -m), and Debian's."""


@dataclass(frozen=True, slots=True)
class Debian:
    """A release of Debian, with the minor version of its C library: the newest that a wheel may want."""

    name: str
    glibc: int


PYTHONS = {"3.11": Debian("bookworm", 36), "3.13": Debian("trixie", 40)}
"""Each Python of a hub, and the Debian release that has it (Trixie has glibc 2.41; uv knows up to 2.40)."""


@dataclass(frozen=True, slots=True)
class Target:
    """One Python on one architecture."""

    architecture: str
    python: str

    @property
    def debian(self) -> Debian:
        """The release that has this Python."""
        return PYTHONS[self.python]

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.architecture}, Python {self.python}"

    @property
    def platform(self) -> str:
        """As uv calls it."""
        return f"{self.architecture}-manylinux_2_{self.debian.glibc}"

    @property
    def own(self) -> Target:
        """The same Python on this machine's architecture."""
        return Target(os.uname().machine, self.python)


def cache() -> Path:
    """What need not be made twice; all of it may be deleted at any time."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "carehub"
