"""What lies on the boot partition is taken in, or the reason why not is said there."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.configuration.file import ConfigError
from provisioning.boot_folder import README, SITE, STATUS
from provisioning.errors import ProvisioningError
from provisioning.first_boot import take_in
from provisioning.keeper.places import Places

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


def test_without_a_release_nothing_is_tried_and_nothing_is_removed(folder: Path, tmp_path: Path) -> None:
    (folder / "ca.crt").write_text(_PEM)
    (folder / SITE).write_text(_SITE)
    with pytest.raises(ProvisioningError, match="no release is in force"):
        take_in(folder, Places(tmp_path / "root"), print)
    assert (folder / SITE).exists()
    assert "not done" in _said(folder)
