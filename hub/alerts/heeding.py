"""A concern is heeded: what `hub/alerts/of_concern.py` decides is stored, noted and told, in one
transaction."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from hub.alerts.assessed import Assessed
from hub.alerts.book import AlertBook
from hub.alerts.concern import Concern
from hub.alerts.life import Alert, AlertPolicy
from hub.alerts.of_concern import heed
from hub.store.transaction import Transaction
from hub.uplink.contract import AlertChange


def heed_concern(
    transaction: Transaction,
    book: AlertBook,
    policy: AlertPolicy,
    said: Concern,
    assessed: Assessed,
    new_id: Callable[[], uuid.UUID],
    reading: int,
    assessment: int,
) -> tuple[Alert, bool]:
    """Raise an alert for a concern, or have it join the open one; the alert, and whether it is a new one.

    Args:
        assessed: what is known of the resident at the moment of the concern.
        reading: the number of the reading that says it.
        assessment: the number of what is known at its moment.
    """
    at = assessed.received_at
    before = book.open_alert(transaction, assessed.resident, at)
    rested_on = None if before is None else transaction.alert(before.id)
    decision = heed(before, said, assessed, policy, new_id)
    # Who said what stays on the card: the ICS is told the signs alone.
    detail = {"by": said.by, "signs": [sign.value for sign in said.signs], "words": said.words or None}
    raised, existing = decision.raised, decision.existing
    if raised is None:
        assert existing is not None, "a concern joins an alert or raises one"
        book.change(transaction, AlertChange.CONCERN_SAID, existing, at, detail=detail)
        return existing, False
    if existing is not None:
        book.change(transaction, AlertChange.RESOLVED, existing, at)
    if rested_on is not None and raised.news2 is not assessed.news2:
        assessment = rested_on.assessment  # it has the score of the other, and so what that rested on
    book.add(transaction, raised, at, reading, assessment, detail=detail)
    return raised, True
