"""Commands on the machine that is set up, and those that a change still owes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from provisioning.keeper.applying_files import replace, root_owned
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.places import Places
from provisioning.keeper.resources import Outcome, Packages, title

RELOAD = "systemctl daemon-reload"
_LONGEST_SECONDS = 660.0
"""Beyond the ten minutes that carehub.service may take to start where it looks through a large database."""
_APT_SECONDS = 1200.0
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C",
    "DEBIAN_FRONTEND": "noninteractive",
    "SYSTEMD_PAGER": "",
    "SYSTEMD_COLORS": "0",
}


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended: its exit code and what it said, errors last."""

    code: int
    words: str

    @property
    def done(self) -> bool:
        """Whether it ended well."""
        return self.code == 0


class Machine:
    """The machine whose files stand below `places.root`.

    `live`: it runs, and commands reach it. An image does not: there a command runs in a chroot, nothing is
    started and nothing is owed, since its first boot reads everything anew.
    """

    def __init__(self, places: Places, *, live: bool) -> None:
        self.places, self.live = places, live

    def run(self, command: str, seconds: float = _LONGEST_SECONDS) -> Said:
        """Run a line of shell. Raises `KeeperError`: it did not end in time."""
        inside = [] if self.live else ["chroot", str(self.places.root)]
        return self.call([*inside, "/bin/sh", "-c", command], seconds)

    def call(self, command: Sequence[str], seconds: float = _LONGEST_SECONDS) -> Said:
        """Run a program. Raises `KeeperError`: it is not there, or did not end in time."""
        try:
            ended = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                env=_ENVIRONMENT, timeout=seconds, check=False, text=True, errors="replace",
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise KeeperError(f"{' '.join(command)}: did not end within {seconds:g} s") from error
        except OSError as error:
            raise KeeperError(f"{command[0]}: cannot be run: {error.strerror}") from error
        return Said(ended.returncode, ended.stdout.strip())


class Owed:
    """What is to be run after changes (`File.then`): noted on the card before the change is made, so that
    it is run by the next apply where the power went in between."""

    def __init__(self, machine: Machine, *, dry_run: bool) -> None:
        self._machine, self._dry_run = machine, dry_run
        self._file = machine.places.state / "owed.json"
        self._commands = self._read()
        self._tried: set[str] = set()

    def note(self, commands: Sequence[str]) -> None:
        """They are owed from now on. Raises `OSError`: it cannot be noted."""
        new = [each for each in commands if each not in self._commands]
        self._tried.difference_update(commands)
        if not new or not self._machine.live:
            return
        self._commands += new
        self._save()

    def settle(self) -> Iterator[Outcome]:
        """Run each once. What fails stays owed."""
        # Everything else goes by the units as they are now.
        for command in sorted(self._commands, key=lambda each: each != RELOAD):
            if command in self._tried:
                continue
            self._tried.add(command)
            if self._dry_run:
                yield Outcome(f"run {command}", "would change")
                continue
            try:
                said = self._machine.run(command)
                if said.done:
                    self._commands.remove(command)
                    self._save()
            except (KeeperError, OSError) as error:
                said = Said(1, str(error))
            yield Outcome(f"run {command}", "changed" if said.done else "failed", said.words[-2000:])

    def _read(self) -> list[str]:
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        return [str(each) for each in found] if isinstance(found, list) else []

    def _save(self) -> None:
        if self._dry_run:
            return
        if self._commands:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            replace(self._file, json.dumps(self._commands).encode(), root_owned(0o644))
        else:
            with contextlib.suppress(FileNotFoundError):
                self._file.unlink()


def packages(resource: Packages, machine: Machine, *, dry_run: bool) -> Outcome:
    """Have Debian's packages there. Raises `KeeperError`: dpkg cannot be asked."""
    admin = machine.places.root / "var/lib/dpkg"
    asked = machine.call(
        ["dpkg-query", f"--admindir={admin}", "--show", "--showformat=${Package} ${db:Status-Status}\n",
         *resource.names]
    )  # fmt: skip
    there = {line.split()[0] for line in asked.words.splitlines() if line.endswith(" installed")}
    missing = [name for name in resource.names if name not in there]
    name = title(resource)
    if not missing:
        return Outcome(name, "none")
    words = ", ".join(missing)
    if dry_run:
        return Outcome(name, "would change", f"{words} would be installed with apt-get")
    # What a power cut has left half-way keeps apt from everything.
    install = f"dpkg --configure -a && apt-get {_APT} install --no-install-recommends {' '.join(missing)}"
    if machine.run(install, _APT_SECONDS).done:
        return Outcome(name, "changed", f"installed: {words}")
    machine.run(f"apt-get {_APT} update", _APT_SECONDS)
    said = machine.run(install, _APT_SECONDS)
    if said.done:
        return Outcome(name, "changed", f"installed: {words}")
    last = said.words.splitlines()[-1:] or ["apt-get said nothing"]
    return Outcome(
        name,
        "failed",
        f"missing and not to be had: {words} ({last[0]}): let the machine reach a mirror of Debian and"
        " provision again, or install them from a medium",
    )


_APT = (
    "-q -y -o Acquire::Retries=0 -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10"
    " -o DPkg::Lock::Timeout=120"
)


def as_root() -> bool:
    """Whether owners can be set."""
    return os.geteuid() == 0


def runs(places: Places) -> bool:
    """Whether the machine of these places is the one that runs."""
    return places.root == Path("/")
