"""The first boot with a claim: from the card to a certificate in force, over a real server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioning import first_boot
from provisioning.authority import Authority
from provisioning.errors import ProvisioningError
from provisioning.keeper.places import Places
from provisioning.keeper.resources import Identity, Resource
from provisioning.site_file import Site
from tests.rigs.claiming import in_force, serving

NAME = "rose-house.hub-1"
SITE = """
[site]
id = "rose-house"
timezone = "Europe/London"
test_data = true
[hub]
id = "hub-1"
[broker]
host = "mqtt.ics.example"
port = 8883
ca_file = "ca.crt"
[bluetooth]
radio = "off"
[authority]
external = true
"""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path / "machine")
    places.etc.mkdir(parents=True)
    (places.root / "etc/group").write_text(f"carehub:x:{os.getegid()}:\n")
    return places


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority(tmp_path / "authority")
    authority.begin()
    return authority


def card_of(tmp_path: Path, authority: Authority, address: str, name: str = NAME) -> Path:
    card = tmp_path / "card"
    card.mkdir()
    (card / "site.toml").write_text(SITE)
    authority.claims.make(name, address, card)
    return card


def only_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else a machine is to have needs a machine: tests/machine and tests/image."""

    def wanted(_self: object, site: Site, certificate: str) -> list[Resource]:
        return [Identity(site.name, certificate=certificate)]

    monkeypatch.setattr(first_boot._TakingIn, "_wanted", wanted)


def test_a_card_with_a_claim_needs_nobody(
    tmp_path: Path, places: Places, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_the_identity(monkeypatch)
    (places.etc / "ca.crt").write_text(authority.ca_pem)
    with serving(authority) as address:
        card = card_of(tmp_path, authority, address)
        told: list[str] = []
        found = first_boot.take_in(card, places, told.append)
    assert found.done, found.words
    assert in_force(places).subject.rfc4514_string() == f"CN={NAME}"
    assert [each.name for each in card.iterdir()] == ["status.txt"]
    assert "the claim was not used" not in found.words
    card.joinpath("site.toml").write_text(SITE)
    authority.claims.make(NAME, address, card)
    again = first_boot.take_in(card, places, told.append)
    assert "for which the claim was not used: where that one is revoked" in again.words
    assert (places.etc / "enrolment.json").exists()


def test_a_claim_of_another_hub_is_told(
    tmp_path: Path, places: Places, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_the_identity(monkeypatch)
    card = card_of(tmp_path, authority, "https://ca.example", "oak-house.hub-1")
    with pytest.raises(ProvisioningError, match=r"claim is oak-house.hub-1's"):
        first_boot.take_in(card, places, print)
    assert (card / "claim").exists()
