"""Look at a machine before anything is done to it: with the keeper, which is brought there for as long as it
takes."""

from __future__ import annotations

import io
import shlex
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, fields

from provisioning.errors import ProvisioningError
from provisioning.machine_words import object_of, plain
from provisioning.plan import keeper_files
from provisioning.remote import Remote

_NO_PYTHON, _OLD_PYTHON = 97, 98
_LOOK = (
    "import sys; sys.version_info < (3, 11) and sys.exit(98);"
    " sys.path.insert(0, sys.argv[1]); import json; from pathlib import Path;"
    " from provisioning.keeper.look import look; from provisioning.keeper.places import Places;"
    " print(json.dumps({'directory': sys.argv[1], 'login': sys.argv[2], 'connection': sys.argv[3],"
    " **look(Places(), sys.argv[2], (sys.argv[3].split() or [''])[0].partition('%')[0])}))"
)
_BEGIN = (
    "command -v python3 >/dev/null || exit 97;"
    " find /var/tmp -maxdepth 1 -name 'carehub-provisioning.*' -mmin +1440 -exec rm -rf {} + 2>/dev/null;"
    ' d=$(mktemp -d /var/tmp/carehub-provisioning.XXXXXXXX) && tar -xmf - -C "$d"'
    f' && python3 -IS -c {shlex.quote(_LOOK)} "$d" "$1" "$2" || {{ code=$?; rm -rf "$d"; exit $code; }}'
)


@dataclass(frozen=True, slots=True)
class Seen:
    """The machine, as it was found. `directory` there holds the keeper that works now."""

    directory: str
    login: str
    connection: str
    architecture: str
    python: str
    system: str
    systemd: bool
    machine: str
    hub: str
    has_data: bool
    in_force: str
    on_probation: bool
    certified: bool
    sha256: str
    keys: int
    key_files: Sequence[str]
    key_logins: Sequence[str]
    ports: Sequence[int]
    root_login: str
    addresses: Sequence[str]
    gateways: Sequence[str]
    wired: str

    def __post_init__(self) -> None:
        for each in fields(self):
            kind = type(getattr(self, each.name)).__name__.replace("list", "Sequence")
            if kind != str(each.type).partition("[")[0]:
                raise TypeError(f"{each.name} is of the kind {kind}")

    @property
    def from_address(self) -> str:
        """From which address this machine is seen to log in."""
        return (self.connection.split() or [""])[0].partition("%")[0]

    @property
    def port(self) -> int:
        """At which port its sshd was reached."""
        words = self.connection.split()
        return int(words[3]) if len(words) == 4 and words[3].isdigit() else 22


def look_at(remote: Remote) -> Seen:
    """Bring the keeper there and have it look.

    Raises:
        ProvisioningError: there is no Python that it runs with, or it cannot be read.
    """
    done = remote.run(_BEGIN, _keeper_archive(), seconds=60)
    target = remote.target
    if done.code in (_NO_PYTHON, _OLD_PYTHON):
        what = "has no python3" if done.code == _NO_PYTHON else "has a Python before 3.11"
        raise ProvisioningError(
            f"{target}: {what}: a hub needs Debian 12 or 13, or Raspberry Pi OS of Bookworm or Trixie"
            " (64-bit); write its card anew"
        )
    try:
        return Seen(**object_of(done.output.strip().splitlines()[-1]))
    except (ValueError, IndexError, TypeError) as error:
        said = (done.errors.strip() or done.output.strip() or f"exit code {done.code}").splitlines()[-1]
        raise ProvisioningError(f"{target}: cannot be looked at: {plain(said)}") from error


def _keeper_archive() -> bytes:
    """The keeper as a tar, for a machine that has none or another."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in keeper_files():
            entry = tarfile.TarInfo(f"provisioning/{name}")
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return whole.getvalue()
