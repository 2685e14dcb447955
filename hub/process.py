"""The daemon as a process: how it is set up, and how it ends."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

from hub.configuration.file import Config
from hub.daemon import running
from hub.running.memory import share_memory

_log = logging.getLogger(__name__)
_SWITCH_SECONDS = 0.0005


def main(config: Config) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        CareportError: the hub cannot even begin: the configuration or the database cannot be used.
    """
    # Each call of SQLite lets go of the interpreter, and the writer would wait 5 ms to have it back from a
    # busy event loop, twenty times a commit.
    sys.setswitchinterval(_SWITCH_SECONDS)
    share_memory()
    asyncio.run(_until_stopped(config))


async def _until_stopped(config: Config) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    os.umask(0o077)  # what it writes is about people's health
    async with running(config) as hub:
        ended = asyncio.ensure_future(hub.run())
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait([ended, stopped], return_when=asyncio.FIRST_COMPLETED)
        _log.info("stopping")
        hub.service_manager.stopping()
        stopped.cancel()
        ended.cancel()
        await asyncio.wait([ended, stopped])
        if not ended.cancelled() and (fault := ended.exception()) is not None:
            raise fault
