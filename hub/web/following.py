"""What was committed since, told to open tabs; and how the daemon says that it is.

Five times a second one thread asks SQLite whether anybody committed (`PRAGMA data_version`, which reads no
page), takes in what is new (`hub/web/board.py`), and every open tab is told which topics changed: names, and
nothing of what is in them. A tab is told twice a second at the most, however much comes in, and what a tab
has not been told yet is a set of names: a tab that does not read costs no memory.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Any

from hub.clock import now
from hub.configuration.file import Config
from hub.control.control_socket import ControlError
from hub.errors import CareportError
from hub.store.database import FILE_NAME, open_for_reading
from hub.store.errors import StoreError
from hub.web.asking import Asking, SilentHubError
from hub.web.board import Board, OpenRound
from hub.web.topics import ALERTS, HOME, HUB, ROUNDS, SENSORS
from hub.web.unkept import card_said

_log = logging.getLogger(__name__)
MOST_TABS = 300
_BETWEEN_MESSAGES = 0.5
_ASK_EVERY, _RETRY_AFTER, _HOME_EVERY = 10.0, 2.0, 60.0  # seconds


class TooManyTabsError(CareportError):
    """So many tabs are open that another is told nothing by itself."""

    def __init__(self) -> None:
        super().__init__(
            f"{MOST_TABS} screens are open already: this one does not renew itself. Close some, then load the"
            " page again"
        )


class Tab:
    """What one open tab has not been told yet. For the event loop alone."""

    def __init__(self, following: Following) -> None:
        self._following = following
        self._pending: set[str] = set()
        self._some = asyncio.Event()
        self._told = -_BETWEEN_MESSAGES

    def add(self, topics: Iterable[str]) -> None:
        """These have changed."""
        self._pending.update(topics)
        self._some.set()

    async def next(self, within: float) -> frozenset[str]:
        """What changed since it was last asked, as soon as anything has; nothing if that is so for `within`
        seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._some.wait()
        wait = self._told + _BETWEEN_MESSAGES - monotonic()
        if self._pending and wait > 0:
            await asyncio.sleep(wait)
        topics = frozenset(self._pending)
        self._pending.clear()
        self._some.clear()
        self._told = monotonic()
        return topics

    def close(self) -> None:
        """Nobody listens any more."""
        self._following.forget(self)


class Following:
    """Keeps the board in step, and tells tabs.

    `status` is what the daemon last said of itself, None before it has said anything; `silent_since` when it
    was first found not to answer, None while it does.
    """

    def __init__(
        self,
        config: Config,
        board: Board,
        asking: Asking,
        *,
        every_seconds: float = 0.2,
        ask_every_seconds: float = _ASK_EVERY,
    ) -> None:
        self._path = config.hub.data_directory / FILE_NAME
        self._board = board
        self._asking = asking
        self._every = every_seconds
        self._ask_every = ask_every_seconds
        self._tabs: set[Tab] = set()
        self._connection: sqlite3.Connection | None = None
        self._file: int | None = None
        self._version: int | None = None
        self._ask_now = asyncio.Event()
        self._said_rounds: Mapping[str, Any] | None = None
        self.status: Mapping[str, Any] | None = None
        self.silent_since: datetime | None = None

    def open_tab(self) -> Tab:
        """A tab that is told from now on. Raises `TooManyTabsError`."""
        if len(self._tabs) >= MOST_TABS:
            raise TooManyTabsError
        tab = Tab(self)
        self._tabs.add(tab)
        return tab

    def forget(self, tab: Tab) -> None:
        """A tab is closed."""
        self._tabs.discard(tab)

    @property
    def tabs(self) -> int:
        """How many are open."""
        return len(self._tabs)

    def tell(self, topics: Iterable[str]) -> None:
        """Tell every tab that these have changed."""
        topics = frozenset(topics)
        if topics:
            for tab in self._tabs:
                tab.add(topics)

    async def run(self) -> None:
        """Follow until cancelled."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, thread_name_prefix="following") as thread:
            in_thread = partial(loop.run_in_executor, thread)
            asking = asyncio.create_task(self._ask_now_and_then(thread))
            told_home = monotonic()
            try:
                while True:
                    topics = await in_thread(self.look)
                    if ROUNDS in topics:
                        self._ask_now.set()
                    if monotonic() - told_home >= _HOME_EVERY:  # who is overdue by now has moved up
                        told_home = monotonic()
                        topics |= {HOME}
                    self.tell(topics)
                    await asyncio.sleep(self._every if self._board.trouble is None else _RETRY_AFTER)
            finally:
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
                await in_thread(self.close)

    def look(self) -> frozenset[str]:
        """Take in what was committed since; return the topics that are other. For one thread alone.

        What the card has is said on the board, and tried again.
        """
        try:
            topics = self._taken_in()
        except (sqlite3.Error, OSError, StoreError) as error:
            words = str(error) if isinstance(error, StoreError) else f"{self._path} cannot be read: {error}."
            return self._failed(words)
        except Exception as error:  # noqa: BLE001  # a fault of ours must not leave an old list that looks new
            _log.error("the page cannot take in what the hub stored: %s", type(error).__name__)
            return self._failed("What the hub has stored cannot be taken in; please report this.")
        had_trouble = self._board.trouble is not None
        self._board.is_in_step()
        return topics | {HOME, ALERTS, HUB} if had_trouble else topics

    def _failed(self, words: str) -> frozenset[str]:
        """Say so, once, and have all of it read again at the next look."""
        self.close()
        if self._board.trouble == words:
            return frozenset()
        _log.error("the page cannot follow the hub: %s", words)
        self._board.trouble = words
        return frozenset({HOME, ALERTS, HUB})

    def close(self) -> None:
        """Let go of the database."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._version = None

    def _taken_in(self) -> frozenset[str]:
        file = self._path.stat().st_ino if self._path.exists() else None
        if self._connection is not None and file != self._file:
            self.close()  # another took its place: one that was saved from damage
        if self._connection is None:
            self._connection = open_for_reading(self._path)
            self._file = file
            self._version = _version(self._connection)
            return self._board.load(self._connection)
        version = _version(self._connection)
        if version == self._version:
            return frozenset()
        topics = self._board.follow(self._connection)
        self._version = version
        return topics

    async def _ask_now_and_then(self, thread: ThreadPoolExecutor) -> None:
        while True:
            self._ask_now.clear()
            try:
                topics = await self.ask()
                rounds = _rounds(self._said_rounds)
                # In the thread that reads the card: two must not make the board anew at once.
                loop = asyncio.get_running_loop()
                topics |= await loop.run_in_executor(thread, self._board.take_rounds, rounds)
                self.tell(topics)
            except Exception as error:  # noqa: BLE001  # else it would never be said that the hub is silent
                _log.error("the page cannot take in how the hub is: %s", type(error).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._ask_every):
                    await self._ask_now.wait()

    async def ask(self) -> frozenset[str]:
        """Ask the daemon how it is and whose turn it is; return the topics that are other."""
        was_silent, before = self.silent_since, self.status
        try:
            self.status = await self._asking.ask("status")
            self._said_rounds = self.status.get("rounds")
            self.silent_since = None
        except SilentHubError:
            self.silent_since = self.silent_since or now()
            self._said_rounds = None
        except ControlError as error:
            _log.error("the hub will not say how it is: %s", error)
            return frozenset()
        topics = frozenset({HUB, SENSORS}) if self.status != before else frozenset()
        if card_said(self.status) != card_said(before):  # of what is not on the card no commit tells
            topics |= {HOME, ALERTS}
        if (was_silent is None) != (self.silent_since is None):
            topics |= {HOME, ALERTS, HUB, SENSORS, ROUNDS}
        return topics


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return int(version)


def _rounds(said: Mapping[str, Any] | None) -> list[OpenRound]:
    """The open rounds, as the daemon says them (`Scans.data`)."""
    found = []
    opened = said.get("open") if said is not None else None
    for each in opened if isinstance(opened, list) else []:
        with suppress(KeyError, TypeError, ValueError):
            since, until = (datetime.fromisoformat(each[key]) for key in ("since", "until"))
            kit = each["kit"]
            found.append(OpenRound(str(each["resident"]), None if kit is None else str(kit), since, until))
    return found
