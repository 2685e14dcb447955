"""What happens to alerts beside readings: delivered, acknowledged, escalated, settled, closed for leaving.

Each is a piece of work for the store's writer: given a transaction, it does the whole of the change.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub import trail
from hub.alerts.answers import Acknowledgement, acknowledge, deliver, escalate
from hub.alerts.book import AlertBook, UnreadableAlertError
from hub.alerts.life import Alert, AlertPolicy
from hub.alerts.of_concern import Settled, close, settle
from hub.clock import ClockQuality
from hub.errors import CareportError
from hub.intake.following_the_clock import ClockFollower, raised_entry
from hub.store.transaction import Transaction
from hub.trail import Audited, Moment
from hub.uplink.contract import AlertChange

_LONGEST_HISTORY = 100
"""Lines; then acknowledgements that change nothing are counted no more (somebody may send them for ever)."""


class UnknownAlertError(CareportError):
    """There is no such alert on this hub; carries the id that was asked for."""

    def __init__(self, alert: uuid.UUID) -> None:
        super().__init__(f"alert {alert}: not known here; 'carehub alerts' lists those that are")
        self.alert = alert


@dataclass(frozen=True, slots=True)
class _Waited:
    """How long an alert had waited when it was first seen, and when that was (monotonic seconds)."""

    before: timedelta
    seen_at: float

    def until(self, monotonic_seconds: float) -> timedelta:
        return self.before + timedelta(seconds=monotonic_seconds - self.seen_at)

    def at_least(self, waited: timedelta, monotonic_seconds: float) -> _Waited:
        return _Waited(max(waited, self.until(monotonic_seconds)), monotonic_seconds)


class Commands:
    """The acts on alerts."""

    def __init__(self, book: AlertBook, policy: AlertPolicy, follower: ClockFollower | None = None) -> None:
        self._book = book
        self._policy = policy
        self._follower = follower
        self._waited: dict[uuid.UUID, _Waited] = {}
        self._followed: int | None = None

    def acknowledge(
        self,
        transaction: Transaction,
        alert_id: uuid.UUID,
        by: str,
        at: datetime,
        via: str,
        note: str | None = None,
        claimed_at: datetime | None = None,
    ) -> Acknowledgement:
        """Record who has taken an alert, and when the hub came to know it.

        Args:
            via: "ics" or "hub".
            claimed_at: when the sender says it was, if it says so; kept in the alert's history.

        Raises:
            UnknownAlertError: this hub has no such alert.
            AlertError: nobody is named.
            UnreadableAlertError: what the database has of it is no alert.
        """
        self._follow(transaction)
        alert = self._book.alert(transaction, alert_id)
        if alert is None:
            raise UnknownAlertError(alert_id)
        done = acknowledge(alert, by, at, via)
        detail = {"by": by, "via": via, "note": note, "claimed_at": claimed_at and claimed_at.isoformat()}
        if done.accepted:
            self._book.change(transaction, AlertChange.ACKNOWLEDGED, done.alert, at, detail=detail)
        elif transaction.history_size(alert_id) < _LONGEST_HISTORY:
            moment = Moment(at, self._book.clock.stamp())
            transaction.audit(trail.alert(Audited.ACKNOWLEDGED_AGAIN, alert_id, moment, detail))
        return done

    def settle(
        self, transaction: Transaction, alert_id: uuid.UUID, by: str, at: datetime, note: str
    ) -> Settled:
        """Record that somebody has looked after the concern in an alert, and what they found.

        Raises:
            UnknownAlertError: this hub has no such alert.
            AlertError: there is no concern in it to be settled.
            ConcernError: nobody is named, or it is not said what was found.
            UnreadableAlertError: what the database has of it is no alert.
        """
        self._follow(transaction)
        alert = self._book.alert(transaction, alert_id)
        if alert is None:
            raise UnknownAlertError(alert_id)
        done = settle(alert, by, at, note, self._policy)
        change = AlertChange.CONCERN_SETTLED if done.alert.open else AlertChange.RESOLVED
        concern = done.alert.concern
        detail = {"by": by, "note": concern and concern.note, "concern": "settled"}
        self._book.change(transaction, change, done.alert, at, detail=detail)
        return done

    def close_for_leaving(
        self, transaction: Transaction, resident: str, why: str, by: str, at: datetime
    ) -> uuid.UUID | None:
        """Close the open alert of a resident (a pseudonym) who is not watched any more; its id, None where
        none was open. Call it in the transaction that stores that they are not.

        Args:
            why: as `Whereabouts` or `Consent` say it ("in hospital"); kept in the alert's history with `by`.
        """
        self._follow(transaction)
        alert = self._book.open_alert(transaction, resident, at)
        if alert is None:
            return None
        self._book.change(
            transaction, AlertChange.RESOLVED, close(alert, at), at, detail={"by": by, "why": why}
        )
        return alert.id

    def deliver(self, transaction: Transaction, alert_ids: Iterable[uuid.UUID], at: datetime) -> None:
        """The broker has taken the news of these alerts."""
        self._follow(transaction)
        for alert_id in alert_ids:
            try:
                alert = self._book.alert(transaction, alert_id)
            except UnreadableAlertError:
                continue  # the broker has it; it must not keep the others in the outbox
            if alert is not None and alert.delivered_at is None:
                self._book.remember(transaction, deliver(alert, at))
                moment = Moment(at, self._book.clock.stamp())
                transaction.audit(trail.alert(Audited.DELIVERED, alert_id, moment, {}))

    def escalate(self, transaction: Transaction, at: datetime, monotonic_seconds: float) -> int:
        """Let every unacknowledged alert climb its ladder as far as is due; return how many did.

        How long an alert has waited is told by the wall clock (`at`) only when it is first seen here,
        and by the monotonic clock from then on: a Pi's wall clock is set while it runs, by days, and
        must neither call everybody at once nor keep a ladder from being climbed. Where it was set between
        the raising and now, the trail tells when the alert was raised by the clock as it is now.

        Whoever was first seen before the clock was believed may have waited longer than that clock said, as
        where the machine was off: once it is believed, and the one that told the raising is too, that counts.
        """
        self._follow(transaction)
        clock_was_set, self._followed = transaction.followed != self._followed, transaction.followed
        believed = clock_was_set and self._book.clock.stamp().quality is ClockQuality.SYNCHRONISED
        climbed, before, self._waited = 0, self._waited, {}
        for alert in self._book.open_alerts(transaction):
            waited = before.get(alert.id)
            if waited is None:
                as_recorded = at - (_raised_at(transaction, alert) or alert.raised_at)
                waited = _Waited(max(timedelta(0), as_recorded), monotonic_seconds)
            elif believed and (raised_at := _raised_at(transaction, alert)) is not None:
                waited = waited.at_least(at - raised_at, monotonic_seconds)
            self._waited[alert.id] = waited
            moment = alert.raised_at + waited.until(monotonic_seconds)
            escalation = escalate(alert, self._policy.ladder_of(alert), moment)
            if escalation is None:
                continue
            climbed += 1
            tell = ", ".join(rung.tell for rung in escalation.rungs)
            self._book.change(transaction, AlertChange.ESCALATED, escalation.alert, at, tell=tell)
        return climbed

    def _follow(self, transaction: Transaction) -> None:
        if self._follower is not None:
            self._follower.follow(transaction)


def _raised_at(transaction: Transaction, alert: Alert) -> datetime | None:
    """When an alert was raised, by the present clock; None where nothing better is known than its record."""
    entry = raised_entry(transaction, alert) if transaction.present is not None else None
    if entry is None or transaction.present is None:
        return None
    return transaction.present.moment(entry.at, entry.stamp)
