"""What a certificate says of itself: compared with what wrote it, and never a crash at what is none."""

from __future__ import annotations

import contextlib
import ipaddress
import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from hub.clock import now
from hub.doctor.x509 import read
from tests.rigs.certificates import Authority

NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hub")])
ENDS = (now() + timedelta(days=90)).replace(microsecond=0)
KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(*extensions: tuple[x509.ExtensionType, bool]) -> bytes:
    """One with these, and whether each is critical."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(KEY.public_key())
        .serial_number(7)
        .not_valid_before(now() - timedelta(days=1))
        .not_valid_after(ENDS)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


NAMES = x509.SubjectAlternativeName(
    [
        x509.DNSName("hub.rose-house.lan"),
        x509.DNSName("*.wild.example"),
        x509.IPAddress(ipaddress.ip_address("192.168.1.20")),
        x509.IPAddress(ipaddress.ip_address("fd00::20")),
        x509.RFC822Name("nobody@example.org"),
    ]
)


def test_names_addresses_and_end_are_read() -> None:
    found = read(certificate((x509.BasicConstraints(ca=False, path_length=None), True), (NAMES, False)))
    assert found.ends == ENDS
    assert found.names == ("hub.rose-house.lan", "*.wild.example")
    assert found.addresses == ("192.168.1.20", "fd00::20")
    for host, taken in (
        ("Hub.Rose-House.lan", True), ("192.168.1.20", True), ("one.wild.example", True),
        ("a.b.wild.example", False), ("wild.example", False), ("other.lan", False),
    ):  # fmt: skip
        assert found.is_for(host) is taken, host


@pytest.mark.parametrize(
    ("usages", "expected"),
    [
        ([ExtendedKeyUsageOID.SERVER_AUTH], True),
        ([ExtendedKeyUsageOID.CLIENT_AUTH], False),
        ([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH], True),
        ([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE], True),
        ([], True),
    ],
)
@pytest.mark.parametrize("critical", [True, False])
def test_what_it_may_be_used_for_is_read(
    usages: list[x509.ObjectIdentifier], *, expected: bool, critical: bool
) -> None:
    said = [(x509.ExtendedKeyUsage(usages), critical)] if usages else []
    assert read(certificate(*said)).for_servers is expected


def test_a_certificate_without_extensions_is_read(tmp_path: Path) -> None:
    pem = Authority(tmp_path).certify("x")[0].read_text()
    assert read(ssl.PEM_cert_to_DER_cert(pem)).names == ()


@given(at=st.integers(0, 600), what=st.binary(max_size=3), whole=st.booleans())
def test_whatever_is_damaged_is_read_or_refused(at: int, what: bytes, *, whole: bool) -> None:
    good = certificate((NAMES, False), (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False))
    damaged = good[:at] + what + (good[at + len(what) :] if whole else b"")
    with contextlib.suppress(ValueError):
        read(damaged)
