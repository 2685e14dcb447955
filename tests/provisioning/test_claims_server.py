"""`carehub ca serve`: real HTTPS, real openssl, our own client and others."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import socket
import ssl
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from hub.clock import now
from provisioning.authority import Authority
from provisioning.claims_server import Est, server_of
from provisioning.errors import ProvisioningError
from provisioning.keeper.errors import LaterError
from provisioning.keeper.est import RefusedError
from tests.rigs.claiming import NAME, made, request, running


def test_who_repeats_a_wrong_claim_is_locked_out_with_it_and_nobody_else_behind_that_address(
    tmp_path: Path, authority: Authority, address: str
) -> None:
    claim = made(authority, address, tmp_path)
    pem = request(tmp_path)
    said = []
    for _ in range(7):
        with pytest.raises(LaterError) as caught:
            claim.server.enroll(pem, NAME, "wrong")
        said.append("too many wrong claims" in str(caught.value))
    assert said == [False] * 5 + [True] * 2
    other = made(authority, address, tmp_path, "oak-house.hub-1")
    for number in range(15):
        with pytest.raises(RefusedError, match="is not good"):
            claim.server.enroll(pem, f"elm-house.hub-{number}", "wrong")
    assert "BEGIN" in other.server.enroll(request(tmp_path, "oak", other.name), other.name, other.secret)
    assert "BEGIN" in claim.server.enroll(pem, NAME, claim.secret), (
        "the right one, though wrong ones were tried"
    )


def test_the_rate_of_one_address_is_limited(authority: Authority) -> None:
    moment = 0.0
    est = Est(authority, lambda: moment)
    assert [est._is_too_much("192.0.2.1") for _ in range(61)] == [False] * 60 + [True]
    assert not est._is_too_much("192.0.2.2")
    moment = 61.0
    assert not est._is_too_much("192.0.2.1")


# --- at the same time


@pytest.mark.parametrize("renews", [True, False])
def test_who_is_revoked_while_their_certificate_is_signed_has_none(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch, renews: bool
) -> None:
    claim = made(authority, "https://ca.example", tmp_path)
    if renews:
        authority.sign_hub(request(tmp_path), NAME)
    serial = x509.random_serial_number() if not renews else int(authority.certificates()[0].serial, 16)
    signs, revoking = Authority._sign, list[threading.Thread]()

    def slowly(self: Authority, *arguments: Any) -> str:
        revoking.append(threading.Thread(target=Authority(self.directory).revoke, args=(NAME,)))
        revoking[0].start()
        time.sleep(0.1)  # it could revoke in this time, if it were let
        return signs(self, *arguments)

    monkeypatch.setattr(Authority, "_sign", slowly)
    if renews:
        authority.renew(request(tmp_path, "next"), NAME, f"{serial:x}", "192.0.2.1")
    else:
        authority.enroll(request(tmp_path), NAME, claim.secret, "192.0.2.1")
    revoking[0].join(20)
    assert {each.revoked for each in authority._all_certificates()} == {True}
    assert NAME not in authority.access()


# --- who is slow, and who is many


def test_who_connects_and_says_nothing_keeps_no_other_out(
    tmp_path: Path, authority: Authority, address: str
) -> None:
    claim, port = made(authority, address, tmp_path), int(address.rpartition(":")[2])
    with contextlib.ExitStack() as silent:
        for _ in range(25):
            connection = socket.create_connection(("127.0.0.1", port), 5, ("127.0.0.2", 0))
            silent.enter_context(connection)
        assert connection.recv(1) == b"", "one too many of one address is hung up on"
        assert "BEGIN" in claim.server.enroll(request(tmp_path), NAME, claim.secret)


def test_a_request_that_does_not_come_to_its_end_is_refused(
    tmp_path: Path, authority: Authority, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provisioning.claims_server._BODY_SECONDS", 0.05)
    claim = made(authority, address, tmp_path)
    context = ssl.create_default_context(cadata=authority.ca_pem)
    host, port = address.removeprefix("https://").split(":")
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=5)
    credentials = base64.b64encode(f"{NAME}:{claim.secret}".encode()).decode()
    connection.putrequest("POST", "/.well-known/est/simpleenroll")
    connection.putheader("Authorization", f"Basic {credentials}")
    connection.putheader("Content-Length", "500")
    connection.endheaders(b"MIIB")
    assert connection.getresponse().status == 400
    connection.close()


# --- it keeps itself


def test_it_renews_its_own_certificate_while_it_serves(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = server_of(authority, ["127.0.0.1"], "127.0.0.1", 0)
    with running(server) as address:
        before = shown_by(address, authority)
        monkeypatch.setattr("provisioning.authority.now", lambda: now() + timedelta(days=780))
        server.look()
        server._renewing.look()
        assert shown_by(address, authority) != before


def shown_by(address: str, authority: Authority) -> bytes | None:
    context = ssl.create_default_context(cadata=authority.ca_pem)
    host, port = address.removeprefix("https://").split(":")
    with (
        socket.create_connection((host, int(port)), 5) as connection,
        context.wrap_socket(connection, server_hostname=host) as secured,
    ):
        return secured.getpeercert(binary_form=True)


def test_it_tries_again_to_publish_and_says_what_nears_its_end(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    publish = authority.directory / "publish"
    publish.write_text("#!/bin/sh\necho no route >&2; exit 1\n")
    publish.chmod(0o700)
    server = server_of(authority, ["127.0.0.1"], "127.0.0.1", 0)
    assert "no route" in caplog.text
    publish.write_text("#!/bin/sh\n: > published\n")
    monkeypatch.setattr("provisioning.authority.now", lambda: now() + timedelta(days=3600))
    server.look(says=True)
    assert (authority.directory / "published").exists()
    assert authority.is_published()
    assert "the authority ends in" in caplog.text


def test_an_address_that_is_taken_is_said(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ProvisioningError, match=f"port {port}: cannot be had"):
            asyncio.run(server_of(authority, ["127.0.0.1"], "127.0.0.1", port).serve())


# --- the wire, by other means than our own client


def test_it_is_enrollment_over_secure_transport(tmp_path: Path, authority: Authority, address: str) -> None:
    """RFC 7030, sections 4.1 and 4.2, as the library `cryptography` reads PKCS#7."""
    claim = made(authority, address, tmp_path)
    context = ssl.create_default_context(cadata=authority.ca_pem)
    host, port = address.removeprefix("https://").split(":")

    def asked(method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes, str]:
        connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=10)
        connection.request(method, f"/.well-known/est/{path}", body, headers)
        answer = connection.getresponse()
        said = answer.read(), str(answer.getheader("content-type"))
        connection.close()
        return answer.status, *said

    status, body, kind = asked("GET", "cacerts")
    assert (status, kind) == (200, "application/pkcs7-mime; smime-type=certs-only")
    (ca,) = pkcs7.load_der_pkcs7_certificates(base64.b64decode(body))
    assert ca == x509.load_pem_x509_certificate(authority.ca_pem.encode())
    credentials = base64.b64encode(f"{NAME}:{claim.secret}".encode()).decode()
    basic = {"Authorization": f"Basic {credentials}"}
    der = x509.load_pem_x509_csr(request(tmp_path).encode()).public_bytes(Encoding.DER)
    status, body, _ = asked("POST", "simpleenroll", base64.encodebytes(der), **basic)
    assert status == 200
    (own,) = pkcs7.load_der_pkcs7_certificates(base64.b64decode(body))
    assert own == x509.load_pem_x509_certificate((authority.directory / f"{NAME}.crt").read_bytes())
    for wrong in (b"", b"!", b"AAAA", b"A" * 20_000):
        assert asked("POST", "simpleenroll", wrong, **basic)[0] == 400
    assert asked("POST", "simpleenroll", base64.encodebytes(der))[0] == 401
    assert asked("POST", "simpleenroll", b"", Authorization="Basic !")[0] == 401
    assert asked("POST", "simplereenroll", base64.encodebytes(der))[0] == 403
    assert asked("GET", "simpleenroll")[0] == 405
