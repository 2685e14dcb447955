"""The root file system: Debian's packages, installed for another architecture; made once, then from a cache.

Unpacking is this machine's own work (dpkg --root). Only the packages' own scripts run as ARM code, emulated:
a third of the time of installing all of it under emulation.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from provisioning.errors import ProvisioningError
from provisioning.image.commands import run

PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
"""The Debian releases that there are, and the Python of each."""

ROOT_PACKAGES = (
    *(
        "apt",
        "e2fsprogs",
        "fdisk",
        "kmod",
        "login",
        "netbase",
        "openssh-client",
        "passwd",
        "procps",
        "tzdata",
    ),
    *(
        "systemd",
        "systemd-sysv",
        "systemd-timesyncd",
        "udev",
        "util-linux",
        "iproute2",
        "debian-archive-keyring",
    ),
    *("dbus", "polkitd", "bluez", "openssh-server", "sudo", "python3", "openssl", "nftables"),
    *("network-manager", "wpasupplicant", "wireless-regdb"),
)
KERNEL_PACKAGES = (
    "linux-image-arm64",
    "raspi-firmware",
    "busybox-static",
    "firmware-brcm80211",
    "bluez-firmware",
)
"""What is only unpacked: their scripts would make an initramfs under emulation, for eleven minutes."""

_COMPONENTS = "main contrib non-free non-free-firmware"
_LEFT_OUT = (
    "usr/share/doc/*",
    "usr/share/man/*",
    "usr/share/info/*",
    "usr/share/locale/*",
    "usr/share/lintian/*",
)
_KEPT = ("usr/share/doc/*/copyright",)
# Of the kernel's drivers what no Raspberry Pi has, and what no hub uses.
_DRIVERS_LEFT_OUT = (
    *(
        "gpu",
        "media",
        "infiniband",
        "iio",
        "isdn",
        "staging",
        "accel",
        "hwtracing",
        "ata",
        "nvme",
        "nvdimm",
        "mtd",
    ),
    *("target", "message", "vdpa", "vhost", "xen", "md", "fpga", "net/wireless/ath", "net/wireless/intel"),
    *("net/wireless/mediatek", "net/wireless/marvell", "net/wireless/ralink", "net/wireless/realtek"),
    *("net/ethernet/mellanox", "net/ethernet/intel", "net/ethernet/chelsio", "net/ethernet/qlogic"),
    *("net/ethernet/netronome", "net/ethernet/hisilicon", "net/ethernet/marvell", "net/ethernet/cavium"),
)
_KERNEL_LEFT_OUT = (
    "sound",
    *(f"drivers/{each}" for each in _DRIVERS_LEFT_OUT),
    "fs/ocfs2",
    "fs/xfs",
    "fs/btrfs",
)


def cache_directory() -> Path:
    """$XDG_CACHE_HOME/carehub/image, by default in ~/.cache; it may be deleted."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "carehub/image"


def cached(kind: str, release: str, cache: Path, *, anew: bool = False) -> Path:
    """The tar of the "root" or the "kernel" of this Debian release, made if the cache has none of these
    ingredients (or `anew`: with Debian's packages of today).

    Raises:
        ProvisioningError: it cannot be made; `cache` has the log.
    """
    packages = ROOT_PACKAGES if kind == "root" else KERNEL_PACKAGES
    make = _make_root if kind == "root" else _make_kernel
    ingredients = hashlib.sha256(
        "\n".join((release, *packages, Path(__file__).read_text(encoding="utf-8"))).encode()
    ).hexdigest()[:12]
    kept = cache / f"{kind}-{release}-{ingredients}.tar"
    if anew or not kept.exists():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=f"{kind}-", dir=cache) as directory:
                unfinished = make(release, packages, Path(directory), cache / f"{kind}-{release}.log")
                for older in cache.glob(f"{kind}-{release}-*.tar"):
                    older.unlink()
                unfinished.rename(kept)
        except OSError as error:
            raise ProvisioningError(f"the image cannot be made: {error}") from error
    return kept


def _make_root(release: str, packages: Sequence[str], scratch: Path, log: Path) -> Path:
    root = scratch / "root"
    log.unlink(missing_ok=True)
    _extract(release, ("?essential", "usr-is-merged", *packages), root, log)
    for pattern in _LEFT_OUT:
        shutil.rmtree(root / pattern.removesuffix("/*"), ignore_errors=True)
    excludes = [f"path-exclude=/{each}" for each in _LEFT_OUT] + [f"path-include=/{each}" for each in _KEPT]
    _write(root / "etc/dpkg/dpkg.cfg.d/carehub", "\n".join(excludes) + "\n")
    # Nothing is started in here, and nobody gets keys that every other hub has.
    _write(root / "usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
    host_keys = [root / f"etc/ssh/ssh_host_{kind}_key" for kind in ("rsa", "ecdsa", "ed25519")]
    for key in host_keys:
        _write(key, "")
    if not (root / "usr/bin/awk").exists():  # made when mawk is configured, and needed before
        (root / "usr/bin/awk").symlink_to("mawk")
    forced = ("architecture", "depends", "unsafe-io", "confnew")
    unpack: tuple[str, ...] = ("dpkg", f"--root={root}", *(f"--force-{each}" for each in forced))
    unpack += ("--no-triggers", *(f"--{each}" for each in excludes), "--unpack")
    archives = root / "var/cache/apt/archives"
    with mounted(root):
        run(*unpack, *sorted(archives.glob("base-*.deb")), environment=_QUIET, log=log)
        run(*unpack, "--recursive", archives, environment=_QUIET, log=log)
        configure = ("chroot", str(root), "dpkg", "--force-unsafe-io", "--force-confnew", "--configure", "-a")
        run(*configure, environment=_QUIET, log=log)
        run("chroot", root, "dpkg", "--audit", log=log)
    for key in host_keys:
        key.unlink(missing_ok=True)
        key.with_suffix(".pub").unlink(missing_ok=True)
    _forget(root)
    return _packed(root, scratch)


def kernel_version(root: Path) -> str:
    """Of the kernel whose modules are in it."""
    (modules,) = (root / "usr/lib/modules").iterdir()
    return modules.name


def _make_kernel(release: str, packages: Sequence[str], scratch: Path, log: Path) -> Path:
    root = scratch / "root"
    log.unlink(missing_ok=True)
    _extract(release, packages, root, log)
    version = kernel_version(root)
    drivers = root / "usr/lib/modules" / version / "kernel"
    for part in _KERNEL_LEFT_OUT:
        shutil.rmtree(drivers / part, ignore_errors=True)
    run("depmod", "--basedir", root / "usr", "--all", version, log=log)
    kept = scratch / "kept"
    wanted = (f"boot/vmlinuz-{version}", f"usr/lib/linux-image-{version}/broadcom", "usr/lib/raspi-firmware",
              "usr/lib/modules", "usr/lib/firmware/brcm", "usr/lib/firmware/cypress", "usr/bin/busybox",
              *(str(each.relative_to(root)) for package in packages
                for each in (root / "usr/share/doc" / package).glob("copyright")))  # fmt: skip
    for path in wanted:
        (kept / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).rename(kept / path)
    return _packed(kept, scratch)


def _extract(release: str, packages: Sequence[str], root: Path, log: Path) -> None:
    """Debian's packages and all that they need, unpacked and kept in /var/cache/apt/archives."""
    run(
        *("mmdebstrap", "--quiet", "--mode=root", "--architectures=arm64", "--variant=extract"),
        *("--format=directory", "--skip=cleanup/apt,cleanup/reproducible"),
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        *(f"--include={each}" for each in packages),
        *(release, str(root), *_sources(release)),
        log=log,
    )
    _write(root / "etc/apt/sources.list", "\n".join(_SOURCES).format(release=release) + "\n")


_DEBIAN, _SECURITY = "http://deb.debian.org/debian", "http://deb.debian.org/debian-security"
_SOURCES = (
    f"deb {_DEBIAN} {{release}} {_COMPONENTS}",
    f"deb {_DEBIAN} {{release}}-updates {_COMPONENTS}",
    f"deb {_SECURITY} {{release}}-security {_COMPONENTS}",
)


def _sources(release: str) -> Iterator[str]:
    """From where this machine itself gets Debian, else from Debian's own address."""
    asked = subprocess.run(
        ("apt-get", "indextargets", "--format", "$(LABEL) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    known = {"Debian": _DEBIAN, "Debian-Security": _SECURITY}
    for line in reversed(asked.stdout.splitlines()):
        match line.split(" "):
            case [label, "main", uri] if label in known:
                known[label] = uri
    for line in _SOURCES:
        own = line.format(release=release)
        yield own.replace(_SECURITY, known["Debian-Security"].rstrip("/")).replace(
            f"{_DEBIAN} ", f"{known['Debian'].rstrip('/')} "
        )


@contextlib.contextmanager
def mounted(root: Path) -> Iterator[None]:
    """With /proc, as packages' scripts expect."""
    (root / "proc").mkdir(exist_ok=True)
    run("mount", "-t", "proc", "proc", root / "proc")
    try:
        yield
    finally:
        run("umount", "--lazy", root / "proc")


def _forget(root: Path) -> None:
    """What differs from one making to the next, and what only the installing needed."""
    for pattern in (
        *("var/cache/apt/*", "var/lib/apt/lists/*", "var/cache/ldconfig/*", "var/cache/debconf/*-old"),
        *("var/lib/dpkg/*-old", "var/lib/systemd/*", "var/log/*", "etc/*-", "usr/sbin/policy-rc.d"),
        *("run/*", "tmp/*", "usr/lib/**/__pycache__/*.pyc.*"),
    ):
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    (root / "etc/machine-id").write_text("")
    (root / "var/lib/dbus/machine-id").unlink(missing_ok=True)
    (root / "etc/hostname").unlink(missing_ok=True)
    (root / "etc/resolv.conf").unlink(missing_ok=True)


def _packed(root: Path, scratch: Path) -> Path:
    archive = scratch / "packed.tar"
    run(
        "tar",
        "--create",
        "--file",
        archive,
        "--sort=name",
        "--numeric-owner",
        "--xattrs",
        "--directory",
        root,
        ".",
    )
    return archive


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


_QUIET = {"DEBIAN_FRONTEND": "noninteractive", "DEBCONF_NONINTERACTIVE_SEEN": "true", "LC_ALL": "C"}
