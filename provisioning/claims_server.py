"""`carehub ca serve`: certificates over HTTPS, by Enrollment over Secure Transport (RFC 7030).

    GET  /.well-known/est/cacerts          the authority's certificate
    POST /.well-known/est/simpleenroll     a hub's first certificate, by a claim (HTTP Basic: name and secret)
    POST /.well-known/est/simplereenroll   the next one, by the present certificate (mutual TLS)

Requests are PKCS#10 and answers PKCS#7 (certs-only), both in base64. Whoever guesses is locked out by
name and address together, so that a stranger cannot lock a hub out.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hub.web.lock_out import LockOut, device_of
from hub.web.serving import BoundedProtocol, context_of
from provisioning.authority import Authority
from provisioning.claims import ClaimRefusedError, Claims
from provisioning.errors import ProvisioningError
from provisioning.openssl import key_of_request, pkcs7_of

PATH = "/.well-known/est"
_LONGEST_REQUEST = 16 * 1024
_MOST_A_MINUTE = 30
"""Requests of one address: a hub needs two."""
_MOST_ADDRESSES = 10_000

_log = logging.getLogger(__name__)


class EstProtocol(BoundedProtocol):
    """HTTP/1.1 which remembers the certificate that each connection's client showed, once it was verified."""

    shown: ClassVar[dict[tuple[str, int], dict[str, Any]]] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody connects."""
        super().connection_made(transport)
        ssl_object = transport.get_extra_info("ssl_object")
        certificate = ssl_object.getpeercert() if ssl_object is not None else None
        if certificate and self.client is not None:
            self.shown[self.client] = certificate

    def connection_lost(self, exc: Exception | None) -> None:
        """They have gone."""
        if self.client is not None:
            self.shown.pop(self.client, None)
        super().connection_lost(exc)


class Est:
    """The three resources, on an authority. `clock` gives monotonic seconds."""

    def __init__(self, authority: Authority, clock: Callable[[], float] = monotonic) -> None:
        self._authority, self._claims = authority, Claims(authority)
        self._lock_out = LockOut(clock)
        self._clock = clock
        self._asked: dict[str, list[float]] = {}

    def application(self) -> Starlette:
        """As it is served."""
        return Starlette(
            routes=[
                Route(f"{PATH}/cacerts", self.authority_certificate, methods=["GET"]),
                Route(f"{PATH}/simpleenroll", self.enroll, methods=["POST"]),
                Route(f"{PATH}/simplereenroll", self.renew, methods=["POST"]),
            ]
        )

    async def authority_certificate(self, request: Request) -> Response:
        """Whom to trust; whoever asks has to know by other means that it is the right one."""
        if self._is_too_much(_address(request)):
            return _refused(429, "too many requests: try again in a minute")
        return _certificates(self._authority.ca_pem)

    async def enroll(self, request: Request) -> Response:
        """A hub's first certificate."""
        address = _address(request)
        if self._is_too_much(address):
            return _refused(429, "too many requests: try again in a minute")
        name, secret = _basic(request)
        tried = f"{name} {device_of(address)}"
        if not name or not secret:
            return _refused(401, "give the hub's name and its claim")
        if self._lock_out.seconds_locked(tried, address) > 0:
            return _refused(429, "too many wrong claims: try again later")
        pem = await _request_of(request)
        if pem is None:
            return _refused(400, "the body is no PKCS#10 request in base64")
        try:
            certificate = await asyncio.to_thread(self._claimed, name, secret, pem, address)
        except ClaimRefusedError as error:
            _log.warning("refused from %s: %r", address, str(error))
            self._lock_out.was_wrong(tried, address)
            return _refused(401, "this claim is not good: it is unknown, used or has ended")
        except ProvisioningError as error:
            return _could_not(name, error)
        self._lock_out.was_right(tried)
        _log.info("%s: its first certificate went to %s", name, address)
        return _certificates(certificate)

    async def renew(self, request: Request) -> Response:
        """The next certificate of a hub that shows its present one; its key may be another."""
        address = _address(request)
        if self._is_too_much(address):
            return _refused(429, "too many requests: try again in a minute")
        shown = EstProtocol.shown.get((request.client.host, request.client.port)) if request.client else None
        if shown is None:
            return _refused(403, "show the present certificate")
        pem = await _request_of(request)
        if pem is None:
            return _refused(400, "the body is no PKCS#10 request in base64")
        name = next((value for part in shown["subject"] for key, value in part if key == "commonName"), "")
        try:
            certificate = await asyncio.to_thread(self._renewed, name, shown["serialNumber"], pem, address)
        except ClaimRefusedError as error:
            _log.warning("refused from %s: %r", address, str(error))
            return _refused(403, "this certificate may not be renewed")
        except ProvisioningError as error:
            return _could_not(name, error)
        _log.info("%s: its next certificate went to %s", name, address)
        return _certificates(certificate)

    def _claimed(self, name: str, secret: str, pem: str, address: str) -> str:
        key = key_of_request(pem)
        self._claims.use(name, secret, key, address)
        # The answer before may have been lost on its way.
        return self._authority.certificate_of_key(name, key) or self._authority.sign_hub(pem, name)

    def _renewed(self, name: str, serial: str, pem: str, address: str) -> str:
        key = key_of_request(pem)
        if not self._authority.is_good_hub(name, serial):
            self._claims.note("refused", name, address, key, "its certificate is revoked, or is no hub's")
            raise ClaimRefusedError(f"{name}: its certificate is revoked, or is no hub's")
        certificate = self._authority.certificate_of_key(name, key)
        if certificate is None:
            certificate = self._authority.sign_again(pem, name)
            self._claims.note("renewed", name, address, key)
        return certificate

    def _is_too_much(self, address: str) -> bool:
        device, moment = device_of(address), self._clock()
        if len(self._asked) > _MOST_ADDRESSES:
            self._asked = {each: at for each, at in self._asked.items() if at[-1] > moment - 60}
        recent = [at for at in self._asked.get(device, []) if at > moment - 60]
        if len(recent) >= _MOST_A_MINUTE:
            self._asked[device] = recent
            return True
        self._asked[device] = [*recent, moment]
        return False


def server_of(authority: Authority, names: list[str], address: str, port: int) -> uvicorn.Server:
    """The server, with a certificate by these names from the authority itself.

    Raises:
        ProvisioningError: there is no authority, or it gives no such certificate.
    """
    certificate = authority.page(names)
    context = context_of(certificate, certificate.with_name(f"{names[0]}.key"))
    context.load_verify_locations(authority.certificate_file)
    context.verify_mode = ssl.CERT_OPTIONAL
    options = uvicorn.Config(
        Est(authority).application(),
        host=address,
        port=port,
        http=EstProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=3,
    )
    options.load()
    options.ssl = context
    return uvicorn.Server(options)


def serve(directory: Path, names: list[str], address: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT. Raises `ProvisioningError`."""
    server_of(Authority(directory), names, address, port).run()


async def _request_of(request: Request) -> str | None:
    """The PKCS#10 request in PEM; None where the body is none."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _LONGEST_REQUEST:
            return None
    try:
        der = base64.b64decode(b"".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n" if der else None


def _basic(request: Request) -> tuple[str, str]:
    """User and password (RFC 7617)."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    try:
        text = base64.b64decode(credentials, validate=True).decode() if scheme.lower() == "basic" else ""
    except (binascii.Error, ValueError):
        return "", ""
    name, _, secret = text.partition(":")
    return name, secret


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def _certificates(pem: str) -> Response:
    return Response(
        pkcs7_of(pem),
        media_type="application/pkcs7-mime; smime-type=certs-only",
        headers={"Content-Transfer-Encoding": "base64", "Cache-Control": "no-store"},
    )


def _refused(status: int, words: str) -> Response:
    headers = {"WWW-Authenticate": 'Basic realm="CarePort"'} if status == 401 else {}
    return PlainTextResponse(words + "\n", status, headers)


def _could_not(name: str, error: ProvisioningError) -> Response:
    _log.error("%r could not be certified: %s", name, error)
    return _refused(400, "the authority did not sign this request: its own log says why")
