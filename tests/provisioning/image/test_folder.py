"""What a card carries for its first boot, made of a site's file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from provisioning.authority import Authority
from provisioning.boot_folder import CERTIFICATE, KEY, SITE
from provisioning.image import folder
from provisioning.site_file import Site, load

_SITE = """
# of the engineer
[site]
id = "rose-house"

[hub]
id = "hub-1"

[broker]
host = "mqtt.ics.example"

[[residents]]
id = "R-0412"
name = "A. Example"

[machine.network]
wifi = { ssid = "Rose House", password_file = "secrets/wifi" }

[machine.page]
from_authority = true
names = ["hub.rose-house.lan"]

[authority]
directory = "authority"
"""


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Site:
    Authority(tmp_path / "authority").begin()
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/wifi").write_text("correct horse battery\n")
    (tmp_path / "site.toml").write_text(_SITE)
    return load(tmp_path / "site.toml")


@pytest.fixture(name="card")
def _card(site: Site, tmp_path: Path) -> Path:
    card = tmp_path / "card"
    card.mkdir()
    for name, content in {**folder.of(site), **folder.pair(site)}.items():
        (card / name).write_bytes(content)
    return card


def test_the_folder_stands_alone_and_says_the_same_of_the_hub(site: Site, card: Path) -> None:
    found = load(card / SITE)
    assert found.config == site.config
    assert found.name == site.name
    assert found.carried.wifi_password == "correct horse battery"
    assert found.authority.external
    assert "# of the engineer" in (card / SITE).read_text()


def test_the_hub_has_a_certificate_of_its_key_by_the_site_s_authority(card: Path) -> None:
    said = subprocess.run(
        ("openssl", "verify", "-purpose", "sslclient", "-CAfile", card / "ca.crt", card / CERTIFICATE),
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert _public("pkey", card / KEY, "-pubout") == _public("x509", card / CERTIFICATE, "-pubkey", "-noout")


def test_the_page_s_certificate_is_the_authority_s_too(card: Path) -> None:
    found = load(card / SITE)
    assert "BEGIN CERTIFICATE" in found.carried.page_certificate
    assert "PRIVATE KEY" in found.carried.page_key


def test_where_the_brokers_authority_is_another_both_are_on_the_card(site: Site, tmp_path: Path) -> None:
    Authority(tmp_path / "ics").begin()
    text = _SITE.replace('host = "mqtt.ics.example"', 'host = "mqtt.ics.example"\nca_file = "ics/ca.crt"')
    (tmp_path / "site.toml").write_text(text)
    (tmp_path / "card").mkdir()
    for name, content in folder.of(load(tmp_path / "site.toml")).items():
        (tmp_path / "card" / name).write_bytes(content)
    carried = load(tmp_path / "card" / SITE).carried
    assert carried.broker_ca == Authority(tmp_path / "ics").ca_pem
    assert carried.authority_ca == Authority(tmp_path / "authority").ca_pem


def test_an_external_authority_gives_no_key(tmp_path: Path) -> None:
    Authority(tmp_path / "theirs").begin()
    text = _SITE.replace('directory = "authority"', "external = true")
    text = text.replace('host = "mqtt.ics.example"', 'host = "mqtt.ics.example"\nca_file = "theirs/ca.crt"')
    text = text.replace('from_authority = true\nnames = ["hub.rose-house.lan"]', "run = false")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/wifi").write_text("correct horse battery")
    (tmp_path / "site.toml").write_text(text)
    site = load(tmp_path / "site.toml")
    assert set(folder.of(site)) == {SITE, "ca.crt", "wifi.password"}
    assert not folder.pair(site)


def test_before_all_else_is_good_nothing_is_signed(site: Site) -> None:
    for _ in range(2):
        folder.of(site)
    assert site.authority_directory is not None
    signed = [each.name for each in Authority(site.authority_directory).certificates()]
    assert site.name not in signed
    assert len(signed) == 1, "the page's, which is the same each time"


def _public(what: str, path: Path, *options: str) -> str:
    return subprocess.run(
        ("openssl", what, "-in", path, *options), capture_output=True, text=True, check=True
    ).stdout
