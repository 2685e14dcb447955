"""Whether the database file is damaged, told before SQLite opens it to write, and what was done about it.

An error is not damage. A card that cannot be read for the moment, a full one, a missing permission: none of
them says anything about the file, and setting a good one aside would be the worst that could happen. Damage
is what SQLite finds in the content (SQLITE_CORRUPT, SQLITE_NOTADB, `PRAGMA quick_check`), found again when it
is read anew from the card; or blocks that cannot be read, the same ones twice, while most others can.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

_log = logging.getLogger(__name__)
FACT = "damage "
"""How the names of the facts begin that tell of a damaged database."""

_PRIMARY_CODE = 0xFF  # an extended error code's last byte
_SMALLEST = 512  # bytes: one page
PAUSE_SECONDS = 1.0
"""Between two looks at blocks that cannot be read."""
_BLOCK = 4096
_BLOCKS_AT_ONCE = 256
Read = Callable[[int, int, int], bytes]


@dataclass(frozen=True, slots=True)
class Damage:
    """A database that was found damaged, and what of it was saved.

    `file` is the name of the damaged one, `saved` the rows of each table. `pages` has for each table how many
    of its pages could not be read ("": nobody knows whose), `rows` how many rows were incomplete, made no
    sense, or could be told by nobody without others that are lost; `untold` counts events that waited and
    can no longer be made. `complete` is False where there was no room or no time to copy everything: `left`
    has for each table how many of its pages, the oldest, are in the damaged file alone.
    """

    at: datetime
    why: str
    file: str
    saved: dict[str, int]
    pages: dict[str, int]
    rows: dict[str, int]
    untold: int
    complete: bool
    left: dict[str, int] = field(default_factory=dict)

    @property
    def alerts_may_be_lost(self) -> bool:
        """Whether an open alert may be among what could not be read."""
        return any(key in self.pages for key in ("", "alert")) or "alert" in self.rows

    @property
    def words(self) -> str:
        """What a person should know of it, and do."""
        saved = ", ".join(f"{count} of {table}" for table, count in self.saved.items() if count)
        lost = [f"{count} page(s) of {table or 'no known table'}" for table, count in self.pages.items()]
        lost += [f"{count} row(s) of {table}" for table, count in self.rows.items()]
        if self.untold:
            lost.append(f"{self.untold} event(s) that had not been told")
        left = [f"{count} page(s) of {table}" for table, count in self.left.items()]
        if not self.complete and not left:  # as an earlier version of the hub noted it
            left = ["the oldest readings"]
        parts = [
            f"was damaged on {self.at:%Y-%m-%d %H:%M} UTC ({self.why}) and was made anew",
            f"rows saved: {saved or 'none'}",
            f"lost, as far as can be told: {', '.join(lost) or 'nothing'}",
            f"the damaged file is kept as {self.file}: a card that damages files should be replaced",
        ]
        if left:
            parts.insert(3, f"left in that file for want of room or time, the oldest: {', '.join(left)}")
        if any("enrolled_sensor" in lost for lost in (self.pages, self.rows)) or "" in self.pages:
            parts.append(
                "sensors that were enrolled by command may be lost: compare 'carehub devices list' with the"
                " sensors in the home"
            )
        of_people = {"resident", "resident_care", "staff", ""}
        if any(not of_people.isdisjoint(lost) for lost in (self.pages, self.rows)):
            parts.append(
                "residents who were entered, what is known of residents, and who may sign in may be lost:"
                " compare"
                " 'carehub residents list' with who lives in the home"
            )
        if self.alerts_may_be_lost:
            parts.append("ALERTS MAY BE LOST: look at every resident now")
        return "; ".join(parts)

    def to_json(self) -> str:
        """As the table of facts keeps it."""
        return json.dumps(asdict(self) | {"at": self.at.isoformat()}, separators=(",", ":"))

    @classmethod
    def of(cls, text: str) -> Damage:
        """From what `to_json` gave. Raises `ValueError`, `TypeError` or `LookupError` where it is none."""
        fields = json.loads(text)
        return cls(**fields | {"at": datetime.fromisoformat(fields["at"])})


def damages(connection: sqlite3.Connection) -> list[Damage]:
    """Each time that this database was found damaged, oldest first: for `carehub doctor` and the status."""
    rows = connection.execute(
        "SELECT value FROM fact WHERE substr(name, 1, ?) = ? ORDER BY name", (len(FACT), FACT)
    )
    found = []
    for (text,) in rows:
        try:
            found.append(Damage.of(text))
        except (ValueError, TypeError, LookupError):
            continue  # a newer hub's
    return found


def unfinished(path: Path) -> list[Path]:
    """A new database that was whole, and not yet in its place, when something ended the hub."""
    return list(path.parent.glob(f"{path.name}.saved-*"))


def making_of(path: Path) -> Path:
    """Where a new database is made."""
    return path.with_name(f"{path.name}.saving")


def remove_begun(path: Path) -> None:
    """Remove a new database that was not whole when something ended the hub. Raises `OSError`."""
    making = making_of(path)
    for file in (making, making.with_name(f"{making.name}-journal")):
        if file.exists():
            file.unlink()


def log_of(path: Path) -> Path:
    """The write-ahead log of a database."""
    return path.with_name(f"{path.name}-wal")


def damage_of(path: Path) -> str | None:
    """Why the database is damaged; None where it is whole, new, or where that cannot be told.

    Looks twice, the second time at the card and not at what the kernel remembers of it.
    """
    why = _look(path)
    if why is None:
        return None
    _forget_cached(path)
    _forget_cached(log_of(path))
    again = _look(path)
    if again is None:
        _log.error(
            "%s: looked damaged (%s), and was whole when it was read again: replace the card", path, why
        )
    return again


def _look(path: Path) -> str | None:
    if path.is_dir():
        return None  # SQLite refuses it; how large it is says nothing (a few bytes on tmpfs and XFS)
    try:
        size = path.stat().st_size if path.exists() else None
        log_size = log_of(path).stat().st_size if log_of(path).exists() else 0
    except OSError:
        return None
    if size is None:
        return "the file is gone, and its write-ahead log is there" if log_size else None
    if size < _SMALLEST:
        # Before SQLite sees it: it would take the file for a new database, and delete the log.
        return f"the file has {size} byte(s)"
    if log_size:
        from hub.store.pages import read_wal  # after an unclean stop only: it costs memory

        try:
            if read_wal(log_of(path), _page_size(path)).damaged:
                return "its write-ahead log is damaged"
        except OSError:
            return unreadable(log_of(path))
    return _asked_of_sqlite(path)


def _asked_of_sqlite(path: Path) -> str | None:
    """What SQLite finds, over a connection that changes nothing."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA busy_timeout = 5000")
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            return None if found == "ok" else " ".join(str(found).split())
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
        if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            return str(error)
        return unreadable(path) if code == sqlite3.SQLITE_IOERR else None


def _page_size(path: Path) -> int:
    with path.open("rb") as file:
        said = int.from_bytes(file.read(100)[16:18])
    return said if said in {512, 1024, 2048, 4096, 8192, 16384, 32768} else 1024


def unreadable(path: Path, read: Read = os.pread) -> str | None:
    """Says how many blocks cannot be read, if it is always the same ones and most others can be.

    A card that answers nothing at all, or answers differently from one second to the next, may be whole.
    """
    try:
        first = _unreadable_blocks(path, read)
        time.sleep(PAUSE_SECONDS)
        if not first or _unreadable_blocks(path, read) != first:
            return None
        if len(first) * _BLOCK * 2 > path.stat().st_size:
            return None
    except OSError:
        return None
    return f"{len(first)} block(s) of {path.name} cannot be read"


def _unreadable_blocks(path: Path, read: Read) -> set[int]:
    """Raises `OSError` for all but an input/output error."""
    found = set()
    file = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        blocks = -(-os.fstat(file).st_size // _BLOCK)
        for begin in range(0, blocks, _BLOCKS_AT_ONCE):
            if _readable(read, file, _BLOCK * _BLOCKS_AT_ONCE, begin * _BLOCK):
                continue
            end = min(begin + _BLOCKS_AT_ONCE, blocks)
            found |= {
                block for block in range(begin, end) if not _readable(read, file, _BLOCK, block * _BLOCK)
            }
    finally:
        os.close(file)
    return found


def _readable(read: Read, file: int, length: int, offset: int) -> bool:
    try:
        read(file, length, offset)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return False
    return True


def _forget_cached(path: Path) -> None:
    """Have what is read next read from the card."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(file)
