"""What the authority does outside of Python: openssl, its script, and files that are whole or not there."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from provisioning import programs
from provisioning.errors import ProvisioningError
from provisioning.keeper.atomic import sync

_SECONDS = 60.0


def in_words(said: str, arguments: Sequence[str]) -> str:
    """What authority.sh or openssl said, for people."""
    own = [line.removeprefix("authority.sh: ") for line in said.splitlines() if "authority.sh: " in line]
    if own:
        return own[-1]
    about = arguments[-1]
    if "unpacking public key" in said:
        return f"{about}: the certificate request cannot be read: its key is none"
    if "ignature did not match" in said or "ignature verification" in said:
        return (
            f"{about}: the request is not signed with its own key: it was changed on its way, or is no hub's"
        )
    if "Error reading certificate request" in said or "unable to load" in said.lower():
        return f"{about}: the certificate request cannot be read"
    lines = [line for line in said.strip().splitlines() if not line.startswith("Using configuration")]
    return f"{about}: openssl could not do it: {' '.join(lines[:3]) or 'it said nothing'}"


def openssl(*arguments: str, text: str = "") -> str:
    """What openssl says, of a text on its standard input. Raises `ProvisioningError`: it refuses."""
    ended = run(["openssl", *arguments], {}, text=text)
    if ended.returncode != 0:
        raise ProvisioningError(in_words(ended.stderr, arguments))
    return ended.stdout


def key_of_request(pem: str) -> str:
    """The SHA-256 of a request's public key. Raises `ProvisioningError`: it is none."""
    return _key(openssl("req", "-noout", "-pubkey", text=pem))


def key_of_certificate(pem: str) -> str:
    """The SHA-256 of a certificate's public key. Raises `ProvisioningError`: it is none."""
    return _key(openssl("x509", "-noout", "-pubkey", text=pem))


def key_of_file(path: Path) -> str:
    """The SHA-256 of a private key's public one. Raises `ProvisioningError`: it is none."""
    return _key(openssl("pkey", "-pubout", "-in", str(path)))


def serial_of_certificate(pem: str) -> int:
    """A certificate's number. Raises `ProvisioningError`: it is none."""
    return int(openssl("x509", "-noout", "-serial", text=pem).strip().partition("=")[2], 16)


def names_of_certificate(pem: str) -> list[str]:
    """The host names and addresses that a server's certificate is for. Raises `ProvisioningError`: it is
    none."""
    said = openssl("x509", "-noout", "-ext", "subjectAltName", text=pem)
    return re.findall(r"(?:DNS|IP Address):([^,\s]+)", said)


def pkcs7_of(pem: str) -> str:
    """Certificates as PKCS#7 without content, in base64 (RFC 7030, section 4.1.3). Raises
    `ProvisioningError`."""
    said = openssl("crl2pkcs7", "-nocrl", "-certfile", "/dev/stdin", text=pem)
    return "".join(line + "\n" for line in said.splitlines() if line and not line.startswith("-----"))


def _key(said: str) -> str:
    found = re.search(r"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", said, re.DOTALL)
    return hashlib.sha256(found[0].encode()).hexdigest() if found else ""


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    text: str = "",
    *,
    where: Path | None = None,
    seconds: float = _SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, apart from the terminal: Ctrl-C there cuts off nothing that is half done.
    Where it does not end in time, all that it has started is ended with it. Raises `ProvisioningError`."""
    try:
        code, output, errors = programs.ended(
            command, text.encode(), None, seconds, apart=True, environment=environment, where=where
        )
    except FileNotFoundError as error:
        raise ProvisioningError(f"{error.filename} is not on this machine: install it") from error
    except OSError as error:
        raise ProvisioningError(f"{command[0]} could not be run: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise ProvisioningError(f"{command[0]} did not end within {seconds:g} s") from error
    return subprocess.CompletedProcess(
        command, code, output.decode("utf-8", errors="replace"), errors.decode("utf-8", errors="replace")
    )


def read(path: Path) -> str:
    """A file's text. Raises `ProvisioningError`."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ProvisioningError(f"{path}: cannot be read: {error}") from error


def write(path: Path, text: str, mode: int) -> None:
    """Put a text into a file, whole or not at all. Raises `ProvisioningError`."""
    waiting = path.with_name(f"{path.name}.writing")
    try:
        with os.fdopen(
            os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8"
        ) as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        waiting.replace(path)
        sync(path.parent)
    except OSError as error:
        raise ProvisioningError(f"{path}: cannot be written: {error.strerror}") from error
