"""A real sshd on this machine, with its own keys, for whoever runs the tests."""

from __future__ import annotations

import getpass
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from provisioning.remote import Reach

_PROGRAM = "/usr/sbin/sshd"
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Sshd:
    """One that runs. `directory` has the client's key and what it knows of hosts."""

    directory: Path
    port: int

    @property
    def target(self) -> str:
        """Who logs in, and where."""
        return f"{getpass.getuser()}@127.0.0.1"

    @property
    def known_hosts(self) -> Path:
        """The client's."""
        return self.directory / "known_hosts"

    def reach(self, *, identity: Path | None = None, accept_new_key: bool = False) -> Reach:
        """How it is reached with the right key, unless said."""
        options = (
            f"UserKnownHostsFile={self.known_hosts}",
            "GlobalKnownHostsFile=/dev/null",
            "IdentityAgent=none",
        )
        return Reach(self.port, identity or self.directory / "key", accept_new_key, 5, options)


def free_port() -> int:
    """One at which nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def make_key(path: Path) -> Path:
    """A pair without passphrase; the private one's file."""
    path.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@contextmanager
def running_sshd(directory: Path, settings: str = "") -> Iterator[Sshd]:
    """It listens at 127.0.0.1 and lets the client's key in; its host key is known already."""
    port = free_port()
    make_key(directory / "key")
    host = make_key(directory / "host_key")
    (directory / "authorized_keys").write_text((directory / "key.pub").read_text())
    public = " ".join((directory / "host_key.pub").read_text().split()[:2])
    (directory / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}\n")
    configuration = directory / "sshd.conf"
    configuration.write_text(
        f"{settings}ListenAddress 127.0.0.1\nPort {port}\nHostKey {host}\nPidFile none\nUsePAM no\n"
        f"StrictModes no\nAuthorizedKeysFile {directory}/authorized_keys\nPasswordAuthentication no\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)  # where sshd leaves its rights behind
    process = subprocess.Popen([_PROGRAM, "-D", "-e", "-f", configuration], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, "sshd ended"
            assert time.monotonic() < until, "sshd does not listen"
            time.sleep(0.02)
        yield Sshd(directory, port)
    finally:
        process.terminate()
        process.wait(5)
