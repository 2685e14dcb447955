"""What became of the last update, and which release this is: as the keeper has noted it.

The keeper (provisioning/keeper) runs outside of the hub and writes; the hub only reads, and is none the worse
where there is nothing to read: in a checkout, or on a machine that was set up by hand.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import hub
from hub.small_file import read_whole

STATE = Path("/var/lib/carehub-keeper/state.json")
KEEPER = Path("/usr/lib/carehub/keeper")
SOURCE = Path("/etc/carehub/update_source.json")
"""There where the site allows updates from the centre, and its keeper knows from where to fetch them."""

NOT_AGAIN = timedelta(hours=6)
"""For so long a release that was taken back is not tried again at the centre's word; so has the keeper it."""

OUTCOMES = ("kept", "rolled back", "interrupted")
"""Of an update: "rolled back" did not prove itself, or ended again and again soon after; "interrupted" was
cut off before it was judged, as a rule by a power cut. The release before is in force again."""

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
    """What became of the last update, why in words, and when by the machine's clock. `asked` is the hub's
    name for what the centre asked; empty where a person updated, or the keeper does not note it yet."""

    outcome: str
    from_: Release
    to: Release
    why: str
    at: datetime
    asked: str = ""


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
        asked = str(said.get("asked", ""))[:_LONGEST_NAME]
        return LastUpdate(said["outcome"], _release(said["from"]), _release(said["to"]), why, at, asked)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def on_trial(path: Path | None = None) -> bool:
    """Whether this release has to prove itself still: the one before may be in force again in a minute, and
    must then find all that it had."""
    here = release()
    if here is None:
        return False
    try:
        return _release(json.loads(read_whole(path or STATE))["trial"]["to"]) == here
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return False


@dataclass(frozen=True, slots=True)
class AskedFor:
    """What became of what the centre asked, in the keeper's words."""

    release: str
    outcome: str
    words: str


@dataclass(frozen=True, slots=True)
class Keepers:
    """The keeper's notes of what the centre asks (`provisioning/keeper/centre.py`); `slot` is that of the
    release that runs, where it is another than of this code."""

    directory: Path = STATE.parent
    source: Path = SOURCE
    slot: Path | None = None

    def can_fetch(self) -> bool:
        """Whether provisioning has set the keeper up for it."""
        return self.source.exists()

    def busy(self) -> bool:
        """Whether something is fetched, tried or on probation, whoever asked for it."""
        state = self._read(STATE.name)
        return self._order() is not None or any(
            state.get(each) is not None for each in ("trial", "probation")
        )

    def fetches(self, name: str) -> bool:
        """Whether it fetches what the hub calls so."""
        return self._order() == name

    def asked(self, name: str) -> AskedFor | None:
        """What became of what the hub calls so; None where the keeper knows nothing of it."""
        said = self._read("asked.json").get("last")
        return self.last_asked() if isinstance(said, dict) and said.get("id") == name else None

    def last_asked(self) -> AskedFor | None:
        """What became of what was asked last; None where nothing was, or it cannot be read."""
        try:
            said = self._read("asked.json")["last"]
            words = str(said["words"])[:_LONGEST_WHY]
            return AskedFor(f"{said['version']} ({said['build']})", str(said["outcome"]), words)
        except (LookupError, TypeError):
            return None

    def lost(self, name: str, version: str, build: str, since: datetime) -> str | None:
        """Why what the hub calls so, though it was kept at first, was taken back since then; None where it
        was not."""
        update = last(self.directory / STATE.name)
        if update is None or update.outcome == "kept":
            return None
        # A power cut sets the clock of a machine without a battery back: by the name first.
        its_own = update.asked == name
        later = update.at >= since and update.to == Release(version, build)
        return (update.why or update.outcome) if its_own or later else None

    def manifest_sha256(self) -> str | None:
        """By which the centre names the release that runs; None in a checkout."""
        library = _library(self.slot)
        try:
            text = read_whole(library.parent / "manifest.json")
        except OSError:
            return None
        return hashlib.sha256(text).hexdigest() if library.name == "lib" else None

    def taken_back(self, sha256: str, version: str, build: str, moment: datetime) -> bool:
        """Whether that release was taken back less than `NOT_AGAIN` before that moment."""
        moments = []
        before = self._read("asked.json").get("taken_back")
        if isinstance(before, dict) and isinstance(at := before.get(sha256), str):
            with suppress(ValueError):
                moments.append(datetime.fromisoformat(at))
        update = last(self.directory / STATE.name)
        if update is not None and update.outcome != "kept" and update.to == Release(version, build):
            moments.append(update.at)
        return any(at.tzinfo is not None and moment < at + NOT_AGAIN for at in moments)

    def _order(self) -> str | None:
        said = self._read("order.json").get("id")
        return said if isinstance(said, str) else None

    def _read(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads(read_whole(self.directory / name))
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def release(slot: Path | None = None) -> Release | None:
    """The release whose code this is: of the manifest in its slot, beside lib/. None in a checkout."""
    library = _library(slot)
    if library.name != "lib":
        return None
    try:
        return _release(json.loads(read_whole(library.parent / "manifest.json")))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def _library(slot: Path | None) -> Path:
    return Path(hub.__file__).resolve().parents[1] if slot is None else slot / "lib"


def _release(said: dict[str, Any]) -> Release:
    version, build = (str(said[key])[:_LONGEST_NAME] for key in ("version", "build"))
    if not version or not build:
        raise ValueError("a release without a name")
    return Release(version, build)
