"""Once a second the ladders of all open alerts are climbed; what somebody said of one is recorded first."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic

from hub.alerts.acknowledgements import KeptAcknowledgements
from hub.alerts.beacon import Beacon, calling
from hub.alerts.commands import Commands
from hub.assessment.news2 import Band
from hub.clock import now
from hub.running import progress
from hub.store.errors import NotCommittedError
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.uplink.unkept import WithUnkept

_log = logging.getLogger(__name__)
_SECONDS = 1.0


class Ladders:
    """Calls whoever is next to be called for an alert that nobody has taken, also while the card is full."""

    def __init__(
        self,
        writer: Writer,
        commands: Commands,
        kept: KeptAcknowledgements,
        outbox: WithUnkept,
        beacon: Beacon,
    ) -> None:
        self._writer = writer
        self._commands = commands
        self._kept = kept
        self._outbox = outbox
        self._beacon = beacon

    async def run(self) -> None:
        """Look once a second, until cancelled."""
        while True:
            progress.turn()
            await asyncio.sleep(_SECONDS)
            try:
                acknowledged, climbed, waiting = await self._writer.write(self._climb)
            except NotCommittedError:
                with suppress(NotCommittedError):
                    self._outbox.tell(await self._writer.rehearse(self._climb))
                continue
            self._kept.forget(acknowledged)
            self._beacon.card_has(waiting)
            if climbed:
                _log.warning("%d alert(s) without acknowledgement climbed the ladder", climbed)

    def _climb(self, transaction: Transaction) -> tuple[Sequence[uuid.UUID], int, Band | None]:
        """Together: who has acknowledged an alert must not be passed over, now that the card has it."""
        acknowledged = self._kept.record(transaction)
        climbed = self._commands.escalate(transaction, now(), monotonic())
        return acknowledged, climbed, calling(transaction.open_alerts())
