"""What the page cannot find on the card, since the card takes nothing: the daemon says it. Pure.

While the card is full or failing the hub tells alerts from memory (`hub/uplink/unkept.py`). The page reads
the card, where nothing changes: what it shows would look well, and be old.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.assessment.news2 import Band


@dataclass(frozen=True, slots=True)
class UnkeptAlert:
    """An alert that is in the daemon's memory alone, and that nobody has taken."""

    id: UUID
    resident: str
    band: Band
    raised_at: datetime


@dataclass(frozen=True, slots=True)
class CardSaid:
    """What the card has ("full", "read-only", "failing", "stalled"; None where it is well, or the daemon has
    not said), and the alerts that it has not, the highest first."""

    trouble: str | None = None
    alerts: tuple[UnkeptAlert, ...] = ()


def card_said(status: Mapping[str, Any] | None) -> CardSaid:
    """What the daemon last said of the card."""
    if status is None:
        return CardSaid()
    trouble = status.get("card", "well")
    listed = status.get("alerts_in_memory")
    found = []
    for each in listed if isinstance(listed, list) else []:
        with suppress(LookupError, TypeError, ValueError):
            found.append(
                UnkeptAlert(
                    UUID(each["alert"]),
                    str(each["resident"]),
                    Band(each["band"]),
                    datetime.fromisoformat(each["raised_at"]),
                )
            )
    found.sort(key=lambda each: (-each.band.rank, each.raised_at))
    return CardSaid(None if trouble == "well" else str(trouble), tuple(found))
