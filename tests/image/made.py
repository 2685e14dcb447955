"""What the parts need: this checkout's release for aarch64, signed by a key of the rig's; a broker that asks
for certificates; a site's file for the hub on the card."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from provisioning.authority import Authority
from provisioning.bundle import build, signers_line
from tests.rigs.recommended_broker import ICS, AuthorityScript, RecommendedBroker

CACHE = Path(__file__).parents[2] / ".vm" / "image"
"""Where the last run's image, logs and numbers are."""

HOST = "10.0.2.2"
"""This machine, as QEMU's network shows it to a guest."""

_SITE = """
[site]
id = "rose-house"
test_data = true

[hub]
id = "hub-1"

[broker]
host = "{host}"
port = {port}

[[residents]]
id = "R-0412"
name = "A. Example"

[machine.ssh]
authorized_keys = ["{key}"]

[authority]
directory = "authority"
"""


def bundle(into: Path) -> tuple[Path, Path]:
    """This checkout's release for both Pythons, and who may have signed it. What is built from source for it
    comes from the cache."""
    key, out, signers = into / "release", into / "aarch64.bundle", into / "release_signers"
    if not key.exists():
        subprocess.run(
            ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "rig", "-f", str(key)),
            check=True,
            timeout=30,
        )
    signers.write_text(signers_line(key.with_suffix(".pub").read_text()) + "\n")
    build(key, out, architecture="aarch64", pythons=("3.11", "3.13"), tell=lambda words: print(f"  {words}"))
    return out, signers


class _Authority(AuthorityScript):
    """The pilot's authority, begun as `carehub ca begin` does it."""

    def __init__(self, directory: Path) -> None:  # the script's own beginning makes no list of clients
        self.directory = directory
        Authority(directory).begin()


class Desk:
    """The recommended broker, with mutual TLS, and at it the ICS's desk, which notes the hub's `status`."""

    def __init__(self, directory: Path) -> None:
        authority = _Authority(directory / "authority")
        authority("broker", "127.0.0.1", HOST)
        for ending in ("crt", "key"):
            (authority.directory / f"127.0.0.1.{ending}").rename(authority.directory / f"broker.{ending}")
        self.broker = RecommendedBroker(directory / "broker", authority)
        self.told: list[tuple[float, dict[str, Any]]] = []
        self.online = threading.Event()
        files = authority.client(ICS)
        self._client = Client(CallbackAPIVersion.VERSION2, ICS, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.tls_set(str(files.ca), str(files.certificate), str(files.key))
        self._client.on_connect = lambda client, *_: client.subscribe("careport/v1/+/+/status", qos=1)
        self._client.on_message = self._on_message
        self.site = directory / "site.toml"
        engineer = directory / "engineer"
        subprocess.run(
            ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "engineer", "-f", str(engineer)),
            check=True,
            timeout=30,
        )
        key = engineer.with_suffix(".pub").read_text().strip()
        self.site.write_text(_SITE.format(host=HOST, port=self.broker.port, key=key))

    def __enter__(self) -> Self:
        self.broker.start()
        self._client.connect(self.broker.host, self.broker.port)
        self._client.loop_start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self.broker.stop()

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if not message.payload:
            return
        said = json.loads(message.payload)
        self.told.append((monotonic(), said))
        if said.get("state") == "online":
            self.online.set()
