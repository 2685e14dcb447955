"""How the hub says that it is: asked on its control socket, and understood without any of its code.

One line of JSON each way (hub/control.py). What an older or a broken release leaves out counts as not said.
"""

from __future__ import annotations

import json
import socket
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioning.keeper.places import Places

_SOCKET = Path("/run/carehub/control.sock")
_LARGEST_ANSWER = 4 << 20


@dataclass(frozen=True, slots=True)
class Said:
    """What matters of a hub's status for whether a release is good.

    `progress` is None where it says none. `troubles` are the words of the stages that do not get on. `radio`
    and `usb` are None where it has none.
    """

    connected: bool
    card: str
    progress: bool | None
    troubles: tuple[str, ...] = ()
    radio: bool | None = None
    usb: bool | None = None


def ask(places: Places, seconds: float) -> Said | None:
    """How the hub says that it is; None where nothing sensible comes within that time."""
    try:
        return understood(_answer(places, "status", seconds))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def commits(places: Places, seconds: float) -> bool:
    """Whether the hub commits something to its database when it is asked to, within that time."""
    try:
        return "committed" in _answer(places, "commit", seconds)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _answer(places: Places, command: str, seconds: float) -> Any:
    until = time.monotonic() + seconds
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        connection.connect(str(_socket_of(places)))
        connection.sendall(json.dumps({"command": command}).encode() + b"\n")
        line = bytearray()
        while not line.endswith(b"\n"):
            # A hub that says a byte at a time does not answer either.
            connection.settimeout(max(0.01, until - time.monotonic()))
            got = connection.recv(1 << 16)
            line += got
            if not got or time.monotonic() > until or len(line) > _LARGEST_ANSWER:
                raise ValueError("no answer")
    return json.loads(line)["result"]


def understood(result: dict[str, Any]) -> Said:
    """A status as it was answered. Raises ValueError, KeyError, TypeError or AttributeError: it is none."""
    progress = result.get("progress")
    stages = {} if progress is None else progress.get("stages") or {}
    return Said(
        connected=result["broker"]["connected"] is True,
        card=str(result["card"]),
        progress=None if progress is None else progress.get("well") is True,
        troubles=tuple(
            f"{name}: {each.get('words', '')}"
            for name, each in stages.items()
            if each.get("well") is not True
        ),
        radio=_usable(result.get("radio")),
        usb=_usable(result.get("usb")),
    )


def _usable(said: dict[str, Any] | None) -> bool | None:
    return None if said is None else said.get("usable") is True


def _socket_of(places: Places) -> Path:
    """Where the configuration has it; where nobody can read that, the hub does not start either."""
    try:
        with (places.etc / "hub.toml").open("rb") as file:
            named = tomllib.load(file)["hub"]["control_socket"]
    except (OSError, ValueError, KeyError, TypeError):
        named = _SOCKET
    return places.root / str(named).lstrip("/")
