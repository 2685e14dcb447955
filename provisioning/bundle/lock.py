"""Which of the lock's packages a hub needs, in which versions and with which hashes."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from provisioning.bundle.commands import run
from provisioning.bundle.target import Target
from provisioning.errors import ProvisioningError

NATIVE = ("evdev", "systemd-python")
"""They come as source only, and need no other package; the second is all of the extra 'systemd'."""

_NOT_ON_A_HUB = ("pip",)  # sqlite-utils names it, for its command 'install'
_PINNED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)")


@dataclass(frozen=True, slots=True)
class Pin:
    """One package in one version, and the SHA-256 of each of its files."""

    name: str
    version: str
    hashes: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(
            [f"{self.name}=={self.version}", *(f"--hash=sha256:{digest}" for digest in self.hashes)]
        )


Lock = Mapping[tuple[str, str], Pin]


def read_lock(path: Path) -> Lock:
    """All pins of a requirements.lock, by name and version. Raises `ProvisioningError`: it has none."""
    pins: dict[tuple[str, str], Pin] = {}
    for entry in re.split(r"\n(?=[A-Za-z0-9])", path.read_text()):
        if (pinned := _PINNED.match(entry)) is not None:
            key = pinned["name"], pinned["version"]
            pins[key] = Pin(*key, tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", entry)))
    if not pins or not all(pin.hashes for pin in pins.values()):
        raise ProvisioningError(f"{path} has not a hash for each package: make it anew with 'make lock'")
    return pins


def pins_for(root: Path, target: Target, extras: Iterable[str]) -> list[Pin]:
    """The packages that come as wheels, for this target: what the checkout's pyproject.toml asks for, with
    extras, in the lock's versions.

    Raises:
        ProvisioningError: uv cannot say, or the lock lacks one.
    """
    lock = read_lock(root / "requirements.lock")
    with tempfile.TemporaryDirectory(prefix="carehub-") as directory:
        # uv would build what comes as source to read what it needs.
        no_source = Path(directory) / "overrides"
        no_source.write_text("".join(f"{name} ; python_version < '3'\n" for name in NATIVE))
        said = run(
            *(uv(), "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:"),
            *("--python", sys.executable, "--python-version", target.python),
            *("--python-platform", target.platform, "--constraint", root / "requirements.lock"),
            *(f"--extra={extra}" for extra in extras),
            *("--override", no_source, root / "pyproject.toml"),
            doing=f"what a hub needs on Python {target.python} cannot be found out",
            directory=root,
        )
    wanted = [(found["name"], found["version"]) for found in map(_PINNED.match, said.splitlines()) if found]
    if missing := [f"{name} {version}" for name, version in wanted if (name, version) not in lock]:
        raise ProvisioningError(
            f"requirements.lock has no {', '.join(missing)}: make it anew with 'make lock'"
        )
    return [lock[each] for each in wanted if each[0] not in _NOT_ON_A_HUB]


def the_pin(lock: Lock, name: str) -> Pin:
    """Of a package that the lock has in one version. Raises `ProvisioningError`: it has not."""
    for pin in lock.values():
        if pin.name == name:
            return pin
    raise ProvisioningError(f"requirements.lock has no {name}: make it anew with 'make lock'")


def uv() -> Path:
    """Raises `ProvisioningError`: it is not installed."""
    try:
        from uv import find_uv_bin

        return Path(find_uv_bin())
    except (ImportError, FileNotFoundError):
        raise ProvisioningError(
            "uv is missing, which puts a release's packages together: pip install 'carehub[provisioning]'"
        ) from None
