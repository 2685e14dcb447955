"""How the doctor looks: at files of the machine, at what programs say, and never longer than so long."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.configuration.file import Config
from hub.running.patience import in_thread as in_thread

Status = Mapping[str, Any]
"""What the daemon answers to "status"; empty where it does not run."""

WITH_RIGHTS = "run 'sudo carehub doctor'"
"""What to do where this user may not look."""

_PROGRAM_SECONDS = 4.0
_LONGEST_FILE = 1 << 20
_WHERE_PROGRAMS_ARE = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined: a hub by its configuration, and the machine below `root`.

    `file` is where the configuration was read from, None where it is of no file. `configured` is False where
    that cannot be used: then `config` has nothing but the usual places of a hub.
    """

    config: Config
    file: Path | None = None
    root: Path = Path("/")
    configured: bool = True

    def text(self, path: str) -> str | None:
        """What is in a small file of the machine ("sys/class/...", or a path from `glob`), without the blanks
        and zero bytes around it; None where there is none, or it cannot be read."""
        try:
            with (self.root / path).open("rb") as file:
                return file.read(_LONGEST_FILE).decode(errors="replace").strip("\0 \t\r\n")
        except OSError:
            return None

    def number(self, path: str, base: int = 10) -> int | None:
        """The number that such a file has; None where it has none."""
        try:
            return int(self.text(path) or "", base)
        except ValueError:
            return None

    def glob(self, pattern: str) -> list[str]:
        """Those paths of the machine that look so, in their order."""
        try:
            return sorted(str(each.relative_to(self.root)) for each in self.root.glob(pattern))
        except OSError:
            return []


def is_root() -> bool:
    """Whether all may be seen."""
    return os.geteuid() == 0


def forbidden(path: Path) -> bool:
    """Whether there is, or may be, a file that this user may not read."""
    try:
        with path.open("rb"):
            return False
    except PermissionError:
        return True
    except OSError:
        return False


def said_by(*command: str, seconds: float = _PROGRAM_SECONDS) -> str | None:
    """What a program says; None where there is none, it fails, or takes too long."""
    try:
        ended = subprocess.run(
            command,
            capture_output=True,
            check=True,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C", "PATH": f"{os.environ.get('PATH', '')}:{_WHERE_PROGRAMS_ARE}"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return ended.stdout.decode(errors="replace")
