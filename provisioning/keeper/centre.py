"""What the centre asked of this machine: the release that is being fetched, and what became of the last one.

Both are the keeper's notes beside `state.json`: root's, readable by the hub, and with nothing secret in them.
An order is let go before its release is tried, so that nothing is ever tried a second time by itself.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from provisioning.keeper.atomic import Disk
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.manifest import Manifest
from provisioning.keeper.places import Places
from provisioning.keeper.state import Last, Named

ORDER_NAME, ASKED_NAME = "order.json", "asked.json"
NOT_AGAIN = timedelta(hours=6)
"""For so long a release that was taken back is not tried again at the centre's word."""

_REMEMBERED = 20
_LONGEST = 300
_ID, _SHA256 = re.compile(r"[0-9a-f-]{36}"), re.compile(r"[0-9a-f]{64}")

Outcome = Literal["trying", "kept", "unchanged", "rolled back", "interrupted", "refused", "not fetched"]


@dataclass(frozen=True, slots=True)
class Order:
    """A release to be fetched: `id` is the hub's name for what it was asked, `manifest_sha256` says which
    release, `source` where the site has it from, and `ca` whom that may be certified by beside the system's
    authorities (PEM). `starts` counts how often fetching was begun, and `at` is since when it stands (Unix
    seconds, by a clock that was set; 0 where none was yet)."""

    id: str
    manifest_sha256: str
    version: str
    build: str
    source: str = ""
    ca: str = ""
    starts: int = 0
    at: float = 0.0

    @property
    def name(self) -> Named:
        """As the centre calls it."""
        return Named(self.version, self.build)

    @property
    def file_name(self) -> str:
        """Of its bundle, at the source and here."""
        return f"{self.manifest_sha256}.bundle"


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of what was asked last; "trying" is not judged yet."""

    id: str
    manifest_sha256: str
    version: str
    build: str
    outcome: Outcome
    words: str
    at: datetime


def order_of(said: Any) -> Order:
    """An order as somebody has written it. Raises `KeeperError`: it is none; what is in it is not quoted."""
    try:
        fields = {each: str(said[each]) for each in ("id", "manifest_sha256", "version", "build")}
    except (KeyError, TypeError) as error:
        raise KeeperError("the hub's request names no release") from error
    names = (fields["version"], fields["build"])
    if (
        not _ID.fullmatch(fields["id"])
        or not _SHA256.fullmatch(fields["manifest_sha256"])
        or not all(each.isprintable() and 0 < len(each) <= 100 for each in names)
    ):
        raise KeeperError("the hub's request is not as this keeper reads it: provision the hub anew")
    return Order(fields["id"], fields["manifest_sha256"], *names)


class Centre:
    """The notes. A change of them is whole or not at all."""

    def __init__(self, places: Places, disk: Disk | None = None) -> None:
        self.order_path = places.state / ORDER_NAME
        self._asked_path = places.state / ASKED_NAME
        self._disk = disk or Disk()

    def order(self) -> Order | None:
        """What is to be fetched; None where nothing is, or what is noted cannot be read."""
        try:
            said = json.loads(self.order_path.read_text())
            source, ca = str(said["source"]), str(said["ca"])
            starts, at = int(said["starts"]), float(said.get("at", 0))  # a keeper before this one had no `at`
            return replace(order_of(said), source=source, ca=ca, starts=starts, at=at)
        except (OSError, ValueError, KeyError, TypeError, KeeperError):
            return None

    def give(self, order: Order) -> None:
        """Have it fetched. Raises OSError."""
        self._disk.write(self.order_path, json.dumps(asdict(order)) + "\n")

    def let_go(self) -> None:
        """Nothing is to be fetched any more. Raises OSError."""
        self._disk.remove(self.order_path)

    def last(self) -> Asked | None:
        """What became of what was asked last; None where nothing was, or it cannot be read."""
        try:
            said = self._read()["last"]
            return Asked(**{**said, "at": datetime.fromisoformat(said["at"])})
        except (KeyError, TypeError, ValueError):
            return None

    def note(self, asked: Asked) -> None:
        """Note what became of it. Raises OSError."""
        asked = replace(asked, words=asked.words[:_LONGEST])
        taken_back = dict(self._read().get("taken_back", {}))
        if asked.outcome in ("rolled back", "interrupted"):
            taken_back.pop(asked.manifest_sha256, None)
            taken_back[asked.manifest_sha256] = asked.at.isoformat()
        document = {
            "last": {**asdict(asked), "at": asked.at.isoformat()},
            "taken_back": dict(list(taken_back.items())[-_REMEMBERED:]),
        }
        self._disk.write(self._asked_path, json.dumps(document, indent=2) + "\n")

    def refuse_again(self, sha256: str, release: Manifest, last: Last | None) -> None:
        """Raises `KeeperError`: that release was taken back, at the centre's word or an engineer's, less than
        `NOT_AGAIN` ago."""
        moments = [self._taken_back_at(sha256)]
        if last is not None and last.outcome != "kept" and last.to == Named.of(release):
            moments.append(last.at)
        # A clock that was set back meanwhile makes it longer, never shorter.
        if any(at is not None and datetime.now(UTC) < at + NOT_AGAIN for at in moments):
            raise KeeperError(
                f"release {release.name} was taken back here less than {NOT_AGAIN // timedelta(hours=1)}"
                " hours ago: look at the hub's status first ('update'), and ask again later, or for another"
            )

    def settle(self, last: Last | None) -> str | None:
        """Judge what was asked and cut off, by what is noted of the last update; in words, where it was so.

        Raises:
            OSError: the card takes no note of it.
        """
        asked = self.last()
        if asked is None or asked.outcome != "trying":
            return None
        # Not by the time: a power cut sets the clock of a machine without a battery back.
        if last is not None and last.asked == asked.id:
            asked = replace(asked, outcome=last.outcome, words=last.why, at=last.at)
        else:
            words = "it was cut off before it was tried, as by a power cut: ask again"
            asked = replace(asked, outcome="refused", words=words, at=datetime.now(UTC))
        self.note(asked)
        return f"what the centre asked ({asked.version}, {asked.build}): {asked.outcome}"

    def _taken_back_at(self, sha256: str) -> datetime | None:
        try:
            return datetime.fromisoformat(self._read()["taken_back"][sha256])
        except (KeyError, TypeError, ValueError):
            return None

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._asked_path.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
