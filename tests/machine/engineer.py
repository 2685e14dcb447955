"""The engineer's laptop: a directory with an SSH key, the programme's authority, site files, `carehub`."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from provisioning.authority import Authority
from tests.faults.ward import DRIVER, Ward, address
from tests.machine.machine import Machine
from tests.machine.network import BROKER_NAME
from tests.machine.root import LOGIN, ROOT
from tests.machine.running import Ended, insist, run

SITE = "rose-house"
RESIDENT_NAME = "Winifred Ashworth-Pemberton"
"""Of the resident that the virtual ward makes ill: nobody's, and to be found nowhere but in hub.toml and the
database."""

WARD = "/opt/carehub/current/lib/drivers/virtual/deteriorating.toml"
"""What the virtual ward plays: 22 s after the hub's start somebody is ill enough for an alert."""


class Engineer:
    """Everything that an engineer does goes through here: `carehub` and `ssh`, as they are typed.

    `ssh` is OpenSSH with a configuration of this laptop's own (key, hosts by name): a script of that name
    stands first on the path, as nobody's ~/.ssh is to be touched.
    """

    def __init__(self, directory: Path, python: str) -> None:
        self.directory = directory
        directory.mkdir(parents=True)
        self._key = directory / "id_ed25519"
        insist("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "sam@laptop", "-f", str(self._key))
        self._hosts = directory / "ssh_config"
        self._hosts.write_text(
            f"Host *\n IdentityFile {self._key}\n IdentitiesOnly yes\n"
            f" UserKnownHostsFile {directory}/known_hosts\n StrictHostKeyChecking accept-new\n"
        )
        programs = directory / "bin"
        programs.mkdir()
        for name in ("ssh", "scp", "sftp"):
            real = shutil.which(name)
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec {real} -F {self._hosts} "$@"\n')
            program.chmod(0o755)
        self.carehub_program = ROOT / ".venv/bin/carehub"
        (programs / "carehub").symlink_to(self.carehub_program)
        self.environment: Mapping[str, str] = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(directory),
            # The machines here are no Raspberry Pis.
            "CAREHUB_BUNDLE_ARCHITECTURE": "x86_64",
            "CAREHUB_BUNDLE_PYTHON": python,
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
        }
        self.authority = Authority(directory / "authority")
        self.authority.begin()

    @property
    def public_key(self) -> str:
        """The line that lets in."""
        return self._key.with_suffix(".pub").read_text()

    def call(self, machine: Machine, name: str) -> None:
        """From now on the machine is known by this name, as by a home's router."""
        with self._hosts.open("a") as hosts:
            hosts.write(f"Host {name}\n HostName {machine.address}\n")

    def carehub(self, *arguments: str | Path, seconds: float = 300.0) -> Ended:
        """`carehub`, as an engineer types it in that directory."""
        return self.shell(shlex.join(("carehub", *map(str, arguments))), seconds=seconds)

    def ssh(self, machine: Machine, command: str) -> Ended:
        """A command on a machine, as its login."""
        return self.shell(shlex.join(("ssh", "-q", machine.target, command)))

    def shell(self, command: str, *, seconds: float = 300.0) -> Ended:
        """Any command line, typed in that directory."""
        within = ("env", f"--chdir={self.directory}", "sh", "-c", command)
        return run(*within, environment=self.environment, seconds=seconds)

    def site(
        self, hub: str, *, signers: Path, ward: Ward | None = None, radio: str = "virtual", more: str = ""
    ) -> Path:
        """A site's file for a test hub; with a `ward` it takes what `tests.faults.feeding` feeds, and its own
        radio is silent. `more` is put behind it."""
        path = self.directory / f"{SITE}-{hub}.toml"
        lines = [
            "[site]",
            f'id = "{SITE}"',
            'timezone = "Europe/London"',
            "test_data = true   # everything this hub sends is marked so",
            "[hub]",
            f'id = "{hub}"',
            "[broker]",
            f'host = "{BROKER_NAME}"',
            "port = 8883",
            'reconnect_most = "2 s"',
            "[bluetooth]",
            f'radio = "{radio}"',
            *([f'scenario = "{WARD}"'] if radio == "virtual" and ward is None else []),
            "[usb]",
            'ports = "off"',
            "[replay]",
            'socket = "/run/carehub/replay.sock"',
            "[publish]",
            "reading = true",
            "[machine.page]",
            "from_authority = true",
            f'names = ["{SITE}-{hub}"]',
            "[authority]",
            'directory = "authority"',
            f'release_signers = "{signers}"',
            "[[residents]]",
            'id = "R-0412"',
            f'name = "{RESIDENT_NAME}"',
            'room = "12"',
        ]
        for number, driver in enumerate(("blood_pressure", "pulse_oximeter", "thermometer"), 1):
            lines += ["[[sensors]]", f'address = "C4:F2:17:00:00:{number:02}"', f'driver = "{driver}"']
            lines += ['resident = "R-0412"']
        for resident in range(ward.residents if ward else 0):
            lines += ["[[residents]]", f'id = "R-{10_000 + resident}"']
            lines += ["[[sensors]]", f'address = "{address(resident)}"', f'driver = "{DRIVER}"']
            lines += [f'resident = "R-{10_000 + resident}"']
        path.write_text("\n".join(lines) + "\n" + more)
        return path


def login_at(name: str) -> str:
    """As an engineer writes whom to reach."""
    return f"{LOGIN}@{name}"
