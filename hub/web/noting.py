"""Has the daemon note in the trail who signed in, who was refused, who was locked out.

Nobody waits for it: somebody must be able to look at the page while the daemon does not run. What could not
be noted is noted when it runs again, with the time when it happened; after 500 of them the oldest are let go,
which is logged.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from datetime import datetime
from typing import Literal

from hub.clock import now
from hub.web.asking import Asking, RefusedError, SilentHubError

What = Literal["signed in", "signed out", "refused", "locked out", "unlocked"]
_log = logging.getLogger(__name__)
_MOST = 500
_AGAIN_AFTER_SECONDS = 5.0


class Noting:
    """What is to be noted, told to the daemon in its order by `run`."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._waiting: deque[tuple[What, str | None, str | None, datetime]] = deque()
        self._more = asyncio.Event()

    def note(self, what: What, name: str | None, by: str | None = None) -> None:
        """Have it noted. `name` is None where nobody of that name may sign in: what was typed may be a PIN.
        `by` is who did it, where that is somebody else."""
        if len(self._waiting) >= _MOST:
            self._waiting.popleft()
            _log.error("the hub does not answer: who signed in is not in the trail any more, one entry")
        self._waiting.append((what, name, by, now()))
        self._more.set()

    async def run(self) -> None:
        """Tell the daemon, until cancelled."""
        while True:
            await self._more.wait()
            while self._waiting:
                what, name, by, at = self._waiting[0]
                try:
                    await self._asking.ask("note_sign_in", what=what, name=name, at=at.isoformat(), by=by)
                except SilentHubError:
                    await asyncio.sleep(_AGAIN_AFTER_SECONDS)
                    continue
                except RefusedError as error:
                    _log.error("%r is not in the trail: %s", what, error)
                self._waiting.popleft()
            self._more.clear()
