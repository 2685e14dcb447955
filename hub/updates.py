"""What became of the last update, and which release this is: as the keeper has noted it.

The keeper (provisioning/keeper) runs outside of the hub and writes; the hub only reads, and is none the worse
where there is nothing to read: in a checkout, or on a machine that was set up by hand.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import hub
from hub.small_file import read_whole

STATE = Path("/var/lib/carehub-keeper/state.json")
KEEPER = Path("/usr/lib/carehub/keeper")

OUTCOMES = ("kept", "rolled back", "interrupted")
"""Of an update: "rolled back" did not prove itself; "interrupted" was cut off before it was judged, as a rule
by a power cut, and the release before is in force again."""

_LONGEST_NAME = 100
_LONGEST_WHY = 300


@dataclass(frozen=True, slots=True)
class Release:
    """A release; `build` tells apart those of one version."""

    version: str
    build: str

    def __str__(self) -> str:
        return f"{self.version} ({self.build})"


@dataclass(frozen=True, slots=True)
class LastUpdate:
    """What became of the last update, why in words, and when by the machine's clock."""

    outcome: str
    from_: Release
    to: Release
    why: str
    at: datetime


def last(path: Path | None = None) -> LastUpdate | None:
    """The last update; None where there was none, or what is noted cannot be read."""
    try:
        said = json.loads(read_whole(path or STATE))["last"]
        if said is None or said["outcome"] not in OUTCOMES:
            return None
        at = datetime.fromisoformat(said["at"])
        if at.tzinfo is None:
            return None
        why = str(said["why"])[:_LONGEST_WHY]
        return LastUpdate(said["outcome"], _release(said["from"]), _release(said["to"]), why, at)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def release(slot: Path | None = None) -> Release | None:
    """The release whose code this is: of the manifest in its slot, beside lib/. None in a checkout."""
    library = Path(hub.__file__).resolve().parents[1] if slot is None else slot / "lib"
    if library.name != "lib":
        return None
    try:
        return _release(json.loads(read_whole(library.parent / "manifest.json")))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def _release(said: dict[str, Any]) -> Release:
    version, build = (str(said[key])[:_LONGEST_NAME] for key in ("version", "build"))
    if not version or not build:
        raise ValueError("a release without a name")
    return Release(version, build)
