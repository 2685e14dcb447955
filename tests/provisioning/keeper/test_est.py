"""Whom the hub believes when it asks for its certificate, on a machine whose clock may be wrong."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from provisioning.authority import Authority
from provisioning.keeper import wall_clock
from provisioning.keeper.errors import KeeperError, LaterError
from provisioning.keeper.est import Server
from provisioning.openssl import serial_of_certificate
from tests.rigs.claiming import NAME, certified, made, request, serving


def good_only(authority: Authority, begins: timedelta, ends: timedelta) -> None:
    """Have the server's certificate be of another time, as it is for a clock that is wrong."""
    certificate = authority.page(["127.0.0.1"])
    key = certificate.with_suffix(".key")
    asking = ["openssl", "req", "-new", "-key", str(key), "-subj", "/CN=x"]
    asked = subprocess.run(asking, check=True, capture_output=True, text=True).stdout
    given = serial_of_certificate(certificate.read_text())  # that of another number would not be used
    told = {"name": "127.0.0.1", "server": "127.0.0.1", "serial": given}
    certificate.write_text(certified(authority, asked, begins=begins, ends=ends, **told))


@pytest.mark.parametrize(("begins", "ends"), [(9, 99), (-99, -9)])
def test_while_the_clock_is_not_set_all_is_checked_but_the_time_and_that_is_said(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch, begins: int, ends: int
) -> None:
    good_only(authority, timedelta(days=begins), timedelta(days=ends))
    told: list[str] = []
    stranger = Authority(tmp_path / "stranger")
    stranger.begin()
    with serving(authority) as address:
        claim, pem = made(authority, address, tmp_path), request(tmp_path)
        monkeypatch.setattr(wall_clock, "_TIMESYNCD_HAS_SET_IT", tmp_path)
        with pytest.raises(LaterError, match="is not trusted"):
            claim.server.enroll(pem, NAME, claim.secret, told.append)
        assert told == []
        monkeypatch.setattr(wall_clock, "_TIMESYNCD_HAS_SET_IT", tmp_path / "not yet")
        with pytest.raises(LaterError, match="is not trusted"):
            Server(address, stranger.ca_pem).enroll(pem, NAME, claim.secret, told.append)
        assert "BEGIN CERTIFICATE" in claim.server.enroll(pem, NAME, claim.secret, told.append)
        assert "the clock is not set yet, so all of it is checked but the time" in told[-1]


@pytest.mark.parametrize("ca_pem", ["", "no PEM", "\u00e9"])
def test_what_is_no_authority_is_said(tmp_path: Path, ca_pem: str) -> None:
    with pytest.raises(KeeperError, match="the certificate of its authority is none"):
        Server("https://127.0.0.1:1", ca_pem).enroll(request(tmp_path), NAME, "secret")


def test_a_host_that_can_be_none_is_said_and_not_tried_for_ever(tmp_path: Path, authority: Authority) -> None:
    with pytest.raises(KeeperError, match="is no address of a server"):
        Server(f"https://{'a' * 70}.example", authority.ca_pem).enroll(request(tmp_path), NAME, "secret")
