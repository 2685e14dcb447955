"""What a machine is, before anything is done to it: one line of JSON for the engineer's side."""

from __future__ import annotations

import hashlib
import platform
import re
import sys
import tomllib
from contextlib import suppress
from pathlib import Path

from provisioning.keeper.atomic import Disk
from provisioning.keeper.places import Places
from provisioning.keeper.settle import standing, watched_over
from provisioning.keeper.slots import Slots
from provisioning.keeper.state import Notes
from provisioning.keeper.ways_in import network, ways_in


def look(places: Places, login: str, address: str = "") -> dict[str, object]:
    """Architecture, Python, system; which hub it is, of which release, with a certificate and a database or
    not; whether that release is watched over still; how its sshd lets that login in, which comes from that
    address; which addresses it has.

    `machine` is the same for the same machine, whatever is on its card: of a Raspberry Pi; of another, for
    the same installation.
    """
    current = standing(places)
    watched = watched_over(Slots(places), Notes(places, Disk()).read())
    sshd, now = ways_in(places.root, login, address), network(places.root)
    return {
        "architecture": platform.machine(),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "system": _system(places.root),
        "systemd": (places.root / "run/systemd/system").is_dir(),
        "machine": _machine(places.root),
        "hub": name_of(places),
        "has_data": places.data.is_dir() and any(places.data.iterdir()),
        "in_force": "" if current is None else current.manifest.name,
        "on_probation": watched is not None,
        "certified": (places.identity / "current/hub.crt").exists(),
        "sha256": "" if current is None else current.sha256,
        "keys": sshd.keys,
        "key_files": sshd.key_files,
        "key_logins": list(sshd.key_logins),
        "ports": sshd.ports,
        "root_login": sshd.root_login,
        "addresses": now.addresses,
        "gateways": now.gateways,
        "wired": now.wired,
    }


def _system(root: Path) -> str:
    try:
        text = (root / "etc/os-release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "an unknown system"
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', text, re.MULTILINE)
    return found[1] if found else "an unknown system"


def _machine(root: Path) -> str:
    """A hash, since machine-id(5) itself is to be told to nobody; empty where there is neither."""
    for name in ("proc/device-tree/serial-number", "etc/machine-id"):
        with suppress(OSError):
            if number := (root / name).read_bytes().strip(b"\0\n"):
                return hashlib.sha256(b"carehub " + number).hexdigest()[:32]
    return ""


def name_of(places: Places) -> str:
    """SITE.HUB of its hub.toml; empty where there is none that can be read."""
    try:
        found = tomllib.loads((places.etc / "hub.toml").read_text(encoding="utf-8"))
        return f"{found['site']['id']}.{found['hub']['id']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
