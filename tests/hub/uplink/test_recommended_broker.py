"""The broker set-up that the project ships, on a real mosquitto: who comes in, and who does not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from hub.clock import now
from hub.uplink.broker import Broker
from hub.uplink.cloudevents import Event, from_message
from hub.uplink.connection import Connection
from hub.uplink.contract import acknowledgement_event
from hub.uplink.errors import BrokerError, BrokerRefusedError
from tests.rigs.broker import CONNACK, Mosquitto, peer, until
from tests.rigs.certificates import Authority
from tests.rigs.forwarding import event, settings
from tests.rigs.house import oximeter, write_configuration
from tests.rigs.hub_process import HubProcess
from tests.rigs.recommended_broker import (
    HUB,
    ICS,
    OTHER,
    OTHER_HUB,
    OWN,
    AuthorityScript,
    ClientFiles,
    RecommendedBroker,
)

CHANNELS = ("alert", "status", "observation", "reading", "summary", "answer")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> AuthorityScript:
    authority = AuthorityScript(tmp_path_factory.mktemp("authority"))
    for name in (HUB, OTHER_HUB, ICS):
        authority.client(name)
    return authority


@pytest.fixture
def broker(tmp_path: Path, authority: AuthorityScript) -> Iterator[RecommendedBroker]:
    with RecommendedBroker(tmp_path / "broker", authority) as broker:
        yield broker


class Received:
    """What a connection is sent: topics are not told to a hub, so each message names its own."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    @property
    def ids(self) -> list[str]:
        return [event.id for event in self.events]


@contextlib.asynccontextmanager
async def receiving(broker: Broker) -> AsyncIterator[tuple[Connection, Received]]:
    received = Received()

    async def receive(connection: Connection) -> None:
        async for delivery in connection.deliveries():
            received.events.append(from_message(delivery.message))
            connection.acknowledge(delivery)

    async with broker.connect() as connection:
        task = asyncio.create_task(receive(connection))
        yield connection, received
    await task


def configuration(directory: Path, broker: RecommendedBroker, files: ClientFiles) -> Path:
    """A hub.toml of the house, with TLS."""
    path = write_configuration(directory, port=broker.port)
    tls = f'ca_file = "{files.ca}"\ncertificate_file = "{files.certificate}"\nkey_file = "{files.key}"\n'
    path.write_text(path.read_text().replace("tls = false\n", tls))
    return path


# --- what it is for


async def test_a_hub_delivers_its_alert_is_acknowledged_and_answers(
    tmp_path: Path, broker: RecommendedBroker
) -> None:
    config = configuration(tmp_path, broker, broker.authority.client(HUB))
    async with receiving(broker.client(ICS, "careport/#")) as (ics, received), HubProcess(config) as hub:

        def of(kind: str) -> list[Event]:
            return [event for event in received.events if event.type == f"uk.careport.{kind}.v1"]

        await hub.feed([oximeter(91, now())])
        await until(lambda: of("alert.raised"))
        alert = uuid.UUID(of("alert.raised")[0].extensions["alert"])
        await ics.publish(f"{OWN}/ack", acknowledgement_event("ics", alert, "the desk", now()))
        await until(lambda: of("alert.acknowledged") and of("answer"))
        assert of("answer")[0].data["outcome"] == "recorded"
        assert "connected to" in hub.log
        await until(lambda: hub.query("SELECT count(*) FROM outbox") == [(0,)])


async def test_the_hubs_whole_window_is_used_and_its_largest_message_taken(broker: RecommendedBroker) -> None:
    async with (
        receiving(broker.client(ICS, "careport/#")) as (_, received),
        broker.client(HUB).connect() as hub,
    ):
        assert hub.protocol == "5"
        assert hub.receive_maximum >= settings("h", 1).window
        large = event("large", padding=64 * 1024 - 1000)
        assert await hub.publish(f"{OWN}/observation", large)
        await until(lambda: received.ids == ["large"])


async def test_what_waits_for_an_absent_ics_is_kept_far_beyond_mosquittos_default(
    broker: RecommendedBroker,
) -> None:
    async with broker.client(ICS, "careport/#").connect():
        pass
    async with broker.client(HUB).connect() as hub:
        await asyncio.gather(*[hub.send(f"{OWN}/observation", event(n)) for n in range(3000)])
        broker.restart()
    async with receiving(broker.client(ICS, "careport/#")) as (_, received):
        await until(lambda: len(received.events) == 3000, 30)


# --- what a hub may not do


async def intrusions(broker: RecommendedBroker) -> set[str]:
    """What came through of all that a hub tries to do to another; every client here has the client id "x"."""
    async with (
        receiving(broker.client(ICS, "careport/#")) as (ics, ics_received),
        receiving(broker.client(OTHER_HUB, f"{OTHER}/ack")) as (other, other_received),
        receiving(broker.client(HUB, "#")) as (intruder, intruder_received),
    ):

        async def attempt(connection: Connection, topic: str, name: str) -> None:
            with contextlib.suppress(BrokerRefusedError):
                await connection.publish(topic, event(f"forged {name}"))

        for channel in (*CHANNELS, "ack"):
            await attempt(intruder, f"{OTHER}/{channel}", channel)
            await attempt(intruder, f"{OWN}/{channel}/deeper", f"deeper {channel}")
        await attempt(intruder, "careport/v1/rose-house/alert", "shallower")
        await attempt(intruder, "elsewhere", "elsewhere")
        await attempt(ics, f"{OTHER}/alert", "alert by the ICS")
        broker.authority.client("unlisted")
        will = (f"{OTHER}/status", event("forged last will"))
        unlisted = broker.client("unlisted", "#")
        unlisted._will = lambda: will
        async with receiving(unlisted) as (stranger, stranger_received):
            await attempt(stranger, f"{OTHER}/ack", "ack by the unlisted")
            await other.publish(f"{OTHER}/alert", event("alert of the other"))
            await ics.publish(f"{OTHER}/ack", event("ack for the other"))
            await intruder.publish(f"{OWN}/alert", event("alert of the intruder"))
            await ics.publish(f"{OWN}/ack", event("ack for the intruder"))
            await until(lambda: "ack for the intruder" in intruder_received.ids)
            await until(lambda: "ack for the other" in other_received.ids)
            await until(lambda: {"alert of the other", "alert of the intruder"} <= set(ics_received.ids))
            stranger.abort()  # without a goodbye, so that the broker has the last will to publish
        await until(lambda: "Client unlisted " in broker.log)
        await ics.publish(f"{OTHER}/ack", event("after the last will"))
        await until(lambda: "after the last will" in other_received.ids)
        assert not ics.lost.done(), "a client id taken by others as well costs nobody the connection"
    came = {name for name in ics_received.ids + other_received.ids if name.startswith("forged")}
    own = {"alert of the intruder", "ack for the intruder"}
    came |= {f"read {name}" for name in {*intruder_received.ids} - own}
    return came | {f"read by the unlisted: {name}" for name in stranger_received.ids}


async def test_a_hub_cannot_speak_for_another_nor_read_alerts_nor_acknowledge(
    broker: RecommendedBroker,
) -> None:
    assert await intrusions(broker) == set()


async def test_without_the_access_list_the_same_attempts_come_through(broker: RecommendedBroker) -> None:
    """The control: what the test above finds kept out is kept out by the list, and by nothing else."""
    broker.access.write_text("pattern readwrite #\n")
    broker.reload()
    came = await intrusions(broker)
    assert {f"forged {channel}" for channel in (*CHANNELS, "ack")} <= came
    assert {"forged alert by the ICS", "forged ack by the unlisted", "forged last will"} <= came
    assert {"read alert of the other", "read ack for the other"} <= came
    assert "read by the unlisted: alert of the other" in came


async def test_a_hub_struck_from_the_list_is_silenced_at_once_and_one_put_on_it_speaks(
    broker: RecommendedBroker,
) -> None:
    listed = broker.access.read_text()
    async with broker.client(HUB).connect() as hub:
        broker.access.write_text(listed.replace(f"user {HUB}", "user nobody"))
        broker.reload()
        await may_publish(hub, allowed=False)
        broker.access.write_text(listed)
        broker.reload()
        await may_publish(hub, allowed=True)


async def may_publish(hub: Connection, *, allowed: bool) -> None:
    """Wait until the broker, which was told to read its list again, lets the hub publish, or does not."""
    async with asyncio.timeout(10):
        while True:
            try:
                await hub.publish(f"{OWN}/alert", event("alert"))
                taken = True
            except BrokerRefusedError:
                taken = False
            if taken is allowed:
                return


# --- who does not come in


async def refused(broker: Broker) -> str:
    """What the hub says of a broker that does not let it in."""
    with pytest.raises(BrokerError) as caught:
        async with broker.connect():
            pass
    return str(caught.value)


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
def version(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ssl.TLSVersion:
    """A hub whose OpenSSL speaks only so much: in 1.3 it is refused after its own handshake."""
    chosen: ssl.TLSVersion = request.param
    default = ssl.create_default_context

    def limited(**options: str | Path | None) -> ssl.SSLContext:
        context = default(cafile=options["cafile"])
        context.maximum_version = chosen
        return context

    monkeypatch.setattr("hub.uplink.tls.ssl.create_default_context", limited)
    return chosen


async def test_who_has_a_certificate_of_the_authority_comes_in(
    broker: RecommendedBroker, version: ssl.TLSVersion
) -> None:
    async with broker.client(HUB).connect() as hub:
        assert isinstance(hub._socket, ssl.SSLSocket)
        assert hub._socket.version() == version.name.replace("_", ".")


async def test_who_has_no_certificate_is_told_so(broker: RecommendedBroker, version: ssl.TLSVersion) -> None:
    words = await refused(broker.client(HUB, certificate_file=None, key_file=None))
    assert "wants a certificate" in words
    assert "certificate_file" in words
    assert "New client connected" not in broker.log


async def test_who_has_an_expired_certificate_is_told_so(
    tmp_path: Path, broker: RecommendedBroker, version: ssl.TLSVersion
) -> None:
    authority = Authority(broker.authority.directory, made_by_script=True)
    certificate, key = authority.certify("expired", ends=now() - timedelta(hours=1))
    assert "has expired" in await refused(broker.client(HUB, certificate_file=certificate, key_file=key))
    assert "New client connected" not in broker.log


async def test_who_has_a_certificate_of_another_authority_is_told_so(
    tmp_path: Path, broker: RecommendedBroker, version: ssl.TLSVersion
) -> None:
    certificate, key = Authority(tmp_path).certify(HUB)
    words = await refused(broker.client(HUB, certificate_file=certificate, key_file=key))
    assert "authority that it does not know" in words
    assert "New client connected" not in broker.log


async def test_who_has_a_revoked_certificate_is_told_so_without_a_restart_of_the_broker(
    tmp_path: Path, version: ssl.TLSVersion
) -> None:
    authority = AuthorityScript(tmp_path / "authority")
    with RecommendedBroker(tmp_path / "broker", authority) as broker:
        async with broker.client("lost.hub").connect():
            pass
        authority("revoke", "lost.hub")
        broker.reload()
        assert "was revoked" in await refused(broker.client("lost.hub"))
        async with broker.client(HUB).connect():
            pass


async def test_the_broker_itself_is_not_trusted_under_another_name(broker: RecommendedBroker) -> None:
    """Its certificate is for 127.0.0.1."""
    assert "not trusted: Hostname mismatch" in await refused(broker.client(HUB, host="localhost"))
    assert "New client connected" not in broker.log


async def test_a_hubs_certificate_does_not_make_a_broker(tmp_path: Path, authority: AuthorityScript) -> None:
    """Whoever has one hub's key must not be able to pose as the broker to the others."""
    files = authority.client(HUB)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    with peer(lambda _: None, context) as port:
        assert "not trusted" in await refused(Broker(authority.client(OTHER_HUB).settings(port), "x"))


# --- TLS or nothing


async def test_a_plain_text_broker_on_the_port_is_sent_no_byte_of_mqtt(
    authority: AuthorityScript, mosquitto: Mosquitto
) -> None:
    said: list[bytes] = []
    with peer_that_listens(said) as port:
        words = await refused(Broker(authority.client(HUB).settings(port), "x"))
    assert "speaks no TLS" in words
    assert said
    assert all(first[:1] == b"\x16" for first in said), "a TLS handshake, and nothing else"
    assert not any(b"MQTT" in first for first in said)
    await refused(Broker(authority.client(HUB).settings(mosquitto.port), "x"))
    assert "New client connected" not in mosquitto.log


@contextlib.contextmanager
def peer_that_listens(said: list[bytes]) -> Iterator[int]:
    """A broker that speaks plain MQTT to whatever comes, and keeps what it was told."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                said.append(connection.recv(4096))
                connection.sendall(CONNACK)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def old_tls(context: ssl.SSLContext) -> ssl.SSLContext:
    """Speaks TLS 1.1 and nothing else."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def handshake(port: int, context: ssl.SSLContext) -> str | None:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        return secured.version()


async def test_the_broker_speaks_no_tls_1_1(broker: RecommendedBroker, authority: AuthorityScript) -> None:
    files = authority.client(HUB)
    client = ssl.create_default_context(cafile=files.ca)
    client.load_cert_chain(files.certificate, files.key)
    with pytest.raises(ssl.SSLError):
        await asyncio.to_thread(handshake, broker.port, old_tls(client))
    await until(lambda: "protocol" in broker.log)  # it hangs up before it writes that down


async def test_the_hub_speaks_no_tls_1_1(authority: AuthorityScript) -> None:
    broker = authority.directory / "broker"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(broker.with_suffix(".crt"), broker.with_suffix(".key"))
    files = authority.client(HUB)
    client = ssl.create_default_context(cafile=files.ca)
    with peer(lambda _: None, old_tls(context)) as port:
        assert await asyncio.to_thread(handshake, port, old_tls(client)) == "TLSv1.1", "the control"
        assert "TLS failed" in await refused(Broker(files.settings(port), "x"))
