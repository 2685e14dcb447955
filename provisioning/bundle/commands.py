"""Running another's command, whose failure is told in its own words."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from provisioning.errors import ProvisioningError

_SECONDS = 1800.0
"""Compiling under emulation takes a minute or two; this is for what hangs."""
_LINES = 12


def run(
    *command: str | Path,
    doing: str,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """What it said on standard output. `doing` is the first half of an error's sentence.

    Raises:
        ProvisioningError: it failed, with the last lines of what it said, or is not there.
    """
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ProvisioningError(f"{doing}: {name} failed: {error}") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-_LINES:]
        raise ProvisioningError("\n    ".join([f"{doing}: {name} ended with {done.returncode}", *said]))
    return done.stdout
