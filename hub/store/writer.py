"""The one writer: a thread that runs pieces of work and commits many of them at once.

Group commit: while one commit is being synced to the card, the next pieces of work gather; they
then share the next commit. A piece of work that raises is undone alone (a savepoint); the others go on.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from hub.store.database import open_for_writing
from hub.store.errors import NotCommittedError
from hub.store.transaction import Transaction

Result = TypeVar("Result")
_MOST_IN_ONE_COMMIT = 500


class _Job(Generic[Result]):
    """A piece of work, and the future of the task that waits for its commit."""

    def __init__(self, work: Callable[[Transaction], Result], loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.future: asyncio.Future[Result] = loop.create_future()
        self.result: Result
        self.error: Exception | None = None

    def run(self, transaction: Transaction, connection: sqlite3.Connection) -> None:
        """Do the work inside a savepoint.

        A fault of the card (full, read-only, unreadable) is raised on: it ends the whole
        transaction. Any other is this job's own, is undone, and travels to whoever asked.
        """
        self.error = None
        connection.execute("SAVEPOINT job")
        try:
            self.result = self.work(transaction)
        except sqlite3.OperationalError:
            raise
        except Exception as error:  # noqa: BLE001  # it is re-raised where the work was asked for
            connection.execute("ROLLBACK TO job")
            self.error = error
        connection.execute("RELEASE job")

    def settle(self) -> None:
        """Tell the waiting task; on the event loop's thread."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Writer:
    """The only connection that writes. `async with Writer(path) as writer: await writer.write(work)`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._jobs: queue.SimpleQueue[_Job[object] | None] = queue.SimpleQueue()
        self._connection = open_for_writing(path)
        self._thread = threading.Thread(target=self._run, name="store-writer")
        self._loop = asyncio.get_running_loop()
        self.outbox_changed = asyncio.Event()

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

    async def write(self, work: Callable[[Transaction], Result]) -> Result:
        """Run `work` on the writer's thread; return its result once it is committed and synced.

        Cancelling the caller does not undo the work: it may have been committed already.

        Raises:
            NotCommittedError: the database could not commit; nothing of it is stored.
            Exception: whatever `work` raised; nothing of it is stored.
        """
        job: _Job[Result] = _Job(work, self._loop)
        self._jobs.put(job)  # type: ignore[arg-type]  # a queue of jobs of any result
        return await job.future

    def _run(self) -> None:
        while (first := self._jobs.get()) is not None:
            jobs, ended = [first], False
            while len(jobs) < _MOST_IN_ONE_COMMIT and not self._jobs.empty():
                job = self._jobs.get()
                if job is None:
                    ended = True
                    break
                jobs.append(job)
            outbox_changed = self._commit(jobs)
            self._loop.call_soon_threadsafe(self._settle, jobs, outbox_changed)
            if ended:
                return

    def _commit(self, jobs: list[_Job[object]]) -> bool:
        transaction = Transaction(self._connection)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                job.run(transaction, self._connection)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if len(jobs) > 1:
                # One of them alone may be at fault: each gets its own commit, and its own answer.
                grew = [self._commit([job]) for job in jobs]
                return any(grew)
            jobs[0].error = NotCommittedError(self._path, f"nothing was stored: {error}")
            return False
        return transaction.outbox_grew

    def _settle(self, jobs: list[_Job[object]], outbox_changed: bool) -> None:
        if outbox_changed:
            self.outbox_changed.set()
        for job in jobs:
            job.settle()
