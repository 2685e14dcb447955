"""What a broker has refused for good, and what it refused of the hub itself, is tried again.

Whoever mends a broker's access list does not always have it end the connections, and a hub's may last for
months. The rows that a broker does not take for now rest (`resting.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from time import monotonic

from hub.errors import CareportError
from hub.store.outbox import Outbox
from hub.uplink.connection import Connection
from hub.uplink.errors import BrokerError
from hub.uplink.link import Link

_log = logging.getLogger(__name__)


class Again:
    """Tries again.

    Args:
        outbox: what was set aside.
        urgent: the channels of which nothing is given up.
        link: how it is, and who is told of trouble.
        least: seconds between two attempts at the outbox.
        most: seconds between two attempts at what the broker refuses.
        tell_status: has the status told anew.
    """

    def __init__(
        self,
        outbox: Outbox,
        urgent: Collection[str],
        link: Link,
        least: float,
        most: float,
        tell_status: Callable[[], None],
    ) -> None:
        self._outbox = outbox
        self._urgent = urgent
        self._link = link
        self._least = least
        self._most = most
        self._tell_status = tell_status
        self._reclaim_due = 0.0  # monotonic seconds

    async def run(self, connection: Connection) -> None:
        """Do so on this connection, until cancelled; that it is lost is for others to see."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._reclaim())
            tasks.create_task(self._ask(connection))

    async def _ask(self, connection: Connection) -> None:
        """For the subscriptions that it refused, and have the status told that it did not take."""
        while True:
            await asyncio.sleep(self._most)
            if self._link.status().status_refused is not None:
                self._tell_status()
            if connection.unsubscribed:
                with suppress(BrokerError):
                    await connection.subscribe()
                    self._link.subscribed_but(connection.unsubscribed)

    async def _reclaim(self) -> None:
        """Try once more the alerts that were set aside: the broker may have been mended since.

        Once for each connection, and no sooner than `reconnect_most` after the last that there were: a
        broker may hang up at what it refuses.
        """
        await asyncio.sleep(self._reclaim_due - monotonic())
        while True:
            try:
                count = await self._outbox.reclaim(self._urgent)
            except CareportError as error:
                self._link.say(f"the outbox cannot be written: {error}")
                await asyncio.sleep(self._least)
            else:
                break
        if count:
            self._reclaim_due = monotonic() + self._most
            _log.info("%d alert(s) that a broker had refused are tried once more", count)
