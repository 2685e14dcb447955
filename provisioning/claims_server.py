"""`carehub ca serve`: certificates over HTTPS, by Enrollment over Secure Transport (RFC 7030).

    GET  /.well-known/est/cacerts          the authority's certificate
    POST /.well-known/est/simpleenroll     a hub's first certificate, by a claim (HTTP Basic: name and secret)
    POST /.well-known/est/simplereenroll   the next one, by the present certificate (mutual TLS)

Requests are PKCS#10 and answers PKCS#7 (certs-only), both in base64. Whoever repeats a wrong claim is locked
out with that claim, from that address: behind one address may be a whole home, whose other hubs have good
ones. A claim has 256 bits: nobody guesses one.

It keeps its own certificate good while it runs, tries again to bring the broker what `publish` could not, and
says what of the authority nears its end.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import logging
import socket
import ssl
from collections.abc import Callable
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hub.running.supervision import keep_running
from hub.web.lock_out import LockOut, device_of
from hub.web.serving import BoundedProtocol, Renewing, context_of, listening
from provisioning.authority import Authority
from provisioning.claims import ClaimRefusedError
from provisioning.errors import ProvisioningError
from provisioning.openssl import pkcs7_of

PATH = "/.well-known/est"
_LONGEST_REQUEST = 16 * 1024
_MOST_A_MINUTE = 60
"""Requests of one address: a hub needs two, and a whole office may be behind one."""
_MOST_ADDRESSES = 10_000
_MOST_CONNECTIONS, _MOST_OF_ONE_ADDRESS = 200, 20
_LONGEST_NAME, _LONGEST_SECRET = 64, 256
_BODY_SECONDS = 15.0
_LOOK_SECONDS, _LOOKS_A_DAY = 600.0, 144

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
        self._authority = authority
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
        if not 0 < len(name) <= _LONGEST_NAME or not 0 < len(secret) <= _LONGEST_SECRET:
            return _refused(401, "give the hub's name and its claim")
        tried = f"{name} {hashlib.sha256(secret.encode()).hexdigest()} {device_of(address)}"
        if self._lock_out.seconds_locked(tried, tried) > 0:
            return _refused(429, "too many wrong claims: try again later")
        pem = await _request_of(request)
        if pem is None:
            return _refused(400, "the body is no PKCS#10 request in base64")
        try:
            certificate = await asyncio.to_thread(self._authority.enroll, pem, name, secret, address)
        except ClaimRefusedError as error:
            _log.warning("refused from %s: %r", address, str(error))
            self._lock_out.was_wrong(tried, tried)  # never the address alone: see above
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
            serial = shown["serialNumber"]
            certificate = await asyncio.to_thread(self._authority.renew, pem, name, serial, address)
        except ClaimRefusedError as error:
            _log.warning("refused from %s: %r", address, str(error))
            return _refused(403, "this certificate may not be renewed")
        except ProvisioningError as error:
            return _could_not(name, error)
        _log.info("%s: its next certificate went to %s", name, address)
        return _certificates(certificate)

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


class EstServer(uvicorn.Server):
    """It, on a bounded socket; while it serves, its certificate is kept good and the broker up to date."""

    def __init__(
        self, options: uvicorn.Config, authority: Authority, names: list[str], certificate: Path
    ) -> None:
        super().__init__(options)
        self._authority, self._names = authority, names
        context = options.ssl
        assert context is not None
        self._renewing = Renewing(context, certificate, certificate.with_name(f"{names[0]}.key"))

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until it is stopped. Raises `ProvisioningError`: the address cannot be had."""
        host, port = self.config.host, self.config.port
        try:
            bound = listening(host, port, _MOST_CONNECTIONS, _MOST_OF_ONE_ADDRESS)
        except OSError as error:
            raise ProvisioningError(
                f"{host}, port {port}: cannot be had: {error.strerror or error}; give another --port"
            ) from error
        keeping = {"certificate": self._renewing.run, "authority": self._keep}
        tasks = [asyncio.create_task(keep_running(name, run), name=name) for name, run in keeping.items()]
        try:
            await super().serve([*(sockets or []), bound])
        finally:
            for task in tasks:
                task.cancel()
            bound.close()

    async def _keep(self) -> None:
        for looks in count():
            await asyncio.to_thread(self.look, says=looks % _LOOKS_A_DAY == 0)
            await asyncio.sleep(_LOOK_SECONDS)

    def look(self, *, says: bool = False) -> None:
        """Renew the server's own certificate, where it nears its end, and publish what is outstanding; with
        `says` log what of the authority nears its end. Raises `ProvisioningError`."""
        self._authority.page(self._names)
        for words in self._authority.warnings() if says else ():
            _log.warning("%s", words)


def server_of(authority: Authority, names: list[str], address: str, port: int) -> EstServer:
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
        h11_max_incomplete_event_size=_LONGEST_REQUEST,
    )
    options.load()
    options.ssl = context
    return EstServer(options, authority, names, certificate)


def serve(directory: Path, names: list[str], address: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT. Raises `ProvisioningError`."""
    server_of(Authority(directory), names, address, port).run()


async def _request_of(request: Request) -> str | None:
    """The PKCS#10 request in PEM; None where the body is none, or does not come in time."""
    body = b""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > _LONGEST_REQUEST:
                    return None
    except (TimeoutError, ClientDisconnect):
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
