"""Waiting no longer than so long, also while stopping."""

from __future__ import annotations

import asyncio
import threading
from asyncio import Task
from collections.abc import Callable, Coroutine
from contextlib import suppress
from time import monotonic
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")
_TO_GIVE_UP = 1.0  # seconds that cancelled work has to end in


async def within(seconds: float, work: Coroutine[Any, Any, Result]) -> Result:
    """Do the work, or cancel it after so many seconds.

    For what is done on the way out, in a task that is itself being cancelled: `asyncio.timeout` of
    Python 3.11.2, which Debian 12 and Raspberry Pi OS have, then lets the cancellation out instead of
    its TimeoutError, and all that should follow is left undone.

    Raises:
        TimeoutError: the time was over.
    """
    task = asyncio.create_task(work)
    try:
        done, _ = await asyncio.wait([task], timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not done:
        task.cancel()
        await asyncio.wait([task], timeout=_TO_GIVE_UP)
        raise TimeoutError
    return task.result()


async def in_thread(work: Callable[[], Result]) -> Result:
    """What a function that blocks returns, or raises.

    The thread is a daemon: one that hangs (a name server that does not answer, a bus or a card that is stuck)
    is left behind, and does not keep the process from ending, as one of asyncio's own would.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001  # it is raised where it is waited for
            settle(error, None)
        else:
            settle(None, result)

    def settle(error: Exception | None, result: Any) -> None:
        def tell() -> None:
            if done.done():
                return
            if error is None:
                done.set_result(result)
            else:
                done.set_exception(error)

        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell)

    threading.Thread(target=run, daemon=True, name="work that may hang").start()
    return await done


class OneAtATime(Generic[Result]):
    """What one task asks of the card now and then, in a thread: while that hangs no other is begun."""

    def __init__(self) -> None:
        """Nothing was asked yet."""
        self._asked: Task[Result] | None = None
        self._begun = 0.0  # monotonic seconds

    @property
    def is_under_way(self) -> bool:
        """Whether what was asked last has not come back."""
        return self._asked is not None and not self._asked.done()

    async def ask(self, work: Callable[[], Result], within_seconds: float) -> Result:
        """What a function that blocks returns, or raises; or

        Raises:
            TimeoutError: it has not come back so many seconds after it was begun, or the one before has not.
        """
        if self._asked is not None:
            await self._back(self._asked, within_seconds)  # whoever waited for it may have been cancelled
        self._begun = monotonic()
        asked = self._asked = asyncio.create_task(in_thread(work))
        await self._back(asked, within_seconds)
        return asked.result()

    async def _back(self, asked: Task[Result], within_seconds: float) -> None:
        left = max(0.0, self._begun + within_seconds - monotonic())
        done, _ = await asyncio.wait([asked], timeout=left)
        if not done:
            raise TimeoutError
        asked.exception()  # of one that nobody waits for it is not said
