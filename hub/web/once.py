"""What is sent twice is done once: a thumb that taps twice must not enter two observations."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Done = TypeVar("Done")


class Once(Generic[Done]):
    """Does each piece of work once, by its key; whoever sends it again gets what came of the first.

    What fails may be tried again. Only so many are remembered; a key must be one that nobody guesses. For the
    event loop alone.
    """

    def __init__(self, most: int = 1_000) -> None:
        self._most = most
        self._begun: OrderedDict[tuple[str, str], asyncio.Task[Done]] = OrderedDict()

    async def do(self, who: str, key: str, work: Callable[[], Awaitable[Done]]) -> Done:
        """What comes of the work, done now or before; without a key it is done each time.

        Whoever asked may hang up meanwhile: it is done to its end all the same.
        """
        if not key:
            return await work()
        found = self._begun.get((who, key))
        if found is None:
            found = asyncio.ensure_future(_whole(work))
            self._begun[who, key] = found
            while len(self._begun) > self._most:
                self._begun.popitem(last=False)
        try:
            return await asyncio.shield(found)
        except Exception:
            if self._begun.get((who, key)) is found:
                del self._begun[who, key]
            raise

    def forget(self, who: str, key: str) -> None:
        """Nothing came of it, for certain: sent again it is tried again."""
        self._begun.pop((who, key), None)


async def _whole(work: Callable[[], Awaitable[Done]]) -> Done:
    return await work()
