"""TLS to the broker: certificates checked, and never a word in plain text."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.uplink.broker import Broker
from hub.uplink.errors import BrokerError
from tests.rigs.broker import CONNACK, Mosquitto, free_port, peer, until
from tests.rigs.certificates import Authority
from tests.rigs.forwarding import READING, broker_of, event, settings


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def secure(tmp_path: Path, authority: Authority) -> Iterator[Mosquitto]:
    """A mosquitto with TLS, whose certificate is for 127.0.0.1."""
    certificate, key = authority.certify("broker", address="127.0.0.1")
    lines = [f"certfile {certificate}", f"keyfile {key}", f"cafile {authority.certificate}"]
    with Mosquitto(tmp_path / "broker", lines) as broker:
        yield broker


async def test_tls_with_the_right_authority_works(secure: Mosquitto, authority: Authority) -> None:
    async with broker_of(secure, tls=True, ca_file=authority.certificate).connect() as connection:
        assert isinstance(connection._socket, ssl.SSLSocket)
        assert connection._socket.version() in ("TLSv1.2", "TLSv1.3")
        await asyncio.gather(*[connection.send(READING, event(n, padding=500)) for n in range(300)])


async def test_a_certificate_of_another_authority_is_refused_and_nothing_goes_out_in_plain_text(
    secure: Mosquitto, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path)
    with pytest.raises(BrokerError, match="not trusted: self-signed certificate in certificate chain"):
        async with broker_of(secure, tls=True, ca_file=stranger.certificate).connect():
            pass
    assert "New client connected" not in secure.log


async def test_a_certificate_for_another_host_is_refused(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.certify("elsewhere", address="192.0.2.1")
    with Mosquitto(tmp_path / "broker", [f"certfile {certificate}", f"keyfile {key}"]) as mosquitto:
        with pytest.raises(BrokerError, match=r"not trusted: IP address mismatch"):
            async with broker_of(mosquitto, tls=True, ca_file=authority.certificate).connect():
                pass
        assert "New client connected" not in mosquitto.log


async def test_a_plain_text_broker_gets_no_word_of_mqtt_from_a_hub_that_wants_tls(
    mosquitto: Mosquitto, authority: Authority
) -> None:
    with pytest.raises(BrokerError, match=r"TLS failed|Connection reset"):
        async with broker_of(mosquitto, tls=True, ca_file=authority.certificate).connect():
            pass
    assert "New client connected" not in mosquitto.log


async def test_a_broker_that_wants_the_hubs_certificate_gets_it(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.certify("broker", address="127.0.0.1")
    own_certificate, own_key = authority.certify("hub")
    lines = [
        f"certfile {certificate}",
        f"keyfile {key}",
        f"cafile {authority.certificate}",
        "require_certificate true",
    ]
    with Mosquitto(tmp_path / "broker", lines) as mosquitto:
        with_certificate = broker_of(
            mosquitto,
            tls=True,
            ca_file=authority.certificate,
            certificate_file=own_certificate,
            key_file=own_key,
        )
        async with with_certificate.connect() as connection:
            await connection.publish(READING, event(1))
        with pytest.raises(BrokerError, match="certificate_file"):
            async with broker_of(mosquitto, tls=True, ca_file=authority.certificate).connect():
                pass


async def test_messages_that_share_a_record_of_tls_are_all_seen(authority: Authority) -> None:
    """TLS takes in a whole record at once: the socket then never says that there is more to read."""
    publish = b"\x30\x06\x00\x01t\x00{}"  # QoS 0, topic "t", no properties, "{}"

    def behave(speaker: socket.socket) -> None:
        speaker.sendall(CONNACK + 5 * publish)
        speaker.recv(1000)

    certificate, key = authority.certify("broker", address="127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with peer(behave, context) as port:
        broker = Broker(settings("127.0.0.1", port, tls=True, ca_file=authority.certificate), "hub")
        async with broker.connect() as connection:
            await until(lambda: connection._incoming.qsize() == 5)


@pytest.mark.parametrize("what", ["ca_file", "certificate_file"])
async def test_a_file_that_is_no_certificate_is_named(
    tmp_path: Path, authority: Authority, what: str
) -> None:
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("rubbish")
    files = {"ca_file": authority.certificate, what: rubbish}
    if what == "certificate_file":
        files["key_file"] = rubbish
    broker = Broker(settings("127.0.0.1", free_port(), tls=True, **files), "hub")
    with pytest.raises(BrokerError, match=f"{what} .*rubbish.pem"):
        async with broker.connect():
            pass
