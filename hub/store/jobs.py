"""A piece of work for the writer, and who waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from hub.store.transaction import Transaction

Result = TypeVar("Result")
Work = Callable[[Transaction], object]


class Rehearsed(Exception):  # noqa: N818  # no error: it undoes the work and carries what it told
    """What a rehearsal ends with."""

    def __init__(self, events: Sequence[str]) -> None:
        super().__init__()
        self.events = events


class Job(Generic[Result]):
    """A piece of work, and the future of the task that waits for its commit."""

    def __init__(
        self,
        work: Callable[[Transaction], Result],
        loop: asyncio.AbstractEventLoop,
        urgent: bool,
        *,
        rehearsal: bool = False,
        rehearsable: bool = False,
    ) -> None:
        """`rehearsal` where it is one; `rehearsable` where it may be rehearsed while it is being done."""
        self.work = work
        self.rehearsal = rehearsal
        self.rehearsable = rehearsable
        self.ended = False
        """Whether the work was done, or undone as its own fault, in the transaction that is open."""
        self.urgent = urgent
        self.future: asyncio.Future[Result] = loop.create_future()
        self.result: Result
        self.error: Exception | None = None

    def run(self, transaction: Transaction) -> None:
        """Do the work as a piece of the transaction.

        A fault of the card is raised on: it ends the whole transaction. Any other is this job's own, is
        undone, and travels to whoever asked.
        """
        self.error, self.ended = None, False
        self.error = transaction.do_alone(self._do)
        self.ended = True

    def _do(self, transaction: Transaction) -> None:
        self.result = self.work(transaction)
        self.urgent = self.urgent or transaction.urgent

    def settle(self) -> None:
        """Tell the waiting task; on the event loop's thread."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)
