"""Who is listed as a resident, and what is known of each: from the configuration, and from the database."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from hub.configuration.file import Config, Resident
from hub.residents.care import Care
from hub.residents.fields import FIELDS
from hub.residents.register import GONE, NOTHING_SAID
from hub.store import people

_log = logging.getLogger(__name__)
_UNREADABLE = (
    "what was known of them could not be read on the card, and they are watched: say again where they are,"
    " whether they consent, what is normal, and what was agreed on"
)
_SAME_CODE = (
    "have the same code on their wristbands, and a scan of it opens a round for neither: give one of them"
    " another"
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A resident, what is known of them, and who entered them; `entered_by` is None where they are in the
    configuration. What was measured before `since` is not theirs. `care_lost`:
    what was known of them could not be read. `trouble` says what a person should
    mend."""

    resident: Resident
    care: Care = NOTHING_SAID
    entered_by: str | None = None
    entered_at: datetime | None = None
    since: datetime | None = None
    care_lost: bool = False
    trouble: str | None = None

    @property
    def gone(self) -> bool:
        """Whether they have moved away or died."""
        return self.care.whereabouts in GONE


def residents_of(config: Config, connection: sqlite3.Connection) -> list[Listed]:
    """All who are listed, from the configuration and from the hub's database, whether they are here or not
    (`Listed.care.watched`): the configuration's first, then the others in the order in which they were
    entered."""
    of_file = {each.id for each in config.residents}
    found = [Listed(resident) for resident in config.residents]
    found += [each for each in _entered(connection) if each.resident.id not in of_file]
    cares = people.cares(connection)
    return with_troubles([with_care(each, cares.get(each.resident.id)) for each in found])


def _entered(connection: sqlite3.Connection) -> list[Listed]:
    found = []
    for row in people.entered(connection):
        try:
            resident = Resident.model_validate({key: getattr(row, key) for key in FIELDS})
        except ValidationError:  # not chained: it quotes what is in the row
            _log.error("a resident on the card is damaged and left out: enter them again")
            continue
        found.append(Listed(resident, NOTHING_SAID, str(row.entered_by), row.entered_at, row.entered_at))
    return found


def _care_of(body: str) -> tuple[Care, datetime | None, bool]:
    """What a row says, and whether all of it could be read. Of one that could not be, what can: somebody who
    is not known to be away is watched."""
    try:
        said = json.loads(body)
        at = said.pop("watched_since", None)
        return Care.model_validate(said), None if at is None else datetime.fromisoformat(at), True
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass
    read: dict[str, Any] = {}
    try:
        said = json.loads(body)
        for key in Care.model_fields:
            if key in said:
                try:
                    read[key] = getattr(Care.model_validate({key: said[key]}), key)
                except ValidationError:
                    continue
    except (ValueError, TypeError, RecursionError):
        pass
    return Care.model_validate(read), None, False


def with_troubles(found: Sequence[Listed]) -> list[Listed]:
    """Everybody who is listed, with what a person should mend of them now: what could not be read; and a code
    that two have, which opens a round for neither, since nobody can say whose it is."""
    worn: dict[str, list[str]] = {}
    for each in found:
        if each.resident.wristband is not None and not each.gone:
            worn.setdefault(each.resident.wristband, []).append(each.resident.id)
    shared = {name: names for names in worn.values() if len(names) > 1 for name in names}
    return [replace(each, trouble=_trouble(each, shared.get(each.resident.id))) for each in found]


def _trouble(listed: Listed, same_code: Sequence[str] | None) -> str | None:
    said = [_UNREADABLE] if listed.care_lost else []
    if same_code is not None:
        said.append(f"{' and '.join(same_code)} {_SAME_CODE}")
    return "; ".join(said) or None


def with_care(listed: Listed, row: people.CareRow | None) -> Listed:
    """Somebody who is listed, with what a row says of them."""
    if row is None:
        return listed
    care, watched_since, whole = _care_of(row.body)
    since = max((at for at in (listed.since, watched_since) if at is not None), default=None)
    return replace(listed, care=care, since=since, care_lost=not whole)


def row_of(listed: Listed) -> people.ResidentRow:
    """Somebody who was entered, as the store keeps them."""
    resident = listed.resident
    assert listed.entered_at is not None, "who is in the configuration is not kept"
    assert listed.entered_by is not None
    return people.ResidentRow(
        resident.id,
        resident.name,
        resident.room,
        resident.birth_year,
        int(resident.oxygen_scale),
        resident.oxygen_scale_prescriber,
        resident.wristband,
        listed.entered_at,
        listed.entered_by,
    )


def care_data(listed: Listed) -> dict[str, object]:
    """What is known of them as the store and the trail keep it."""
    since = listed.since
    return {
        **listed.care.model_dump(mode="json"),
        "watched_since": None if since is None else since.isoformat(),
    }
