"""A Unix socket that only the hub's own user may speak to."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from hub.errors import CareportError

Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class LocalSocketError(CareportError):
    """A socket that cannot be made; names the key of the configuration and the path."""


async def serve(key: str, path: Path, converse: Conversation, *, longest_line: int) -> None:
    """Serve a Unix socket at `path` until cancelled; a leftover of an earlier run is replaced.

    Args:
        key: the key of the configuration that names the path, for the error.
        converse: is called for each connection.
        longest_line: bytes that the reader's `readline` takes.

    Raises:
        LocalSocketError: the socket cannot be made.
    """
    try:
        server = await asyncio.start_unix_server(converse, sock=_bound(path), limit=longest_line)
    except OSError as error:
        raise LocalSocketError(f"{key}: {path} cannot be made: {error.strerror or error}") from error
    try:
        await asyncio.Event().wait()  # it serves already
    finally:
        # And no wait_closed: since Python 3.12.1 it waits until every client has hung up.
        server.close()


def _bound(path: Path) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX)
    try:
        # Before it has a name, so that there is no moment in which others could speak to it (Linux).
        os.fchmod(bound.fileno(), 0o600)
        bound.bind(str(path))
    except OSError:
        bound.close()
        raise
    return bound
