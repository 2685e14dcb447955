"""What was received and not yet handed over: a queue between a callback that must not wait and the hub."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from hub.readings import RawPayload
from hub.running.patience import within

logger = logging.getLogger(__name__)


class HandingOver:
    """Hands payloads over in the order of their arrival, one at a time, for as long as `run_beside` runs.

    A payload leaves the queue when `deliver` has returned. Where `deliver` raises, `run_beside` ends with its
    error, and the payload is delivered again if it is called again.
    """

    def __init__(self, deliver: Callable[[RawPayload], Awaitable[None]], *, limit: int = 10_000) -> None:
        """`limit` is how many payloads may wait; those beyond are lost, and counted."""
        self._deliver = deliver
        self._limit = limit
        self._queue: deque[RawPayload] = deque()
        self._arrived = asyncio.Event()
        self.lost = 0
        self.handed_over = 0

    @property
    def waiting(self) -> int:
        """How many payloads were received and are not handed over."""
        return len(self._queue)

    def receive(self, payload: RawPayload) -> None:
        """Take a payload; does not wait."""
        if len(self._queue) >= self._limit:
            self.lost += 1
            if self.lost == 1 or self.lost % 1000 == 0:
                logger.error(
                    "%d payload(s) lost: %d wait to be stored, and the queue is full; is the disk full?",
                    self.lost,
                    self._limit,
                )
            return
        self._queue.append(payload)
        self._arrived.set()

    async def run_beside(
        self, collecting: Coroutine[Any, Any, None], name: str, *, drain_seconds: float
    ) -> None:
        """Run a collector, and hand over what it brings, until cancelled.

        Then the collector is ended first, which may take as long as the hub is given to stop, and what it
        still brings is handed over; at the end what waits has `drain_seconds`.

        Raises:
            ExceptionGroup: either has failed, or the collector has ended by itself.
        """
        tasks = (
            asyncio.create_task(collecting, name=f"{name}: keep collecting"),
            asyncio.create_task(self._run(), name=f"{name}: hand over payloads"),
        )
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await _end(tasks)
            await self._drain(drain_seconds)
            raise
        raise ExceptionGroup(f"unhandled errors in {name}", await _end(tasks))

    async def _run(self) -> None:
        while True:
            await self._deliver_all()
            await self._arrived.wait()

    async def _drain(self, seconds: float) -> None:
        try:
            await within(seconds, self._deliver_all())
        except TimeoutError:
            # That time was up says it all: a traceback would say no more.
            logger.error("stopping with %d payload(s) not stored", len(self._queue))  # noqa: TRY400
        except Exception:  # nothing may keep it from stopping
            logger.exception("stopping with %d payload(s) not stored", len(self._queue))

    async def _deliver_all(self) -> None:
        self._arrived.clear()
        while self._queue:
            await self._deliver(self._queue[0])
            self._queue.popleft()
            self.handed_over += 1


async def _end(tasks: Sequence[asyncio.Task[None]]) -> list[Exception]:
    """End them one after the other; with what errors they ended."""
    for task in tasks:
        task.cancel()
        await asyncio.wait((task,))
    failures = [task.exception() for task in tasks if not task.cancelled()]
    return [each for each in failures if isinstance(each, Exception)]
