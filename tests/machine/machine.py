"""A machine that is none: Debian's systemd as PID 1 in a container, with a root and a network of its own.

What it cannot do: set the clock, load kernel modules, limit memory. Real are systemd with its sandboxes and
watchdogs, udev's and D-Bus's daemons, OpenSSH, nftables, the journal, and, on a card, ext4 and the cut of
power.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from tests.faults.card import Card
from tests.faults.patience import wait
from tests.machine.errors import RigError
from tests.machine.network import Plug, address
from tests.machine.rig import Rig, end_group, groups
from tests.machine.root import LOGIN, Root
from tests.machine.running import Ended, insist, run

_BOOT_SECONDS = 60.0
_DOWN_SECONDS = 60.0
_REBOOTED = 133  # systemd-nspawn, with --keep-unit: the machine asked for a restart


class Machine:
    """Made and booted by `with`; taken away whatever happens.

    Args:
        name: also its host name.
        number: from 1 on; its address follows from it.
        key: the public SSH key that its login lets in.
        on_a_card: its root is an ext4 on a loop device, which can lose power and be full; otherwise an
            overlay in memory, which is there at once.
    """

    def __init__(
        self, rig: Rig, root: Root, name: str, number: int, key: str, *, on_a_card: bool = False
    ) -> None:
        self.name = name
        self.address = address(number)
        self.root = root
        self.tree = rig.place / name / "root"
        self.console = rig.place / name / "console.log"
        self.booted_at = 0.0
        self._key = key
        self._number = number
        self._on_a_card = on_a_card
        self._device = ""
        self._card: Card | None = None
        self._plug: Plug | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def __enter__(self) -> Self:
        try:
            self.tree.mkdir(parents=True)
            self._make_root()
            self._personalise()
            self._plug = Plug(self.name, self._number)
            self.boot()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    # --- power

    def boot(self) -> None:
        """Switch it on; return when it can be reached by SSH. `booted_at` is when it was switched on.

        Raises:
            RigError: it cannot be reached; with what its console said.
        """
        assert self._plug is not None
        for group in groups(self.name):
            group.mkdir(exist_ok=True)
        joined = "".join(f"echo $$ >{group}/cgroup.procs; " for group in groups(self.name))
        command = [
            *("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--settings=no"),
            *(f"--directory={self.tree}", f"--machine={self.name}", f"--hostname={self.name}"),
            *(f"--network-namespace-path={self._plug.path}", "--capability=CAP_NET_ADMIN"),
            *("--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe"),
        ]
        self.booted_at = monotonic()
        with self.console.open("ab") as console:
            self._process = subprocess.Popen(
                ["sh", "-c", f'{joined}exec "$@"', "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
        if not wait(lambda: self._found_leader() and self._answers(), _BOOT_SECONDS):
            raise RigError(f"{self.name} cannot be reached after {_BOOT_SECONDS:g} s: {self._said()}")

    def stop(self) -> None:
        """Shut it down in order, as by its command."""
        assert self._process is not None
        self._process.terminate()
        self._wait_until_down()

    def reboot(self) -> None:
        """Have it start anew by its own command, in order."""
        self.as_root("systemctl --no-block reboot").insist()
        self._wait_until_down()
        self.boot()

    def cut_power(self) -> None:
        """Switch it off at once: what is not synced is lost. The card is checked; `boot` boots it again.

        Raises:
            RigError: it is not on a card.
        """
        if self._card is None:
            raise RigError(f"{self.name} is not on a card: its power cannot be cut")
        self._card.cut()
        self.kill()
        self._card.unmount()
        self._eject()
        self._insert().repair()
        self.card.mount()

    def kill(self) -> None:
        """End every process of it at once; its root stays as it is, what was not synced included."""
        for group in groups(self.name):
            end_group(group)
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._leader = 0

    @property
    def is_up(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def wait_for_reboot(self, seconds: float) -> bool:
        """Where it restarts by itself, let it, and wait until it can be reached; whether it did."""
        assert self._process is not None
        if not wait(lambda: not self.is_up, seconds):
            return False
        self._wait_until_down()
        self.boot()
        return True

    # --- cables and card

    def unplug(self) -> None:
        """Pull the network's cable."""
        assert self._plug is not None
        self._plug.pull()

    def plug(self) -> None:
        """Push it in again."""
        assert self._plug is not None
        self._plug.push()

    @property
    def card(self) -> Card:
        """Its card, to fill and to free. Raises `RigError`: it is on none."""
        if self._card is None:
            raise RigError(f"{self.name} is not on a card")
        return self._card

    # --- from outside and from within

    def as_root(self, command: str, *, given: str | bytes | None = None, seconds: float = 120.0) -> Ended:
        """Run a shell command on it as root, past its network and its logins."""
        within = ("nsenter", "--target", str(self._leader), "--all", "--root", "--wdns=/")
        clean = (
            "env",
            "-i",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME=/root",
        )
        return run(*within, *clean, "sh", "-c", command, given=given, seconds=seconds)

    def path(self, path: str) -> Path:
        """A file of the running machine, its /run and /tmp included, as seen from here."""
        return Path(f"/proc/{self._leader}/root") / path.lstrip("/")

    def unit(self, name: str, *properties: str) -> dict[str, str]:
        """Properties of a unit, as `systemctl show` has them."""
        asked = self.as_root(f"systemctl show {name} --property={','.join(properties)}").insist()
        return dict(line.split("=", 1) for line in asked.splitlines() if "=" in line)

    def journal(self, *arguments: str) -> str:
        """The journal, as `journalctl` prints it with these arguments."""
        return self.as_root(f"journalctl --no-pager --quiet {' '.join(arguments)}").insist()

    @property
    def target(self) -> str:
        """How an engineer names it for SSH."""
        return f"{LOGIN}@{self.address}"

    # --- within

    def _make_root(self) -> None:
        if not self._on_a_card:
            upper, work = self.tree.parent / "upper", self.tree.parent / "work"
            for each in (upper, work):
                each.mkdir()
            layers = f"lowerdir={self.root.tree},upperdir={upper},workdir={work}"
            insist("mount", "-t", "overlay", "-o", layers, "overlay", str(self.tree))
            return
        insist("cp", "--sparse=always", str(self.root.card), str(self._image))
        self._insert().mount()

    @property
    def _image(self) -> Path:
        return self.tree.parent / "card.img"

    def _insert(self) -> Card:
        self._device = insist("losetup", "--find", "--show", str(self._image)).strip()
        self._card = Card(self._device, self.tree)
        return self._card

    def _eject(self) -> None:
        """Until the device is let go, a mount of it would be the same as before the cut: one that is shut
        down. The killed machine's mounts go a little after its processes."""
        device, self._device, self._card = self._device, "", None
        insist("losetup", "--detach", device)
        if not wait(lambda: not run("losetup", "--associated", str(self._image)).output, _DOWN_SECONDS):
            raise RigError(f"{device} is not let go after {_DOWN_SECONDS:g} s: see losetup --list")

    def _personalise(self) -> None:
        """What a first boot would make, and the engineer's key."""
        (self.tree / "etc/machine-id").write_text(f"{uuid.uuid4().hex}\n")
        (self.tree / "etc/hostname").write_text(f"{self.name}\n")
        with (self.tree / "etc/hosts").open("a") as hosts:
            hosts.write(f"127.0.1.1 {self.name}\n")
        home = self.tree / f"home/{LOGIN}"
        keys = home / ".ssh"
        keys.mkdir(exist_ok=True)
        (keys / "authorized_keys").write_text(self._key)
        owner = home.stat()
        for path, mode in ((keys, 0o700), (keys / "authorized_keys", 0o600)):
            path.chmod(mode)
            os.chown(path, owner.st_uid, owner.st_gid)
        insist("sync", "--file-system", str(self.tree))

    def _found_leader(self) -> bool:
        """systemd-nspawn's own child is the machine's PID 1."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise RigError(f"{self.name} ended at once with {self._process.returncode}: {self._said()}")
        pid = self._process.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            named = [each for each in children if Path(f"/proc/{each}/comm").read_text() == "systemd\n"]
        except OSError:
            return False
        self._leader = int(named[0]) if named else 0
        return bool(self._leader)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            try:
                probe.connect((self.address, 22))
                return probe.recv(4) == b"SSH-"
            except OSError:
                return False

    def _wait_until_down(self) -> None:
        assert self._process is not None
        try:
            code = self._process.wait(_DOWN_SECONDS)
        except subprocess.TimeoutExpired:
            raise RigError(f"{self.name} is not down after {_DOWN_SECONDS:g} s: {self._said()}") from None
        if code not in (0, _REBOOTED):
            raise RigError(f"{self.name} ended with {code}: {self._said()}")
        self._leader = 0

    def _said(self) -> str:
        return self.console.read_text(errors="replace")[-1500:] if self.console.exists() else ""

    def _remove(self) -> None:
        self.kill()
        if self._plug is not None:
            self._plug.remove()
        if os.path.ismount(self.tree):
            ended = run("umount", str(self.tree))
            if ended.code:
                time.sleep(0.5)
                run("umount", "--lazy", str(self.tree))
        if self._device:
            run("losetup", "--detach", self._device)
        run("rm", "-rf", "--one-file-system", str(self.tree.parent))


def hard_kill(machine: Machine, unit: str, which: signal.Signals) -> int:
    """Send the unit's main process a signal; its process id, as the machine has it."""
    pid = int(machine.unit(unit, "MainPID")["MainPID"])
    machine.as_root(f"kill -{which.value} {pid}").insist()
    return pid
