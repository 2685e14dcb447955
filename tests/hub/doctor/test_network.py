"""What the doctor finds of the network: tables as the kernel writes them, names and ports for real."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from hub.configuration.file import load
from hub.doctor import network
from hub.doctor.findings import Verdict
from hub.doctor.looking import Subject
from tests.rigs.broker import Mosquitto
from tests.rigs.certificates import Authority
from tests.rigs.house import write_configuration

PASS, WARN, FAIL = Verdict.PASS, Verdict.WARN, Verdict.FAIL
ROUTES = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
wlan0	00000000	0101A8C0	0003	0	0	600	00000000	0	0	0
wlan0	0001A8C0	00000000	0001	0	0	600	00FFFFFF	0	0	0
"""
ROUTES_6 = (
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001"
    " 00000400 00000001 00000000 00000003     eth0\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000"
    " ffffffff 00000001 00000000 00200200       lo\n"
)


def of_broker(tmp_path: Path, host: str) -> Subject:
    """A hub whose broker is called so, on a machine that has no network files."""
    path = write_configuration(tmp_path)
    path.write_text(path.read_text().replace('host = "127.0.0.1"', f'host = "{host}"'))
    return Subject(load(path), root=tmp_path / "root")


def at(subject: Subject, path: str, content: str) -> None:
    """A file of the machine."""
    (subject.root / path).parent.mkdir(parents=True, exist_ok=True)
    (subject.root / path).write_text(content)


def test_the_ways_out_are_read_from_the_kernels_tables(tmp_path: Path) -> None:
    subject = of_broker(tmp_path, "mqtt.ics.example")
    at(subject, "proc/net/route", ROUTES)
    at(subject, "proc/net/ipv6_route", ROUTES_6)
    assert network.default_gateways(subject) == ["192.168.1.1 by wlan0", "fe80::1 by eth0"]


@pytest.mark.parametrize(("host", "verdict"), [("mqtt.ics.example", FAIL), ("127.0.0.1", WARN)])
def test_no_way_out_fails_a_hub_whose_broker_is_elsewhere(
    tmp_path: Path, host: str, verdict: Verdict
) -> None:
    subject = of_broker(tmp_path, host)
    (finding,) = network.addresses(subject)
    assert finding.verdict is verdict
    assert "no way out" in finding.words or "no address" in finding.words


def test_this_machines_own_addresses_are_found_and_not_its_loopback(tmp_path: Path) -> None:
    subject = Subject(of_broker(tmp_path, "x.example").config)
    found = network.own_addresses(subject)
    assert "lo" not in found
    assert set(found) <= {name for _, name in socket.if_nameindex()}
    assert all("127.0.0.1" not in each for each in found.values())


@pytest.mark.parametrize(
    ("host", "content", "verdict"),
    [
        ("mqtt.ics.example", "search lan\nnameserver 192.168.1.1\nnameserver fd00::1\n", PASS),
        ("mqtt.ics.example", "# nobody\n", FAIL),
        ("192.0.2.7", "# nobody\n", WARN),
    ],
)
def test_name_servers_are_needed_where_the_broker_has_a_name(
    tmp_path: Path, host: str, content: str, verdict: Verdict
) -> None:
    subject = of_broker(tmp_path, host)
    at(subject, "etc/resolv.conf", content)
    (finding,) = network.name_servers(subject)
    assert finding.verdict is verdict
    if verdict is PASS:
        assert finding.words == "192.168.1.1, fd00::1"


async def test_what_takes_connections_and_agrees_on_no_tls_does_not_hold_the_doctor_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "_TLS_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        path = write_configuration(tmp_path, port=silent.getsockname()[1])
        path.write_text(path.read_text().replace("tls = false\n", ""))
        found = {each.part: each for each in await network.broker(load(path))}
    assert found["broker's port"].verdict is PASS
    assert found["TLS"].verdict is FAIL  # nothing else would end this test
    assert "does not agree on TLS within 0.3 s" in found["TLS"].words


async def test_what_takes_connections_and_resets_them_fails_in_words(tmp_path: Path) -> None:
    """As a proxy does behind which nothing listens. Of a socket that was reset the kernel tells no more."""

    def reset() -> None:
        with suppress(OSError):
            while True:
                connection, _ = proxy.accept()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as proxy:
        resetting = threading.Thread(target=reset)
        resetting.start()
        path = write_configuration(tmp_path, port=proxy.getsockname()[1])
        path.write_text(path.read_text().replace("tls = false\n", ""))
        found = {each.part: each for each in await network.broker(load(path))}
        proxy.shutdown(socket.SHUT_RDWR)
    resetting.join()
    assert found["broker's name"].verdict is PASS
    assert FAIL in {each.verdict for each in found.values()}
    assert not any("report this" in each.words for each in found.values())


@contextmanager
def swallowing(address: str, port: int = 0) -> Iterator[int]:
    """A port that swallows every packet, as a firewall that drops does, or an IPv6 that leads nowhere: of a
    listener whose queue is full, for which the kernel answers no further SYN."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind((address, port))
        full.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield full.getsockname()[1]


async def test_a_port_that_swallows_every_packet_is_a_failure_within_seconds(tmp_path: Path) -> None:
    with swallowing("127.0.0.1") as port:
        path = write_configuration(tmp_path, port=port)
        found = {each.part: each for each in await network.broker(load(path), port_seconds=0.3)}
    assert found["broker's port"].verdict is FAIL
    assert "no answer within 0.3 s" in found["broker's port"].words


async def test_a_broker_that_has_nothing_to_refuse_is_not_listened_to_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "_REFUSED_WITHIN_SECONDS", 60.0)
    monkeypatch.setattr(network, "_TLS_SECONDS", 120.0)
    authority = Authority(tmp_path)
    certificate, key = authority.certify("broker", address="127.0.0.1")
    with Mosquitto(tmp_path / "broker", [f"certfile {certificate}", f"keyfile {key}"]) as broker:
        path = write_configuration(tmp_path, port=broker.port)
        path.write_text(path.read_text().replace("tls = false\n", f'ca_file = "{authority.certificate}"\n'))
        began = monotonic()
        found = {each.part: each for each in await network.broker(load(path))}
    assert found["TLS"].words.startswith("TLSv1.3; the broker's certificate ends on")
    assert monotonic() - began < 30.0  # a refusal comes as soon as the handshake does


async def test_a_broker_whose_first_address_swallows_every_packet_is_reached_at_its_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a home whose IPv6 leads nowhere; the name's addresses alone are made up."""
    asked = socket.getaddrinfo

    def found_for(host: str, port: int, *further: Any, **named: Any) -> list[Any]:
        places = ["127.0.0.2", "127.0.0.1"] if host == "127.0.0.3" else [host]
        return [each for place in places for each in asked(place, port, *further, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", found_for)
    authority = Authority(tmp_path)
    certificate, key = authority.certify("broker", address="127.0.0.3")
    with (
        Mosquitto(tmp_path / "broker", [f"certfile {certificate}", f"keyfile {key}"]) as broker,
        swallowing("127.0.0.2", broker.port),
    ):
        path = write_configuration(tmp_path, port=broker.port)
        text = path.read_text().replace('host = "127.0.0.1"', 'host = "127.0.0.3"')
        path.write_text(text.replace("tls = false\n", f'ca_file = "{authority.certificate}"\n'))
        found = {each.part: each for each in await network.broker(load(path), port_seconds=0.6)}
    assert found["broker's port"].verdict is PASS
    assert "answers at 127.0.0.1, and not at 127.0.0.2" in found["broker's port"].words
    assert found["TLS"].words.startswith("TLSv1.3; the broker's certificate ends on")
