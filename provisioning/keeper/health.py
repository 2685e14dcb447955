"""How the hub says that it is: asked on its control socket, and understood without any of its code.

One line of JSON each way (hub/control/control_socket.py). What an older or a broken release leaves out counts
as not said.
"""

from __future__ import annotations

import json
import socket
import time
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provisioning.keeper.places import Places
from provisioning.keeper.words import plain

_SOCKET = Path("/run/carehub/control.sock")
_DATA, _DATABASE = Path("/var/lib/carehub"), "carehub.db"
_LARGEST_ANSWER = 4 << 20
_AGAIN_SECONDS = 0.5
_TAKEN = ("accepted", "sent")  # hub/uplink/proving.py
_ON_USB = "USB:"
_NOT_TURNED = "it has not got on once"


@dataclass(frozen=True, slots=True)
class Said:
    """What matters of a hub's status for whether a release is good.

    `progress` is None where it says none; `stages` is how many it has, and `troubles` those that are not
    well or have not got on once since the start, in words by their names. `radio` and `usb` are None where
    it has none. `open` are the enrolled sensors on USB that it has open.
    """

    connected: bool
    card: str
    progress: bool | None
    stages: int = 0
    troubles: Mapping[str, str] = field(default_factory=dict)
    radio: bool | None = None
    usb: bool | None = None
    open: frozenset[str] = frozenset()


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


def publishes(places: Places, seconds: float) -> bool:
    """Whether the broker takes what the hub publishes when it is asked to, within that time."""
    try:
        return _answer(places, "prove", seconds)["answer"] in _TAKEN
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def database_size(places: Places) -> int:
    """Of the hub's database, in bytes, with what is not yet merged into it; 0 where there is none."""
    directory = places.root / str(_configured(places, "data_directory", _DATA)).lstrip("/")
    size = 0
    for name in (_DATABASE, f"{_DATABASE}-wal"):
        with suppress(OSError):
            size += (directory / name).stat().st_size
    return size


def hindrance(places: Places, seconds: float, patience: float) -> str | None:
    """In words, what speaks against stopping the hub just now, as it says itself; None where nothing does.

    Each question has so many `seconds`; a hub that is only starting, as after a power cut, is waited for.
    """
    until = time.monotonic() + patience
    while True:
        try:
            words = _answer(places, "may_update", seconds)["hindered"]
            return None if words is None else str(words)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            if time.monotonic() >= until:
                return "the hub did not answer whether it may be stopped just now: ask again"
        time.sleep(_AGAIN_SECONDS)


def _answer(places: Places, command: str, seconds: float) -> Any:
    until = time.monotonic() + seconds
    path = places.root / str(_configured(places, "control_socket", _SOCKET)).lstrip("/")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        connection.connect(str(path))
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
    troubles = {plain(str(name)): words for name, each in stages.items() if (words := _trouble(each))}
    return Said(
        connected=result["broker"]["connected"] is True,
        card=plain(str(result["card"])),
        progress=None if progress is None else progress.get("well") is True,
        stages=len(stages),
        troubles=troubles,
        radio=_usable(result.get("radio")),
        usb=_usable(result.get("usb")),
        open=frozenset(
            str(each["address"])
            for each in result.get("sensors") or []
            if each.get("connected") is True and str(each["address"]).startswith(_ON_USB)
        ),
    )


def _trouble(stage: dict[str, Any]) -> str:
    """What is wrong with a stage; nothing where all is well. A release that does not say whether it has got
    on yet is not asked."""
    if stage.get("well") is not True:
        return plain(str(stage.get("words") or "it did not say why"))
    return "" if stage.get("turned", True) is True else _NOT_TURNED


def _usable(said: dict[str, Any] | None) -> bool | None:
    return None if said is None else said.get("usable") is True


def _configured(places: Places, key: str, otherwise: Path) -> object:
    """A path as [hub] of hub.toml has it; where nobody can read that, the hub does not start either."""
    try:
        with (places.etc / "hub.toml").open("rb") as file:
            return tomllib.load(file)["hub"][key]
    except (OSError, ValueError, KeyError, TypeError):
        return otherwise
