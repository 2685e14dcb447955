"""The control socket: how the command line speaks to the running daemon, which alone writes.

One request a connection, one JSON object a line: {"command": "observe", ...} gets {"result": {...}} or
{"error": "words for a person"}. The socket belongs to the daemon's user; nobody else may speak to it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from hub.control.local_socket import Peer, peer_of, serve
from hub.errors import CareportError

_log = logging.getLogger(__name__)
_LONGEST_REQUEST = 512 * 1024  # a table of residents (hub/residents/table.py)
_PATIENCE = 15.0  # seconds
_NOTED_WITHIN = 3.0

Answer = Mapping[str, object]
Handler = Callable[[Mapping[str, object]], Awaitable[Answer]]
OnAccess = Callable[[str, Peer], Awaitable[object]]


class ControlError(CareportError):
    """The daemon could not be asked, or it refused; the text says why and what to do."""


class ControlServer:
    """Answers requests by the handlers it is given, one for each command.

    `on_access` is told of each command that there is, and who asks, before it is done. If it cannot note
    that (the card is full, or stalls), the command is done all the same: an alert must be taken, trail or no
    trail.
    """

    def __init__(
        self, path: Path, handlers: Mapping[str, Handler], on_access: OnAccess | None = None
    ) -> None:
        self._path = path
        self._handlers = handlers
        self._on_access = on_access

    async def run(self) -> None:
        """Serve until cancelled. Raises `LocalSocketError` if the socket cannot be made."""
        await serve("hub.control_socket", self._path, self._serve, longest_line=_LONGEST_REQUEST)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            peer = peer_of(writer)  # now: it may hang up while it is waited for
            answer = await self._answer(await reader.readline(), peer)
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        except (ConnectionError, ValueError) as error:  # hung up, or a line beyond the limit
            _log.info("control socket: a request was dropped: %s", error)
        finally:
            writer.close()

    async def _answer(self, line: bytes, peer: Peer) -> dict[str, object]:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            return {"error": "the request is not JSON"}
        command = request.get("command") if isinstance(request, dict) else None
        handler = self._handlers.get(command) if isinstance(command, str) else None
        if handler is None or not isinstance(command, str):
            return {"error": f"unknown command {command!r}; known are {', '.join(sorted(self._handlers))}"}
        if self._on_access is not None:
            try:
                async with asyncio.timeout(_NOTED_WITHIN):
                    await self._on_access(command, peer)
            except TimeoutError:  # the card stalls; it is noted when that has come back
                _log.error("control socket: %r by user %d is not in the trail yet", command, peer.uid)
            except CareportError as error:
                _log.error("control socket: %r by user %d is not in the trail: %s", command, peer.uid, error)
        try:
            return {"result": dict(await handler(request))}
        except CareportError as error:
            return {"error": str(error)}
        except Exception as error:  # noqa: BLE001  # whoever asked must not wait for an answer for ever
            # Not the error itself: its text could quote what is in a row.
            _log.error("control socket: %r failed (%s); please report this", command, type(error).__name__)
            return {"error": "the hub met a fault of its own: whether it was done is not certain. Look again"}


def ask(path: Path, command: str, **arguments: object) -> dict[str, object]:
    """Send one request to the running daemon and return its result.

    Raises:
        ControlError: the daemon is not running, may not be asked by this user, or refused.
    """
    request = json.dumps({"command": command, **arguments}).encode() + b"\n"
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_PATIENCE)
            connection.connect(str(path))
            connection.sendall(request)
            with connection.makefile("rb") as answers:
                line = answers.readline()
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise ControlError(
            f"the hub is not running (nothing answers at {path}): start it with 'carehub run'"
        ) from error
    except PermissionError as error:
        raise ControlError(f"{path} is not yours to use: run this as the hub's user") from error
    except TimeoutError as error:
        raise ControlError(
            f"the hub did not answer at {path} within {_PATIENCE:g} s: what was asked for may be done all the"
            " same, later; see 'carehub doctor'"
        ) from error
    except OSError as error:
        raise ControlError(f"{path}: {error.strerror or error}") from error
    if not line:
        raise ControlError(f"the hub closed the connection at {path} without an answer; see its log")
    answer = json.loads(line)
    if "error" in answer:
        raise ControlError(str(answer["error"]))
    result = answer["result"]
    assert isinstance(result, dict)
    return result
