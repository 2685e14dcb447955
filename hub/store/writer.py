"""The one writer: a thread that runs pieces of work and commits many of them at once.

Group commit: each sync wears the card and writes whole pages, so that there is at most one in `gather`
(0.2 s unless set), and what comes meanwhile shares it. Nothing waits in a quiet house, where the last commit
is longer ago than that; and nothing waits that is urgent: an alert, or what a person waits for. Urgent work
takes with it whatever had gathered. A piece of work that raises is undone alone (`pieces.py`); the others go
on.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from hub.running import progress
from hub.running.patience import in_thread
from hub.store.beside import in_memory, rehearse_in
from hub.store.database import Say, open_for_writing
from hub.store.errors import NoRoomError, NotCommittedError, is_fault_of_database, trouble_of_card
from hub.store.in_hand import InHand
from hub.store.jobs import Job, Rehearsed
from hub.store.numbers import Numbers
from hub.store.recent import Recent
from hub.store.reserve import SIZE, Reserve
from hub.store.transaction import Transaction

if TYPE_CHECKING:
    from hub.store.standing_in import StandIn

Result = TypeVar("Result")
_log = logging.getLogger(__name__)
GATHER = timedelta(milliseconds=200)
RESERVE_NAME = "carehub.reserve"
_LOOKS_EVERY = 1.0  # seconds
_MOST_IN_ONE_COMMIT = 200
_LONGEST_IN_ONE_COMMIT = 0.5  # seconds of work: an alert must not wait for the slow work of many others


class Writer:
    """The only connection that writes. `async with Writer(path) as writer: await writer.write(work)`."""

    def __init__(
        self,
        path: Path,
        gather: timedelta = GATHER,
        *,
        reserve_bytes: int = SIZE,
        say: Say = lambda _words: None,
    ) -> None:
        """Open the database, which may take long: `say` is told what is being done."""
        self._path = path
        self._gather = gather.total_seconds()
        self._jobs: queue.SimpleQueue[Job[object] | None] = queue.SimpleQueue()
        self.in_hand = InHand()
        self._in_work: Sequence[Job[object]] = ()
        self._rehearsing = asyncio.Lock()
        self.reserve = Reserve(path.with_name(RESERVE_NAME), reserve_bytes)
        self._stand_in: StandIn | None = None
        try:
            self._connection = open_for_writing(path, self.reserve, say)
        except NoRoomError as error:
            from hub.store.standing_in import StandIn  # on a full card only: it costs memory

            self._stand_in = StandIn(path, self.reserve, error)
            self._connection = self._stand_in.connection
        self._know()
        self._thread = threading.Thread(target=self._run, name="store-writer")
        self._loop = asyncio.get_running_loop()
        self._failed: asyncio.Future[None] = self._loop.create_future()
        self.outbox_changed = asyncio.Event()
        self.opened = asyncio.Event()
        """Set as soon as the database itself is in use: not before the card has had room for it."""
        if self._stand_in is None:
            self.opened.set()

    def _know(self) -> None:
        """Learn what the database has."""
        self._schema = [
            sql
            for (sql,) in self._connection.execute(
                "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
            )
        ]
        self._recent = Recent(self._connection, lasting=self._stand_in is not None)
        self._numbers = Numbers.of(self._connection)

    async def __aenter__(self) -> Self:
        self._thread.start()
        self.outbox_changed.set()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()

    @property
    def is_stalled(self) -> bool:
        """Whether the card keeps a transaction without a word (`in_hand.py`)."""
        return self.in_hand.stalled is not None

    async def watch_card(self, on_stall: Callable[[NotCommittedError, Sequence[str]], object]) -> None:
        """While the card keeps a transaction without a word, refuse what waits behind it; until cancelled.

        `on_stall` is told of each such transaction, with its urgent events so far, and again with those that
        come: they may be on the card, or not. What it was caught in the midst of, a rehearsal tells.
        """
        last: Sequence[str] | None = None
        told = set[str]()
        while True:
            progress.turn()
            await asyncio.sleep(_LOOKS_EVERY)
            stalled = self.in_hand.stalled
            if stalled is not None:
                if stalled is not last:
                    told.clear()
                new = tuple(event for event in tuple(stalled) if event not in told)
                if stalled is not last or new:
                    on_stall(self._stall(), new)
                told.update(new)
                self._refuse_waiting()
            last = stalled

    def _stall(self) -> NotCommittedError:
        words = "nothing was stored: the card does not come back."
        return NotCommittedError(self._path, words, "stalled")

    def _refuse_waiting(self) -> None:
        with suppress(queue.Empty):
            while (job := self._jobs.get_nowait()) is not None:
                job.error = self._stall()
                job.settle()
            self._jobs.put(None)  # to end, as soon as the card has come back

    async def failed(self) -> None:
        """Wait for what nobody foresaw, and raise it: the writer has ended, and nothing more is committed."""
        await asyncio.shield(self._failed)

    async def write(
        self, work: Callable[[Transaction], Result], *, urgent: bool = False, rehearsable: bool = False
    ) -> Result:
        """Run `work` on the writer's thread; return its result once it is committed and synced.

        It is committed at once where it is `urgent`, or says so itself (`Transaction.urgent`), else
        together with what comes in the rest of `gather`. Cancelling the caller does not undo the work:
        it may have been committed already. Where it is `rehearsable` and the card stalls in the midst of it,
        it may be done once more in another thread meanwhile, beside the card.

        Raises:
            NotCommittedError: the database could not commit; nothing of it is stored.
            Exception: whatever `work` raised; nothing of it is stored.
        """
        if self.is_stalled:
            raise self._stall()
        job: Job[Result] = Job(work, self._loop, urgent, rehearsable=rehearsable)
        self._jobs.put(job)  # type: ignore[arg-type]  # a queue of jobs of any result
        return await job.future

    async def rehearse(self, work: Callable[[Transaction], object]) -> Sequence[str]:
        """Run `work`, undo it, and return the urgent events that it would have told.

        So what is worth telling is known though the card takes nothing. Where it cannot even be read, or
        stalls, it is rehearsed beside it (`beside.py`), one at a time: each has a thread, and many may wait.

        Raises:
            NotCommittedError: not even that could be done.
        """

        def play(transaction: Transaction) -> None:
            before = len(transaction.urgently_told)
            try:
                work(transaction)
            except Exception as error:  # whatever it is, it is said where it is done in earnest
                if is_fault_of_database(error):
                    raise  # then it is rehearsed beside the card
            raise Rehearsed(transaction.urgently_told[before:])

        while True:
            job: Job[None] = Job(play, self._loop, urgent=True, rehearsal=True)
            stalled = self.is_stalled
            if stalled:
                async with self._rehearsing:
                    if not await in_thread(partial(self._rehearse_meanwhile, job)):
                        continue
                job.settle()
            else:
                self._jobs.put(job)  # type: ignore[arg-type]  # a queue of jobs of any result
            try:
                await job.future
            except Rehearsed as rehearsed:
                return rehearsed.events
            except NotCommittedError as error:
                if stalled or error.trouble != "stalled":
                    raise
            else:
                return ()

    def _run(self) -> None:
        try:
            self._take_all()
        except BaseException as error:  # noqa: BLE001  # raised by `failed`: it must not end unseen
            self._loop.call_soon_threadsafe(self._failed.set_exception, error)

    def _take_all(self) -> None:
        committed_at = -self._gather
        ended = False
        while not ended and (first := self._jobs.get()) is not None:
            with self.in_hand.mine:
                jobs, ended, grew = self._take(first, committed_at + self._gather)
            committed_at = monotonic()
            self._loop.call_soon_threadsafe(self._settle, jobs, grew)

    def _take(self, first: Job[object], until: float) -> tuple[list[Job[object]], bool, bool]:
        """Run and commit a job and those that come after it.

        Returns the jobs, whether the writer is to end, and whether the outbox has grown.
        """
        jobs, ended, urgent = [first], False, False
        with self.in_hand.transaction():
            self._look_at_card()
        transaction = Transaction(self._connection, self._recent, self._numbers)
        try:
            with self._committing(transaction, jobs):
                worked = self._timed(first, transaction)
                while not ended and len(jobs) < _MOST_IN_ONE_COMMIT and worked < _LONGEST_IN_ONE_COMMIT:
                    urgent = urgent or transaction.urgent or jobs[-1].urgent
                    try:
                        job = self._next(0.0 if urgent else until - monotonic())
                    except queue.Empty:
                        break
                    if job is None:
                        ended = True
                    else:
                        jobs.append(job)
                        worked += self._timed(job, transaction)
        except Exception as error:  # noqa: BLE001  # whatever is wrong with one row, each job gets its answer
            return jobs, ended, self._take_singly(jobs, transaction, error)
        self._recent.settled()
        return jobs, ended, transaction.outbox_grew

    def _look_at_card(self) -> None:
        """Go over to the database itself, once the card has room for it."""
        if self._stand_in is not None and (card := self._stand_in.card()) is not None:
            self._connection, self._stand_in = card, None
            self._know()
            self._loop.call_soon_threadsafe(self.opened.set)
            self._loop.call_soon_threadsafe(self.outbox_changed.set)

    @contextmanager
    def _committing(self, transaction: Transaction, jobs: Sequence[Job[object]]) -> Iterator[None]:
        """Around what these jobs do in a transaction, from its beginning to its commit."""
        with self.in_hand.transaction(transaction.urgently_told):
            self._in_work = jobs
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                changes = self._connection.total_changes
                yield
                transaction.finish()
                if self._stand_in is not None and self._connection.total_changes != changes:
                    raise self._stand_in.refuse()
                with self.in_hand.over_to_the_card():
                    self._connection.execute("COMMIT")
            finally:
                self._in_work = ()

    def _next(self, wait: float) -> Job[object] | None:
        """The job that comes next within so many seconds; None: to end. Raises `queue.Empty`."""
        if wait <= 0:
            return self._jobs.get_nowait()
        with self.in_hand.waiting_for_company():
            return self._jobs.get(timeout=wait)

    def _timed(self, job: Job[object], transaction: Transaction) -> float:
        """Run a job; return how many seconds it took."""
        begun = monotonic()
        job.run(transaction)
        return monotonic() - begun

    def _take_singly(self, jobs: Sequence[Job[object]], failed: Transaction, error: Exception) -> bool:
        """After a commit that failed: each gets its own, and its answer; one alone may be at fault.

        Where it is the card's fault, the reserve is given up; if there is none, only what is urgent is tried.
        """
        self._undo(failed)
        trouble = trouble_of_card(error)
        with self.in_hand.transaction():
            room = trouble is not None and self.reserve.give_up()
        if room:
            _log.error("%s: the card is full; the room that was held back is given up", self._path)
        hopeless = trouble is not None and not room
        grew = False
        for job in jobs:
            job.ended = False
        for number, job in enumerate(jobs):
            if job.rehearsal and not room:
                if job.error is None:  # else it was done, and only its undoing could not be committed
                    self._rehearse_beside(job)
                continue
            if (len(jobs) == 1 and not room) or (hopeless and not job.urgent):
                job.error = self._answer_to(error)
                continue
            transaction = Transaction(self._connection, self._recent, self._numbers)
            try:
                with self._committing(transaction, jobs[number:]):
                    job.run(transaction)
            except Exception as its_error:  # noqa: BLE001  # as above
                self._undo(transaction)
                job.error = self._answer_to(its_error)
                if job.rehearsal:
                    self._rehearse_beside(job)
            else:
                self._recent.settled()
                grew = grew or transaction.outbox_grew
        return grew

    def _answer_to(self, error: Exception) -> Exception:
        """What a piece of work is told: its own fault as it is, the database's as what it means."""
        if not is_fault_of_database(error):
            return error
        return NotCommittedError(self._path, f"nothing was stored: {error}", trouble_of_card(error))

    def _rehearse_meanwhile(self, job: Job[None]) -> bool:
        """Rehearse while the writer's thread waits for the card; False where it goes on, and may be asked."""
        with closing(in_memory(self._schema)) as memory:
            if self.in_hand.mine.acquire(blocking=False):
                try:
                    # Not with the writer's connection, which has the commit in hand.
                    with self._recent.beside(memory):
                        self._rehearse_in(
                            memory, job, self._recent if self._recent.loaded else Recent(memory)
                        )
                finally:
                    self.in_hand.mine.release()
            elif self.is_stalled:
                self._rehearse_in(memory, job, Recent(memory), [*self._in_work])
            else:
                return False
        return True

    def _rehearse_beside(self, job: Job[object]) -> None:
        """Rehearse on the writer's own thread, of a card that cannot be asked."""
        with closing(in_memory(self._schema)) as memory:
            if not self._recent.loaded:
                with suppress(sqlite3.Error):
                    self._recent.newest_set("")
            self._rehearse_in(memory, job, self._recent if self._recent.loaded else Recent(memory))

    def _rehearse_in(
        self, memory: sqlite3.Connection, job: Job[Any], recent: Recent, in_work: Sequence[Job[object]] = ()
    ) -> None:
        rehearse_in(memory, job, recent, self._numbers.open_alerts, self._path, in_work)

    def _undo(self, transaction: Transaction) -> None:
        if self._connection.in_transaction:
            # A failing card: then it is undone before the next one.
            with self.in_hand.transaction(), suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
        transaction.undo_all()

    def _settle(self, jobs: Sequence[Job[object]], outbox_grew: bool) -> None:
        if outbox_grew:
            self.outbox_changed.set()
        for job in jobs:
            job.settle()
