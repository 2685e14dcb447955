"""What a machine is, before anything is done to it: one line of JSON for the engineer's side."""

from __future__ import annotations

import platform
import re
import sys
from pathlib import Path

from provisioning.keeper.places import Places
from provisioning.keeper.slots import Slots


def look(places: Places, login: str) -> dict[str, object]:
    """Architecture, Python, system, the release in force, whether the hub has a certificate, and how many
    keys let that login in."""
    current = Slots(places).current()
    return {
        "architecture": platform.machine(),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "system": _system(places.root),
        "systemd": (places.root / "run/systemd/system").is_dir(),
        "in_force": "" if current is None else current.manifest.name,
        "certified": (places.identity / "current/hub.crt").exists(),
        "sha256": "" if current is None else current.sha256,
        "keys": _keys(places.root, login),
    }


def _system(root: Path) -> str:
    try:
        text = (root / "etc/os-release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "an unknown system"
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', text, re.MULTILINE)
    return found[1] if found else "an unknown system"


def _keys(root: Path, login: str) -> int:
    """In the login's own authorized_keys."""
    try:
        table = (root / "etc/passwd").read_text(encoding="utf-8", errors="replace").splitlines()
        home = next(fields[5] for each in table if (fields := each.split(":"))[0] == login)
        lines = (root / home.lstrip("/") / ".ssh/authorized_keys").read_text(errors="replace").splitlines()
    except (OSError, StopIteration, IndexError):
        return 0
    return sum(1 for line in lines if line.strip() and not line.lstrip().startswith("#"))
