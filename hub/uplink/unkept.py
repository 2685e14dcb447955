"""The last resort of a card that takes nothing: alerts that could not be committed are told all the same.

They wait in memory, before all that waits on the card, and say in an extension attribute that they are not
`committed` (their data is FHIR, and stays as it is): this hub does not know of such an alert after a restart,
does not escalate it, and keeps in memory that it was acknowledged (`hub/alerts/acknowledgements.py`). Their
ids are those with which they are told again if they are committed later.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import OrderedDict
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from uuid import UUID

from hub.errors import CareportError
from hub.store.outbox import MADE_AT_ONCE, Outbox, OutboxRow
from hub.uplink.cloudevents import Event, EventError, from_json, to_json

AGAIN_AFTER = timedelta(minutes=30)
"""Of one resident and band, one raised alert in so long: the next reading would raise it anew each time."""

COMMITTED = "committed"
"""The CloudEvents extension attribute that is "false" on these events, and on no others."""

_MOST = 200
_MOST_ALERTS = 1_000
_log = logging.getLogger(__name__)


class WithUnkept:
    """An outbox with the alerts before it that are in memory alone. Implements `hub.store.outbox.Outbox`."""

    def __init__(self, card: Outbox, channel: str) -> None:
        self._card = card
        self._channel = channel
        self._rows: dict[int, OutboxRow] = {}
        self._numbers = itertools.count(-(1 << 62))  # the card's are positive
        self._told: OrderedDict[tuple[object, ...], float] = OrderedDict()
        self._alerts: OrderedDict[str, None] = OrderedDict()

    def told_of(self, alert: UUID) -> bool:
        """Whether an alert was told from memory, since this process began; of the last 1,000 such alerts."""
        return str(alert) in self._alerts

    @property
    def changed(self) -> asyncio.Event:
        """Set whenever there is something new to send."""
        return self._card.changed

    def tell(self, events: Sequence[str]) -> Sequence[Event]:
        """Have alerts told that could not be committed; what was told of late is not told again.

        Returns what is told now.
        """
        told = []
        for event in map(from_json, events):
            if len(self._rows) < _MOST and self._new(event):
                self._put(event)
                told.append(event)
                _log.critical(
                    "an alert could not be committed and is told from memory alone: event %s", event.id
                )
        return told

    def tell_waiting(self, events: Sequence[str]) -> int:
        """Have alerts told that wait on a card of which nothing can be sent; return how many are dealt with.

        They take half the room at the most, and no new alert is held to be told for their sake.
        """
        for taken, text in enumerate(events):
            if len(self._rows) >= _MOST // 2:
                return taken
            with suppress(EventError):  # damaged: it is set aside where it is sent from the card
                self._put(event := from_json(text))
                _log.warning("an alert that waits on the card is told from memory: event %s", event.id)
        return len(events)

    def _put(self, event: Event) -> None:
        number = next(self._numbers)
        marked = replace(event, extensions={**event.extensions, COMMITTED: "false"})
        self._alerts[event.extensions.get("alert", "")] = None
        if len(self._alerts) > _MOST_ALERTS:
            self._alerts.popitem(last=False)
        self._rows[number] = OutboxRow(number, self._channel, to_json(marked))
        self.changed.set()

    def _new(self, event: Event) -> bool:
        since = monotonic() - AGAIN_AFTER / timedelta(seconds=1)
        while self._told and next(iter(self._told.values())) < since:
            self._told.popitem(last=False)
        keys: list[tuple[object, ...]] = [(event.id,)]
        if event.type.endswith("raised.v1"):
            keys.append((event.subject, event.extensions.get("band"), event.extensions.get("concern")))
        if any(key in self._told for key in keys):
            return False
        self._told.update(dict.fromkeys(keys, monotonic()))
        return True

    async def waiting(
        self, limit: int, besides: Collection[int], made: int = MADE_AT_ONCE
    ) -> Sequence[OutboxRow]:
        """The rows to send next: those in memory, then the card's. Raises what the card's outbox does, where
        none is in memory."""
        rows = [row for number, row in self._rows.items() if number not in besides][:limit]
        if len(rows) == limit:
            return rows
        try:
            return [*rows, *await self._card.waiting(limit - len(rows), besides, made)]
        except CareportError:
            if not rows:
                raise
            return rows

    def let_go(self, rows: Sequence[OutboxRow]) -> Sequence[OutboxRow]:
        """The broker has these: make room for others, whatever the card takes; return those of the card."""
        for row in rows:
            self._rows.pop(row.sequence, None)
        return [row for row in rows if row.sequence > 0]

    async def delivered(self, sequences: Collection[int]) -> None:
        """The broker acknowledged these."""
        for number in sequences:
            self._rows.pop(number, None)
        if kept := [number for number in sequences if number > 0]:
            await self._card.delivered(kept)

    async def set_aside(self, sequence: int, reason: str) -> None:
        """The broker will never take this one."""
        if self._rows.pop(sequence, None) is None:
            await self._card.set_aside(sequence, reason)

    async def reclaim(self, channels: Collection[str]) -> int:
        """Put what was set aside of these channels back."""
        return await self._card.reclaim(channels)
