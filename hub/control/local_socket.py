"""A Unix socket that only the hub's own user may speak to."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

from hub.errors import CareportError
from hub.running import progress

Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


_LOOKS_EVERY_SECONDS = 5.0
_CREDENTIALS = Struct("iII")  # struct ucred: pid, uid, gid (unix(7), SO_PEERCRED)


@dataclass(frozen=True, slots=True)
class Peer:
    """Who speaks at the other end: the process and its user when it connected, as the kernel says."""

    pid: int
    uid: int


def peer_of(writer: asyncio.StreamWriter) -> Peer:
    """Who is at the other end of a connection to a Unix socket. Raises OSError if that is not known."""
    connection = writer.get_extra_info("socket")
    pid, uid, _gid = _CREDENTIALS.unpack(
        connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    return Peer(pid, uid)


class LocalSocketError(CareportError):
    """A socket that cannot be made; names the key of the configuration and the path."""


async def serve(key: str, path: Path, converse: Conversation, *, longest_line: int) -> None:
    """Serve a Unix socket at `path` until cancelled; a leftover of an earlier run is replaced. Now and then
    it is looked at whether the path still leads here: else nobody would ever get an answer again.

    Args:
        key: the key of the configuration that names the path, for the error.
        converse: is called for each connection.
        longest_line: bytes that the reader's `readline` takes.

    Raises:
        LocalSocketError: the socket cannot be made, or was taken away.
    """
    under_way: set[asyncio.Task[None]] = set()

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        try:
            await converse(reader, writer)
        except asyncio.CancelledError:
            # It ends here: Python 3.11 would log a traceback for a connection that was cancelled.
            writer.close()
        finally:
            under_way.discard(task)

    try:
        server = await asyncio.start_unix_server(attend, sock=_bound(path), limit=longest_line)
    except OSError as error:
        raise LocalSocketError(f"{key}: {path} cannot be made: {error.strerror or error}") from error
    try:
        progress.rest()
        made = _place(path)
        while True:
            await asyncio.sleep(_LOOKS_EVERY_SECONDS)
            if made is None or _place(path) != made:
                raise LocalSocketError(f"{key}: {path} was taken away, or is another's now: it is made anew")
    finally:
        # And no wait_closed: since Python 3.12.1 it waits until every client has hung up.
        server.close()
        for task in under_way:
            task.cancel()
        if under_way:
            await asyncio.wait(under_way)


def _place(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


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
