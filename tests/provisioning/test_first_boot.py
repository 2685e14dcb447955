"""What lies on the boot partition is taken in, or the reason why not is said there."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hub.configuration.file import ConfigError
from provisioning import first_boot
from provisioning.boot_folder import README, SITE, STATUS, Card
from provisioning.errors import ProvisioningError
from provisioning.first_boot import take_in
from provisioning.keeper.places import Places
from provisioning.keeper.resources import File
from provisioning.keeper.slots import Slots
from provisioning.site_file import load
from tests.rigs.site import PUBLIC_KEY, manifest
from tests.rigs.sshd import make_key

_SITE = """
[site]
id = "rose-house"
[hub]
id = "hub-1"
[broker]
host = "mqtt.ics.example"
ca_file = "ca.crt"
[authority]
external = true
"""
_PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "boot" / "carehub"
    folder.mkdir(parents=True)
    (folder / README).write_text("what to put here\n")
    return folder


def _said(folder: Path) -> str:
    return (folder / STATUS).read_text()


def test_without_a_site_the_folder_says_what_is_missing(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ProvisioningError, match=r"site\.toml"):
        take_in(folder, Places(tmp_path / "root"), print)
    assert "site.toml" in _said(folder)


def test_every_wrong_key_is_named_in_the_folder(folder: Path, tmp_path: Path) -> None:
    (folder / "ca.crt").write_text(_PEM)
    (folder / SITE).write_text(_SITE.replace('id = "hub-1"', 'id = "hub 1"\nnmae = 1'))
    with pytest.raises(ConfigError):
        take_in(folder, Places(tmp_path / "root"), print)
    assert "hub.id" in _said(folder)
    assert "hub.nmae" in _said(folder)


def test_a_file_that_is_not_beside_it_is_named(folder: Path, tmp_path: Path) -> None:
    (folder / SITE).write_text(_SITE)
    with pytest.raises(ConfigError):
        take_in(folder, Places(tmp_path / "root"), print)
    assert "broker.ca_file" in _said(folder)


def test_a_machine_with_another_homes_data_is_not_made_this_homes_hub(folder: Path, tmp_path: Path) -> None:
    (folder / "ca.crt").write_text(_PEM)
    (folder / SITE).write_text(_SITE)
    places = Places(tmp_path / "root")
    places.etc.mkdir(parents=True)
    (places.etc / "hub.toml").write_text('[site]\nid = "willow-court"\n[hub]\nid = "hub-1"\n')
    places.data.mkdir(parents=True)
    with pytest.raises(ProvisioningError, match="no release is in force"):
        take_in(folder, places, print)
    (places.data / "hub.db").touch()
    with pytest.raises(ProvisioningError, match="is a hub of willow-court today"):
        take_in(folder, places, print)
    assert (folder / SITE).exists()
    assert "what was measured in the other home" in _said(folder)


def test_without_a_release_nothing_is_tried_and_nothing_is_removed(folder: Path, tmp_path: Path) -> None:
    (folder / "ca.crt").write_text(_PEM)
    (folder / SITE).write_text(_SITE)
    with pytest.raises(ProvisioningError, match="no release is in force"):
        take_in(folder, Places(tmp_path / "root"), print)
    assert (folder / SITE).exists()
    assert "not done" in _said(folder)


def test_a_later_card_keeps_open_by_what_the_hub_was_set_up_over_ssh(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, python = tmp_path / "root", f"{sys.version_info.major}.{sys.version_info.minor}"
    (root / "etc/ssh/carehub_keys").mkdir(parents=True)
    (root / "etc/ssh/carehub_keys/pi").write_text("a key that is struck off\n")
    make_key(tmp_path / "key")
    (root / "etc/ssh/sshd_config").write_text(
        f"HostKey {tmp_path}/key\nPort 2222\nAuthorizedKeysFile /etc/ssh/own/%u /etc/ssh/carehub_keys/%u\n"
    )
    (root / "etc/carehub").mkdir()
    (root / "etc/carehub/release_signers").write_text("release ssh-ed25519 AAAA\n")
    release = replace(manifest(), payloads={python: next(iter(manifest().payloads.values()))})
    monkeypatch.setattr(Slots, "in_force", lambda _self: release)
    (folder / "ca.crt").write_text(_PEM)
    (folder / SITE).write_text(f'{_SITE}[machine.ssh]\nauthorized_keys = ["{PUBLIC_KEY}"]\n')
    taking_in = first_boot._TakingIn(Card(folder), Places(root), print)
    wanted = taking_in._wanted(load(folder / SITE), "")
    there = {each.path: each.content for each in wanted if isinstance(each, File)}
    assert "tcp dport { 22, 2222 } accept" in there["/etc/carehub/firewall.nft"]
    assert (
        "AuthorizedKeysFile /etc/ssh/own/%u /etc/ssh/carehub_keys/%u\n"
        in there["/etc/ssh/sshd_config.d/10-carehub.conf"]
    )
    for name in ("pi", "root"):
        assert there[f"/etc/ssh/carehub_keys/{name}"] == f"{PUBLIC_KEY}\n"
