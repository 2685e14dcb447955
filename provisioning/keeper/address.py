"""A server's address as a person writes it: https://HOST, with a port and a path where it has them."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit


class Server(NamedTuple):
    """Where it is reached; `path` is as it was written."""

    host: str
    port: int
    path: str


def server_of(address: str) -> Server | None:
    """The server, or None where this is no such address: of another kind, with somebody's login in it,
    or of a host that can have no such name."""
    try:
        parts = urlsplit(address)
        if parts.scheme == "https" and parts.hostname and not parts.username:
            parts.hostname.encode("idna")  # as it is when it is looked up: UnicodeError, a ValueError
            return Server(parts.hostname, parts.port or 443, parts.path)
    except ValueError:
        pass
    return None
