"""The hub's side of a claim: until it has its certificate, and then the next ones."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from provisioning.authority import Authority
from provisioning.keeper import claim as claiming
from provisioning.keeper.errors import KeeperError, LaterError
from provisioning.keeper.est import RefusedError, Server, Tell
from provisioning.keeper.identity import ensure
from provisioning.keeper.places import Places
from provisioning.keeper.resources import Identity
from tests.rigs.claiming import NAME, certified, enrolled, in_force, machine, made, request, trail


@pytest.fixture
def places(tmp_path: Path, authority: Authority) -> Places:
    return machine(tmp_path / "machine", authority)


def test_offline_it_is_tried_again_with_longer_and_longer_waits_until_it_succeeds(
    tmp_path: Path, authority: Authority, address: str
) -> None:
    claim = made(authority, address, tmp_path)
    waited: list[float] = []
    told: list[str] = []

    class _TriesOffline(Server):
        def enroll(self, pem: str, name: str, secret: str, tell: Tell = print) -> str:
            if len(waited) < 9:
                return Server("https://127.0.0.1:1", self.ca_pem).enroll(pem, name, secret, tell)
            return super().enroll(pem, name, secret, tell)

    offline = replace(claim, server=_TriesOffline(claim.server.address, claim.server.ca_pem))
    assert "BEGIN CERTIFICATE" in claiming.redeem(offline, request(tmp_path), told.append, waited.append)
    assert waited == [5, 10, 20, 40, 80, 160, 320, 600, 600]
    assert "cannot be reached" in told[0]
    assert all(claim.secret not in words for words in told)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 2}', '{"format": 1, "name": 1}', "\0"])
def test_a_damaged_claim_is_told_without_what_is_in_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "claim"
    path.write_text(text)
    with pytest.raises(KeeperError, match=r"is damaged|is of format 2"):
        claiming.read(path)
    with pytest.raises(KeeperError):
        claiming.read(tmp_path / "none")


# --- renewal


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


def test_a_certificate_that_has_ended_renews_nothing_and_what_to_do_is_said(
    tmp_path: Path, authority: Authority, address: str, places: Places
) -> None:
    enrolled(places, made(authority, address, tmp_path), authority, days=20)
    current = places.identity / "current"
    ended = certified(authority, (current / "hub.csr").read_text(), ends=timedelta(days=-1))
    (current / "hub.crt").write_text(ended)
    with pytest.raises(RefusedError, match=r"ended on .* renews nothing: run 'carehub prov.* new claim"):
        claiming.renew(places, print)
    (current / "hub.crt").unlink()
    with pytest.raises(KeeperError, match="no certificate in force that could be renewed: run 'carehub prov"):
        claiming.renew(places, print)


def test_a_hub_that_moved_to_another_home_is_not_renewed_back_into_the_old_one(
    tmp_path: Path, authority: Authority, address: str, places: Places
) -> None:
    enrolled(places, made(authority, address, tmp_path), authority, days=20)
    moved = "oak-house.hub-1"
    asked = ensure(places, Identity(moved), dry_run=False).request
    ensure(places, Identity(moved, certificate=authority.sign_hub(asked, moved, days=20)), dry_run=False)
    before, told = in_force(places), list[str]()
    claiming.renew(places, told.append)
    assert f"renews for {NAME}, and this hub is {moved} now: run 'carehub provision'" in told[0]
    assert in_force(places) == before
    assert not (places.etc / "enrolment.json").exists()
