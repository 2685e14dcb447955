"""Residents who are called alike: a hospital's "name alert". Pure.

Where two have one name, and no room or the same stands beside it, nobody could tell which line is whose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hub.configuration.file import Resident


def namesakes(residents: Iterable[Resident]) -> frozenset[str]:
    """The pseudonyms of those whose name another has too, whatever its capitals and blanks."""
    named = {each.id: _key(each) for each in residents if each.name.strip()}
    often = Counter(named.values())
    return frozenset(pseudonym for pseudonym, name in named.items() if often[name] > 1)


def told_apart_by(resident: Resident) -> str:
    """What tells one from another who is called alike: "born 1938, R-0412"."""
    born = f"born {resident.birth_year}, " if resident.birth_year else ""
    return f"{born}{resident.id}"


def _key(resident: Resident) -> str:
    return " ".join(resident.name.casefold().split())
