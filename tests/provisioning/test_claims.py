"""A first certificate by a claim: who gets one, and who never does. A real HTTPS server, real openssl."""

from __future__ import annotations

import stat
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.cli import carehub
from hub.clock import now
from provisioning.authority import Authority
from provisioning.claims import ClaimRefusedError, Claims
from provisioning.errors import ProvisioningError
from provisioning.keeper import claim as claiming
from provisioning.keeper.errors import KeeperError, LaterError
from provisioning.keeper.est import RefusedError, Server
from provisioning.keeper.identity import ensure
from provisioning.keeper.resources import Identity
from provisioning.openssl import serial_of_certificate
from tests.rigs.claiming import NAME, certified, cut_after_the_index, machine, made, request, trail


def never(seconds: float) -> None:
    raise AssertionError("it was to succeed at once")


def test_a_hub_gets_its_certificate_by_its_claim_and_may_publish(
    tmp_path: Path, authority: Authority, address: str
) -> None:
    claim, places = made(authority, address, tmp_path), machine(tmp_path / "machine", authority)
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


def test_the_brokers_authority_that_is_on_the_card_already_stays_there(
    tmp_path: Path, authority: Authority
) -> None:
    card = tmp_path / "card"
    card.mkdir()
    (card / "ca.crt").write_text("of the broker\n")
    command = ["ca", "claim", authority.directory, NAME, "--server", "https://ca.example", "--out", card]
    said = CliRunner().invoke(carehub, list(map(str, command))).output
    assert "ca.crt was there already, is of another authority, and stays" in said
    assert (card / "ca.crt").read_text() == "of the broker\n"
    assert claiming.read(card / "claim").server.ca_pem == authority.ca_pem
    (card / "ca.crt").unlink()
    assert authority.claims.make(NAME, "https://ca.example", card)
    assert authority.claims.make(NAME, "https://ca.example", card), "by then it is there"


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
            authority.claims.take(NAME, claim.secret, key, "192.0.2.1")
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
    with pytest.raises(RefusedError, match="is not good"):
        claim.server.enroll(pem, "of-nobody.hub-1", "wrong")  # not noted: strangers could fill the disk
    whys = [line["why"] for line in trail(authority) if line["what"] == "refused"]
    assert whys == ["no such claim"] * 3 + ["it has ended"]
    assert [each.name for each in authority.certificates()] == ["127.0.0.1"]


def test_a_server_that_is_not_ours_is_told_nothing(
    tmp_path: Path, authority: Authority, address: str
) -> None:
    stranger = Authority(tmp_path / "stranger")
    stranger.begin()
    with pytest.raises(LaterError, match="is not trusted"):
        Server(address, stranger.ca_pem).enroll(request(tmp_path), NAME, "secret")
    with pytest.raises(KeeperError, match="give https"):
        Server("http://127.0.0.1:1", stranger.ca_pem).enroll(request(tmp_path), NAME, "secret")


# --- once, and no more


def test_revoking_a_hub_ends_its_claims_used_or_not(tmp_path: Path, authority: Authority) -> None:
    used, unused = (made(authority, "https://ca.example", tmp_path) for _ in range(2))
    pem = request(tmp_path)
    authority.enroll(pem, NAME, used.secret, "192.0.2.1")
    authority.revoke(NAME)
    for claim, asked in ((used, pem), (unused, request(tmp_path, "another"))):
        with pytest.raises(ClaimRefusedError, match="it has ended"):
            authority.enroll(asked, NAME, claim.secret, "192.0.2.1")
    assert [each.revoked for each in authority.certificates()] == [True]
    assert NAME not in authority.access()
    assert [line["what"] for line in trail(authority)][-3:] == ["revoked", "refused", "refused"]
    again = made(authority, "https://ca.example", tmp_path)
    assert "BEGIN" in authority.enroll(request(tmp_path, "new"), NAME, again.secret, "192.0.2.1")


def test_a_card_that_was_lost_before_it_was_used_is_revoked_by_its_name(
    tmp_path: Path, authority: Authority
) -> None:
    claim = made(authority, "https://ca.example", tmp_path)
    authority.revoke(NAME)
    with pytest.raises(ClaimRefusedError, match="it has ended"):
        authority.enroll(request(tmp_path), NAME, claim.secret, "192.0.2.1")
    authority.revoke(NAME)  # as where it was cut off
    with pytest.raises(ProvisioningError, match="no certificate that could be revoked"):
        authority.revoke("of-nobody.hub-1")


def test_a_claim_that_was_used_never_signs_again(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, pem = made(authority, "https://ca.example", tmp_path), request(tmp_path)
    first = authority.enroll(pem, NAME, claim.secret, "192.0.2.1")
    assert authority.enroll(pem, NAME, claim.secret, "192.0.2.1") == first
    authority.sign_hub(request(tmp_path, "next"), NAME)
    with pytest.raises(ClaimRefusedError, match="not in force any more"):
        authority.enroll(pem, NAME, claim.secret, "192.0.2.1")
    monkeypatch.setattr("provisioning.claims.now", lambda: now() + timedelta(days=31))
    with pytest.raises(ClaimRefusedError, match="it has ended"):
        authority.enroll(pem, NAME, claim.secret, "192.0.2.1")


def test_a_claim_whose_signing_was_cut_off_is_still_good_for_its_key_and_for_no_other(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, pem = made(authority, "https://ca.example", tmp_path), request(tmp_path)
    with monkeypatch.context() as cut:
        cut.setattr(Authority, "_sign", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            authority.enroll(pem, NAME, claim.secret, "192.0.2.1")
    with pytest.raises(ClaimRefusedError, match="another key"):
        authority.enroll(request(tmp_path, "another"), NAME, claim.secret, "192.0.2.1")
    assert "BEGIN" in authority.enroll(pem, NAME, claim.secret, "192.0.2.1")


@pytest.mark.parametrize("has_an_older_one", [False, True])
def test_a_certificate_that_was_cut_off_before_its_file_is_given_to_who_asks_again(
    tmp_path: Path, authority: Authority, has_an_older_one: bool
) -> None:
    claim, pem = made(authority, "https://ca.example", tmp_path), request(tmp_path)
    if has_an_older_one:
        (authority.directory / f"{NAME}.crt").write_text(certified(authority, pem))
    with cut_after_the_index(tmp_path), pytest.raises(ProvisioningError):
        authority.enroll(pem, NAME, claim.secret, "192.0.2.1")
    assert not authority.certificates()[0].revoked
    given = authority.enroll(pem, NAME, claim.secret, "192.0.2.1")
    assert serial_of_certificate(given) == int(authority.certificates()[0].serial, 16)
    assert f"user {NAME}" in authority.access()


def test_a_hub_whose_line_was_cut_off_after_its_certificate_gets_it_when_it_asks_again(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, pem = made(authority, "https://ca.example", tmp_path), request(tmp_path)
    with monkeypatch.context() as cut:
        cut.setattr(authority._clients, "write", lambda _text: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            authority.enroll(pem, NAME, claim.secret, "192.0.2.1")
    authority.enroll(pem, NAME, claim.secret, "192.0.2.1")
    assert f"user {NAME}" in authority.access()
    assert len((authority.directory / "index").read_text().splitlines()) == 1


@pytest.mark.parametrize("name", ["willow-house-hub-1", f"{'a' * 40}.{'b' * 40}", "a b.c", "ics-desk", "x.y"])
def test_a_claim_that_could_not_be_signed_later_is_refused_when_it_is_made(
    tmp_path: Path, authority: Authority, name: str
) -> None:
    authority.client("ics-desk")
    authority.clients_file.write_text(authority.clients_file.read_text() + "hub the-old-one x y\n")
    with pytest.raises(ProvisioningError):
        made(authority, "https://ca.example", tmp_path, name)
    assert authority.claims.all() == []
    assert "BEGIN" not in "".join(path.read_text() for path in (tmp_path / "card").iterdir())
    assert made(authority, "https://ca.example", tmp_path, "the-old-one").name == "the-old-one"


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


def test_a_damaged_note_of_a_claim_is_told(tmp_path: Path, authority: Authority) -> None:
    made(authority, "https://ca.example", tmp_path)
    (note,) = (authority.directory / "claims").glob("*.json")
    note.write_text("{")
    with pytest.raises(ProvisioningError, match="is damaged"):
        authority.claims.all()
