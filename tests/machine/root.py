"""The bare machine: Debian with what Raspberry Pi OS Lite has of what a hub needs, and nothing of CarePort.

Built once with mmdebstrap, and kept in `.machine` under a hash of its ingredients.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.machine.errors import RigError
from tests.machine.network import RIG_ADDRESS
from tests.machine.running import insist, run
from tests.vm.image import _mirror

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".machine"
"""Roots, bundles and the results of the last run."""

PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
LOGIN = "pi"
"""Whom an engineer logs in as: may become root by sudo without a password, as on a Pi."""

_PACKAGES = (
    "systemd",
    "systemd-sysv",
    "systemd-timesyncd",
    "udev",
    "dbus",
    "polkitd",
    "bluez",
    "openssh-server",
    "python3",
    "sudo",
    "nftables",
    "iproute2",
    "openssl",
    "ca-certificates",
    "kmod",
    "procps",
    "network-manager",
)
_LEFT_OUT = ("usr/share/doc/*", "usr/share/man/*", "usr/share/locale/*", "usr/share/info/*")
_CUSTOMIZE = rf"""
set -e
root=$1
chroot "$root" useradd --create-home --shell /bin/bash {LOGIN}
printf '%s ALL=(ALL) NOPASSWD: ALL\n' {LOGIN} >"$root/etc/sudoers.d/010_{LOGIN}-nopasswd"
printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
# The network is given by the rig, as a router gives it at home: NetworkManager leaves eth0 as it finds it.
mkdir -p "$root/etc/NetworkManager/conf.d"
printf '[main]\ndns=none\n[keyfile]\nunmanaged-devices=interface-name:eth0\n' \
    >"$root/etc/NetworkManager/conf.d/10-rig.conf"
rm -f "$root/etc/resolv.conf"
printf 'nameserver {RIG_ADDRESS}\n' >"$root/etc/resolv.conf"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
rm -f "$root/etc/machine-id" "$root/var/lib/dbus/machine-id"
"""


@dataclass(frozen=True, slots=True)
class Root:
    """A root that is never written to: `tree` as files, `card` the same as an ext4 of `CARD_MEGABYTES`."""

    release: str
    tree: Path
    card: Path

    @property
    def python(self) -> str:
        """The release's Python, as "3.11"."""
        return PYTHONS[self.release]


CARD_MEGABYTES = 2000


def root(release: str = "bookworm") -> Root:
    """The root of this Debian release; built if there is none of today's ingredients.

    Raises:
        RigError: it cannot be built here.
    """
    place = CACHE / f"{release}-{_ingredients(release)}"
    built = Root(release, place / "tree", place / "card.img")
    if not place.is_dir():
        if os.geteuid() != 0:
            raise RigError("building a machine's root needs root: its files belong to many users")
        CACHE.mkdir(exist_ok=True)
        for older in CACHE.glob(f"{release}-*"):
            shutil.rmtree(older)
        print(f"Building the root of Debian {release}, once, in {CACHE}", flush=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f"{release}-", dir=CACHE))
        try:
            _build(release, unfinished)
            unfinished.rename(place)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return built


def _ingredients(release: str) -> str:
    """Of Debian's packages whatever is newest when it is built."""
    told = repr((release, _PACKAGES, _LEFT_OUT, _CUSTOMIZE, CARD_MEGABYTES))
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def _build(release: str, place: Path) -> None:
    place.chmod(0o755)
    customize = place / "customize.sh"
    customize.write_text(_CUSTOMIZE)
    run(
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--include={','.join(_PACKAGES)}",
        *(f"--dpkgopt=path-exclude=/{pattern}" for pattern in _LEFT_OUT),
        f'--customize-hook=sh {customize} "$1"',
        release,
        str(place / "tree"),
        *_mirror(),
        seconds=1200,
    ).insist()
    card = place / "card.img"
    with card.open("wb") as file:
        file.truncate(CARD_MEGABYTES * 1_000_000)
    insist("mkfs.ext4", "-q", "-F", "-m", "0", "-d", str(place / "tree"), str(card))
