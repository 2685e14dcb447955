"""Serves the staff page: TLS, and who is too slow or has too many connections.

uvicorn waits for ever for whoever connects and says nothing; here they have so long to say what they want.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from collections import Counter
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar

import uvicorn
from starlette.types import ASGIApp, Message
from uvicorn.protocols.http.h11_impl import H11Protocol

from hub.configuration.file import Config
from hub.errors import CareportError
from hub.running.service_manager import ServiceManager
from hub.running.supervision import keep_running
from hub.web.app import application, put_together, running
from hub.web.lock_out import device_of

_log = logging.getLogger(__name__)
_ASKS_WITHIN_SECONDS = 15.0
_IDLE_SECONDS = 20
_LOST_AFTER_MILLISECONDS = 60_000
_MOST_CONNECTIONS, _MOST_OF_ONE_ADDRESS = 500, 300
_LONGEST_HEAD = 16 * 1024
_LOOK_AT_CERTIFICATE_SECONDS = 60.0
_LAST_WORDS_SECONDS = 3


class PageError(CareportError):
    """The page cannot be served; the text says what to change."""


class Listening(socket.socket):
    """A socket that listens, and hangs up on whoever has too many connections already.

    At once, and not when TLS is agreed on: until then nothing else counts them, and who connects and says
    nothing would have each file descriptor of this process in a moment.
    """

    def __init__(self, family: int, most: int | None = None, most_of_one_address: int | None = None) -> None:
        self._most = most or _MOST_CONNECTIONS
        self._most_of_one_address = most_of_one_address or _MOST_OF_ONE_ADDRESS
        # The protocol is named, since asyncio turns Nagle's algorithm off only where it is: else each answer,
        # head and body apart, waits 40 ms for the browser's delayed acknowledgement.
        super().__init__(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._accepted: dict[socket.socket, str] = {}

    def accept(self) -> tuple[socket.socket, Any]:
        """The next one who may. Raises BlockingIOError where nobody waits."""
        while True:
            connection, address = super().accept()
            self._accepted = {each: of for each, of in self._accepted.items() if each.fileno() >= 0}
            device = device_of(str(address[0]))
            theirs = sum(1 for each in self._accepted.values() if each == device)
            if len(self._accepted) < self._most and theirs < self._most_of_one_address:
                self._accepted[connection] = device
                return connection, address
            connection.close()


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 with whoever is not too slow, and has not too many connections already."""

    _of_address: ClassVar[Counter[str]] = Counter()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._slow: asyncio.TimerHandle | None = None
        self._address: str | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody connects."""
        super().connection_made(transport)
        address = "" if self.client is None else self.client[0]
        if len(self.connections) > _MOST_CONNECTIONS or self._of_address[address] >= _MOST_OF_ONE_ADDRESS:
            transport.abort()
            return
        self._address = address
        self._of_address[address] += 1
        connection = transport.get_extra_info("socket")
        if connection is not None:
            with suppress(OSError):  # a tablet that was carried out of the network is let go of
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _LOST_AFTER_MILLISECONDS)
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """They have gone."""
        if self._address is not None:
            self._of_address[self._address] -= 1
            if not self._of_address[self._address]:
                del self._of_address[self._address]
            self._address = None
        self._has_asked()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """They say something; whether it is a whole request yet, is seen then."""
        if self._slow is None and self._is_between_requests():
            self._wait_for_request()
        super().data_received(data)
        if not self._is_between_requests():
            self._has_asked()

    def on_response_complete(self) -> None:
        """They have their answer."""
        self._has_asked()
        super().on_response_complete()

    def _is_between_requests(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait_for_request(self) -> None:
        self._slow = self.loop.call_later(_ASKS_WITHIN_SECONDS, self.transport.abort)

    def _has_asked(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None


async def serve(config: Config) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        PageError: the address cannot be had, or the certificate cannot be used.
    """
    page = config.page
    certificate = certificate_of(config)
    bound = _bound(page.address, page.port)
    house = put_together(config)
    context = None if certificate is None else context_of(*certificate)
    app, manager = application(house), ServiceManager()
    server = server_of(app, context)
    scheme = "https" if certificate is not None else "http"
    for name in house.templates.list_templates(extensions=["html"]):
        house.templates.get_template(name)  # now, and not when somebody waits for the first page
    async with running(house):
        tasks = [asyncio.create_task(manager.keep_watchdog_fed(lambda: draws(app)), name="watchdog")]
        if certificate is not None and context is not None:
            renewing = Renewing(context, *certificate)
            tasks.append(asyncio.create_task(keep_running("certificate", renewing.run), name="certificate"))
        port, name = bound.getsockname()[1], page.address
        if ip_address(name).is_unspecified:
            name = next(iter(page.names), socket.gethostname())
        _log.info("the staff page is at %s://%s:%d", scheme, name, port)
        manager.ready(f"the staff page is at {scheme}, port {port}")
        try:
            await server.serve(sockets=[bound])
        finally:
            manager.stopping()
            for task in tasks:
                task.cancel()
            bound.close()


def server_of(app: ASGIApp, context: ssl.SSLContext | None) -> uvicorn.Server:
    """The server, of https where there is a context."""
    options = uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # else whoever sends such a header chooses the address that is locked out
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_LAST_WORDS_SECONDS,
        h11_max_incomplete_event_size=_LONGEST_HEAD,
    )
    options.load()
    options.ssl = context
    return uvicorn.Server(options)


def certificate_of(config: Config) -> tuple[Path, Path] | None:
    """The files of the page's certificate and key; None without TLS.

    Raises:
        PageError: there is none.
    """
    page, broker = config.page, config.broker
    if not page.tls:
        return None
    certificate = page.certificate_file or broker.certificate_file
    key = page.key_file if page.certificate_file is not None else broker.key_file
    if certificate is None or key is None:
        raise PageError(
            "page: has no certificate, and the broker's table has none either: give page.certificate_file and"
            ' page.key_file, or page.tls = false and page.address = "127.0.0.1" to try it on this machine'
        )
    return certificate, key


class Renewing:
    """Takes up a certificate that was renewed; who is connected keeps the old one."""

    def __init__(self, context: ssl.SSLContext, certificate: Path, key: Path) -> None:
        self._context = context
        self._certificate = certificate
        self._key = key
        self._seen = self._state()

    async def run(self) -> None:
        """Look each minute, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_AT_CERTIFICATE_SECONDS)
            self.look()

    def look(self) -> None:
        """Take up what is there now, if it is another. What cannot be used is logged, and the old one
        stays."""
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            context_of(self._certificate, self._key)  # a pair of which half is written must not be taken up
            self._context.load_cert_chain(self._certificate, self._key)
        except (PageError, OSError) as error:
            _log.error("the renewed certificate cannot be used, and the old one is: %s", error)
            return
        _log.info("the renewed certificate %s is used from now on", self._certificate)

    def _state(self) -> tuple[tuple[int, int], ...]:
        with suppress(OSError):
            seen = [path.stat() for path in (self._certificate, self._key)]
            return tuple((each.st_mtime_ns, each.st_ino) for each in seen)
        return ()


def context_of(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 or newer with these. Raises `PageError` where they cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        raise PageError(
            f"page: {certificate} and {key} cannot be used as certificate and key: {error.strerror or error}"
        ) from error
    return context


def listening(
    address: str, port: int, most: int | None = None, most_of_one_address: int | None = None
) -> Listening:
    """A socket that is bound there, for so many connections. Raises `OSError`: the address cannot be had."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = Listening(family, most, most_of_one_address)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind((address, port))
    except OSError:
        bound.close()
        raise
    os.set_inheritable(bound.fileno(), False)
    return bound


def _bound(address: str, port: int) -> Listening:
    try:
        return listening(address, port)
    except OSError as error:
        raise PageError(
            f"page.address, page.port: {address}, {port} cannot be had: {error.strerror or error}"
        ) from error


async def draws(app: ASGIApp) -> None:
    """Draw the sign-in page, for which the database is read: while that can be done the watchdog is fed.

    That the database cannot be read, as while the hub does not run, is an answer too.
    """
    request = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/sign-in",
        "raw_path": b"/sign-in",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Message) -> None:
        pass

    with suppress(Exception):  # it is logged, and said to whoever asks; nothing hangs
        await app(request, receive, send)
