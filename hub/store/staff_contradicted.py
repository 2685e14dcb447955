"""Who may sign in by a row that the trail contradicts, in a database that was copied from a damaged one.

A page that a failing card gives back as it was has somebody who was removed, a role that was taken from them,
or the PIN of before. Such a row is of nobody: whoever is really of the staff is entered again with `carehub
staff`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import timedelta
from operator import itemgetter
from typing import Any

from hub.staff.rights import key_of

ENTERED, CHANGED, REMOVED = "staff entered", "staff changed", "staff removed"
"""What the trail calls it (`hub.trail.Audited`)."""

_APART = timedelta(seconds=10) // timedelta(microseconds=1)  # between a row's time and that of its entry


def contradicted(connection: sqlite3.Connection, elsewhere: Iterable[Sequence[Any]] = ()) -> list[str]:
    """The keys of the rows of which the trail last said something else; of the trail there is more
    `elsewhere`: sequence, what and detail of each entry."""
    entries: list[Sequence[Any]] = connection.execute(
        # As bytes: whatever has become of it, it may be no UTF-8 any more.
        "SELECT sequence, what, CAST(detail AS BLOB), at FROM audit WHERE what IN (?, ?, ?)",
        (ENTERED, CHANGED, REMOVED),
    ).fetchall()
    entries += [entry for entry in elsewhere if entry[1] in {ENTERED, CHANGED, REMOVED}]
    said: dict[str, tuple[str | None, int]] = {}
    for _, what, detail, *at in sorted(entries, key=itemgetter(0)):
        try:
            of = json.loads(detail)
            key = key_of(of["name"])
            role = None if what == REMOVED else of.get("role", said.get(key, (None, 0))[0])
        except (ValueError, TypeError, LookupError, AttributeError):
            continue
        said[key] = role, int(at[0]) if at else 0
    rows = connection.execute("SELECT key, role, changed_at FROM staff").fetchall()
    return [
        key
        for key, role, changed_at in rows
        if key in said and (role != said[key][0] or changed_at < said[key][1] - _APART)
    ]
