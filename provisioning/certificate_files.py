"""The newest certificate of a name as the file that the authority's directory has of it, and a server's key
beside it: what was lost, or cut off between the index and the file, is none."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from provisioning.errors import ProvisioningError
from provisioning.index import Certificate
from provisioning.openssl import (
    key_of_certificate,
    key_of_file,
    names_of_certificate,
    read,
    serial_of_certificate,
)


def pem_of(directory: Path, newest: Certificate, key: str) -> str | None:
    """It in PEM, where its file is of this very one, and of that public key (its SHA-256)."""
    try:
        pem = read(directory / f"{newest.name}.crt")
        is_it = serial_of_certificate(pem) == int(newest.serial, 16) and key_of_certificate(pem) == key
    except ProvisioningError:
        return None
    return pem if is_it else None


def is_pair_for(directory: Path, newest: Certificate, names: Sequence[str]) -> bool:
    """Whether it is a server's, by just these host names and addresses, and its key is beside it."""
    try:
        pem = pem_of(directory, newest, key_of_file(directory / f"{newest.name}.key"))
        found = names_of_certificate(pem) if pem is not None else []
    except ProvisioningError:
        return False
    return {_host(name) for name in found} == {_host(name) for name in names}


def _host(name: str) -> str:
    """A name or an address, always written in one way."""
    try:
        return str(ip_address(name))
    except ValueError:
        return name.lower()
