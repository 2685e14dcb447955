"""Which hub can work with which database: what lets an update be taken back.

A database says its schema (SQLite's user_version) and, in its application_id, from which schema on a hub can
read and write it: "CP" in the upper half, the number in the lower (https://sqlite.org/fileformat2.html, 1.3).
A step of the schema that only adds what an earlier hub does without leaves that number as it is: each hub of
which it is said so is kept, and works with this one's database in the tests (`tests/rigs/earlier_hub.py`).
"""

from __future__ import annotations

_CAREPORT = 0x4350


def application_id(readable_from: int) -> int:
    """What a database is marked with that hubs of this schema, and later ones, can work with."""
    return _CAREPORT << 16 | readable_from


def readable_from(version: int, mark: int) -> int:
    """The oldest schema whose hub can work with such a database; its own, where that is not said."""
    return min(version, mark & 0xFFFF) if mark >> 16 == _CAREPORT else version
