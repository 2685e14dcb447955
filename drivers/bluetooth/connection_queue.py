"""Who is connected to next: one connection is made at a time, and whoever is about to leave goes first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from time import monotonic

_LONGEST_PRECEDENCE = 20.0  # seconds


class ConnectionQueue:
    """One turn at a time. A cuff switches itself off a minute after its measurement, and a heart strap sends
    for hours: the cuff goes first, but what has waited for 20 s gives way to nobody any more."""

    def __init__(self) -> None:
        self._busy = False
        self._arrivals = count()
        self._waiting: dict[int, tuple[bool, float, asyncio.Future[None]]] = {}

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @asynccontextmanager
    async def turn(self, *, leaves_soon: bool) -> AsyncIterator[None]:
        """Wait for the turn of a sensor that leaves soon, or of one that has time, and hold it."""
        if self._busy or self._waiting:
            await self._wait(leaves_soon)
        self._busy = True
        try:
            yield
        finally:
            self._busy = False
            self._call_next()

    async def _wait(self, leaves_soon: bool) -> None:
        arrival = next(self._arrivals)
        called = asyncio.get_running_loop().create_future()
        self._waiting[arrival] = leaves_soon, monotonic(), called
        try:
            await called
        except asyncio.CancelledError:
            if called.done() and not called.cancelled():  # it was called in the moment in which it left
                self._busy = False
                self._waiting.pop(arrival, None)
                self._call_next()
            raise
        finally:
            self._waiting.pop(arrival, None)

    def _call_next(self) -> None:
        """The turn passes at once, so that nobody slips in between."""
        now = monotonic()
        while self._waiting and not self._busy:
            arrival = min(
                self._waiting,
                key=lambda each: (
                    not (self._waiting[each][0] or now - self._waiting[each][1] >= _LONGEST_PRECEDENCE),
                    each,
                ),
            )
            _, _, called = self._waiting.pop(arrival)
            if not called.done():  # or it was cancelled in this very moment, and would never give the turn back
                self._busy = True
                called.set_result(None)
