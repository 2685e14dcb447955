"""What a piece of work would tell, found out beside a card that cannot be asked: in a database in memory.

It has nothing but the alerts that were open when that was last looked for. What was measured of late comes
from what the writer remembers (`recent.py`), where that is whole: not where the writer is caught in the midst
of its work.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from hub.store.errors import NotCommittedError
from hub.store.jobs import Job, Rehearsed
from hub.store.numbers import Numbers
from hub.store.recent import Recent
from hub.store.rows import AlertRow
from hub.store.transaction import Transaction


def in_memory(schema: Iterable[str]) -> sqlite3.Connection:
    """A database with these tables, for one rehearsal; to be closed, and for the thread that asks for it."""
    memory = sqlite3.connect(":memory:", isolation_level=None)
    for statement in schema:
        memory.execute(statement)
    return memory


def rehearse_in(
    memory: sqlite3.Connection,
    job: Job[object],
    recent: Recent,
    open_alerts: Sequence[AlertRow],
    path: Path,
    in_work: Iterable[Job[object]] = (),
) -> None:
    """Rehearse a job in memory alone, so that its `error` is what comes of that; all is undone.

    Args:
        in_work: what the card keeps, and what is remembered does not have, is done before it. What that tells
            is told with it, but for a job that has ended: its events are known.
        path: of the database that cannot be asked.
    """
    told: list[str] = []
    transaction = Transaction(memory, recent, Numbers.of(memory))
    try:
        memory.execute("BEGIN")
        for alert in open_alerts:
            transaction.add_alert(alert)
        for each in in_work:
            if each.rehearsable:
                before = len(transaction.urgently_told)
                transaction.do_alone(each.work)
                if not each.ended:
                    told += transaction.urgently_told[before:]
        job.run(transaction)
        if isinstance(job.error, Rehearsed):
            job.error.events = [*told, *job.error.events]
    except Exception as error:  # noqa: BLE001  # a row of the work itself may be at fault
        words = f"nothing could be rehearsed: {type(error).__name__}"
        by_then = [*transaction.urgently_told]
        job.error = Rehearsed(by_then) if by_then else NotCommittedError(path, words)
    transaction.undo_all()
