"""The alerts as the store keeps them, and the events that tell of each change: always in one transaction."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from hub.alerts import Alert
from hub.store.transaction import AlertRow, Transaction
from hub.uplink.cloudevents import to_json
from hub.uplink.contract import AlertChange, Channel, Identity, alert_event

_log = logging.getLogger(__name__)
_ALERT: TypeAdapter[Alert] = TypeAdapter(Alert)


class AlertBook:
    """Reads and writes alerts within a transaction."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def open_alert(self, transaction: Transaction, resident: str) -> Alert | None:
        """The resident's alert that is not resolved."""
        row = transaction.open_alert(resident)
        return alert_of(row) if row else None

    def open_alerts(self, transaction: Transaction) -> Iterator[Alert]:
        """Every alert that is not resolved, oldest first; one that cannot be read is named in the log."""
        for row in transaction.open_alerts():
            try:
                yield alert_of(row)
            except ValidationError:
                # It must not keep the others from climbing their ladder.
                _log.error("alert %s: what the database has of it cannot be read; please report this", row.id)

    def alert(self, transaction: Transaction, alert_id: uuid.UUID) -> Alert | None:
        """An alert by its id."""
        row = transaction.alert(alert_id)
        return alert_of(row) if row else None

    def remember(self, transaction: Transaction, alert: Alert) -> None:
        """Store what an open alert remembers of the assessments since; nothing happened to it."""
        transaction.update_alert(self._row(transaction, alert))

    def add(
        self, transaction: Transaction, alert: Alert, at: datetime, reading: int, assessment: int
    ) -> None:
        """Store a newly raised alert, with what raised it, and tell of it."""
        transaction.add_alert(_row(alert, reading, assessment))
        self._tell(transaction, AlertChange.RAISED, alert, at, None, {})

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
        transaction.note_alert(alert.id, change.value, at, {**({"tell": tell} if tell else {}), **detail})
        assessment, reading = transaction.assessment_of_alert(alert.id)
        data: dict[str, Any] = json.loads(assessment)
        event = alert_event(self._identity, change, alert, at, data, reading, tell)
        transaction.enqueue(Channel.ALERT.priority, Channel.ALERT, to_json(event))


def alert_of(row: AlertRow) -> Alert:
    """The alert that a row keeps."""
    return _ALERT.validate_json(row.body)


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
