"""The words of people that this hub knows, so that a text which leaves it can be searched for them.

A search beside the promise, and not instead of it: what is written for others is chosen so that no name is in
it (`hub/doctor/support.py`), and what is logged has none. What is found all the same is replaced, and told.

The text is taken apart into its words first, and each is looked up: of thousands of names, in a log of
megabytes, only the few that do occur are then searched for.
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from hub.configuration.file import Config, ConfigError, Hub
from hub.errors import CareportError
from hub.store.database import FILE_NAME, open_for_reading

REPLACED = "[replaced]"

_NOBODY = frozenset(
    {
        "mr", "mrs", "ms", "miss", "dr", "sir", "the", "hub", "ics", "unnamed", "and", "of", "de", "la",
        "van", "von", "der", "gp",
    }
)  # fmt: skip
"""Words beside a name, and what stands where no name is known."""

_ROLES = frozenset(
    {
        "nurse", "doctor", "carer", "senior", "manager", "engineer", "home", "care", "staff", "ward", "lady",
        "night", "day", "charge", "site", "link",
    }
)  # fmt: skip
"""What somebody does, and some are called so: at the end of a name it is searched for in capitals."""

_SHORT_WORDS = frozenset(
    {
        "ad", "al", "am", "an", "as", "at", "be", "by", "do", "ed", "go", "he", "id", "if", "in", "ip", "is",
        "it", "me", "mo", "my", "no", "of", "ok", "on", "or", "pi", "so", "to", "up", "us", "we",
    }
)  # fmt: skip
"""Of two letters, and more often no name: searched for in capitals only."""

_LETTERS = re.compile(r"[^\W\d_]+")
_TOKEN = re.compile(r"[^\W_]+")
_DIGITS = "0123456789"
_THREE_LETTERS = re.compile(r"[^\W\d_]{3}")
_CODE_AT_LEAST = 3  # characters: a shorter one is in every number
_BETWEEN = r"[\W_]{1,5}"
_NOT_AFTER, _NOT_BEFORE = r"(?<![^\W_])", r"(?![^\W_])"
_IN_A_FILE = re.compile(
    r"\b(name|oxygen_scale_prescriber|tell|room|label|wristband|passkey)\s*=\s*"
    r"(?:\"([^\"\n]*)\"|'([^'\n]*)'|([^\s,}]+))"
)
"""Of a configuration that is no TOML, or whose keys are wrong: what would be of people."""

Phrase = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """What is searched for: phrases of one word or more, however they are written, and `exact` words as they
    are. `trouble` says why not all that the hub knows are among them."""

    phrases: frozenset[Phrase]
    exact: frozenset[str]
    trouble: str | None = None

    @property
    def known(self) -> int:
        """How many."""
        return len(self.phrases) + len(self.exact)

    def hidden(self, text: str) -> tuple[str, int]:
        """A text with each of them replaced, and how many there were."""
        text = unicodedata.normalize("NFC", text)
        written: dict[str, set[str]] = {}
        tokens = set(_TOKEN.findall(text))
        for token in tokens:
            written.setdefault(_folded(token), set()).add(token)
        found = tokens & self.exact
        for phrase in self.phrases:
            if all(word in written for word in phrase):
                found.add(_BETWEEN.join(f"(?:{'|'.join(sorted(written[word]))})" for word in phrase))
        for folded, forms in written.items():  # a login of theirs, as "edith1"
            if (name := folded.rstrip(_DIGITS)) != folded and (name,) in self.phrases:
                found |= forms
        if not found:
            return text, 0
        longest_first = "|".join(sorted(found, key=lambda each: (-len(each), each)))
        return re.subn(f"{_NOT_AFTER}(?:{longest_first}){_NOT_BEFORE}", REPLACED, text)


def _folded(text: str) -> str:
    """Without capitals and accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in apart if not unicodedata.combining(each))


def words_of(config: Config | ConfigError) -> Words:
    """All that the configuration and the database know of residents, of staff, and of whoever did something.
    Of a configuration that cannot be used what looks like it, and the database where it usually is.

    A name is searched for whole and by its parts, without regard to capitals and accents; roles, and parts
    of two letters that are words of every day, only as names are written. A room by its whole name, or where
    that is a number, as "room 12". What is on a wristband and what a sensor's label says: whole.
    """
    names: set[str] = set()
    rooms: set[str] = set()
    wholes: set[str] = set()
    troubles = []
    if isinstance(config, ConfigError):
        path = Hub.model_fields["data_directory"].default / FILE_NAME
        troubles.append(_look_through(config, names, rooms, wholes))
    else:
        path = config.hub.data_directory / FILE_NAME
        _take(config, names, rooms, wholes)
    try:
        connection = open_for_reading(path)
    except (CareportError, OSError) as error:
        troubles += [str(error)] if path.exists() else []  # where there is none, nobody is in it
    else:
        try:
            names |= _texts(connection, _NAMES)
            rooms |= _texts(connection, ("SELECT room FROM resident",))
            wholes |= _texts(connection, _WHOLES)
        except sqlite3.Error as error:
            troubles.append(str(error))
        finally:
            connection.close()
    phrases = {each for name in names for each in _of_name(name)}
    phrases |= {each for room in rooms for each in _of_room(room)}
    phrases |= {each for whole in wholes for each in _of_whole(whole)}
    exact = {each for name in names for each in _exactly_of_name(name)}
    return Words(frozenset(phrases), frozenset(exact), "; ".join(troubles) or None)


def _take(config: Config, names: set[str], rooms: set[str], wholes: set[str]) -> None:
    for resident in config.residents:
        names |= {resident.name, resident.oxygen_scale_prescriber or ""}
        rooms.add(resident.room)
        wholes.add(resident.wristband or "")
    for sensor in config.sensors:
        wholes.add(sensor.label)
        if sensor.passkey is not None:
            wholes.add(f"{sensor.passkey:06d}")
    for rungs in (*config.alerts.ladder.values(), config.alerts.concern_ladder):
        names |= {rung.tell for rung in rungs if not _is_a_duty(rung.tell)}  # whom it tells: a free text


def _is_a_duty(tell: str) -> bool:
    """Nobody's name, but what somebody does: "senior carer", "nurse in charge"."""
    known = _ROLES | _NOBODY | {"at", "in", "on", "or"}
    return tell[1:].islower() and all(_folded(word) in known for word in _LETTERS.findall(tell))


def _look_through(error: ConfigError, names: set[str], rooms: set[str], wholes: set[str]) -> str:
    try:
        text = error.path.read_text(encoding="utf-8", errors="replace")
    except OSError as unreadable:
        return f"{error.path}: cannot be read: {unreadable.strerror}"
    of_key = {"name": names, "oxygen_scale_prescriber": names, "tell": names, "room": rooms}
    for key, *values in _IN_A_FILE.findall(text):
        of_key.get(key, wholes).add("".join(values))
    return f"{error.path}: cannot be used, so that perhaps not all names in it were understood"


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


def _of_name(name: str) -> Iterable[Phrase]:
    parts = _LETTERS.findall(unicodedata.normalize("NFC", name))
    told = [_folded(each) for each in parts if _folded(each) not in _NOBODY]
    yield from ((each,) for each in told if len(each) > 2 and each not in _ROLES)
    yield from ((each,) for each in told if len(each) == 2 and each not in _SHORT_WORDS)
    if len(told) > 1:
        yield from _together([_folded(each) for each in parts])


def _exactly_of_name(name: str) -> Iterable[str]:
    """What is a word of every day when it is written small."""
    parts = _LETTERS.findall(unicodedata.normalize("NFC", name))
    for at, part in enumerate(parts, start=1):
        folded = _folded(part)
        if part[0].isupper() and (folded in _SHORT_WORDS or (folded in _ROLES and at == len(parts))):
            yield part
            yield part.upper()


def _of_room(room: str) -> Iterable[Phrase]:
    if _THREE_LETTERS.search(room):
        yield from _of_whole(room)
    elif words := _words(room):
        yield from _together(["room", *words])


def _of_whole(text: str) -> Iterable[Phrase]:
    words = _words(text)
    if len("".join(words)) >= _CODE_AT_LEAST:
        yield from _together(words)


def _words(text: str) -> list[str]:
    return [_folded(each) for each in _TOKEN.findall(unicodedata.normalize("NFC", text))]


def _together(words: list[str]) -> Iterable[Phrase]:
    """With anything between them, and with nothing."""
    yield tuple(words)
    yield ("".join(words),)
