"""Signing a release by OpenSSH: any of its keys will do, one in a hardware token too (ssh-keygen(1), -Y)."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from provisioning.errors import ProvisioningError
from provisioning.keeper.manifest import MANIFEST, NAMESPACE, SIGNATURE

_PERSON_SECONDS = 300.0
"""To type a passphrase, or to touch a token."""


def sign(text: bytes, key: Path) -> bytes:
    """The signature of a manifest. ssh-keygen asks for what it needs on the terminal.

    `key` is a private key, or a public one whose private one an agent has.

    Raises:
        ProvisioningError: it was not signed.
    """
    with tempfile.TemporaryDirectory(prefix="carehub-") as directory:
        manifest = Path(directory) / MANIFEST
        manifest.write_bytes(text)
        try:
            done = subprocess.run(
                ("ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", str(key), str(manifest)),
                timeout=_PERSON_SECONDS,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ProvisioningError(f"the release cannot be signed with {key}: {error}") from error
        if done.returncode != 0:
            raise ProvisioningError(f"the release was not signed with {key}: ssh-keygen said above why")
        return (Path(directory) / SIGNATURE).read_bytes()


def signers_line(public_key: str) -> str:
    """The line for the file of those who may sign releases, of a public key ("ssh-ed25519 AAAA... comment").

    Raises:
        ProvisioningError: it is no public key.
    """
    kind, key, *_ = [*public_key.split(), "", ""]
    if not kind.startswith(("ssh-", "ecdsa-", "sk-")) or not key:
        raise ProvisioningError("a public key is to be one line of an OpenSSH .pub file: ssh-ed25519 AAAA...")
    return f'release namespaces="{NAMESPACE}" {kind} {key}'
