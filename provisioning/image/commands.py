"""Programs of the engineer's side that the image is made with."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from provisioning.errors import ProvisioningError

_TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "qemu-aarch64-static": "qemu-user-static",
    "depmod": "kmod",
    "mke2fs": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "mkfs.vfat": "dosfstools",
    "mcopy": "mtools",
    "ssh-keygen": "openssh-client",
    "systemctl": "systemd",
}
_SEARCHED = "/usr/sbin:/usr/bin:/sbin:/bin"
_SECONDS = 1800.0


def run(
    *command: str | Path,
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
    log: Path | None = None,
) -> str:
    """Run a program to its end; gives what it said.

    Raises:
        ProvisioningError: it is not there, or failed; the text has the end of what it said.
    """
    words = [str(each) for each in command]
    try:
        ended = subprocess.run(
            words, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            timeout=_SECONDS, check=False,
            env={**os.environ, "PATH": _SEARCHED, "LC_ALL": "C.UTF-8", **(environment or {})},
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise ProvisioningError(f"the image cannot be made: {words[0]}: {error}") from error
    if log:
        with log.open("a", encoding="utf-8") as lines:
            lines.write(ended.stdout)
    if ended.returncode:
        raise ProvisioningError(
            f"the image cannot be made: {' '.join(words[:4])} ended with {ended.returncode}:"
            f" {ended.stdout.strip()[-1500:]}"
        )
    return ended.stdout


def missing_packages(tools: Sequence[str] = tuple(_TOOLS)) -> list[str]:
    """The Debian packages of the programs that are not there."""
    places = [Path(each) for each in _SEARCHED.split(":")]
    return sorted({_TOOLS[tool] for tool in tools if not any((place / tool).exists() for place in places)})
