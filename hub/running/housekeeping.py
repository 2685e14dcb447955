"""Keeps the database within its limits, and room on the card for when others fill it."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from hub import trail
from hub.clock import ClockQuality, from_microseconds, now, stamp
from hub.configuration.file import Config
from hub.running import progress
from hub.running.patience import in_thread
from hub.store import scores
from hub.store.audit import trim
from hub.store.database import open_for_reading
from hub.store.errors import NotCommittedError
from hub.store.planner import Planner, Progress
from hub.store.retention import Limits, Piece, Size
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.trail import Moment
from hub.updates import keeper_notes as updates

_EVERY_SECONDS = 60.0
_TURN_WITHIN_SECONDS = 600.0  # a large database is gone through for a plan
_BETWEEN_PIECES_SECONDS = 0.05
_PIECES = 20
_SLACK = timedelta(hours=1)
_log = logging.getLogger(__name__)


class Housekeeping:
    """Removes what is too old or too much (`hub/store/retention.py`), a little at a time."""

    def __init__(
        self,
        config: Config,
        path: Path,
        writer: Writer,
        *,
        newest: int = 20_000,
        free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
        on_trial: Callable[[], bool] = updates.on_trial,
    ) -> None:
        """`newest` readings are never removed; `free` says how many bytes are free where the path is. While
        this release is `on_trial` nothing is: what a faulty one removes would stay removed."""
        sets, store = config.observation_sets, config.store
        longest = max([sets.recent, *sets.recent_by_vital.values()])
        self._limits = Limits(
            store.keep_streams,
            store.keep_readings,
            store.keep_alerts,
            # What an alert that is raised later may rest on, or a start remembers (`hub/store/recent.py`).
            window=max(sets.late + longest, timedelta(hours=25)) + _SLACK,
            stream=sets.stream,
            newest=newest,
        )
        self._keep_scores = store.keep_scores
        self._largest, self._least_free = store.largest, store.least_free
        self._path = path
        self._writer = writer
        self._free = free
        self._on_trial = on_trial
        self._progress = Progress()
        self._trimmed_on: date | None = None
        self._said_too_large = False

    async def run(self) -> None:
        """Look once a minute, until cancelled."""
        while True:
            progress.turn(_TURN_WITHIN_SECONDS)
            try:
                if not await in_thread(self._on_trial):
                    await self.turn()
            except NotCommittedError:
                self._progress.begin_anew()  # it was not removed; the reception says what the card has
            await asyncio.sleep(_EVERY_SECONDS)

    async def turn(self) -> None:
        """Remove all that is too old, and as much as is too much.

        Raises:
            NotCommittedError: the card takes nothing.
            StoreError: the database cannot be read.
        """
        await in_thread(partial(self._writer.reserve.make, self._least_free // 2))
        if stamp().quality is ClockQuality.SYNCHRONISED:
            await self._remove("age", lambda: self._plan(too_much=False))
            if self._trimmed_on != now().date():
                await self._writer.write(self._trim)
                self._trimmed_on = now().date()
        await self._remove("size", lambda: self._plan(too_much=True))

    def _trim(self, transaction: Transaction) -> None:
        """The trail is kept as long as alerts are, and no alert without its history; and scores for long."""
        (oldest,) = transaction.connection.execute("SELECT min(raised_at) FROM alert").fetchone()
        before = now() - self._limits.keep_alerts
        if oldest is not None:
            before = min(before, from_microseconds(oldest) - _SLACK)
        trim(transaction.connection, before, at=now(), stamp=stamp())
        scores.trim(transaction.connection, now() - self._keep_scores)

    async def _remove(self, reason: str, plan: Callable[[], list[Piece]]) -> None:
        removed = Counter[str]()
        while pieces := await asyncio.to_thread(plan):
            for piece in pieces:
                await self._writer.write(partial(_remove, piece))
                removed += Counter(piece.counts)
                progress.turn(_TURN_WITHIN_SECONDS)
                await asyncio.sleep(_BETWEEN_PIECES_SECONDS)
        # Samples by age are the daily course of a stream: the trail would be nothing else.
        if {*removed} - {"stream samples"} or (removed and reason == "size"):
            _log.log(
                logging.WARNING if reason == "size" else logging.INFO,
                "removed because of their %s: %s",
                reason,
                ", ".join(f"{number} {what}" for what, number in removed.items()),
            )
            entry = trail.retention_ran(Moment.present(), removed, reason)
            await self._writer.write(lambda transaction: transaction.audit(entry))

    def _plan(self, *, too_much: bool) -> list[Piece]:
        """In a thread of its own: it reads, and may take its time."""
        with closing(open_for_reading(self._path)) as connection:
            planner = Planner(connection, self._limits, now(), self._progress)
            if not too_much:
                return planner.by_age(_PIECES)
            size = Size.of(connection)
            may_use = size.may_use(self._largest, self._free(self._path), self._least_free)
            if size.used <= may_use:
                self._said_too_large = False
                return []
            pieces = planner.by_size(_PIECES)
            if not pieces and not self._said_too_large:
                self._said_too_large = True
                _log.error(
                    "%s: %d MB are used, %d may be, and nothing is left that may go; make room on the card",
                    self._path, size.used // 10**6, may_use // 10**6,
                )  # fmt: skip
            return pieces


def _remove(piece: Piece, transaction: Transaction) -> None:
    piece.remove(transaction.connection)
