"""The rig's name server, asked by bytes written from RFC 1035."""

from __future__ import annotations

import socket

from tests.machine.names import NameServer

_QUERY = bytes.fromhex("1234 0100 0001 0000 0000 0000")
_NAME = b"\x04mqtt\x03ics\x07example\x00"


def _asked(question: bytes) -> bytes:
    with (
        NameServer("127.0.0.1", {"mqtt.ics.example": "10.96.0.1"}, port=0) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking,
    ):
        asking.settimeout(5)
        asking.sendto(b"\x12", ("127.0.0.1", server.port))  # no question: passed over
        asking.sendto(question, ("127.0.0.1", server.port))
        return asking.recv(512)


def test_a_known_name_has_its_address() -> None:
    said = _asked(_QUERY + _NAME + bytes.fromhex("0001 0001"))
    assert said[:8] == bytes.fromhex("1234 8580 0001 0001")
    assert said.endswith(bytes.fromhex("c00c 0001 0001 0000003c 0004") + bytes([10, 96, 0, 1]))


def test_a_known_name_has_no_other_kind_of_address() -> None:
    said = _asked(_QUERY + _NAME + bytes.fromhex("001c 0001"))
    assert said[:8] == bytes.fromhex("1234 8580 0001 0000")


def test_any_other_name_is_not_there() -> None:
    said = _asked(_QUERY + b"\x07example\x00" + bytes.fromhex("0001 0001"))
    assert said[:8] == bytes.fromhex("1234 8583 0001 0000")
