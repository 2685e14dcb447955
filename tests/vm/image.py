"""The machine's image: Debian's packages, and the hub's Python packages for Debian's Python; built once."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.errors import CareportError

_HERE = Path(__file__).parent
_GUEST = _HERE / "guest"
ROOT = _HERE.parent.parent
CACHE = ROOT / ".vm"
"""Where images and results are."""

PYTHONS = {"trixie": "3.13", "bookworm": "3.11"}
"""The Python of each Debian release that the hub supports, and so the releases there are."""

_PACKAGES = (
    "systemd",
    "systemd-sysv",
    "udev",
    "kmod",
    "dbus",
    "bluez",
    "python3",
    "python3-systemd",
    "linux-image-amd64",
    "busybox-static",
    "xz-utils",
)
# Of a kernel's three thousand modules the machine has a use for some thirty.
_LEFT_OUT = (
    "usr/share/doc/*",
    "usr/share/man/*",
    "usr/share/locale/*",
    *(f"*lib/modules/*/kernel/{part}/*" for part in ("sound", "drivers", "net", "fs")),
)
_KEPT = tuple(
    f"*lib/modules/*/kernel/{part}/*"
    for part in ("drivers/bluetooth", "drivers/block", "drivers/virtio", "drivers/char")
) + tuple(
    f"*lib/modules/*/kernel/{part}*"
    for part in (
        *("net/bluetooth", "net/rfkill", "fs/ext4", "fs/jbd2", "fs/mbcache"),
        *(f"drivers/usb/{part}" for part in ("common", "core", "host", "serial", "class")),
        *("drivers/hid/hid", "drivers/hid/usbhid", "drivers/input/evdev", "drivers/input/misc/uinput"),
    )
)


class MachineError(CareportError):
    """The virtual machine cannot be made or does not run."""


@dataclass(frozen=True, slots=True)
class Image:
    """What QEMU boots. `disk` is never written to: each run has its own changes on top of it."""

    release: str
    kernel: Path
    initrd: Path
    disk: Path


def image(release: str, *, anew: bool = False) -> Image:
    """The image of this Debian release, built if there is none of today's ingredients (or `anew`).

    Raises:
        MachineError: it cannot be built here.
    """
    place = CACHE / f"{release}-{_ingredients(release)}"
    built = Image(release, place / "kernel", place / "initrd", place / "disk")
    if anew or not place.is_dir():
        if os.geteuid() != 0:
            raise MachineError("building the machine's image needs root: its files belong to many users")
        for older in CACHE.glob(f"{release}-*"):
            shutil.rmtree(older)
        CACHE.mkdir(exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f"{release}-", dir=CACHE))
        print(f"Building the image of Debian {release}, once, in {CACHE}", flush=True)
        try:
            _build(release, unfinished)
            unfinished.rename(place)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return built


def _ingredients(release: str) -> str:
    """A hash of all that goes into the image; of Debian's packages whatever is newest when it is built."""
    digest = hashlib.sha256(release.encode())
    for path in (
        Path(__file__),
        ROOT / "pyproject.toml",
        ROOT / "requirements.lock",
        *(_GUEST / name for name in ("customize.sh", "init", "scenarios.service")),
    ):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _build(release: str, out: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="careport-vm-") as directory:
        site = Path(directory) / "site"
        _python_packages(release, site)
        _run(
            "mmdebstrap",
            f"--logfile={CACHE}/build.log",
            "--quiet",
            "--variant=minbase",
            "--dpkgopt=force-confold",
            "--format=null",
            f"--include={','.join(_PACKAGES)}",
            *(f"--dpkgopt=path-exclude=/{pattern}" for pattern in _LEFT_OUT),
            *(f"--dpkgopt=path-include=/{pattern}" for pattern in _KEPT),
            # Debian's own initrd is not used.
            '--essential-hook=mkdir -p "$1/etc/initramfs-tools"',
            '--essential-hook=echo update_initramfs=no > "$1/etc/initramfs-tools/update-initramfs.conf"',
            f'--customize-hook="{_GUEST}/customize.sh" "$1" "{out}" "{site}" "{_GUEST}"',
            release,
            "/dev/null",
            *_mirror(),
        )


def _python_packages(release: str, site: Path) -> None:
    """What the hub needs, and the scenarios, in the lock's versions, for Debian's Python; evdev as its makers
    build it (evdev-binary), which is else built where it is installed."""
    lock = ROOT / "requirements.lock"
    evdev = next(line for line in lock.read_text().splitlines() if line.startswith("evdev=="))
    no_source = site.with_name("overrides")
    no_source.write_text("evdev ; python_version < '3'\n")
    _run(
        str(Path(sys.executable).parent / "uv"),
        "pip",
        "install",
        "--quiet",
        "--target",
        str(site),
        "--python-version",
        PYTHONS[release],
        "--python-platform",
        "x86_64-manylinux_2_28",
        "--only-binary",
        ":all:",
        "--constraint",
        str(lock),
        "--override",
        str(no_source),
        "--requirement",
        str(ROOT / "pyproject.toml"),
        "--extra",
        "virtual",
        "pytest",
        "pytest-asyncio",
        evdev.split(" ")[0].replace("evdev", "evdev-binary"),
    )


def _mirror() -> Iterator[str]:
    """Where this machine itself gets Debian from; mmdebstrap's own choice where it has no such source."""
    sources = subprocess.run(
        ("apt-get", "indextargets", "--format", "$(LABEL) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"),
        capture_output=True,
        text=True,
        check=False,
    )
    for line in sources.stdout.splitlines():
        match line.split(" "):
            case ["Debian", "main", uri]:
                yield uri
                return


def _run(*command: str) -> None:
    try:
        subprocess.run(("nice", "-n", "10", *command), check=True, timeout=_BUILD_SECONDS)
    except subprocess.CalledProcessError as error:
        raise MachineError(f"the image cannot be built: {command[0]} ended with {error.returncode}") from None
    except (OSError, subprocess.SubprocessError) as error:
        raise MachineError(f"the image cannot be built: {Path(command[0]).name} failed: {error}") from None


_BUILD_SECONDS = 1200.0
