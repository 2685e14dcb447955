"""The hub with other settings of SQLite than its own: how the suite shows that it can find a loss at all.

`CAREPORT_RIG_SYNCHRONOUS` and `CAREPORT_RIG_JOURNAL` say which. Only the suite starts the hub in this way;
the hub itself reads neither.
"""

from __future__ import annotations

import os
import re
import sqlite3
from typing import Any

SYNCHRONOUS, JOURNAL = "CAREPORT_RIG_SYNCHRONOUS", "CAREPORT_RIG_JOURNAL"
_PRAGMA = re.compile(r"\s*PRAGMA\s+(synchronous|journal_mode)\s*=", re.IGNORECASE)
_VARIABLES = {"synchronous": SYNCHRONOUS, "journal_mode": JOURNAL}


class _Altered(sqlite3.Connection):
    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        if found := _PRAGMA.match(statement):
            setting = found[1].lower()
            if wanted := os.environ.get(_VARIABLES[setting]):
                statement = f"PRAGMA {setting} = {wanted}"
        return super().execute(statement, *parameters)


def _connect(*arguments: Any, **settings: Any) -> sqlite3.Connection:
    connection: sqlite3.Connection = _CONNECT(*arguments, **{**settings, "factory": _Altered})
    return connection


_CONNECT = sqlite3.connect
sqlite3.connect = _connect  # type: ignore[assignment]  # the same, but for the settings

if __name__ == "__main__":
    from hub.cli import main

    main()
