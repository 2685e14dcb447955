"""What a machine is, before anything is done to it: one line of JSON for the engineer's side."""

from __future__ import annotations

import hashlib
import platform
import re
import subprocess
import sys
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from provisioning.keeper.atomic import Disk
from provisioning.keeper.places import Places
from provisioning.keeper.settle import standing, watched_over
from provisioning.keeper.slots import Slots
from provisioning.keeper.state import Notes

_SECONDS = 20
_KEY_FILES = (".ssh/authorized_keys", ".ssh/authorized_keys2")
"""Where sshd looks, if nothing else is said (sshd_config(5))."""
_OURS = "/etc/ssh/carehub_keys/"


@dataclass(frozen=True, slots=True)
class _Sshd:
    """What holds for a login: where its keys are looked for, and the ports at which all is listened."""

    key_files: tuple[str, ...] = _KEY_FILES
    ports: tuple[int, ...] = ()


def look(places: Places, login: str) -> dict[str, object]:
    """Architecture, Python, system; which hub it is, of which release, with a certificate and a database or
    not; whether that release is watched over still; how its sshd lets that login in.

    `machine` is the same for the same machine, whatever is on its card: of a Raspberry Pi; of another, for
    the same installation. `keys` are the login's own, without what provisioning gives it; `key_logins` are
    those to which it gave some.
    """
    current = standing(places)
    watched = watched_over(Slots(places), Notes(places, Disk()).read())
    sshd = _sshd(places.root, login)
    return {
        "architecture": platform.machine(),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "system": _system(places.root),
        "systemd": (places.root / "run/systemd/system").is_dir(),
        "machine": _machine(places.root),
        "hub": _hub(places),
        "has_data": places.data.is_dir() and any(places.data.iterdir()),
        "in_force": "" if current is None else current.manifest.name,
        "on_probation": watched is not None,
        "certified": (places.identity / "current/hub.crt").exists(),
        "sha256": "" if current is None else current.sha256,
        "keys": _keys(places.root, login, sshd),
        "key_files": sshd.key_files,
        "key_logins": _key_logins(places.root),
        "ports": sshd.ports,
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


def _hub(places: Places) -> str:
    """SITE.HUB of its hub.toml; empty where there is none that can be read."""
    try:
        found = tomllib.loads((places.etc / "hub.toml").read_text(encoding="utf-8"))
        return f"{found['site']['id']}.{found['hub']['id']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _sshd(root: Path, login: str) -> _Sshd:
    """As sshd itself understands its files, whichever they are."""
    said = _said(
        ("/usr/sbin/sshd", "-T", "-f", str(root / "etc/ssh/sshd_config"),
         "-C", f"user={login},host=localhost,addr=127.0.0.1")
    )  # fmt: skip
    files = re.search(r"^authorizedkeysfile (.+)$", said, re.MULTILINE)
    ports = re.findall(r"^port (\d+)$", said, re.MULTILINE)
    return _Sshd(tuple(files[1].split()) if files else _KEY_FILES, tuple(map(int, ports)))


def _keys(root: Path, login: str, sshd: _Sshd) -> int:
    """Those that are good, as ssh-keygen reads them."""
    try:
        table = (root / "etc/passwd").read_text(encoding="utf-8", errors="replace").splitlines()
        home = next(fields[5] for each in table if (fields := each.split(":"))[0] == login)
    except (OSError, StopIteration, IndexError):
        return 0
    found = 0
    for name in sshd.key_files:
        if name == "none" or name.startswith(_OURS):
            continue
        for sign, meant in (("%u", login), ("%h", home), ("%%", "%")):
            name = name.replace(sign, meant)
        path = root / (name if name.startswith("/") else f"{home}/{name}").lstrip("/")
        if path.is_file():
            found += len(_said(("ssh-keygen", "-l", "-f", str(path))).splitlines())
    return found


def _key_logins(root: Path) -> list[str]:
    try:
        return sorted(each.name for each in (root / _OURS.lstrip("/")).iterdir() if each.name[0] != ".")
    except OSError:
        return []


def _said(command: tuple[str, ...]) -> str:
    """What a program says; nothing where it is not there, or refuses."""
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            check=False, timeout=_SECONDS,
        )  # fmt: skip
        return done.stdout if done.returncode == 0 else ""
    return ""
