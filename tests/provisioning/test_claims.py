"""A first certificate by a claim, and the next ones by the present one: a real HTTPS server, real openssl."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import ssl
import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs7

from hub.cli import carehub
from hub.clock import now
from provisioning.authority import Authority
from provisioning.claims import ClaimRefusedError, Claims
from provisioning.claims_server import server_of
from provisioning.errors import ProvisioningError
from provisioning.keeper import certificates
from provisioning.keeper import claim as claiming
from provisioning.keeper.claim import Claim
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.est import LaterError, RefusedError, Server
from provisioning.keeper.identity import ensure
from provisioning.keeper.places import Places
from provisioning.keeper.resources import Identity

NAME = "rose-house.hub-1"


@contextlib.contextmanager
def serving(authority: Authority) -> Iterator[str]:
    """`carehub ca serve` in a thread: its address."""
    server = server_of(authority, ["127.0.0.1"], "127.0.0.1", 0)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            threading.Event().wait(0.02)
        yield f"https://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority(tmp_path / "authority")
    authority.begin()
    return authority


@pytest.fixture
def address(authority: Authority) -> Iterator[str]:
    with serving(authority) as address:
        yield address


@pytest.fixture
def places(tmp_path: Path, authority: Authority) -> Places:
    places = Places(tmp_path / "machine")
    places.etc.mkdir(parents=True)
    (places.root / "etc/group").write_text(f"carehub:x:{os.getegid()}:\n")
    (places.etc / "ca.crt").write_text(authority.ca_pem)
    return places


def made(authority: Authority, address: str, tmp_path: Path, name: str = NAME, days: int = 30) -> Claim:
    card = tmp_path / "card"
    card.mkdir(exist_ok=True)
    Claims(authority).make(name, address, card, days)
    return claiming.read(card / "claim")


def request(tmp_path: Path, directory: str = "key", name: str = NAME) -> str:
    place = tmp_path / directory
    if not place.exists():
        place.mkdir()
        certificates.make(place, name)
    return (place / "hub.csr").read_text()


def never(seconds: float) -> None:
    raise AssertionError("it was to succeed at once")


def trail(authority: Authority) -> list[dict[str, str]]:
    return [json.loads(line) for line in (authority.directory / "claims.log").read_text().splitlines()]


def test_a_hub_gets_its_certificate_by_its_claim_and_may_publish(
    tmp_path: Path, authority: Authority, address: str, places: Places
) -> None:
    claim = made(authority, address, tmp_path)
    asked = ensure(places, Identity(NAME), dry_run=False).request
    certificate = claiming.redeem(claim, asked, print, never)
    assert ensure(places, Identity(NAME, certificate=certificate), dry_run=False).change == "changed"
    assert f"user {NAME}" in authority.access()
    assert [line["what"] for line in trail(authority)] == ["made", "claimed"]
    assert trail(authority)[1]["from"] == "127.0.0.1"


def test_the_secret_is_on_the_card_alone(tmp_path: Path, authority: Authority) -> None:
    claim = made(authority, "https://ca.example:8443", tmp_path)
    assert stat.S_IMODE((tmp_path / "card/claim").stat().st_mode) == 0o600
    for path in authority.directory.rglob("*"):
        if path.is_file():
            assert claim.secret not in path.read_text(errors="replace")
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 or path.suffix in (".crt", ".crl", "")
    assert claim.secret not in repr(claim)


def test_a_lost_answer_is_asked_for_again_and_is_the_same(
    tmp_path: Path, authority: Authority, address: str
) -> None:
    claim = made(authority, address, tmp_path)
    first = claim.server.enroll(request(tmp_path), NAME, claim.secret)
    assert claim.server.enroll(request(tmp_path), NAME, claim.secret) == first
    assert len(authority.certificates()) == 2, "the server's own and the hub's"


def test_of_many_that_use_one_claim_at_once_one_key_is_certified(
    tmp_path: Path, authority: Authority, address: str
) -> None:
    claim = made(authority, address, tmp_path)
    requests = [request(tmp_path, f"key {number}") for number in range(4)]

    def ask(pem: str) -> str | None:
        try:
            return claim.server.enroll(pem, NAME, claim.secret)
        except RefusedError:
            return None

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(ask, requests))
    assert sum(answer is not None for answer in answers) == 1
    assert sum(line["what"] == "refused" for line in trail(authority)) == 3
    index = (authority.directory / "index").read_text()
    assert index.count(f"/CN={NAME}") == 1


def test_between_looking_at_a_claim_and_using_it_nobody_else_comes(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = made(authority, "https://ca.example", tmp_path)
    original = Claims._read

    def slowly(self: Claims, kept: str) -> dict[str, object]:
        found = original(self, kept)
        time.sleep(0.1)
        return found

    monkeypatch.setattr(Claims, "_read", slowly)

    def use(key: str) -> bool:
        try:
            Claims(authority).use(NAME, claim.secret, key, "192.0.2.1")
        except ClaimRefusedError:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(use, ["key 1", "key 2", "key 3", "key 4"])) == 1


def test_what_is_no_claim_is_refused_and_the_trail_says_why(
    tmp_path: Path, authority: Authority, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = made(authority, address, tmp_path)
    other = made(authority, address, tmp_path, "oak-house.hub-1")
    pem = request(tmp_path)
    for name, secret in ((NAME, "wrong"), (NAME, other.secret), ("oak-house.hub-1", claim.secret)):
        with pytest.raises(RefusedError, match="is not good"):
            claim.server.enroll(pem, name, secret)
    monkeypatch.setattr("provisioning.claims.now", lambda: now() + timedelta(days=31))
    with pytest.raises(RefusedError, match="is not good"):
        claim.server.enroll(pem, NAME, claim.secret)
    whys = [line["why"] for line in trail(authority) if line["what"] == "refused"]
    assert whys == ["no such claim"] * 3 + ["it has ended"]
    assert [each.name for each in authority.certificates()] == ["127.0.0.1"]


def test_who_guesses_is_locked_out_and_the_rate_is_limited(
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
    with pytest.raises(LaterError, match="too many wrong"):
        claim.server.enroll(pem, NAME, claim.secret)
    for _ in range(30):
        with pytest.raises(LaterError) as caught:
            claim.server.enroll(pem, "another", "wrong")
    assert "too many requests" in str(caught.value)


def test_a_server_that_is_not_ours_is_told_nothing(
    tmp_path: Path, authority: Authority, address: str
) -> None:
    stranger = Authority(tmp_path / "stranger")
    stranger.begin()
    with pytest.raises(LaterError, match="is not trusted"):
        Server(address, stranger.ca_pem).enroll(request(tmp_path), NAME, "secret")
    with pytest.raises(KeeperError, match="give https"):
        Server("http://127.0.0.1:1", stranger.ca_pem).enroll(request(tmp_path), NAME, "secret")


def test_offline_it_is_tried_again_with_longer_and_longer_waits_until_it_succeeds(
    tmp_path: Path, authority: Authority, address: str
) -> None:
    claim = made(authority, address, tmp_path)
    waited: list[float] = []
    told: list[str] = []

    class _TriesOffline(Server):
        def enroll(self, pem: str, name: str, secret: str) -> str:
            if len(waited) < 9:
                return Server("https://127.0.0.1:1", self.ca_pem).enroll(pem, name, secret)
            return super().enroll(pem, name, secret)

    offline = replace(claim, server=_TriesOffline(claim.server.address, claim.server.ca_pem))
    assert "BEGIN CERTIFICATE" in claiming.redeem(offline, request(tmp_path), told.append, waited.append)
    assert waited == [5, 10, 20, 40, 80, 160, 320, 600, 600]
    assert "cannot be reached" in told[0]
    assert all(claim.secret not in words for words in told)


# --- renewal


def enrolled(places: Places, claim: Claim, authority: Authority, days: int) -> None:
    """A hub with a certificate of so many days, that remembers its server."""
    asked = ensure(places, Identity(NAME), dry_run=False).request
    certificate = authority.sign_hub(asked, NAME, days=days)
    ensure(places, Identity(NAME, certificate=certificate), dry_run=False)
    claiming.remember(places, claim)


def in_force(places: Places) -> x509.Certificate:
    current = places.identity / "current"
    certificate = x509.load_pem_x509_certificate((current / "hub.crt").read_bytes())
    key = load_pem_private_key((current / "hub.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert certificate.public_key() == key.public_key()
    return certificate


def test_a_certificate_that_nears_its_end_is_renewed_by_itself(
    tmp_path: Path, authority: Authority, address: str, places: Places
) -> None:
    enrolled(places, made(authority, address, tmp_path), authority, days=20)
    assert stat.S_IMODE((places.etc / "enrolment.json").stat().st_mode) == 0o600
    assert "secret" not in (places.etc / "enrolment.json").read_text()
    before, told = in_force(places), list[str]()
    claiming.renew(places, told.append)
    after = in_force(places)
    assert after.not_valid_after_utc > before.not_valid_after_utc + timedelta(days=700)
    assert after.public_key() != before.public_key()
    assert trail(authority)[-1]["what"] == "renewed"
    claiming.renew(places, told.append)
    assert in_force(places) == after
    assert all("good until" in words for words in told)


def test_a_revoked_certificate_and_one_that_is_no_hubs_renew_nothing(
    tmp_path: Path, authority: Authority, address: str, places: Places
) -> None:
    enrolled(places, made(authority, address, tmp_path), authority, days=20)
    authority.revoke(NAME)
    with authority.clients_file.open("a") as file:
        file.write(f"hub {NAME} rose-house hub-1\n")  # as for a new machine of the same name
    before = in_force(places)
    with pytest.raises(RefusedError, match="may not be renewed"):
        claiming.renew(places, print)
    assert in_force(places) == before
    assert trail(authority)[-1]["why"] == "its certificate is revoked, or is no hub's"
    desk = authority.client("ics-desk")
    server = Server(address, authority.ca_pem)
    with pytest.raises(RefusedError, match="may not be renewed"):
        server.renew(request(tmp_path), "ics-desk", desk, desk.with_suffix(".key"))
    with pytest.raises(LaterError):
        server._ask("simplereenroll", request(tmp_path), NAME, {}, None)


def test_a_hub_that_knows_no_server_renews_nothing(places: Places) -> None:
    told: list[str] = []
    claiming.renew(places, told.append)
    assert "carehub provision" in told[0]


# --- the wire, by other means than our own client


def test_it_is_enrollment_over_secure_transport(tmp_path: Path, authority: Authority, address: str) -> None:
    """RFC 7030, sections 4.1 and 4.2, as the library `cryptography` reads PKCS#7."""
    import http.client

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


# --- the commands


def test_the_commands_make_a_claim_and_list_it(tmp_path: Path, authority: Authority) -> None:
    card = tmp_path / "card"
    card.mkdir()

    def ca(*arguments: str | Path) -> str:
        ended = CliRunner().invoke(carehub, ["ca", *map(str, arguments)])
        return ended.output + (str(ended.exception) if ended.exception else "")

    said = ca("claim", authority.directory, NAME, "--server", "https://ca.example:8443", "--out", card)
    assert "good for one certificate of rose-house.hub-1, within 30 days" in said
    claim = claiming.read(card / "claim")
    assert claim.secret not in said
    assert (card / "ca.crt").read_text() == authority.ca_pem
    assert NAME in ca("claims", authority.directory)
    directory = authority.directory
    assert "give https" in ca("claim", directory, NAME, "--server", "http://x", "--out", card)
    assert "is no folder" in ca("claim", directory, NAME, "--server", "https://x", "--out", tmp_path / "no")
    assert "is no name" in ca("claim", directory, "a b", "--server", "https://x", "--out", card)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 2}', '{"format": 1, "name": 1}', "\0"])
def test_a_damaged_claim_is_told_without_what_is_in_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "claim"
    path.write_text(text)
    with pytest.raises(KeeperError, match=r"is damaged|is of format 2"):
        claiming.read(path)
    with pytest.raises(KeeperError):
        claiming.read(tmp_path / "none")


def test_a_damaged_note_of_a_claim_is_told(tmp_path: Path, authority: Authority) -> None:
    made(authority, "https://ca.example", tmp_path)
    (note,) = (authority.directory / "claims").glob("*.json")
    note.write_text("{")
    with pytest.raises(ProvisioningError, match="is damaged"):
        Claims(authority).all()
