"""The virtual machine: plays scenarios in QEMU, without KVM, network or anything that stays."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from tests.vm.image import ROOT, Image, MachineError

SCENARIOS = ("controller", "plugging", "hanging", "bonding", "collecting", "serving", "scanning", "healing")
"""The files in guest/scenarios, the longest first."""

_PARTS = ("hub", "drivers", "models", "tests", "systemd", "pyproject.toml")
_WITH_USB = ("plugging", "scanning", "serving")
_USB_LINES = ("qmp", "line1", "line2", "line3")
_MEMORY = "1024"  # MiB
_RESTARTS = "reboot: Restarting system"  # what the kernel says last


@dataclass(frozen=True, slots=True)
class Machine:
    """One boot of an image. After so many seconds it is switched off.

    Its logs are in `out`: the console's, QEMU's, what was told, and with `trace` what went over HCI.
    """

    image: Image
    out: Path
    trace: bool
    seconds: float

    def play(self, file: str, arguments: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Boot, play a file of scenarios with these arguments for pytest, and give what the guest tells, as
        it tells it.

        Raises:
            MachineError: the machine does not start, or does not end in time.
        """
        self.out.mkdir(parents=True)
        self._pack([*arguments, f"tests/vm/guest/scenarios/{file}.py"])
        with _process(self._command(file), self.out / "qemu.log") as qemu, self._told.open("rb") as lines:
            until = monotonic() + self.seconds
            rest = b""
            while True:
                over = qemu.poll() is not None
                rest += lines.read()
                *whole, rest = rest.split(b"\n")
                for line in whole:
                    yield decoded(line)
                if over:
                    break
                if monotonic() > until:
                    raise MachineError(f"the machine had not ended after {self.seconds:g} s: switched off")
                sleep(0.2)
            if qemu.returncode:
                log = (self.out / "qemu.log").read_text(errors="replace")
                raise MachineError(f"QEMU ended with {qemu.returncode}: {log[-500:]}")

    def has_restarted(self) -> bool:
        """Whether the machine ended by restarting, not by going off."""
        return _RESTARTS in (self.out / "console.log").read_text(errors="replace")

    @property
    def _told(self) -> Path:
        return self.out / "told.jsonl"

    def _command(self, file: str) -> list[str]:
        self._told.touch()
        serial_lines = (self.out / "console.log", self._told, self.out / "hci.log")
        return [
            *("setpriv", "--pdeathsig", "KILL", "nice", "-n", "10"),
            *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot"),
            *("-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", _MEMORY, "-display", "none", "-nic", "none"),
            *("-kernel", str(self.image.kernel), "-initrd", str(self.image.initrd)),
            *("-append", "console=ttyS0 quiet loglevel=4 mitigations=off systemd.show_status=no"),
            *("-drive", f"file={self.image.disk},if=virtio,format=raw,snapshot=on"),
            *("-drive", f"file={self._checkout},if=virtio,format=raw,readonly=on"),
            *(word for path in serial_lines for word in ("-serial", f"file:{path}")),
            *(self._usb() if file in _WITH_USB else ()),
        ]

    def _usb(self) -> Iterator[str]:
        """USB, with QEMU's monitor and the far end of each serial adapter in the guest's hands: QEMU speaks
        with itself, and the guest has the other end of that as virtio ports (`guest/sockets.py`)."""
        yield from ("-device", "qemu-xhci", "-device", "virtio-serial")
        for name in _USB_LINES:
            yield from ("-chardev", f"socket,id={name},path={name},server=on,wait=off")  # in `out`
            yield from ("-chardev", f"socket,id={name}-guest,path={name}")
            yield from ("-device", f"virtserialport,chardev={name}-guest,name={name}")
        yield from ("-mon", "chardev=qmp,mode=control")

    @property
    def _checkout(self) -> Path:
        return self.out / "checkout.tar"

    def _pack(self, arguments: Sequence[str]) -> None:
        """The checkout as it is now, and what is asked for, as a disk that the guest unpacks."""
        asked = self.out / "arguments"
        asked.write_text("".join(f"{each}\n" for each in arguments))

        def wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
            return None if "__pycache__" in entry.name else entry

        with tarfile.open(self._checkout, "w") as archive:
            for part in _PARTS:
                archive.add(ROOT / part, part, filter=wanted)
            archive.add(asked, "careport-arguments")
            if self.trace:
                archive.add(asked, "careport-trace")


def decoded(line: bytes) -> dict[str, Any]:
    """A line that the guest told; one that cannot be read as "garbled"."""
    try:
        said = json.loads(line)
    except ValueError:
        said = None
    return said if isinstance(said, dict) else {"garbled": line.decode(errors="replace")}


@contextlib.contextmanager
def _process(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended with this block; setpriv sees to it if this program is killed."""
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=log.parent
            )
    except OSError as error:
        raise MachineError(f"QEMU cannot be started: {error}") from error
    try:
        yield process
    finally:
        process.kill()
        process.wait()
