"""What a cut of the power, or a full disk, leaves of an authority: nobody who was revoked is let in again."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.cli import carehub
from provisioning import publishing
from provisioning.authority import Authority
from provisioning.errors import ProvisioningError
from tests.rigs.claiming import request

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
    (tools / "openssl").write_text(f'#!/bin/sh\n{real} "$@" || exit\n[ "$1" != ca ] || : >index\n')
    (tools / "openssl").chmod(0o700)
    pem = request(tmp_path, NEXT)
    with monkeypatch.context() as full:
        full.setenv("PATH", f"{tools}:{os.environ['PATH']}")
        for change in (lambda: authority.sign_hub(pem, NEXT), lambda: authority.revoke(OTHER)):
            with pytest.raises(ProvisioningError, match="did not come to the disk"):
                change()
            assert (authority.directory / "index").read_text() == before
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


@pytest.mark.parametrize("where", ["_clients", "revoked.crl"])
def test_a_revocation_that_was_cut_off_is_finished_by_the_same_command(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    kept = (authority.directory / "revoked.crl").read_bytes()
    with monkeypatch.context() as cut:
        cut.setattr(authority._clients, "write", lambda _text: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            authority.revoke(OTHER)
    if where == "revoked.crl":
        (authority.directory / "revoked.crl").write_bytes(kept)
        assert is_good(authority, OTHER)
    assert f"user {OTHER}" in authority.access()
    authority.revoke(OTHER)
    assert not is_good(authority, OTHER)
    assert f"user {OTHER}" not in authority.access()


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
    monkeypatch.setattr(publishing, "_SECONDS", 0.5)
    begun = time.monotonic()
    authority.publish()
    assert time.monotonic() - begun < 20
    assert "did not end within 0.5 s" in told[-1]
    stat = Path(f"/proc/{started.read_text().strip()}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"
