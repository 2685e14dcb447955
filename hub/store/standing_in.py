"""What the hub works on where the card has no room for its database: a copy of the newest of it, in memory.

Nothing can be committed to it, as on any full card: alerts are told uncommitted (`hub/uplink/unkept.py`),
readings wait (`hub/intake/reception.py`). It is there so that the hub starts, knows its sensors, and has the
ladders of open alerts climbed. As soon as the card has room, the database itself is opened, or saved where it
is damaged, beside the hub that runs; nobody need restart it.
"""

from __future__ import annotations

import logging
import queue
import shutil
import sqlite3
import threading
from collections.abc import Collection
from contextlib import closing, suppress
from pathlib import Path
from time import monotonic

from hub.clock import now
from hub.store.damage import log_of
from hub.store.database import SCHEMA_VERSION, make_schema, open_for_writing, readable_text
from hub.store.errors import NoRoomError, StoreError, no_room
from hub.store.mending import mend
from hub.store.pages import Pages
from hub.store.reserve import FULL_BELOW, Reserve
from hub.store.salvage import version_of
from hub.store.salvaging import Salvage

_log = logging.getLogger(__name__)
_MOST = 6 << 20
_PAGE = 1024
_LOOKS_EVERY_SECONDS = 1.0
_AGAIN_AFTER_SECONDS = 60.0  # what is wrong beside the room may be over by then
_ANYWAY_AFTER_SECONDS = 3600.0  # where it was no want of bytes, but of files or of a quota


class StandIn:
    """Stands in for the database of a hub at its start. For the writer's thread, once that runs."""

    def __init__(self, path: Path, reserve: Reserve, why: NoRoomError) -> None:
        """Raises `StoreError`: the database is newer than this hub."""
        self._path = path
        self._reserve = reserve
        self._tried_with, self._tried_at = self._free(), monotonic()
        self._look_at = monotonic() + _LOOKS_EVERY_SECONDS
        self._opened: queue.SimpleQueue[sqlite3.Connection | StoreError] | None = None
        self.connection = _copy(path)
        sensors, alerts = (
            self.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("enrolled_sensor", "alert WHERE resolved_at IS NULL")
        )
        _log.critical(
            "%s The hub works in memory, with %d sensor(s) that were enrolled by command and %d open alert(s)"
            " of it: alerts are told, and NOTHING IS STORED. Make room on the card: then all that waits is"
            " stored, without a restart, which would lose it.%s",
            why,
            sensors,
            alerts,
            _own_files(path),
        )

    def refuse(self) -> sqlite3.OperationalError:
        """What a commit is told."""
        return no_room("the card has no room for the database")

    def card(self) -> sqlite3.Connection | None:
        """The database, as soon as it could be opened; to be asked again and again."""
        if self._opened is None:
            if monotonic() >= self._look_at:
                self._look_at = monotonic() + _LOOKS_EVERY_SECONDS
                more = self._free() >= self._tried_with + FULL_BELOW
                if more or monotonic() >= self._tried_at + _ANYWAY_AFTER_SECONDS:
                    self._opened = queue.SimpleQueue()
                    # A large one takes minutes, and alerts go on meanwhile.
                    threading.Thread(target=self._open, args=(self._opened,), daemon=True).start()
            return None
        try:
            opened = self._opened.get_nowait()
        except queue.Empty:
            return None
        if isinstance(opened, StoreError):
            _log.error("%s", opened)
            self._opened = None
            if isinstance(opened, NoRoomError):
                self._tried_with, self._tried_at = self._free(), monotonic()
            else:
                self._look_at = monotonic() + _AGAIN_AFTER_SECONDS
            return None
        self.connection.close()
        _log.warning("%s: the card has room again, and is written from now on", self._path)
        return opened

    def _open(self, opened: queue.SimpleQueue[sqlite3.Connection | StoreError]) -> None:
        try:
            opened.put(open_for_writing(self._path, self._reserve))
        except StoreError as error:
            opened.put(error)
        except Exception as error:  # noqa: BLE001  # told to the writer: alerts must go on
            _log.exception("the database could not be opened in a way nobody foresaw; please report this")
            opened.put(StoreError(self._path, f"could not be opened: {type(error).__name__}"))

    def _free(self) -> int:
        with suppress(OSError):
            return shutil.disk_usage(self._path.parent).free
        return 0


def _copy(path: Path) -> sqlite3.Connection:
    """As much of the database as there is room for in memory; nothing, where none of it can be read.

    Without what waits to be told, where that leaves no room for alerts and sensors: these need no message.

    Raises:
        StoreError: it is newer than this hub.
    """
    for most, without in ((_MOST, ()), (4 * _MOST, ()), (4 * _MOST, ("outbox", "outbox_aside"))):
        connection = _empty()
        try:
            if path.is_file():
                _fill(path, connection, most, without)
            else:
                make_schema(connection)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it holds, the hub starts
            _log.error("%s: cannot be copied into memory", path, exc_info=error)
            connection.close()
        else:
            return connection
    connection = _empty()
    make_schema(connection)
    return connection


def _empty() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA page_size = {_PAGE}")
    connection.text_factory = readable_text
    return connection


def _fill(path: Path, connection: sqlite3.Connection, most: int, without: Collection[str]) -> None:
    with closing(Pages(path, log_of(path))) as pages:
        version = version_of(pages, SCHEMA_VERSION)
        if version > SCHEMA_VERSION:
            raise StoreError(path, f"was written by a newer hub (schema {version}). Update this one.")
        make_schema(connection, version)
        connection.execute(f"PRAGMA max_page_count = {most // _PAGE}")
        salvage = Salvage(pages, connection, without=without)
        salvage.copy()
        connection.execute(f"PRAGMA max_page_count = {4 * _MOST // _PAGE}")
        make_schema(connection, SCHEMA_VERSION)
        mend(connection, salvage, now(), "copied into memory", path.name)
        connection.execute("PRAGMA foreign_keys = ON")


def _own_files(path: Path) -> str:
    """Which files of the hub a person might take elsewhere."""
    found = [file for file in path.parent.glob(f"{path.name}.damaged-*") if file.is_file()]
    sizes = [f"{file.name} ({file.stat().st_size >> 20} MiB)" for file in sorted(found)]
    return f" These may be taken elsewhere: {', '.join(sizes)}." if sizes else ""
