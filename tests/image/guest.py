"""A card in a machine that QEMU plays: a Raspberry Pi 3, or one of no maker, with the card's own kernel."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.image.card import Card

_CARD_SIZE = 2 << 30  # as the Pi's QEMU wants it, a power of two; and larger than the image


@dataclass(frozen=True, slots=True)
class Kind:
    """A machine as QEMU has it."""

    name: str
    arguments: tuple[str, ...]
    console: str
    tree: str = ""
    words: str = ""
    """Further words for the kernel."""


VIRT = Kind(
    "virt",
    (
        *("-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "1024"),
        # Without the ROM to start from the network: it is of a package that may not be there.
        *("-device", "virtio-blk-device,drive=card", "-device", "virtio-net-pci,netdev=home,romfile="),
        *("-drive", "file=card,if=none,id=card,format=raw", "-serial", "file:console.log"),
    ),
    "ttyAMA0",
)
PI = Kind(
    "raspi3b",
    (
        *("-M", "raspi3b", "-device", "usb-net,netdev=home", "-drive", "file=card,if=sd,format=raw"),
        *("-serial", "null", "-serial", "file:console.log"),
    ),
    "ttyS1,115200",
    "bcm2837-rpi-3-b.dtb",
    # QEMU's watchdog of the Pi does not count: it resets the machine once it is set (bcm2835_powermgt.c).
    "systemd.watchdog_sec=0",
)


class Guest:
    """It has the power from `with` on until the end of that. `card` is its own copy of the image."""

    def __init__(self, kind: Kind, image: Path, directory: Path) -> None:
        self._kind, self._directory = kind, directory
        directory.mkdir(parents=True)
        self.card = Card(directory / "card")
        subprocess.run(("cp", "--sparse=always", str(image), str(self.card.path)), check=True)
        with self.card.path.open("r+b") as card:
            card.truncate(_CARD_SIZE)

    def __enter__(self) -> Self:
        # What the Pi's firmware does: from the boot partition, with the command line that is there.
        kernel, initrd = (self.card.take(name, self._directory).name for name in ("/vmlinuz", "/initrd.img"))
        words = self.card.boot_text("/cmdline.txt").split()
        line = " ".join(
            [f"console={self._kind.console}", *(each for each in words if "console=" not in each)]
        )
        tree = (
            ("-dtb", self.card.take(f"/{self._kind.tree}", self._directory).name) if self._kind.tree else ()
        )
        command = (
            *(
                "setpriv",
                "--pdeathsig",
                "KILL",
                "qemu-system-aarch64",
                "-nodefaults",
                "-no-user-config",
                "-no-reboot",
            ),
            *("-display", "none", "-netdev", "user,id=home", "-qmp", "unix:qmp,server=on,wait=off"),
            *self._kind.arguments,
            *("-kernel", kernel, "-initrd", initrd, *tree),
            *("-append", f"{line} systemd.show_status=no {self._kind.words}".rstrip()),
        )
        with (self._directory / "qemu.log").open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=self._directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()

    def runs(self) -> bool:
        """Whether it has not ended by itself."""
        return self._process.poll() is None

    def switch_off(self, seconds: float) -> bool:
        """Press the button, and wait until it is off; whether it was in time."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(30)
            monitor.connect(str((self._directory / "qmp").resolve()))
            monitor.makefile("rb").readline()
            for order in ("qmp_capabilities", "system_powerdown"):
                monitor.sendall(json.dumps({"execute": order}).encode() + b"\n")
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                return False
        return True

    @property
    def console(self) -> str:
        """What it said."""
        return (self._directory / "console.log").read_text(errors="replace")

    def remove(self) -> None:
        """Its card takes two gigabytes."""
        shutil.rmtree(self._directory)
