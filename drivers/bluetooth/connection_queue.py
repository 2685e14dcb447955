"""Who is connected to next: one connection is made at a time, and whoever is about to leave goes first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from time import monotonic

_LONGEST_PRECEDENCE = 20.0  # seconds
_LONGEST_IN_VAIN = 120.0  # seconds


class ConnectionQueue:
    """One turn at a time. A cuff switches itself off a minute after its measurement, and a heart strap sends
    for hours: the cuff goes first, but what has waited for 20 s gives way to nobody any more. One that was
    tried in vain again and again, as it is heard and too far away, gives way to all others for two minutes:
    three of these would else take all the time that a cuff has."""

    def __init__(self) -> None:
        self._busy = False
        self._arrivals = count()
        self._waiting: dict[int, tuple[bool, float, asyncio.Future[None]]] = {}

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @asynccontextmanager
    async def turn(self, *, leaves_soon: bool, in_vain: bool = False) -> AsyncIterator[None]:
        """Wait for the turn of a sensor that leaves soon, or of one that has time, and hold it; `in_vain`
        where it was tried again and again."""
        if self._busy or self._waiting:
            gives_way_for = _LONGEST_IN_VAIN if in_vain else _LONGEST_PRECEDENCE
            await self._wait(leaves_soon and not in_vain, gives_way_for)
        self._busy = True
        try:
            yield
        finally:
            self._busy = False
            self._call_next()

    async def _wait(self, goes_first: bool, gives_way_for: float) -> None:
        arrival = next(self._arrivals)
        called = asyncio.get_running_loop().create_future()
        self._waiting[arrival] = goes_first, monotonic() + gives_way_for, called
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
                    not (self._waiting[each][0] or now >= self._waiting[each][1]),
                    each,
                ),
            )
            _, _, called = self._waiting.pop(arrival)
            if not called.done():  # else it was cancelled in this moment, and would keep the turn for ever
                self._busy = True
                called.set_result(None)
