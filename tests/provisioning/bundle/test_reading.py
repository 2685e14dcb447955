"""What an engineer has of a bundle, and what one machine is sent of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.cli.bundle import command
from provisioning.bundle import read
from provisioning.errors import ProvisioningError
from provisioning.keeper.bundle_file import opened
from provisioning.keeper.manifest import Manifest, Payload
from tests.rigs.bundles import Seal, make_bundle, make_seal, members_of, pack_members, write_bundle


@pytest.fixture(scope="module")
def seal(tmp_path_factory: pytest.TempPathFactory) -> Seal:
    return make_seal(tmp_path_factory.mktemp("seal"))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, seal: Seal) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundle"), seal)


def test_a_slim_bundle_is_a_bundle_for_that_python_alone(path: Path, seal: Seal, tmp_path: Path) -> None:
    slim = read(path, seal.signers).slim("3.13", tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == [slim.name]
    whole, part = members_of(path), members_of(slim)
    assert part == {name: whole[name] for name in ("manifest.json", "manifest.json.sig", "python3.13.tar.gz")}
    assert read(slim, seal.signers).pythons == ("3.13",)
    with opened(slim, seal.signers) as content:
        content.unpack("3.13", tmp_path / "a")
    assert (tmp_path / "a/bin/carehub").is_file()


def test_made_again_it_is_the_same(path: Path, seal: Seal, tmp_path: Path) -> None:
    bundle = read(path, seal.signers)
    first = bundle.slim("3.11", tmp_path).read_bytes()
    assert bundle.slim("3.11", tmp_path).read_bytes() == first


def test_a_bundle_that_does_not_have_it_is_not_made_slim(path: Path, seal: Seal, tmp_path: Path) -> None:
    bundle = read(path, seal.signers)
    with pytest.raises(ProvisioningError, match=r"and not for 3\.12"):
        bundle.slim("3.12", tmp_path)
    slim = read(bundle.slim("3.13", tmp_path), seal.signers)
    with pytest.raises(ProvisioningError, match=r"made without what is for Python 3\.11"):
        slim.slim("3.11", tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == [slim.path.name]


def test_a_damaged_one_is_not_made_slim(path: Path, seal: Seal, tmp_path: Path) -> None:
    members = members_of(path)
    members["python3.11.tar.gz"] = members["python3.11.tar.gz"][:-1] + b"\1"
    bundle = read(pack_members(tmp_path / "b", members), seal.signers)
    (tmp_path / "into").mkdir()
    with pytest.raises(ProvisioningError, match="not what was signed"):
        bundle.slim("3.11", tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []


def test_no_name_in_a_manifest_leads_out_of_where_it_is_made_slim(seal: Seal, tmp_path: Path) -> None:
    payload = Payload("../outside", "0" * 64, 10, "")
    hostile = Manifest("1", "../../x", "aarch64", 9, 9, {"3.11": payload})
    bundle = read(write_bundle(tmp_path / "b", seal.key, hostile, {"../outside": b"evil"}), None)
    (tmp_path / "deep" / "into").mkdir(parents=True)
    with pytest.raises(ProvisioningError):
        bundle.slim("3.11", tmp_path / "deep" / "into")
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["b", "deep", "into"]


def test_a_bundle_of_another_signer_is_refused_unless_nobody_was_named(path: Path, tmp_path: Path) -> None:
    other = make_seal(tmp_path)
    with pytest.raises(ProvisioningError, match="not signed by anyone who may"):
        read(path, other.signers)
    assert read(path, None).signed_by.startswith('Good "carehub-release" signature with ED25519 key SHA256:')


def test_what_is_signed_by_nobody_is_refused_even_then(path: Path, tmp_path: Path) -> None:
    members = members_of(path)
    members["manifest.json"] = members["manifest.json"].replace(b"0.1.0", b"0.1.1")
    with pytest.raises(ProvisioningError, match="is not signed"):
        read(pack_members(tmp_path / "b", members), None)


def test_it_is_shown_with_who_signed_it(path: Path, seal: Seal, tmp_path: Path) -> None:
    shown = CliRunner().invoke(command, ["--show", str(path), "--signers", str(seal.signers)])
    assert shown.exit_code == 0, shown.output
    assert "release 0.1.0 (0123456) for" in shown.output
    assert "Python 3.11: 0 MB unpacked" in shown.output
    assert "signature for release with ED25519 key SHA256:" in shown.output
    assert "was not checked" not in shown.output
    slim = read(path, None).slim("3.13", tmp_path)
    shown = CliRunner().invoke(command, ["--show", str(slim)])
    assert "Python 3.11: not in this file" in shown.output
    assert "was not checked: name those that may with --signers" in shown.output


def test_without_a_key_nothing_is_made() -> None:
    asked = CliRunner().invoke(command, [])
    assert asked.exit_code == 2
    assert "'--sign-with KEY' is needed" in asked.output


def test_a_manifest_comes_back_as_it_went(path: Path) -> None:
    manifest = read(path, None).manifest
    assert replace(manifest) == manifest
    assert set(manifest.payloads) == {"3.11", "3.13"}
