"""From a raw payload to a committed reading: decode, hand to the intake, try again while the card is full."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from drivers.catalogue import UnknownDriverError, driver
from drivers.driver import problem_reading
from hub.intake import Intake, Taken
from hub.readings import RawPayload, Reading
from hub.store.errors import NotCommittedError
from hub.store.transaction import Transaction
from hub.store.writer import Writer

Result = TypeVar("Result")
_log = logging.getLogger(__name__)


class Reception:
    """Where every source hands in what it has received; what returns from here is on the card."""

    def __init__(self, writer: Writer, intake: Intake, *, retry_seconds: float = 1.0) -> None:
        self._writer = writer
        self._intake = intake
        self._retry_seconds = retry_seconds
        self._card_fails = False

    async def accept(self, raw: RawPayload) -> None:
        """Decode and commit a payload; one that cannot be decoded is kept with the reason.

        Returns when it is committed, however long the card takes: the sender waits, not the reading.
        """
        try:
            reading = driver(raw.driver).read(raw)
        except UnknownDriverError as error:
            reading = problem_reading(raw, str(error))
        if reading.problem is not None:
            _log.warning("%s (%s): payload not decoded: %s", raw.device, raw.driver, reading.problem)
        await self.accept_reading(reading)

    async def accept_reading(self, reading: Reading, resident: str | None = None) -> Taken:
        """Commit a reading and all it causes; `resident` where a person said whose it is.

        Raises:
            CareportError: only where a person said whose it is: there is no such resident.
        """
        try:
            return await self._commit(lambda transaction: self._intake.take(transaction, reading, resident))
        except Exception:
            if resident is not None:
                raise
            _log.exception(
                "%s (%s): a reading could not be assessed and is kept unassigned; please report this",
                reading.raw.device,
                reading.raw.driver,
            )
        problem = "could not be assessed; see the log"
        await self._commit(lambda transaction: self._intake.keep(transaction, reading, problem))
        return Taken()

    async def _commit(self, work: Callable[[Transaction], Result]) -> Result:
        while True:
            try:
                result = await self._writer.write(work)
            except NotCommittedError as error:
                if not self._card_fails:
                    _log.error("%s Readings wait in memory and are tried again each second.", error)
                    self._card_fails = True
                await asyncio.sleep(self._retry_seconds)
            else:
                if self._card_fails:
                    _log.warning("The database can be written again; nothing that waited was lost.")
                    self._card_fails = False
                return result
