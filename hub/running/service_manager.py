"""Tells systemd that the daemon is ready, and that it is alive: only while it really gets on.

Needs systemd-python (`pip install 'carehub[systemd]'`, built against libsystemd) and only matters when
systemd started the daemon, which it says through NOTIFY_SOCKET.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

_LOOKS_EVERY_SECONDS = 10.0
_AT_WORK_SECONDS = 1.0
_STILL_SECONDS = 300
_COMPUTES_MOST_SECONDS = 600.0
"""Of the processor, between two blocks: a database that is checked in memory takes less, however large."""
_log = logging.getLogger(__name__)


class ServiceManager:
    """The notification socket of systemd, or nothing where there is none."""

    def __init__(self) -> None:
        self._notify: Callable[[str], object] | None = None
        self._ready = threading.Event()
        if "NOTIFY_SOCKET" not in os.environ:
            return
        try:
            from systemd.daemon import notify
        except ImportError:
            _log.error(
                "systemd started this hub, but systemd-python is not installed, so it cannot be told READY: "
                "a unit of Type=notify will be stopped. Install it: pip install 'carehub[systemd]'"
            )
        else:
            self._notify = notify

    @contextmanager
    def starting(self) -> Iterator[Callable[[str], None]]:
        """Around a start that may take long; gives what says, for `systemctl status`, what is being done.

        While the process gets on (it reads or writes blocks, or computes), systemd is told every 10 s to wait
        for another 5 min, until `ready`: a database may be large, and its card slow. What computes for 10 min
        and asks for no block goes round in circles.

        From a thread: the event loop does nothing else meanwhile.
        """

        def keep_asking() -> None:
            before = read = _work_done()
            while not self._ready.wait(_LOOKS_EVERY_SECONDS):
                done = _work_done()
                if done[0] != read[0]:
                    read = done
                computes = done[1] - before[1] > _AT_WORK_SECONDS
                if done is read or (computes and done[1] - read[1] <= _COMPUTES_MOST_SECONDS):
                    before = done
                    self._send(f"EXTEND_TIMEOUT_USEC={_STILL_SECONDS * 1_000_000}")

        if self._notify is not None:
            threading.Thread(target=keep_asking, daemon=True, name="starting").start()
        try:
            yield lambda words: self._send(f"STATUS=starting: {words}")
        finally:
            self._ready.set()

    def ready(self, status: str) -> None:
        """The daemon serves; `status` is the line that `systemctl status` shows."""
        self._ready.set()
        self._send(f"READY=1\nSTATUS={status}")

    def stopping(self) -> None:
        """The daemon is about to end in good order."""
        self._send("STOPPING=1")

    async def keep_watchdog_fed(self, progress: Callable[[], Awaitable[None]]) -> None:
        """Ping the watchdog four times in its time, each time only after `progress` has returned.

        Returns at once where systemd set no watchdog. If `progress` hangs, so do the pings, and
        systemd restarts the daemon.
        """
        microseconds = os.environ.get("WATCHDOG_USEC", "")
        if self._notify is None or not microseconds.isdigit():
            return
        while True:
            await progress()
            self._send("WATCHDOG=1")
            await asyncio.sleep(int(microseconds) / 4_000_000)

    def _send(self, message: str) -> None:
        if self._notify is not None:
            self._notify(message)


def _work_done() -> tuple[int, float]:
    """Blocks that this process has read and written, and seconds that it has computed."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_inblock + used.ru_oublock, used.ru_utime + used.ru_stime
