"""Claims as an engineer makes them and a hub brings them, and `carehub ca serve`, which takes them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from provisioning.authority import Authority
from provisioning.claims_server import EstServer, server_of
from provisioning.keeper import certificates
from provisioning.keeper import claim as claiming
from provisioning.keeper.claim import Claim
from provisioning.keeper.identity import ensure
from provisioning.keeper.places import Places
from provisioning.keeper.resources import Identity

NAME = "rose-house.hub-1"


@contextlib.contextmanager
def serving(authority: Authority) -> Iterator[str]:
    """`carehub ca serve` in a thread: its address."""
    with running(server_of(authority, ["127.0.0.1"], "127.0.0.1", 0)) as address:
        yield address


@contextlib.contextmanager
def running(server: EstServer) -> Iterator[str]:
    """A server in a thread: its address."""
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            threading.Event().wait(0.02)
        yield f"https://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


def machine(directory: Path, authority: Authority) -> Places:
    """A hub's machine that trusts an authority."""
    places = Places(directory)
    places.etc.mkdir(parents=True)
    (places.root / "etc/group").write_text(f"carehub:x:{os.getegid()}:\n")
    (places.etc / "ca.crt").write_text(authority.ca_pem)
    return places


def made(authority: Authority, address: str, tmp_path: Path, name: str = NAME, days: int = 30) -> Claim:
    """A new claim, as it is on the card."""
    card = tmp_path / "card"
    card.mkdir(exist_ok=True)
    authority.claims.make(name, address, card, days)
    return claiming.read(card / "claim")


def request(tmp_path: Path, directory: str = "key", name: str = NAME) -> str:
    """Of a key that is made where the directory has none."""
    place = tmp_path / directory
    if not place.exists():
        place.mkdir()
        certificates.make(place, name)
    return (place / "hub.csr").read_text()


def certified(authority: Authority, request_pem: str, **changes: Any) -> str:
    """The request's key certified by hand, so that anything can be wrong with it: `name`, `begins` and `ends`
    from now, `server` for whose name it is, `serial` which number it has."""
    issuer = x509.load_pem_x509_certificate(authority.ca_pem.encode())
    signer = load_pem_private_key((authority.directory / "ca.key").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    moment = datetime.now(UTC)
    building = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, changes.get("name", NAME))]))
        .issuer_name(issuer.subject)
        .public_key(x509.load_pem_x509_csr(request_pem.encode()).public_key())
        .serial_number(changes.get("serial", x509.random_serial_number()))
        .not_valid_before(moment + changes.get("begins", timedelta(days=-9)))
        .not_valid_after(moment + changes.get("ends", timedelta(days=99)))
    )
    if "server" in changes:
        address = x509.IPAddress(ip_address(changes["server"]))
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        building = building.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        building = building.add_extension(own, critical=False)
    return building.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


@contextlib.contextmanager
def cut_after_the_index(tmp_path: Path) -> Iterator[None]:
    """authority.sh is ended, as by a cut of the power, when openssl has put its index in place: once that is
    to be on the disk."""
    tools = tmp_path / "cut"
    tools.mkdir()
    (tools / "sync").write_text(
        '#!/bin/sh\ncase "$*" in "index .") kill -9 $PPID; exit 1 ;; esac\n'
        f'exec {shutil.which("sync")} "$@"\n'
    )
    (tools / "sync").chmod(0o700)
    with pytest.MonkeyPatch.context() as cut:
        cut.setenv("PATH", f"{tools}:{os.environ['PATH']}")
        yield


def trail(authority: Authority) -> list[dict[str, str]]:
    """What is noted of claims."""
    return [json.loads(line) for line in (authority.directory / "claims.log").read_text().splitlines()]


def enrolled(places: Places, claim: Claim, authority: Authority, days: int) -> None:
    """A hub with a certificate of so many days, that remembers its server."""
    asked = ensure(places, Identity(NAME), dry_run=False).request
    certificate = authority.sign_hub(asked, NAME, days=days)
    ensure(places, Identity(NAME, certificate=certificate), dry_run=False)
    claiming.remember(places, claim)


def in_force(places: Places) -> x509.Certificate:
    """The hub's certificate, with its key beside it."""
    current = places.identity / "current"
    certificate = x509.load_pem_x509_certificate((current / "hub.crt").read_bytes())
    key = load_pem_private_key((current / "hub.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert certificate.public_key() == key.public_key()
    return certificate
