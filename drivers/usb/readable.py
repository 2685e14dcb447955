"""Waiting for a descriptor, without a thread."""

from __future__ import annotations

import asyncio


async def readable(descriptor: int) -> None:
    """Return when there is something to read, or an error to be had.

    The loop looks at the descriptor only meanwhile: whoever is slow to read does not keep it awake.
    """
    loop = asyncio.get_running_loop()
    happened = asyncio.Event()
    loop.add_reader(descriptor, happened.set)
    try:
        await happened.wait()
    finally:
        loop.remove_reader(descriptor)
