"""Tells systemd that the daemon is ready, and that it is alive: only while it really gets on.

Needs systemd-python (`pip install 'carehub[systemd]'`, built against libsystemd) and only matters when
systemd started the daemon, which it says through NOTIFY_SOCKET.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)


class ServiceManager:
    """The notification socket of systemd, or nothing where there is none."""

    def __init__(self) -> None:
        self._notify: Callable[[str], object] | None = None
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

    def ready(self, status: str) -> None:
        """The daemon serves; `status` is the line that `systemctl status` shows."""
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
