"""A site's file, and what it names, as an engineer has them."""

from __future__ import annotations

from pathlib import Path

from provisioning.keeper.manifest import Manifest, Payload

SIGNERS = (
    'release namespaces="carehub-release" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPETfeokzIlcG4CJt4D9L47TPA\n'
)
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAziCRRzooFCt6/J5sQiAUNUSl++7AUvzBfw86qW+mz2 sam@laptop"

HUB = """\
# Rose House, the box in the office
[site]
id = "rose-house"

[hub]
id = "hub-1"

[broker]
host = "mqtt.ics.example"  # theirs
"""
AUTHORITY = '[authority]\ndirectory = "ca"\nrelease_signers = "release_signers"\n'


def write_site(directory: Path, text: str = "", *, hub: str = HUB, authority: str = AUTHORITY) -> Path:
    """rose-house.toml with that text after the hub's part, and the file of signers beside it."""
    (directory / "release_signers").write_text(SIGNERS)
    path = directory / "rose-house.toml"
    path.write_text(f"{hub}\n{text}\n{authority}")
    return path


def manifest(sha256: str = "5" * 64) -> Manifest:
    """Of a release for both Pythons."""
    payloads = {python: Payload(f"{python}.tar.gz", sha256, 1000, "a70d0d0a") for python in ("3.11", "3.13")}
    return Manifest("1.2.0", "abc1234", "aarch64", 12, 10, payloads)
