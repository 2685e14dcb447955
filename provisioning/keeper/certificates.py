"""Keys, requests and certificates on the machine, by its own openssl: the standard library reads none."""

from __future__ import annotations

import re
import ssl
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

from provisioning.keeper.errors import KeeperError

_SECONDS = 60
_SETTINGS = "[req]\ndistinguished_name = name\n[name]\n"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What may be a certificate's CN: what the broker's list takes, at most the 64 characters of a CN."""
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says: its CN, from when until when it is good (aware), its public key (PEM), and
    the SHA-256 of it all."""

    name: str
    begins: datetime
    ends: datetime
    public_key: str
    fingerprint: str


def within(text: str) -> list[str]:
    """The certificates (PEM) that are in a text, without what people have written around them."""
    return _CERTIFICATE.findall(text)


def read(pem: str) -> Certificate:
    """What the first certificate of a text says. Raises `KeeperError`: it has none."""
    said = openssl(
        "x509", "-noout", "-subject", "-nameopt", "multiline", "-startdate", "-enddate",
        "-fingerprint", "-sha256", "-pubkey", text=pem,
    )  # fmt: skip
    name = re.search(r"^\s*commonName\s*= (.*)$", said, re.MULTILINE)
    return Certificate(
        name[1] if name else "",
        _time(said, "notBefore"),
        _time(said, "notAfter"),
        _public_key(said),
        said.partition("Fingerprint=")[2].split("\n", 1)[0],
    )


def make(directory: Path, name: str) -> None:
    """hub.key, of the curve P-256, and hub.csr, a request by that name, in a directory that only root can
    enter. Raises `KeeperError`, `OSError`."""
    if not NAME.fullmatch(name):
        raise KeeperError(f"{name!r} cannot be the name of a certificate")
    key, settings = directory / "hub.key", directory / "settings"
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(key))
    settings.write_text(_SETTINGS)
    openssl(
        "req", "-new", "-sha256", "-key", str(key), "-subj", f"/CN={name}",
        "-config", str(settings), "-out", str(directory / "hub.csr"),
    )  # fmt: skip
    settings.unlink()


def request_of(directory: Path) -> tuple[str, str, str]:
    """hub.csr of a directory, its CN and its public key. Raises `KeeperError`: there is none, or it is not
    that of hub.key."""
    try:
        pem = (directory / "hub.csr").read_text()
    except (OSError, ValueError) as error:
        raise KeeperError(f"{directory}/hub.csr cannot be read") from error
    said = openssl("req", "-noout", "-subject", "-nameopt", "multiline", "-pubkey", text=pem)
    name = re.search(r"^\s*commonName\s*= (.*)$", said, re.MULTILINE)
    if _public_key(said) != public_key_of(directory):
        raise KeeperError(f"{directory}: the request is not of the key beside it")
    return pem, name[1] if name else "", _public_key(said)


def public_key_of(directory: Path) -> str:
    """That of hub.key, in PEM. Raises `KeeperError`."""
    return _public_key(openssl("pkey", "-in", str(directory / "hub.key"), "-pubout"))


def is_of(pem: str, authority: Path) -> bool:
    """Whether a client's certificate is of an authority of that file, whatever time it is; certificates that
    follow the first are those between. Raises `KeeperError`: openssl cannot be run."""
    with NamedTemporaryFile("w", suffix=".crt") as file:
        file.write(pem)
        file.flush()
        ended = _run(
            "verify", "-no_check_time", "-purpose", "sslclient", "-no-CApath", "-no-CAstore",
            "-CAfile", str(authority), "-untrusted", file.name, file.name, text="",
        )  # fmt: skip
    return ended.returncode == 0


def openssl(*arguments: str, text: str = "") -> str:
    """What openssl says of a text. Raises `KeeperError`: it refuses."""
    ended = _run(*arguments, text=text)
    if ended.returncode != 0:
        what = (
            "a private key" if arguments[0] == "pkey" else {"x509": "a certificate"}.get(arguments[0], "it")
        )
        # Its own words would name memory addresses and lines of its source, and never what to do.
        raise KeeperError(f"openssl {arguments[0]} cannot read or make {what}")
    return ended.stdout


def _run(*arguments: str, text: str) -> subprocess.CompletedProcess[str]:
    command: Sequence[str] = ("openssl", *arguments)
    try:
        return subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_SECONDS,
        )
    except FileNotFoundError as error:
        raise KeeperError("openssl is not on this machine: install Debian's package openssl") from error
    except subprocess.TimeoutExpired as error:
        raise KeeperError(f"openssl {arguments[0]} did not end within {_SECONDS} s") from error


def _public_key(said: str) -> str:
    found = re.search(r"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", said, re.DOTALL)
    if found is None:
        raise KeeperError("openssl tells no public key")
    return found[0]


def _time(said: str, field: str) -> datetime:
    found = re.search(rf"^{field}=(.+)$", said, re.MULTILINE)
    try:
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(found[1] if found else ""), UTC)
    except ValueError as error:
        raise KeeperError(f"the certificate's {field} cannot be read") from error
