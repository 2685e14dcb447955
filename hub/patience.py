"""Waiting no longer than so long, also while stopping."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

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
