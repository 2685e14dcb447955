"""One at a time in an authority's directory, which stays its owner's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provisioning.authority import Authority
from provisioning.errors import ProvisioningError
from provisioning.locking import locked
from tests.rigs.claiming import NAME, made, request


def test_what_is_held_is_waited_for_or_told(tmp_path: Path) -> None:
    with locked(tmp_path) as held:
        assert held
        with locked(tmp_path, wait=False) as again:
            assert not again
        with locked(tmp_path, ".another", wait=False) as other:
            assert other
    with locked(tmp_path, wait=False) as held:
        assert held


def test_a_directory_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProvisioningError, match="cannot be written"), locked(tmp_path / "nowhere"):
        pass


def test_under_sudo_all_stays_the_engineers(tmp_path: Path, authority: Authority) -> None:
    """Without root there is nothing to give away, and this shows nothing."""
    if os.geteuid() == 0:
        os.chown(authority.directory, 4711, 4712)
    outside = tmp_path / "outside"
    outside.write_text("")
    (authority.directory / "link").symlink_to(outside)
    publish = authority.directory / "publish"
    publish.write_text("#!/bin/sh\n: > brought\n")
    publish.chmod(0o700)
    authority.page(["hub.rose-house.lan"])
    claim = made(authority, "https://ca.example", tmp_path)
    authority.enroll(request(tmp_path), NAME, claim.secret, "192.0.2.1")
    authority.revoke(NAME)
    owner = authority.directory.stat()
    found = list(authority.directory.rglob("*"))
    assert {"claims.log", "ca.key", "index", "brought", ".published"} <= {path.name for path in found}
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in found} == {(owner.st_uid, owner.st_gid)}
    assert outside.stat().st_uid == os.geteuid()
