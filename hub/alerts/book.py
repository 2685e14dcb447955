"""The alerts as the store keeps them, and the events that tell of each change: always in one transaction."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from hub import trail
from hub.alerts.assessed import Assessment
from hub.alerts.life import Alert, AlertState
from hub.clock import MACHINE_CLOCK, Clock
from hub.errors import CareportError
from hub.store.rows import AlertRow, AssessmentRow
from hub.store.transaction import Transaction
from hub.telling.teller import KeptReadings, alert_alone, assessment_of
from hub.trail import Audited, Moment
from hub.uplink.cloudevents import to_json
from hub.uplink.contract import AlertChange, Channel, Identity
from hub.uplink.feed import alert_event

_log = logging.getLogger(__name__)
_ALERT: TypeAdapter[Alert] = TypeAdapter(Alert)


AUDITED = {
    AlertChange.RAISED: Audited.RAISED,
    AlertChange.ESCALATED: Audited.ESCALATED,
    AlertChange.ACKNOWLEDGED: Audited.ACKNOWLEDGED,
    AlertChange.STEPPED_DOWN: Audited.STEPPED_DOWN,
    AlertChange.RESOLVED: Audited.RESOLVED,
    AlertChange.CONCERN_SAID: Audited.CONCERN_SAID,
    AlertChange.CONCERN_SETTLED: Audited.CONCERN_SETTLED,
}


class UnreadableAlertError(CareportError):
    """What the database has of an alert is not one that this hub can read; carries its id."""

    def __init__(self, alert: uuid.UUID) -> None:
        super().__init__(f"alert {alert}: what the database has of it cannot be read; please report this")
        self.alert = alert


class AlertBook:
    """Reads and writes alerts within a transaction."""

    def __init__(self, identity: Identity, clock: Clock = MACHINE_CLOCK) -> None:
        self._identity = identity
        self.clock = clock
        self._said_unreadable: set[uuid.UUID] = set()

    def open_alert(self, transaction: Transaction, resident: str, at: datetime) -> Alert | None:
        """The resident's alert that is not resolved.

        One that cannot be read is closed with a note, so that the next bad reading raises anew: it must
        not silence its resident.
        """
        row = transaction.open_alert(resident)
        if row is None:
            return None
        try:
            return alert_of(row)
        except UnreadableAlertError as error:
            self._say_unreadable(error)
            transaction.update_alert(replace(row, state=AlertState.RESOLVED.value, resolved_at=at))
            transaction.audit(trail.alert(Audited.UNREADABLE, row.id, Moment(at, self.clock.stamp()), {}))
            return None

    def open_alerts(self, transaction: Transaction) -> Iterator[Alert]:
        """Every alert that is not resolved and can be read, oldest first."""
        for row in transaction.open_alerts():
            try:
                yield alert_of(row)
            except UnreadableAlertError as error:
                # It must not keep the others from climbing their ladder.
                self._say_unreadable(error)

    def alert(self, transaction: Transaction, alert_id: uuid.UUID) -> Alert | None:
        """An alert by its id. Raises `UnreadableAlertError`."""
        row = transaction.alert(alert_id)
        return alert_of(row) if row else None

    def remember(self, transaction: Transaction, alert: Alert) -> None:
        """Store what an open alert remembers of the assessments since; nothing happened to it."""
        transaction.update_alert(self._row(transaction, alert))

    def add(
        self,
        transaction: Transaction,
        alert: Alert,
        at: datetime,
        reading: int,
        assessment: int,
        *,
        detail: Mapping[str, object] | None = None,
    ) -> None:
        """Store a newly raised alert, with what raised it and what its history should say of it, and tell of
        it."""
        transaction.add_alert(_row(alert, reading, assessment))
        self._tell(transaction, AlertChange.RAISED, alert, at, None, detail or {})

    def change(
        self,
        transaction: Transaction,
        change: AlertChange,
        alert: Alert,
        at: datetime,
        *,
        tell: str | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> None:
        """Store a changed alert, with what its history should say of the change, and tell of it."""
        transaction.update_alert(self._row(transaction, alert))
        self._tell(transaction, change, alert, at, tell, detail or {})

    def _say_unreadable(self, error: UnreadableAlertError) -> None:
        if error.alert not in self._said_unreadable:
            self._said_unreadable.add(error.alert)
            _log.error("%s", error)

    def _row(self, transaction: Transaction, alert: Alert) -> AlertRow:
        before = transaction.alert(alert.id)
        assert before is not None, "only a stored alert can change"
        return _row(alert, before.reading, before.assessment)

    def _tell(
        self,
        transaction: Transaction,
        change: AlertChange,
        alert: Alert,
        at: datetime,
        tell: str | None,
        detail: Mapping[str, object],
    ) -> None:
        noted = {**({"tell": tell} if tell else {}), **detail}
        transaction.audit(trail.alert(AUDITED[change], alert.id, Moment(at, self.clock.stamp()), noted))
        row = transaction.alert(alert.id)
        assert row is not None, "only a stored alert can be told of"
        raised_by = _whole(transaction, lambda: transaction.assessment(row.assessment))
        newest = None
        if change in {AlertChange.ESCALATED, AlertChange.CONCERN_SAID} or alert.concerned:
            # Whoever is called now needs to know how the resident is now. A concern has measured nothing.
            newest = _whole(transaction, lambda: transaction.newest_assessment(alert.resident))
        event = alert_event(
            self._identity, change, alert, at, raised_by or alert_alone(alert), tell=tell, newest=newest
        )
        transaction.tell(Channel.ALERT.priority, Channel.ALERT, to_json(event))


def _whole(transaction: Transaction, find: Callable[[], AssessmentRow | None]) -> Assessment | None:
    """An assessment; None where a damaged card has lost it, or made it unreadable.

    An alert that cannot be told whole must still be told, and must not keep the others from being told.
    """
    try:
        row = find()
        rule = transaction.present.rule if transaction.present else None
        return None if row is None else assessment_of(KeptReadings(transaction.connection, rule), row)
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        _log.error("an assessment on the card cannot be read (%s)", type(error).__name__)
        return None


def alert_of(row: AlertRow) -> Alert:
    """The alert that a row keeps.

    Raises:
        UnreadableAlertError: it does not keep one, or one of another version of the hub.
    """
    try:
        return _ALERT.validate_json(row.body)
    except ValidationError:
        # Not chained: pydantic's text quotes what is in the row, and would put it into the log.
        raise UnreadableAlertError(row.id) from None


def _row(alert: Alert, reading: int, assessment: int) -> AlertRow:
    return AlertRow(
        id=alert.id,
        resident=alert.resident,
        band=alert.band.value,
        state=alert.state.value,
        raised_at=alert.raised_at,
        resolved_at=alert.resolved_at,
        reading=reading,
        assessment=assessment,
        body=_ALERT.dump_json(alert).decode(),
    )
