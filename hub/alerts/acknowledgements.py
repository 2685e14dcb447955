"""What the ICS sends to the hub's `ack` topic: recorded if it can be, and answered in any case.

Whatever comes in changes nothing but the one alert that it names. The answer is told at best effort: what
must not be lost, that an alert is acknowledged, goes out through the outbox as the alert's own event.

An alert that was told uncommitted (`hub/uplink/unkept.py`) is not on the card, so that nothing can be
recorded of it. Its acknowledgement is kept in memory, the answer says so, and it is recorded as soon as the
card has the alert: before its ladder is climbed, of which rungs may be long due. A restart loses it, and the
alert with it. Where the card can not even be asked, the broker keeps it too, and gives it again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from hub.alerts.answers import Acknowledgement as Acknowledged
from hub.alerts.book import UnreadableAlertError
from hub.alerts.commands import Commands, UnknownAlertError
from hub.alerts.life import AlertError, AlertState
from hub.clock import now
from hub.control.allowance import Allowance
from hub.errors import CareportError
from hub.running.journal import about
from hub.store.errors import NotCommittedError
from hub.store.transaction import Transaction
from hub.uplink.cloudevents import Event, EventError
from hub.uplink.contract import (
    Acknowledgement,
    Channel,
    ContractError,
    Identity,
    acknowledgement_of,
    answer_event,
    event_type,
    told_acknowledger,
)
from hub.uplink.plain import AnswerOutcome

ANSWERS_AT_ONCE, ANSWERS_PER_MINUTE = 100, 60.0
"""How many answers there are: for what the hub has recorded, and, of an allowance of its own, for all else,
so that a flood of nonsense takes no answer from what is true."""

LINES_AT_ONCE, LINES_PER_MINUTE = 20, 1.0
"""How many lines of log there are of what changed nothing."""

MOST_KEPT = 200
"""How many acknowledgements wait for their alerts; the oldest makes room."""

_log = logging.getLogger(__name__)

Record = Callable[[Acknowledgement, Event], Awaitable[Acknowledged]]
"""Records an acknowledgement durably. May raise `UnknownAlertError`, `AlertError`, `UnreadableAlertError`;
any other `CareportError` means that it is to be tried again."""

Note = Callable[[str, UUID | None, int], Awaitable[None]]
"""Notes in the trail that an acknowledgement changed nothing: why, the alert that it named, and how many
before it were not noted."""


Keep = Callable[[Acknowledgement, Event], bool]
"""Keeps an acknowledgement in memory, if it is of an alert that was told uncommitted; whether it did."""


@dataclass(frozen=True, slots=True)
class _Kept:
    said: Acknowledgement
    claimed_at: datetime
    at: datetime


class KeptAcknowledgements:
    """Acknowledgements of alerts that are not on the card: in memory, until they are."""

    def __init__(self, commands: Commands, told_uncommitted: Callable[[UUID], bool]) -> None:
        self._commands = commands
        self._told_uncommitted = told_uncommitted
        self._kept: dict[UUID, _Kept] = {}

    def keep(self, said: Acknowledgement, event: Event) -> bool:
        """Keep the first acknowledgement of an alert that was told uncommitted; False for any other alert."""
        if not self._told_uncommitted(said.alert):
            return False
        if said.alert not in self._kept:
            if len(self._kept) >= MOST_KEPT:
                oldest = next(iter(self._kept))
                del self._kept[oldest]
                _log.error(
                    "alert %s: its acknowledgement waited in memory for too long and is dropped", oldest
                )
            self._kept[said.alert] = _Kept(said, event.time, now())
            _log.warning("alert %s: acknowledged by the ICS; kept in memory until it is stored", said.alert)
        return True

    def record(self, transaction: Transaction) -> Sequence[UUID]:
        """Record those whose alerts are on the card by now; on the writer's thread. `forget` them then."""
        recorded = []
        for alert, kept in self._kept.copy().items():
            try:
                self._commands.acknowledge(
                    transaction, alert, kept.said.by, kept.at, "ics", kept.said.note, kept.claimed_at
                )
            except UnknownAlertError:
                continue
            except (AlertError, UnreadableAlertError) as error:
                _log.error("an acknowledgement that was kept in memory cannot be recorded: %s", error)
            recorded.append(alert)
        return recorded

    def forget(self, alerts: Iterable[UUID]) -> None:
        """What `record` did is committed."""
        for alert in alerts:
            if self._kept.pop(alert, None) is not None:
                _log.info("alert %s: the acknowledgement that was kept in memory is stored", alert)


class Acknowledgements:
    """Takes what came in on the `ack` topic, and words the answer."""

    def __init__(
        self, identity: Identity, record: Record, note: Note, keep: Keep = lambda _said, _event: False
    ) -> None:
        self._identity = identity
        self._record = record
        self._note = note
        self._keep = keep
        self._unnoted = 0
        self._recorded = Allowance(ANSWERS_AT_ONCE, ANSWERS_PER_MINUTE)
        self._refused = Allowance(ANSWERS_AT_ONCE, ANSWERS_PER_MINUTE)
        self._lines = Allowance(LINES_AT_ONCE, LINES_PER_MINUTE)

    async def take(self, event: Event) -> Event | None:
        """Record an acknowledgement and return the answer, or None where there have been too many.

        Raises:
            CareportError: it cannot be recorded now; give it again later.
        """
        if event.type != event_type(Channel.ACKNOWLEDGEMENT):
            words = "an event on the ack topic is of another type"
            return await self._refuse(AnswerOutcome.WRONG_TYPE, words, event)
        try:
            said = acknowledgement_of(event)
        except ContractError as error:
            return await self._refuse(AnswerOutcome.MALFORMED, str(error), event)
        with about(alert=said.alert):
            return await self._take(said, event)

    async def _take(self, said: Acknowledgement, event: Event) -> Event | None:
        try:
            done = await self._record(said, event)
        except NotCommittedError:
            # The alert may be on the card by now, whatever it was when it was told. So it is kept, for the
            # ladder, and the broker keeps it too: a restart must not lose it.
            self._keep(said, event)
            raise
        except UnknownAlertError:
            if self._keep(said, event):
                return self._kept_in_memory(said, event)
            words = f"alert {said.alert}: not known here"
            return await self._refuse(AnswerOutcome.UNKNOWN_ALERT, words, event, said.alert)
        except AlertError as error:
            return await self._refuse(AnswerOutcome.MALFORMED, str(error), event, said.alert)
        except UnreadableAlertError as error:
            return await self._refuse(AnswerOutcome.NOT_RECORDED, str(error), event, said.alert)
        return self._confirm(done, event)

    def malformed(self, error: EventError) -> Event | None:
        """The answer to what is no event at all, so that what is answered cannot be said."""
        if not self._refused.take():
            return None
        return answer_event(self._identity, AnswerOutcome.MALFORMED, now(), str(error), None)

    def _confirm(self, done: Acknowledged, event: Event) -> Event | None:
        alert = done.alert
        late = ", which had ended by then" if alert.state is AlertState.RESOLVED else ""
        if done.accepted:
            outcome, words = AnswerOutcome.RECORDED, f"alert {alert.id}{late}: acknowledgement recorded"
            _log.info("alert %s%s: acknowledged by the ICS", alert.id, late)
        else:
            outcome = AnswerOutcome.ALREADY_ACKNOWLEDGED
            words = f"alert {alert.id}{late}: already acknowledged by {told_acknowledger(alert)}"
            if self._lines.take():
                _log.info("alert %s%s: acknowledged by the ICS, once more", alert.id, late)
        if not self._recorded.take():
            return None
        return answer_event(self._identity, outcome, now(), words, event, alert.id, alert)

    def _kept_in_memory(self, said: Acknowledgement, event: Event) -> Event | None:
        if not self._recorded.take():
            return None
        words = (
            f"alert {said.alert}: its acknowledgement is kept in memory until the card takes the alert, and"
            " lost if the hub is restarted before; the alert's own event tells when it is recorded"
        )
        return answer_event(self._identity, AnswerOutcome.KEPT_IN_MEMORY, now(), words, event, said.alert)

    async def _refuse(
        self, outcome: AnswerOutcome, words: str, event: Event, alert: UUID | None = None
    ) -> Event | None:
        await self._tell(outcome, words, alert)
        if not self._refused.take():
            return None
        return answer_event(self._identity, outcome, now(), words, event, alert)

    async def _tell(self, outcome: AnswerOutcome, words: str, alert: UUID | None) -> None:
        """Log and note what changed nothing, as far as the allowance goes."""
        if not self._lines.take():
            self._unnoted += 1
            return
        _log.warning("an acknowledgement was dropped, %s: %s", outcome.value.replace("_", " "), words)
        unnoted, self._unnoted = self._unnoted, 0
        try:
            await self._note(words, alert, unnoted)
        except CareportError as error:
            _log.error("that is not in the trail: %s", error)
