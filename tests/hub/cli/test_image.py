"""What `carehub image` refuses before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hub.cli import carehub
from provisioning.authority import Authority
from tests.rigs.site import PUBLIC_KEY

_SITE = """
[site]
id = "rose-house"
[hub]
id = "hub-1"
[broker]
host = "mqtt.ics.example"
[machine.firewall]
on = false
[authority]
directory = "authority"
"""
_KEYS = f'[machine.ssh]\nauthorized_keys = ["{PUBLIC_KEY}"]\n'


def made(directory: Path, *options: str) -> Result:
    for name in ("bundle", "signers"):
        (directory / name).write_text("none\n")
    files = (
        "--bundle",
        directory / "bundle",
        "--signers",
        directory / "signers",
        "--out",
        directory / "o.img",
    )
    return CliRunner().invoke(
        carehub, ["image", *map(str, files), "--site", f"{directory}/site.toml", *options]
    )


@pytest.fixture(name="authority")
def _authority(tmp_path: Path) -> Authority:
    authority = Authority(tmp_path / "authority")
    authority.begin()
    return authority


def test_an_image_to_which_nobody_could_log_in_is_refused_unless_it_is_asked_for(
    tmp_path: Path, authority: Authority
) -> None:
    (tmp_path / "site.toml").write_text(_SITE)
    refused = made(tmp_path)
    assert refused.exit_code == 2
    assert "authorized_keys" in refused.output
    assert "nobody could ever log in" not in made(tmp_path, "--without-login").output
    assert not authority.certificates()


def test_what_is_unsafe_in_the_site_s_file_is_said(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "site.toml").write_text(_SITE + _KEYS)
    assert "warning: machine.firewall.on = false" in made(tmp_path).output
    assert not authority.certificates(), "what comes to no image costs no certificate"
