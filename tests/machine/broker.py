"""The ICS: the recommended broker on the rig's bridge, over mutual TLS, and a subscriber."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from hub.clock import now
from hub.demo.mosquitto import Mosquitto
from hub.errors import CareportError
from hub.uplink.cloudevents import Event, Message, from_message, to_structured
from hub.uplink.contract import AlertChange, Channel, Identity, acknowledgement_event, event_type
from hub.uplink.heard import alert_heard
from provisioning.authority import Authority
from tests.faults.account import Account
from tests.faults.hub import heard
from tests.faults.patience import wait
from tests.machine.errors import RigError
from tests.machine.network import BROKER_NAME, RIG_ADDRESS

_SHIPPED = Path(__file__).parents[2] / "provisioning" / "broker"
_DESK = "ics-desk"
_PORT = 8883
_PATIENCE_SECONDS = 20.0
# The authority runs it after each change of its list of clients: what a programme's own would do over SSH.
_PUBLISH = """\
#!/bin/sh
set -e
{python} {shipped}/acl.py clients >{broker}/access.new
cat {broker}/access.new >{broker}/access
cp revoked.crl {broker}/
if [ -e {broker}/pid ]; then kill -HUP "$(cat {broker}/pid)"; fi
"""


class Broker(Mosquitto):
    """mosquitto as `provisioning/broker` recommends it; only address and paths are the rig's."""

    def __init__(self, directory: Path, authority: Authority) -> None:
        super().__init__(directory)
        self.host, self.port = RIG_ADDRESS, _PORT
        self.name = BROKER_NAME
        self.authority = authority
        self._pid = directory / "pid"
        certificate = authority.broker([BROKER_NAME, RIG_ADDRESS])
        shutil.copy(certificate, directory / "broker.crt")
        shutil.copy(certificate.with_suffix(".key"), directory / "broker.key")
        for name in ("ca.crt", "revoked.crl"):
            shutil.copy(authority.directory / name, directory)
        (directory / "access").touch()
        publish = authority.directory / "publish"
        publish.write_text(_PUBLISH.format(python=sys.executable, shipped=_SHIPPED, broker=directory))
        publish.chmod(0o755)
        authority.client(_DESK)
        shipped = (_SHIPPED / "mosquitto.conf").read_text()
        for theirs, ours in (
            ("\nlistener 8883\n", f"\nlistener {_PORT} {RIG_ADDRESS}\nuser root\n"),
            ("/etc/mosquitto/careport/", f"{directory}/"),
            ("/var/lib/mosquitto/", f"{directory}/"),
        ):
            if theirs not in shipped:
                raise RigError(f"the recommended mosquitto.conf has no {theirs.strip()!r} any more")
            shipped = shipped.replace(theirs, ours)
        self._configuration.write_text(shipped)

    def start(self) -> None:
        """Start, and return when it listens."""
        super().start()
        assert self._process is not None
        self._pid.write_text(str(self._process.pid))

    def stop(self) -> None:
        """Stop it as systemd would."""
        self._pid.unlink(missing_ok=True)
        super().stop()


@dataclass(frozen=True, slots=True)
class Arrived:
    """An event as it came, and the monotonic second."""

    at: float
    topic: str
    event: Event

    @property
    def hub(self) -> str:
        """SITE.HUB."""
        _, _, site, hub, _ = self.topic.split("/", 4)
        return f"{site}.{hub}"

    @property
    def channel(self) -> str:
        """The last word of its topic."""
        return self.topic.rsplit("/", 1)[-1]


class Ics:
    """Subscribes to every hub with a session that outlives its connection, and acknowledges each alert.

    What readings and alerts it hears it notes in `account` as well, where that is set.
    """

    def __init__(self, broker: Broker) -> None:
        self.account: Account | None = None
        self.unreadable: list[str] = []
        self._arrived: list[Arrived] = []
        self._lock = threading.Lock()
        self._broker = broker
        self._client = Client(CallbackAPIVersion.VERSION2, _DESK, protocol=MQTTProtocolVersion.MQTTv5)
        directory = broker.authority.directory
        self._client.tls_set(
            str(directory / "ca.crt"), str(directory / f"{_DESK}.crt"), str(directory / f"{_DESK}.key")
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("careport/v1/#", qos=1)
        self._client.on_message = self._on_message
        self._subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: self._subscribed.set()

    def __enter__(self) -> Self:
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho gives it no types
        session.SessionExpiryInterval = 24 * 60 * 60
        self._client.connect(self._broker.host, self._broker.port, clean_start=False, properties=session)
        self._client.loop_start()
        if not self._subscribed.wait(_PATIENCE_SECONDS):
            raise RigError("the subscriber could not subscribe")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def arrived(self, hub: str = "", channel: str = "", *, since: float = 0.0) -> Sequence[Arrived]:
        """What came from a hub (SITE.HUB) on a channel, from a monotonic second on, in its order."""
        with self._lock:
            return [
                each
                for each in self._arrived
                if each.at >= since and hub in ("", each.hub) and channel in ("", each.channel)
            ]

    def raised(self, hub: str, *, since: float = 0.0) -> Sequence[Arrived]:
        """Alerts that were raised."""
        kind = event_type(Channel.ALERT, AlertChange.RAISED)
        return [each for each in self.arrived(hub, Channel.ALERT, since=since) if each.event.type == kind]

    def status(self, hub: str) -> dict[str, Any]:
        """The hub's newest status, as it told it; empty where it has told none."""
        told = self.arrived(hub, Channel.STATUS)
        return dict(told[-1].event.data) if told else {}

    def send(self, hub: str, channel: Channel, event: Event) -> None:
        """Send an event to a hub (SITE.HUB)."""
        site, _, name = hub.partition(".")
        self._publish(Identity(site, name, test_data=True).topic(channel), event)

    def await_first(self, what: Callable[[], Sequence[Arrived]], seconds: float, missing: str) -> Arrived:
        """The first of what came, as soon as something did. Raises `RigError`: nothing did."""
        if not wait(what, seconds):
            raise RigError(f"{missing} did not arrive within {seconds:g} s")
        return what()[0]

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        at = monotonic()
        content_type: str | None = getattr(message.properties, "ContentType", None)
        attributes = tuple(getattr(message.properties, "UserProperty", ()))
        try:
            event = from_message(Message(bytes(message.payload), content_type, attributes))
            arrived = Arrived(at, message.topic, event)
            with self._lock:
                self._arrived.append(arrived)
            if self.account is not None:
                for item in heard(message):
                    self.account.arrive(item)
            if event.type == event_type(Channel.ALERT, AlertChange.RAISED):
                self._acknowledge(event)
        except CareportError as error:
            self.unreadable.append(f"{message.topic}: {error}")

    def _acknowledge(self, event: Event) -> None:
        alert = alert_heard(event)
        hub = Identity(alert.site, alert.hub, alert.test_data)
        said = acknowledgement_event("uk.careport.rig", alert.alert, "the rig", now())
        self._publish(hub.topic(Channel.ACKNOWLEDGEMENT), said)

    def _publish(self, topic: str, event: Event) -> None:
        said = to_structured(event)
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ContentType = said.content_type
        self._client.publish(topic, said.payload, qos=1, properties=properties)
