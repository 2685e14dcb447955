"""What is put around every answer, whatever it is: is it our name that was asked for, and which headers tell
the browser what it may do with it."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_FOR_ALL = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With "no-referrer" browsers would say that a form comes from nowhere (Origin: null).
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
_NOT_KEPT = "no-store"
_FOR_A_YEAR = "max-age=31536000"


class Envelope:
    """Around the application: other names are turned away, and every answer gets its headers."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str], *, tls: bool) -> None:
        """`hosts` are this machine's names; its addresses need not be among them."""
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._tls = tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def enveloped(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _FOR_ALL.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", _NOT_KEPT)
                if self._tls:
                    headers["Strict-Transport-Security"] = _FOR_A_YEAR
            await send(message)

        if not self._is_ours(Headers(scope=scope).getlist("host")):
            words = (
                "This hub is not known by that name: open it by its address, or add the name to page.names."
            )
            await PlainTextResponse(words, 421)(scope, receive, enveloped)
            return
        await self._app(scope, receive, enveloped)

    def _is_ours(self, said: list[str]) -> bool:
        """Another's name that leads here (DNS rebinding) would make our pages theirs; an address cannot."""
        if len(said) != 1:
            return False
        host = said[0].lower()
        host = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        try:
            ip_address(host)
        except ValueError:
            return host in self._hosts
        return True


def names_of_this_machine(further: Iterable[str] = ()) -> frozenset[str]:
    """What this machine is called on the home's network, beside its addresses."""
    own = socket.gethostname().partition(".")[0]
    return frozenset({"localhost", own, f"{own}.local", f"{own}.lan", f"{own}.home", *further})
