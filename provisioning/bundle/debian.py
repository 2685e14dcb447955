"""Trees of Debian packages, unpacked and not set up: in them a target's compiler and Python run.

mmdebstrap unpacks one for another architecture without running any of its code, in a quarter of a minute;
what is then run in it (chroot) the kernel hands to qemu-user-static.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from provisioning.bundle.commands import run
from provisioning.bundle.target import ARCHITECTURES, Target, cache
from provisioning.errors import ProvisioningError

_PACKAGES = (
    *("python3", "python3-dev", "gcc", "libc6-dev"),
    *("libsystemd-dev", "pkg-config"),  # systemd-python is written against them
)
_BINFMT = Path("/proc/sys/fs/binfmt_misc")


def tree(target: Target, tell: Callable[[str], None]) -> Path:
    """The tree of this target, made if there is none yet.

    Raises:
        ProvisioningError: it cannot be made here, or what is in it not be run; says what is missing.
    """
    packages = hashlib.sha256(" ".join(_PACKAGES).encode()).hexdigest()[:8]
    place = cache() / "debian" / f"{target.debian.name}-{target.architecture}-{packages}"
    _can_be_used(target, there=place.is_dir())
    if not place.is_dir():
        tell(f"Unpacking Debian {target.debian.name} for {target.architecture}, once, into {place}")
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=place.parent))
        try:
            run(
                *("mmdebstrap", "--quiet", "--variant=extract", f"--include={','.join(_PACKAGES)}"),
                f"--architectures={ARCHITECTURES[target.architecture]}",
                target.debian.name,
                unfinished,
                *_mirror(),
                doing=f"Debian {target.debian.name} cannot be unpacked",
            )
            for name in ("bin", "lib", "lib64", "sbin"):
                # Trixie's packages have them in /usr alone, and leave the links to base-files' set-up.
                if not (unfinished / name).exists():
                    (unfinished / name).symlink_to(f"usr/{name}")
            unfinished.chmod(0o755)
            unfinished.rename(place)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return place


def run_inside(root: Path, *command: str, doing: str, **environment: str) -> str:
    """Run a command in a tree, with this environment and no other. Raises `ProvisioningError`: it failed."""
    own = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/tmp", **environment}
    if os.uname().machine != "aarch64":
        own["QEMU_CPU"] = "cortex-a72"  # a Pi 4's; five times as fast as QEMU's own, which checks each return
    return run("/usr/sbin/chroot", root, *command, doing=doing, environment=own)


def _can_be_used(target: Target, *, there: bool) -> None:
    foreign = target.architecture != os.uname().machine
    missing = [] if there or shutil.which("mmdebstrap") else ["mmdebstrap", "debian-archive-keyring"]
    if foreign and not _emulates(target.architecture):
        missing += ["qemu-user-static", "binfmt-support"]
    if missing:
        raise ProvisioningError(
            f"to build for {target.architecture} this machine lacks: {' '.join(missing)}\n"
            f"    sudo apt-get install {' '.join(missing)}"
        )
    if os.geteuid() != 0:
        raise ProvisioningError(
            f"building for {target.architecture} with Debian's own compiler needs root: put sudo before the"
            " command"
        )


def _emulates(architecture: str) -> bool:
    name = f"qemu-{architecture}"
    if not (_BINFMT / name).exists() and os.geteuid() == 0:
        # Installed is not always switched on: in a container nobody mounted it.
        for command in (
            ("mount", "-t", "binfmt_misc", "binfmt_misc", str(_BINFMT)),
            ("update-binfmts", "--enable", name),
        ):
            if shutil.which(command[0]) is not None:
                subprocess.run(command, capture_output=True, check=False)
    return (_BINFMT / name).exists() or (os.geteuid() != 0 and shutil.which(f"{name}-static") is not None)


def _mirror() -> Iterator[str]:
    """Where this machine itself gets Debian from; mmdebstrap's own choice where it has no such source."""
    try:
        sources = run(
            *("apt-get", "indextargets", "--format", "$(LABEL) $(COMPONENT) $(REPO_URI)"),
            "Created-By: Packages",
            doing="Debian's sources cannot be read",
        )
    except ProvisioningError:
        return
    for line in sources.splitlines():
        match line.split(" "):
            case ["Debian", "main", uri]:
                yield uri
                return
