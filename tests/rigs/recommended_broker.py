"""The recommended broker: mosquitto with the files of provisioning/broker, only port and paths changed."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.configuration import file as config
from hub.uplink.broker import Broker
from tests.rigs.broker import Mosquitto
from tests.rigs.forwarding import settings

SHIPPED = Path(__file__).parents[2] / "provisioning" / "broker"
HUB, OTHER_HUB, ICS = "rose-house.hub-1", "oak-house.hub-1", "ics-desk"
OWN, OTHER = "careport/v1/rose-house/hub-1", "careport/v1/oak-house/hub-1"
_CLIENTS = f"""
hub {HUB}        rose-house  hub-1   # the one of tests/rigs/house.py
hub {OTHER_HUB}  oak-house   hub-1
ics {ICS}
"""
_RUNNING, _RELOADING = " running\n", "Reloading config"


@dataclass(frozen=True)
class ClientFiles:
    """A client's own certificate and key, and the authority it trusts."""

    ca: Path
    certificate: Path
    key: Path

    def settings(self, port: int, **changes: object) -> config.Broker:
        """The configuration of a client with these files."""
        files = {"ca_file": self.ca, "certificate_file": self.certificate, "key_file": self.key}
        told: dict[str, object] = {"host": "127.0.0.1", "tls": True, **files, **changes}
        return settings(str(told.pop("host")), port, **told)


class AuthorityScript:
    """provisioning/broker/authority.sh at work in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self("begin")

    def __call__(self, *arguments: str) -> None:
        subprocess.run(
            [SHIPPED / "authority.sh", self.directory, *arguments],
            check=True,
            capture_output=True,
            timeout=30,
        )

    def client(self, name: str) -> ClientFiles:
        """The files of a client; it is certified at the first time."""
        certificate = self.directory / f"{name}.crt"
        if not certificate.exists():
            self("client", name)
        return ClientFiles(self.directory / "ca.crt", certificate, self.directory / f"{name}.key")


class RecommendedBroker(Mosquitto):
    """mosquitto with the shipped configuration and access list; `access` is the list's file."""

    def __init__(self, directory: Path, authority: AuthorityScript) -> None:
        super().__init__(directory)
        self._directory = directory
        self.authority = authority
        self.access = directory / "access"
        if not (authority.directory / "broker.crt").exists():
            authority("broker", "127.0.0.1")
            for ending in ("crt", "key"):
                (authority.directory / f"127.0.0.1.{ending}").rename(authority.directory / f"broker.{ending}")
        for name in ("ca.crt", "broker.crt", "broker.key", "revoked.crl"):
            shutil.copy(authority.directory / name, directory)
        clients = directory / "clients"
        clients.write_text(_CLIENTS)
        self.access.write_text(
            subprocess.run(
                [sys.executable, SHIPPED / "acl.py", clients], check=True, capture_output=True, text=True
            ).stdout
        )
        shipped = (SHIPPED / "mosquitto.conf").read_text()
        for theirs, ours in (
            ("\nlistener 8883\n", f"\nlistener {self.port} {self.host}\nuser root\n"),
            ("/etc/mosquitto/careport/", f"{directory}/"),
            ("/var/lib/mosquitto/", f"{directory}/"),
        ):
            assert theirs in shipped
            shipped = shipped.replace(theirs, ours)
        self._configuration.write_text(shipped)

    def start(self) -> None:
        """Start, and return when it minds signals: it listens before, and a SIGHUP then ends it."""
        before = self.log.count(_RUNNING)
        super().start()
        self._until_logged(_RUNNING, before)

    def reload(self) -> None:
        """Have it read its access list and its revocations again, as `systemctl reload mosquitto` does.

        Back when it has: it serves whoever knocks before it looks at the signal.
        """
        shutil.copy(self.authority.directory / "revoked.crl", self._directory)
        assert self._process is not None
        before = self.log.count(_RELOADING)
        self._process.send_signal(signal.SIGHUP)
        self._until_logged(_RELOADING, before)

    def client(self, name: str, subscription: str | Sequence[str] = (), **changes: object) -> Broker:
        """The broker as a client of this name sees it, with the hub's own client."""
        return Broker(
            self.authority.client(name).settings(self.port, **changes), "x", subscription=subscription
        )

    def _until_logged(self, words: str, times: int) -> None:
        """Wait until it has logged this more often."""
        assert self._process is not None
        deadline = time.monotonic() + 60  # it may have a hundred thousand messages to write first
        while self.log.count(words) == times:
            assert self._process.poll() is None, f"mosquitto ended ({self._process.returncode}):\n{self.log}"
            assert time.monotonic() < deadline, f"mosquitto did not log {words.strip()!r} within 60 s"
            time.sleep(0.01)
