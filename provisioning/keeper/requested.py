"""An update that goes on whatever becomes of whoever asked for it.

It runs in a unit of its own, carehub-update.service; what it is to do stands in `request.json`, and what it
says in `said.jsonl`, which is followed. Both are in /run: a power cut forgets them, and `settle` puts right
what was begun.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from provisioning.keeper import systemd
from provisioning.keeper.atomic import Disk
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.held import BusyError, held
from provisioning.keeper.places import Places

UPDATE_UNIT = "carehub-update.service"
_UNDER_WAY = "an update is under way: 'carehub update --state' says how it ends"
_LOOK_SECONDS = 0.2
_BEGIN_SECONDS = 10.0
"""Python starts in less than one, on a slow card in two or three."""


@dataclass(frozen=True, slots=True)
class Request:
    """An update with the bundle at that path, or without one back to the other slot. `patience` in seconds,
    None for as long as that hub takes; and whether the release is `compared` with the one before.
    `on_probation` is as `Keeper.update` has it.

    `asked` is the hub's name for what the centre asked (`centre.Order.id`), and `manifest_sha256` the release
    that it must be; both are empty where a person updates.
    """

    bundle: str = ""
    older: bool = False
    patience: float | None = None
    compared: bool = True
    on_probation: bool = False
    manifest_sha256: str = ""
    asked: str = ""


class Wire:
    """The two files."""

    def __init__(self, places: Places) -> None:
        self._request = places.root / "run/carehub-keeper/request.json"
        self._said = places.root / "run/carehub-keeper/said.jsonl"
        self._disk = Disk()

    def ask(self, request: Request) -> None:
        """Ask for it, and forget what was said before. Raises OSError."""
        self._request.parent.mkdir(parents=True, exist_ok=True)
        self._said.unlink(missing_ok=True)
        self._disk.write(self._request, json.dumps(asdict(request)), mode=0o600)

    def asked(self) -> Request:
        """What is asked for; it is taken away, so that it is done once. Raises `KeeperError`."""
        try:
            request = Request(**json.loads(self._request.read_text()))
            self._request.unlink()
        except (OSError, ValueError, TypeError) as error:
            raise KeeperError(
                f"no update was asked for ({self._request}): use 'carehub update FILE'"
            ) from error
        return request

    def say(self, **what: object) -> None:
        """Add a line. That it cannot be heard is no reason to stop what is being done."""
        with suppress(OSError), self._said.open("a") as file:
            file.write(json.dumps(what) + "\n")

    def heard(self) -> list[dict[str, Any]]:
        """What was said until now."""
        try:
            text = self._said.read_text()
        except OSError:
            return []
        # The last line may be half written.
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def can_hand_over(places: Places) -> bool:
    """Whether there is a service manager, and it has the unit."""
    return systemd.Systemd(places).running() and Path("/etc/systemd/system", UPDATE_UNIT).exists()


def begin(places: Places, request: Request) -> None:
    """Have the unit do it. Raises `KeeperError`: another update is under way."""
    try:
        with held(places, "asking for an update", name="asking"):
            _begin(places, request)
    except BusyError as error:
        raise KeeperError(_UNDER_WAY) from error


def _begin(places: Places, request: Request) -> None:
    manager = systemd.Systemd(places)
    until = time.monotonic() + _BEGIN_SECONDS
    # Of one that has just said its verdict, the unit is still tidying up.
    while manager.seen(UPDATE_UNIT).active == "deactivating" and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
    if manager.seen(UPDATE_UNIT).active in ("active", "activating", "deactivating"):
        raise KeeperError(_UNDER_WAY)
    Wire(places).ask(request)
    manager.start([UPDATE_UNIT])


def hand_over(places: Places, request: Request, tell: Callable[[str], None]) -> dict[str, Any]:
    """Have the unit do it and follow what it says; its verdict (`trial.Verdict.as_json`, and "words").

    Raises:
        KeeperError: it was refused, another is under way, or it ended without a verdict.
    """
    try:
        # Until it ends: who asked second would be told what became of the first one's update.
        with held(places, "asking for an update", name="asking"):
            _begin(places, request)
            return _followed(places, tell)
    except BusyError as error:
        raise KeeperError(_UNDER_WAY) from error


def _followed(places: Places, tell: Callable[[str], None]) -> dict[str, Any]:
    manager, wire = systemd.Systemd(places), Wire(places)
    told, until = 0, time.monotonic() + _BEGIN_SECONDS
    while True:
        # Asked before it is listened: what it said before it ended is heard in any case.
        unit = manager.seen(UPDATE_UNIT)
        ended = unit.active in ("inactive", "failed") and not unit.queued
        said = wire.heard()
        for each in said[told:]:
            if "verdict" in each:
                return dict(each["verdict"])
            if "error" in each:
                raise KeeperError(str(each["error"]))
            tell(str(each.get("words", "")))
        told = len(said)
        if ended and (said or time.monotonic() > until or unit.active == "failed"):
            raise KeeperError(f"the update ended without a verdict: 'journalctl -u {UPDATE_UNIT}' says more")
        time.sleep(_LOOK_SECONDS)
