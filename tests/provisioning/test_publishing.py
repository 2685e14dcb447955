"""The `publish` to copy: what it brings to the broker, and what it leaves there when something goes wrong.

The broker's machine is this one behind a real sshd; only what `systemctl` does there is the test's own.
"""

from __future__ import annotations

import grp
import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioning.authority import Authority
from provisioning.broker import acl
from tests.rigs.sshd import Sshd, running_sshd

SHIPPED = Path(acl.__file__).with_name("publish.example")


class Ics:
    """An authority with the shipped `publish`, and the broker's directory that it brings to."""

    def __init__(self, root: Path, sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
        self.there, self.told, self._programs = root / "broker", list[str](), root / "programs"
        self._reloaded, self._sshd = root / "reloaded", sshd
        for each in (self.there, self._programs):
            each.mkdir()
        monkeypatch.setenv("PATH", f"{self._programs}:{os.environ['PATH']}")
        systemctl = self._program("systemctl", f'[ "$*" = "reload mosquitto" ] && echo >>{self._reloaded}')
        self.line()
        self.authority = Authority(root / "authority", self.told.append)
        self.authority.begin()
        text = SHIPPED.read_text()
        for shipped, here in (
            ("root@mqtt.ics.example", sshd.target),
            ("/etc/mosquitto/careport", str(self.there)),
            ("chgrp mosquitto", f"chgrp {grp.getgrgid(os.getgid()).gr_name}"),
            ("systemctl", str(systemctl)),
        ):
            assert text.count(shipped) == 1
            text = text.replace(shipped, here)
        publish = self.authority.directory / "publish"
        publish.write_text(text)
        publish.chmod(0o755)

    def line(self, bytes_most: int | None = None) -> None:
        """From now on a line that is cut after so many bytes, or never."""
        reach, ssh = self._sshd.reach(), shutil.which("ssh", path=os.defpath)
        options = [
            f"-o{each}" for each in (f"Port={reach.port}", f"IdentityFile={reach.identity}", *reach.options)
        ]
        does = f'{ssh} {shlex.join(options)} "$@"'
        self._program("ssh", does if bytes_most is None else f"head -c {bytes_most} | {does}")

    @property
    def brought(self) -> tuple[str, str]:
        """The broker's list of who may, and of the revoked."""
        return (self.there / "access").read_text(), (self.there / "revoked.crl").read_text()

    @property
    def reloads(self) -> int:
        """How often the broker was told to read them."""
        return len(self._reloaded.read_text()) if self._reloaded.exists() else 0

    def _program(self, name: str, does: str) -> Path:
        path = self._programs / name
        path.write_text(f"#!/bin/sh\n{does}\n")
        path.chmod(0o755)
        return path


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as sshd:
        yield sshd


@pytest.fixture
def ics(tmp_path: Path, sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> Ics:
    return Ics(tmp_path, sshd, monkeypatch)


def test_the_publish_to_copy_brings_who_may_and_who_is_revoked_by_the_carehub_that_runs_it(ics: Ics) -> None:
    ics.authority.client("ics-desk")
    assert ics.brought == (ics.authority.access(), (ics.authority.directory / "revoked.crl").read_text())
    assert "user ics-desk" in ics.brought[0]
    assert (ics.reloads, ics.told, ics.authority.is_published()) == (1, [], True)
    assert {each.name: each.stat().st_mode & 0o777 for each in ics.there.iterdir()} == {
        "access": 0o640,
        "revoked.crl": 0o640,
    }


@pytest.mark.parametrize("fault", ["clients", "line"])
def test_what_cannot_be_made_or_does_not_get_there_leaves_the_broker_as_it_is(ics: Ics, fault: str) -> None:
    ics.authority.client("ics-desk")
    before = ics.brought
    if fault == "line":
        ics.line(20)
        ics.authority.client("ics-night")
    else:
        (ics.authority.directory / "clients").write_text("hub of nobody\n")
        ics.authority.publish()
    assert ics.brought == before
    assert ics.reloads == 1
    assert not ics.authority.is_published()
    assert "the broker does not know of the last change yet" in ics.told[0]
