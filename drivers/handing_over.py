"""What was received and not yet handed over: a queue between a callback that must not wait and the hub."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from hub.patience import within
from hub.readings import RawPayload

logger = logging.getLogger(__name__)


class HandingOver:
    """Hands payloads over in the order of their arrival, one at a time, for as long as `run` runs.

    A payload leaves the queue when `deliver` has returned. Where `deliver` raises, `run` ends with its error,
    and the payload is delivered again if `run` is called again.
    """

    def __init__(self, deliver: Callable[[RawPayload], Awaitable[None]], *, limit: int = 10_000) -> None:
        """`limit` is how many payloads may wait; those beyond are lost, and counted."""
        self._deliver = deliver
        self._limit = limit
        self._queue: deque[RawPayload] = deque()
        self._arrived = asyncio.Event()
        self.lost = 0

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

    async def run(self) -> None:
        """Hand over until cancelled."""
        while True:
            await self._deliver_all()
            await self._arrived.wait()

    async def drain(self, seconds: float) -> None:
        """At the end: hand over what still waits, for so long at the most. Raises no error of it."""
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
