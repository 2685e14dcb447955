"""What is noted of a start: which data the database holds, and that the hub started. Late, where the card
takes nothing at first."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from hub.store.delivery import waiting_events
from hub.store.errors import NotCommittedError, StoreError
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.uplink.contract import Channel

_log = logging.getLogger(__name__)
_AGAIN_SECONDS = 2.0
_TOLD_AT_ONCE = 100


class Start:
    """The start of one hub, on its database. `late` is to run for as long as the hub does."""

    def __init__(self, path: Path, writer: Writer, *, test_data: bool) -> None:
        """Nothing is noted yet."""
        self._path = path
        self._writer = writer
        self._test_data = test_data
        self._data_noted = False
        self._begin: Callable[[Transaction], None] | None = None

    async def refuse_mixed_data(self) -> None:
        """Test data must never be told as real, nor real data as a test, by the change of one key.

        Raises:
            StoreError: the database was begun with the other kind of data.
        """
        with suppress(NotCommittedError):  # of a new one that the card does not take yet
            await self._compare()

    async def _compare(self) -> None:
        said = "test data" if self._test_data else "real data"
        kept = await self._writer.write(lambda transaction: transaction.note_fact("data", said), urgent=True)
        if kept != said:
            wanted = str(self._test_data).lower()
            raise StoreError(
                self._path,
                f"holds {kept}, and site.test_data = {wanted}. Give this hub another hub.data_directory.",
            )
        self._data_noted = True

    async def note(self, begin: Callable[[Transaction], None]) -> None:
        """Have the start noted by `begin`, which is run again where the card has room for the database only
        later."""
        if not self._writer.opened.is_set():
            self._begin = begin
        try:
            await self._writer.write(begin)
        except NotCommittedError as error:
            _log.error("the start of the hub is not in the trail: %s", error)

    async def late(
        self, tell: Callable[[Sequence[str]], int], *look_again: Callable[[], Awaitable[None]]
    ) -> None:
        """Note what could not be noted, as soon as it can be.

        Args:
            tell: until then it is given the events of alerts that wait in a database for which the card has
                no room, and returns how many of them it has dealt with: the others are given to it again.
            look_again: each takes in what could not be known of that database; before the start is noted.

        Raises:
            StoreError: it turns out that the database was begun with the other kind of data.
        """
        await self._tell_until_opened(tell)
        while not self._data_noted or self._begin is not None:
            try:
                await self._compare()
                if self._begin is not None:
                    for each in look_again:
                        await each()
                    await self._writer.write(self._begin, urgent=True)
                    self._begin = None
            except NotCommittedError:
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _tell_until_opened(self, tell: Callable[[Sequence[str]], int]) -> None:
        told = 0
        while not self._writer.opened.is_set():
            with suppress(NotCommittedError):  # the card has just been opened, and fails
                told += tell(await self._writer.write(partial(_waiting_alerts, after=told), urgent=True))
            with suppress(TimeoutError):
                async with asyncio.timeout(_AGAIN_SECONDS):
                    await self._writer.opened.wait()


def _waiting_alerts(transaction: Transaction, after: int) -> Sequence[str]:
    return waiting_events(transaction.connection, Channel.ALERT, _TOLD_AT_ONCE, after)
