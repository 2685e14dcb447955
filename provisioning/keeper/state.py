"""What the keeper notes of updates: a trial that is not judged yet, what became of the last one, and whether
the release that was kept is on probation.

In `state.json`, which the hub and `carehub update --state` read too: no secret, nothing personal.
"""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from provisioning.keeper.atomic import Disk
from provisioning.keeper.manifest import Manifest
from provisioning.keeper.places import Places
from provisioning.keeper.words import plain

FILE_NAME = "state.json"
Outcome = Literal["kept", "rolled back", "interrupted"]
_LONGEST_WHY = 500
"""Of characters: the hub tells it to the centre."""


@dataclass(frozen=True, slots=True)
class Named:
    """A release, by what tells it apart."""

    version: str
    build: str

    @classmethod
    def of(cls, manifest: Manifest) -> Named:
        """That release."""
        return cls(manifest.version, manifest.build)

    def __str__(self) -> str:
        return f"{self.version} ({self.build})"

    def as_json(self) -> dict[str, str]:
        """For the file."""
        return {"version": self.version, "build": self.build}


@dataclass(frozen=True, slots=True)
class Trial:
    """A release that has to prove itself, in the slot `to_slot`; the one to go back to is in `from_slot`.
    `asked` is the hub's name for what the centre asked (`centre.Order.id`), empty where a person updates.
    `boots` are those of the machine (`this_boot`) in which it was tried, and then watched over.
    `configuration_stays`: the hub.toml of today is in force with the one that is gone back to, too."""

    from_: Named
    from_slot: str
    to: Named
    to_slot: str
    at: datetime
    asked: str = ""
    boots: tuple[str, ...] = ()
    configuration_stays: bool = False

    def as_json(self) -> dict[str, Any]:
        """For the file."""
        return {
            "from": {**self.from_.as_json(), "slot": self.from_slot},
            "to": {**self.to.as_json(), "slot": self.to_slot},
            "at": self.at.isoformat(),
            "asked": self.asked,
            "boots": list(self.boots),
            "configuration_stays": self.configuration_stays,
        }


@dataclass(frozen=True, slots=True)
class Last:
    """What became of the last update: "interrupted" is one that was cut off before it was judged (by a power
    cut, or since the keeper was killed), and was taken back. `asked` as its trial has it."""

    from_: Named
    to: Named
    outcome: Outcome
    why: str
    at: datetime
    asked: str = ""

    def as_json(self) -> dict[str, Any]:
        """For the file."""
        return {
            "from": self.from_.as_json(),
            "to": self.to.as_json(),
            "outcome": self.outcome,
            "why": plain(self.why, _LONGEST_WHY),
            "at": self.at.isoformat(),
            "asked": self.asked,
        }


@dataclass(frozen=True, slots=True)
class State:
    """All that is noted. `probation` is the trial of a release that was kept and may still be taken back;
    never of one that was gone back to."""

    trial: Trial | None = None
    last: Last | None = None
    probation: Trial | None = None

    def as_json(self) -> dict[str, Any]:
        """For the file."""
        return {
            "trial": None if self.trial is None else self.trial.as_json(),
            "last": None if self.last is None else self.last.as_json(),
            "probation": None if self.probation is None else self.probation.as_json(),
        }


def judged(trial: Trial, outcome: Outcome, why: str, *, probation: Trial | None = None) -> State:
    """The state once a trial has ended, now; and the trial of the release that is on probation then."""
    last = Last(trial.from_, trial.to, outcome, why, datetime.now(UTC), trial.asked)
    return State(None, last, probation)


def this_boot(places: Places) -> str:
    """Which boot of the machine this is, by a name that the first who asks gives it; empty where none can be
    given. The kernel's own (random(4), boot_id) is the host's in a container whose /proc is anew."""
    try:
        with suppress(FileExistsError), places.boot.open("x") as file:
            file.write(uuid.uuid4().hex)
        return places.boot.read_text()
    except OSError:
        return ""


class Notes:
    """The file. A change of it is whole or not at all."""

    def __init__(self, places: Places, disk: Disk) -> None:
        self.path: Path = places.state / FILE_NAME
        self._disk = disk

    def read(self) -> State:
        """What is noted; nothing where there is no such file, or nobody can read it: then the slots and the
        link alone say what is in force."""
        try:
            document = json.loads(self.path.read_text())
            trial, last, probation = document["trial"], document["last"], document.get("probation")
            return State(
                None if trial is None else _trial(trial),
                None if last is None else _last(last),
                None if probation is None else _trial(probation),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return State()

    def write(self, state: State) -> None:
        """Note it. Raises OSError."""
        self._disk.write(self.path, json.dumps(state.as_json(), indent=2) + "\n")


def _named(said: dict[str, Any]) -> Named:
    return Named(str(said["version"]), str(said["build"]))


def _trial(said: dict[str, Any]) -> Trial:
    before, new = said["from"], said["to"]
    return Trial(
        _named(before),
        str(before["slot"]),
        _named(new),
        str(new["slot"]),
        datetime.fromisoformat(said["at"]),
        str(said.get("asked", "")),
        tuple(str(each) for each in said.get("boots", [])),
        said.get("configuration_stays") is True,
    )


def _last(said: dict[str, Any]) -> Last:
    outcomes: dict[str, Outcome] = {
        "kept": "kept",
        "rolled back": "rolled back",
        "interrupted": "interrupted",
    }
    return Last(
        _named(said["from"]),
        _named(said["to"]),
        outcomes[said["outcome"]],
        str(said["why"]),
        datetime.fromisoformat(said["at"]),
        str(said.get("asked", "")),
    )
