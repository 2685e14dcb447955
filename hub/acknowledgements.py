"""What the ICS sends to the hub's `ack` topic: recorded if it can be, and answered in any case.

Whatever comes in changes nothing but the one alert that it names. The answer is told at best effort: what
must not be lost, that an alert is acknowledged, goes out through the outbox as the alert's own event.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from uuid import UUID

from hub.alert_book import UnreadableAlertError
from hub.alerts import Acknowledgement as Acknowledged
from hub.alerts import AlertError, AlertState
from hub.allowance import Allowance
from hub.clock import now
from hub.commands import UnknownAlertError
from hub.errors import CareportError
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

_log = logging.getLogger(__name__)

Record = Callable[[Acknowledgement, Event], Awaitable[Acknowledged]]
"""Records an acknowledgement durably. May raise `UnknownAlertError`, `AlertError`, `UnreadableAlertError`;
any other `CareportError` means that it is to be tried again."""

Note = Callable[[str, UUID | None, int], Awaitable[None]]
"""Notes in the trail that an acknowledgement changed nothing: why, the alert that it named, and how many
before it were not noted."""


class Acknowledgements:
    """Takes what came in on the `ack` topic, and words the answer."""

    def __init__(self, identity: Identity, record: Record, note: Note) -> None:
        self._identity = identity
        self._record = record
        self._note = note
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
        try:
            done = await self._record(said, event)
        except UnknownAlertError:
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
