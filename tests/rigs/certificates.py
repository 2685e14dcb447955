"""A certificate authority for one test, and what it certifies."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hub.clock import now


class Authority:
    """An authority of its own key, which Python's strict checks accept as one. `certificate` is its file.

    `made_by_script` takes the one that provisioning/broker/authority.sh made in the directory instead.
    """

    def __init__(
        self, directory: Path, *, ends: datetime | None = None, made_by_script: bool = False
    ) -> None:
        self._directory = directory
        if made_by_script:
            self.certificate = directory / "ca.crt"
            key = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), None)
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            self._key = key
            self._name = x509.load_pem_x509_certificate(self.certificate.read_bytes()).subject
            return
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("test authority")
        certificate = (
            _unsigned(self._name, self._name, self._key.public_key(), ends)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(of_authority=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = directory / "authority.pem"
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def certify(
        self, name: str, *, address: str | None = None, ends: datetime | None = None
    ) -> tuple[Path, Path]:
        """The files of a certificate, for an IP address if one is given, and of its key.

        It is good since yesterday and until `ends` (aware), or tomorrow; or was, for two days until `ends`.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _unsigned(_name(name), self._name, key.public_key(), ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(of_authority=False), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if address is not None:
            names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
            builder = builder.add_extension(names, critical=False)
        certificate_file, key_file = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        certificate = builder.sign(self._key, hashes.SHA256())
        certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return certificate_file, key_file


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _unsigned(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    ends: datetime | None,
) -> x509.CertificateBuilder:
    until = ends or now() + timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now() - timedelta(days=1), until - timedelta(days=2)))
        .not_valid_after(until)
    )


def _usage(*, of_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not of_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=of_authority,
        crl_sign=of_authority,
        encipher_only=False,
        decipher_only=False,
    )
