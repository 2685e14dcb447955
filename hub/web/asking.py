"""The daemon, asked over its control socket, without holding up anybody else who looks at a page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub.control.control_socket import ControlError

_PATIENCE_SECONDS = 15.0
_LONGEST_ANSWER = 4 << 20  # bytes; a list of all readings that wait may be long
_MOST_AT_ONCE = 16
_LONGEST_REQUEST = 512 * 1024  # a table of residents; as `hub/control/control_socket.py` takes
NOT_DONE = "Nothing was saved."


class SilentHubError(ControlError):
    """The daemon does not answer; the text says so, and what is known of what was asked for."""


class RefusedError(ControlError):
    """The daemon will not do it; the text says why, for whoever asked."""


class Asking:
    """Asks the daemon behind a control socket."""

    def __init__(self, path: Path, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        self._path = path
        self._patience_seconds = patience_seconds
        self._at_once = asyncio.Semaphore(_MOST_AT_ONCE)

    async def ask(self, command: str, *, by: str | None = None, **arguments: object) -> Mapping[str, Any]:
        """Have it do something, in the name of `by`.

        Raises:
            SilentHubError: it does not run, or does not answer in time.
            RefusedError: it will not.
        """
        said = {"command": command, **arguments} | ({} if by is None else {"by": by})
        request = json.dumps(said).encode() + b"\n"
        if len(request) > _LONGEST_REQUEST:
            raise RefusedError(f"This is too long to be sent to the hub at once. {NOT_DONE}")
        asked = False
        try:
            async with asyncio.timeout(self._patience_seconds), self._at_once:
                reader, writer = await asyncio.open_unix_connection(str(self._path), limit=_LONGEST_ANSWER)
                try:
                    asked = True
                    writer.write(request)
                    await writer.drain()
                    line = await reader.readline()
                finally:
                    writer.close()
        except TimeoutError as error:
            raise SilentHubError(_unsure() if asked else _not_running()) from error
        except (OSError, ValueError) as error:  # ValueError: an answer beyond the limit
            raise SilentHubError(_unsure() if asked else _not_running()) from error
        if not line:
            raise SilentHubError(_unsure())
        return _result(line)


def _result(line: bytes) -> Mapping[str, Any]:
    """What an answer says. Half an answer, of a daemon that was ended in the middle of it, says nothing."""
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SilentHubError(_unsure()) from error
    if isinstance(answer, dict) and "error" in answer:
        raise RefusedError(str(answer["error"]))
    result = answer.get("result") if isinstance(answer, dict) else None
    if not isinstance(result, dict):
        raise SilentHubError(_unsure())
    return result


def _not_running() -> str:
    return (
        f"The hub does not answer: it collects nothing and raises no alert until it runs again. {NOT_DONE}"
        " Write it on paper, watch residents yourself, and call whoever looks after the hub."
    )


def _unsure() -> str:
    return (
        "The hub did not answer in time. It is not known whether this was saved: look before you do it again."
    )
