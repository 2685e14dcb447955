"""What a cut of the power, or a full disk, leaves of an authority: nobody who was revoked is let in again."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509

from hub.cli import carehub
from hub.web.serving import context_of
from provisioning import publishing
from provisioning.authority import Authority
from provisioning.errors import ProvisioningError
from tests.rigs.claiming import cut_after_the_index, request
from tests.rigs.ending import ends

LOST, OTHER, NEXT = "rose-house.hub-1", "oak-house.hub-1", "elm-house.hub-1"


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of one with a hub that was revoked, and one that was not."""
    place = tmp_path_factory.mktemp("made")
    authority = Authority(place / "authority")
    authority.begin()
    for name in (LOST, OTHER):
        authority.sign_hub(request(place, name), name)
    authority.revoke(LOST)
    return authority.directory


@pytest.fixture
def authority(tmp_path: Path, made: Path, told: list[str]) -> Authority:
    """A copy of it."""
    return Authority(shutil.copytree(made, tmp_path / "authority"), told.append)


def is_good(authority: Authority, name: str) -> bool:
    there = authority.directory
    command = (
        "openssl",
        "verify",
        "-crl_check",
        "-CAfile",
        there / "ca.crt",
        "-CRLfile",
        there / "revoked.crl",
    )
    return subprocess.run([*command, there / f"{name}.crt"], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("left", ["", "V\t29", "\0" * 200])
def test_an_index_that_a_cut_of_the_power_emptied_is_healed_at_the_next_change_and_said(
    tmp_path: Path, authority: Authority, told: list[str], left: str
) -> None:
    for name in ("index", "index.attr", "crlnumber", "revoked.crl"):
        (authority.directory / name).write_text(left if name == "index" else "")
    with pytest.raises(ProvisioningError, match="has lost what was certified"):
        authority.certificates()
    authority.sign_hub(request(tmp_path, NEXT), NEXT)
    assert "index was damaged" in told[0]
    authority.renew_revocations()
    assert [is_good(authority, name) for name in (LOST, OTHER, NEXT)] == [False, True, True]
    assert {each.name: each.revoked for each in authority.certificates()} == {
        LOST: True, OTHER: False, NEXT: False
    }  # fmt: skip


def test_of_an_empty_index_without_a_copy_no_list_of_the_revoked_is_made(authority: Authority) -> None:
    (authority.directory / "index").write_text("")
    (authority.directory / "index.kept").unlink()
    for change in (authority.renew_revocations, authority.certificates, lambda: authority.revoke(OTHER)):
        with pytest.raises(ProvisioningError, match="has lost what was certified"):
            change()
    assert not is_good(authority, LOST)


def test_what_openssl_could_not_write_is_not_said_to_be_done(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk: it ends with 0, and what it put in place is empty."""
    real, tools = shutil.which("openssl"), tmp_path / "tools"
    tools.mkdir()
    before = (authority.directory / "index").read_text()
    (tools / "openssl").write_text(
        f'#!/bin/sh\n{real} "$@" || exit\ncase "$*" in ca*" -in "*) : >index ;; esac\n'
    )
    (tools / "awk").write_text(
        f'#!/bin/sh\ncase "$*" in *OFS*) {shutil.which("awk")} "$@" | head -c 99 ;;'
        f' *) exec {shutil.which("awk")} "$@" ;; esac\n'
    )
    for tool in tools.iterdir():
        tool.chmod(0o700)
    pem = request(tmp_path, NEXT)
    with monkeypatch.context() as full:
        full.setenv("PATH", f"{tools}:{os.environ['PATH']}")
        for change, words in (
            (lambda: authority.sign_hub(pem, NEXT), "did not come to the disk"),
            (lambda: authority.revoke(OTHER), f"is the disk full.*'{OTHER}' is not revoked: repeat this"),
        ):
            with pytest.raises(ProvisioningError, match=words):
                change()
            assert (authority.directory / "index").read_text() == before
    assert f"user {OTHER}" not in authority.access(), "that silences it until then"
    assert not (authority.directory / f"{NEXT}.crt").exists()
    authority.revoke(OTHER)
    assert not is_good(authority, OTHER)


def test_a_number_is_given_by_chance_so_that_two_copies_give_no_number_twice(
    tmp_path: Path, authority: Authority
) -> None:
    shutil.copytree(authority.directory, tmp_path / "copy")
    copy = Authority(tmp_path / "copy")
    for each in (authority, copy):
        each.sign_hub(request(tmp_path, NEXT), NEXT)
    assert authority.certificates()[0].serial != copy.certificates()[0].serial


@pytest.mark.parametrize("where", ["index", "revoked.crl"])
def test_a_revocation_that_was_cut_off_is_finished_by_the_same_command(
    authority: Authority, where: str
) -> None:
    kept = {name: (authority.directory / name).read_bytes() for name in (where, "revoked.crl")}
    authority.revoke(OTHER)
    for name, content in kept.items():
        (authority.directory / name).write_bytes(content)
    if where == "index":
        (authority.directory / "index.kept").write_bytes(kept["index"])
    assert is_good(authority, OTHER)
    assert f"user {OTHER}" not in authority.access(), "that comes first"
    authority.revoke(OTHER)
    assert not is_good(authority, OTHER)
    assert f"user {OTHER}" not in authority.access()


def test_a_hub_is_revoked_though_the_copies_of_its_certificates_are_lost(
    tmp_path: Path, authority: Authority
) -> None:
    authority.sign_hub(request(tmp_path, OTHER), OTHER)
    for copy in (authority.directory / "issued").iterdir():
        copy.write_text("")
    authority.revoke(OTHER)
    revoked = x509.load_pem_x509_crl((authority.directory / "revoked.crl").read_bytes())
    index = [line.split("\t") for line in (authority.directory / "index").read_text().splitlines()]
    assert [row[0] for row in index] == ["R"] * 3
    assert {each.serial_number for each in revoked} == {int(row[3], 16) for row in index}


def test_a_hub_is_struck_off_and_that_is_published_though_it_cannot_be_revoked(authority: Authority) -> None:
    publish = authority.directory / "publish"
    publish.write_text("#!/bin/sh\ncp clients brought\n")
    publish.chmod(0o700)
    for name in ("index", "index.kept"):
        (authority.directory / name).write_text("damaged\n")
    with pytest.raises(ProvisioningError, match="damaged: put them back"):
        authority.revoke(OTHER)
    assert OTHER not in (authority.directory / "brought").read_text()


def test_with_a_slip_in_the_list_of_clients_a_hub_is_revoked_and_what_is_not_brought_is_said(
    authority: Authority, told: list[str]
) -> None:
    """`publish` would bring an empty access list, and silence every hub."""
    publish = authority.directory / "publish"
    publish.write_text("#!/bin/sh\n: > tried\n")
    publish.chmod(0o700)
    with authority.clients_file.open("a") as file:
        file.write("ics desk two\n")
    authority.revoke(OTHER)
    assert not is_good(authority, OTHER)
    assert not (authority.directory / "tried").exists()
    assert "clients: line 3: give 'hub CN SITE HUB' or 'ics CN'; the broker does not know" in told[-1]
    assert not authority.is_published()


def test_a_servers_pair_of_which_half_was_cut_off_is_not_given(tmp_path: Path, authority: Authority) -> None:
    names, key = ["hub.rose-house.lan"], authority.directory / "hub.rose-house.lan.key"
    authority.page(names, days=30)
    before = [path.read_bytes() for path in (key, key.with_suffix(".crt"))]
    with cut_after_the_index(tmp_path), pytest.raises(ProvisioningError):
        authority.page(names)
    assert [path.read_bytes() for path in (key, key.with_suffix(".crt"))] == before, "a pair"
    context_of(authority.page(names), key)
    assert [path.read_bytes() for path in (key, key.with_suffix(".crt"))] != before
    key.rename(f"{key}.new")
    key.write_bytes(before[0])  # cut off between the two
    authority.renew_revocations()
    context_of(key.with_suffix(".crt"), key)
    assert not Path(f"{key}.new").exists()
    key.write_bytes(before[0])
    context_of(authority.page(names), key)


def test_where_the_first_copy_of_the_index_has_no_room_the_index_is_not_said_to_be_lost(
    authority: Authority,
) -> None:
    """In an authority from before there was a copy; here something else has its place."""
    (authority.directory / "index.kept").unlink()
    (authority.directory / "index.kept.new").mkdir()
    (authority.directory / "index.kept.new" / "index").mkdir()
    with pytest.raises(ProvisioningError, match=r"index.kept cannot be written: is the disk full\?"):
        authority.renew_revocations()


@pytest.mark.parametrize("left", [None, ""])
def test_a_list_of_the_revoked_that_cannot_be_read_is_made_anew_by_its_command(
    authority: Authority, left: str | None
) -> None:
    file = authority.directory / "revoked.crl"
    file.unlink() if left is None else file.write_text(left)
    ended = CliRunner().invoke(carehub, ["ca", "revocations", str(authority.directory)])
    assert ended.exit_code == 0, ended.exception
    assert "cannot be read" in ended.output
    assert not is_good(authority, LOST)
    assert is_good(authority, OTHER)


@pytest.mark.parametrize("left", ["", "a key"])
def test_an_authority_whose_making_was_cut_off_is_taken_up_again(
    tmp_path: Path, authority: Authority, left: str
) -> None:
    begun = Authority(tmp_path / "begun")
    begun.directory.mkdir()
    content = left and (authority.directory / "ca.key").read_text()
    (begun.directory / "ca.key").write_text(content)
    begun.begin()
    assert not left or (begun.directory / "ca.key").read_text() == content
    assert "BEGIN" in begun.sign_hub(request(tmp_path, NEXT), NEXT)


def test_an_authority_whose_certificate_or_list_did_not_come_to_the_disk_is_finished_with_its_key(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, tools, begun = shutil.which("openssl"), tmp_path / "tools", Authority(tmp_path / "begun")
    tools.mkdir()
    (tools / "openssl").write_text(
        f'#!/bin/sh\n{real} "$@" || exit\n[ "$1" != req ] || : >ca.crt.new\n'  # as on a full disk
    )
    (tools / "openssl").chmod(0o700)
    with monkeypatch.context() as full:
        full.setenv("PATH", f"{tools}:{os.environ['PATH']}")
        with pytest.raises(ProvisioningError, match=r"ca.crt cannot be written: is the disk full\?"):
            begun.begin()
    key = (begun.directory / "ca.key").read_text()
    assert not begun.certificate_file.exists()
    begun.certificate_file.write_text("")  # as an earlier one left it
    begun.begin()
    certificate = begun.ca_pem
    (begun.directory / "revoked.crl").unlink()
    begun.begin()
    assert (begun.ca_pem, (begun.directory / "ca.key").read_text()) == (certificate, key)
    assert begun.warnings() == []


def test_an_authority_that_has_lost_its_key_is_not_begun_with_another(authority: Authority) -> None:
    (authority.directory / "revoked.crl").unlink()
    (authority.directory / "ca.key").unlink()
    for words in ("ca.key is not the key of ca.crt", "ca.key is lost"):
        with pytest.raises(ProvisioningError, match=words):
            authority.begin()
        authority.certificate_file.unlink(missing_ok=True)
    assert not (authority.directory / "ca.key").exists()


def test_two_authorities_are_in_force_at_once_in_either_order(tmp_path: Path, authority: Authority) -> None:
    second = Authority(tmp_path / "second")
    second.begin()
    second.sign_hub(request(tmp_path, NEXT), NEXT)
    for pair in ((authority, second), (second, authority)):
        for name in ("ca.crt", "revoked.crl"):
            (tmp_path / f"both-{name}").write_text(
                "".join((each.directory / name).read_text() for each in pair)
            )
        for each, name, good in ((authority, LOST, False), (authority, OTHER, True), (second, NEXT, True)):
            verified = subprocess.run(
                ("openssl", "verify", "-crl_check", "-CAfile", tmp_path / "both-ca.crt",
                 "-CRLfile", tmp_path / "both-revoked.crl", each.directory / f"{name}.crt"),
                capture_output=True, check=False,
            )  # fmt: skip
            assert (verified.returncode == 0) == good, verified.stderr


def test_a_publish_that_hangs_is_ended_with_all_that_it_started(
    authority: Authority, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    program, started = authority.directory / "publish", authority.directory / "started"
    program.write_text("#!/bin/sh\nsleep 300 & echo $! > started\nwait\n")
    program.chmod(0o700)
    monkeypatch.setattr(publishing, "_SECONDS", 2)
    begun = time.monotonic()
    authority.publish()
    assert time.monotonic() - begun < 20
    assert "did not end within 2 s" in told[-1]
    assert ends(int(started.read_text()))
