"""What the doctor finds of the staff page: whether it answers, with a certificate that browsers take."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

from hub.clock import now
from hub.configuration.file import Config
from hub.doctor.findings import Finding, Verdict
from hub.doctor.services import Unit, is_unwanted
from hub.doctor.x509 import Certificate, read
from hub.uplink.certificate import FAIL_BEFORE, WARN_BEFORE

_PATIENCE_SECONDS = 3.0
_OWN_TODO = (
    "make one for the page ('carehub ca page', provisioning/README.md) and name it in"
    " [page] certificate_file and key_file"
)


def page(config: Config, units: Mapping[str, Unit] | None = None) -> list[Finding]:
    """Ask it, as a browser of the home would, but from here; not where the site has none (`units` is what
    systemd says)."""
    if is_unwanted(units):
        return []
    address, port = _here(config), config.page.port
    scheme = "https" if config.page.tls else "http"
    at = f"{scheme}://{names(config)[0]}:{port}"
    if config.page.tls and _file(config) is None:
        return [Finding("page", Verdict.WARN, "it has no certificate, so it is not served", _OWN_TODO)]
    try:
        with socket.create_connection((address, port), timeout=_PATIENCE_SECONDS) as plain:
            if not config.page.tls:
                return [_answer(plain, config, at)]
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = (
                ssl.CERT_NONE
            )  # what is wrong with its certificate is said, and not a refusal
            with context.wrap_socket(plain, server_hostname=names(config)[0]) as secured:
                certificate = secured.getpeercert(binary_form=True) or b""
                return [_answer(secured, config, at), *_certificate(certificate, config)]
    except ConnectionRefusedError:
        words = f"nothing answers at port {port}"
        return [Finding("page", Verdict.WARN, words, "'systemctl start carehub-page', where it is wanted")]
    except ssl.SSLError as error:
        words = f"{at}: no TLS: {error.reason or error}"
        return [Finding("page", Verdict.FAIL, words, "see 'journalctl -u carehub-page'")]
    except OSError as error:
        words = f"{at}: {error.strerror or error}"
        return [Finding("page", Verdict.FAIL, words, "see 'journalctl -u carehub-page'")]


def names(config: Config) -> list[str]:
    """Under which the home knows it: what [page] says, else the machine's own name."""
    known = [*config.page.names]
    if not ip_address(config.page.address).is_unspecified:
        known.append(config.page.address)
    return known or [socket.gethostname()]


def _here(config: Config) -> str:
    wanted = ip_address(config.page.address)
    if not wanted.is_unspecified:
        return config.page.address
    return "127.0.0.1" if wanted.version == 4 else "::1"


def _file(config: Config) -> Path | None:
    return config.page.certificate_file or config.broker.certificate_file


def _answer(connection: socket.socket, config: Config, at: str) -> Finding:
    connection.settimeout(_PATIENCE_SECONDS)
    host = f"{names(config)[0]}:{config.page.port}"
    try:
        connection.sendall(f"GET /sign-in HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        said = connection.recv(64).split(b"\r\n")[0].decode("latin-1").split()
    except TimeoutError:
        words = f"{at}: it takes connections, and does not answer within {_PATIENCE_SECONDS:g} s"
        return Finding("page", Verdict.FAIL, words, "'systemctl restart carehub-page'")
    if len(said) < 2 or not said[0].startswith("HTTP/"):
        return Finding("page", Verdict.FAIL, f"what answers at {at} is no web page", "see [page] port")
    if said[1] != "200":
        words = f"{at}: it answers {' '.join(said[1:])}"
        return Finding("page", Verdict.FAIL, words, "see [page] names, and 'journalctl -u carehub-page'")
    return Finding("page", Verdict.PASS, f"answers at {at}")


def _certificate(der: bytes, config: Config) -> list[Finding]:
    part = "page's certificate"
    try:
        certificate = read(der)
    except ValueError as error:
        return [Finding(part, Verdict.FAIL, f"cannot be read: {error}", _OWN_TODO)]
    words = f"for {', '.join((*certificate.names, *certificate.addresses)) or 'no name'}"
    if not certificate.for_servers:
        words = "it is a client's, and no server's, so that browsers refuse the page"
        if config.page.certificate_file is None:
            words = f"the page has none of its own and shows the hub's to the broker: {words}"
        return [Finding(part, Verdict.FAIL, words, _OWN_TODO)]
    if unnamed := [each for each in names(config) if not certificate.is_for(each)]:
        words = f"{words}, and not for {', '.join(unnamed)}: browsers refuse the page under it"
        return [Finding(part, Verdict.FAIL, words, "have it made for that, too, or change [page] names")]
    return [_expiry(part, certificate, words)]


def _expiry(part: str, certificate: Certificate, words: str) -> Finding:
    left = certificate.ends - now()
    words = f"{words}; ends on {certificate.ends:%Y-%m-%d}"
    if left > WARN_BEFORE:
        return Finding(part, Verdict.PASS, words)
    return Finding(
        part, Verdict.WARN if left > FAIL_BEFORE else Verdict.FAIL, words, "renew it: the page takes it up"
    )
