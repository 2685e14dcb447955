"""The words of people that this hub knows, so that a text which leaves it can be searched for them.

A search beside the promise, and not instead of it: what is written for others is chosen so that no name is in
it (`hub/support.py`), and what is logged has none. What is found all the same is replaced, and told.
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from hub.config import Config
from hub.errors import CareportError
from hub.store.database import FILE_NAME, open_for_reading

REPLACED = "[replaced]"

_NO_NAMES = frozenset(
    {
        "mr", "mrs", "ms", "miss", "dr", "sir", "lady", "nurse", "doctor", "carer", "senior", "manager",
        "engineer", "home", "the", "hub", "ics", "unnamed", "gp", "care", "staff", "ward", "and", "of", "de",
        "la", "van", "von", "der",
    }
)  # fmt: skip
"""Words beside a name, and what stands where no name is known."""

_WORD = re.compile(r"[^\W\d_]+")
_LETTERS = re.compile(r"[^\W\d_]{3}")
_CODE_AT_LEAST = 3  # characters: a shorter one is in every number
_NOT_AFTER, _NOT_BEFORE = r"(?<![^\W_])", r"(?![^\W_])"


@dataclass(frozen=True, slots=True)
class Words:
    """What is searched for. `known` says how many words; `trouble` why the database's are not among them."""

    pattern: re.Pattern[str] | None
    known: int
    trouble: str | None = None

    def hidden(self, text: str) -> tuple[str, int]:
        """A text with each of them replaced, and how many there were."""
        text = unicodedata.normalize("NFC", text)
        return (text, 0) if self.pattern is None else self.pattern.subn(REPLACED, text)


def words_of(config: Config) -> Words:
    """All that the configuration and the database know of residents, of staff, and of whoever did something.

    A name is searched for whole and by its parts, without regard to capitals; parts of two letters only as
    they are written, for "An" and "Al" are names. A room by its whole name, or where that is a number, as
    "room 12". What is on a wristband and what a sensor's label says: whole.
    """
    names: set[str] = set()
    rooms: set[str] = set()
    wholes: set[str] = set()
    for resident in config.residents:
        names |= {resident.name, resident.oxygen_scale_prescriber or ""}
        rooms.add(resident.room)
        wholes.add(resident.wristband or "")
    for sensor in config.sensors:
        wholes.add(sensor.label)
        if sensor.passkey is not None:
            wholes.add(f"{sensor.passkey:06d}")
    trouble = None
    path = config.hub.data_directory / FILE_NAME
    try:
        connection = open_for_reading(path)
    except (CareportError, OSError) as error:
        trouble = str(error) if path.exists() else None  # where there is none, nobody is in it
    else:
        try:
            names |= _texts(connection, _NAMES)
            rooms |= _texts(connection, ("SELECT room FROM resident",))
            wholes |= _texts(connection, _WHOLES)
        except sqlite3.Error as error:
            trouble = str(error)
        finally:
            connection.close()
    patterns = {each for name in names for each in _of_name(name)}
    patterns |= {each for room in rooms for each in _of_room(room)}
    patterns |= {each for whole in wholes for each in _of_whole(whole)}
    longest_first = sorted(patterns, key=lambda each: (-len(each), each))
    pattern = re.compile("|".join(longest_first)) if longest_first else None
    return Words(pattern, len(longest_first), trouble)


_NAMES = (
    "SELECT name FROM resident UNION SELECT oxygen_scale_prescriber FROM resident"
    " UNION SELECT entered_by FROM resident UNION SELECT changed_by FROM resident_care"
    " UNION SELECT name FROM staff UNION SELECT changed_by FROM staff"
    " UNION SELECT enrolled_by FROM enrolled_sensor",
    # Whoever has done something, or signed in: also those who do not work here any more.
    "SELECT DISTINCT json_extract(detail, '$.by') FROM audit WHERE json_valid(detail)",
    "SELECT DISTINCT json_extract(detail, '$.name') FROM audit WHERE json_valid(detail)"
    " AND what != 'model changed'",
    "SELECT DISTINCT json_extract(body, '$.acknowledged_by') FROM alert WHERE json_valid(body)",
)
_WHOLES = (
    "SELECT wristband FROM resident",
    "SELECT label FROM enrolled_sensor",
    "SELECT printf('%06d', passkey) FROM enrolled_sensor WHERE passkey IS NOT NULL",
)


def _texts(connection: sqlite3.Connection, statements: Iterable[str]) -> set[str]:
    return {
        value
        for statement in statements
        for (value,) in connection.execute(statement)
        if isinstance(value, str)
    }


def _of_name(name: str) -> Iterable[str]:
    parts = _WORD.findall(unicodedata.normalize("NFC", name))
    told = [part for part in parts if part.casefold() not in _NO_NAMES and len(part) > 1]
    if len(told) > 1:
        yield _any_case(r"[\W_]*".join(map(re.escape, parts)))
    for part in told:
        if len(part) > 2:
            yield _any_case(f"{_NOT_AFTER}{re.escape(part)}{_NOT_BEFORE}")
        else:
            yield f"{_NOT_AFTER}{re.escape(part)}{_NOT_BEFORE}"


def _of_room(room: str) -> Iterable[str]:
    if _LETTERS.search(room):
        yield from _of_whole(room)
    elif room.strip():
        yield _any_case(rf"{_NOT_AFTER}room[\W_]*{re.escape(room.strip())}{_NOT_BEFORE}")


def _of_whole(text: str) -> Iterable[str]:
    parts = unicodedata.normalize("NFC", text).split()
    if len("".join(parts)) >= _CODE_AT_LEAST:
        spaced = r"\s+".join(map(re.escape, parts))
        yield _any_case(f"{_NOT_AFTER}{spaced}{_NOT_BEFORE}")


def _any_case(pattern: str) -> str:
    return f"(?i:{pattern})"
