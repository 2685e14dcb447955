"""Who restarts whom: a part of the daemon that fails is started again, and the others go on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from hub.errors import CareportError
from hub.running.journal import about

_log = logging.getLogger(__name__)


async def keep_running(
    name: str, run: Callable[[], Awaitable[None]], *, least: float = 1.0, most: float = 60.0
) -> None:
    """Run a part of the daemon for ever; after a failure wait and run it again.

    Args:
        name: what the log calls it.
        run: the part; returning normally means that it has nothing (more) to do.
        least: seconds to wait after the first failure; doubles with each that follows soon.
        most: seconds to wait at most; a run that lasted longer than this starts the count anew.
    """
    loop = asyncio.get_running_loop()
    wait = least
    while True:
        started = loop.time()
        try:
            with about(stage=name):
                await run()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # What it waited for was cancelled, and not this: a task group would let it go for good.
            _log.exception("%s was cancelled from within; please report this", name)
        except CareportError as error:
            _log.error("%s: %s", name, error)
        except Exception:  # noqa: BLE001  # the supervisor is where an unforeseen fault must end
            _log.exception("%s failed in a way that nobody foresaw; please report this", name)
        else:
            return
        wait = least if loop.time() - started > most else wait
        _log.warning("%s: starting again in %g s", name, wait)
        await asyncio.sleep(wait)
        wait = min(most, wait * 2)
