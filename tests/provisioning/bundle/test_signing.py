"""Any OpenSSH key signs a release, and its line in the list of those who may is of its public half."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from provisioning.bundle import read, signers_line
from provisioning.bundle.signing import sign
from provisioning.errors import ProvisioningError
from tests.rigs.bundles import Seal, make_bundle


@pytest.mark.parametrize(
    "kind", [("ed25519",), ("ecdsa", "-b", "256"), ("rsa", "-b", "2048")], ids=lambda k: k[0]
)
def test_any_kind_of_key_signs(kind: tuple[str, ...], tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(("ssh-keygen", "-q", "-N", "", "-C", "Sam Field", "-f", key, "-t", *kind), check=True)
    line = signers_line((tmp_path / "key.pub").read_text())
    assert line.startswith('release namespaces="carehub-release" ')
    assert "Sam" not in line
    (tmp_path / "signers").write_text(f"# who may\n{line}\n")
    bundle = read(make_bundle(tmp_path / "made", Seal(key, Path())), tmp_path / "signers")
    assert bundle.signed_by.startswith('Good "carehub-release" signature for release with')


@pytest.mark.parametrize(
    "text", ["", "ssh-ed25519", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA", "nonsense AAAA"]
)
def test_what_is_no_public_key_gets_no_line(text: str) -> None:
    with pytest.raises(ProvisioningError, match="public key"):
        signers_line(text)


def test_a_key_that_cannot_sign_is_named(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("no key\n")
    with pytest.raises(ProvisioningError, match=r"was not signed with .*key"):
        sign(b"{}", tmp_path / "key")
