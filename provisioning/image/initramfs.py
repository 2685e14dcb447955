"""The initramfs: busybox and the drivers for a card, a disk on USB and QEMU's; some two megabytes."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from provisioning.errors import ProvisioningError
from provisioning.image.commands import run

_INIT = Path(__file__).parent / "initramfs"
_MODULES = (
    *("ext4", "crc32c_generic"),
    *("sdhci-iproc", "bcm2835", "fixed", "gpio-regulator"),  # the card's, from the Pi 3 to the Pi 4
    *("reset-raspberrypi", "phy-generic", "dwc2", "xhci-pci", "xhci-plat-hcd"),
    *("usb-storage", "uas", "sd_mod"),
    *("virtio_mmio", "virtio_pci", "virtio_blk"),
)
_DIRECTORY, _FILE, _LINK = 0o040755, 0o100644, 0o120777


def initramfs(root: Path, version: str) -> bytes:
    """For the kernel of that version, whose modules are in `root`. The same from the same files.

    Raises:
        ProvisioningError: a driver is not there.
    """
    entries: dict[str, tuple[int, bytes]] = {
        **dict.fromkeys(("bin", "dev", "proc", "sys", "root", "lib", "lib/modules"), (_DIRECTORY, b"")),
        "init": (0o100755, _INIT.read_bytes()),
        "bin/busybox": (0o100755, (root / "usr/bin/busybox").read_bytes()),
    }
    with TemporaryDirectory(prefix="carehub-initramfs-") as name:
        for path in _wanted(root, version):
            to = Path(name) / "lib/modules" / version / path
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes((root / "usr/lib/modules" / version / path).read_bytes())
        run("depmod", "--basedir", name, version)
        for found in sorted(Path(name).glob("lib/modules/**/*")):
            own = str(found.relative_to(name))
            if found.is_dir():
                entries[own] = (_DIRECTORY, b"")
            elif not own.endswith(".bin"):  # busybox reads the others
                entries[own] = (_FILE, found.read_bytes())
    return gzip.compress(b"".join(_archived(entries)), mtime=0)


def _wanted(root: Path, version: str) -> set[str]:
    """The modules, and what each needs, below the kernel's directory."""
    lines = (root / "usr/lib/modules" / version / "modules.dep").read_text().splitlines()
    needs = {path: others.split() for path, _, others in (line.partition(":") for line in lines)}
    named = {Path(path).name.partition(".")[0].replace("-", "_"): path for path in needs}
    found: set[str] = set()
    for module in _MODULES:
        path = named.get(module.replace("-", "_"))
        if path is None:
            if module.replace("-", "_") in _built_in(root, version):
                continue
            raise ProvisioningError(f"the image cannot be made: the kernel {version} has no driver {module}")
        found |= {path, *needs[path]}
    return found


def _built_in(root: Path, version: str) -> set[str]:
    lines = (root / "usr/lib/modules" / version / "modules.builtin").read_text().splitlines()
    return {Path(line).stem.replace("-", "_") for line in lines}


def _archived(entries: Mapping[str, tuple[int, bytes]]) -> Iterator[bytes]:
    """As the kernel reads it: cpio, "newc" (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    for number, (name, (mode, content)) in enumerate([*sorted(entries.items()), ("TRAILER!!!", (0, b""))], 1):
        path = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + path
        yield header + b"\0" * (-len(header) % 4)
        yield content + b"\0" * (-len(content) % 4)
