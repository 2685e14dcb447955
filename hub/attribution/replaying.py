"""What would have become of a resident's alerts by these assessments: decided again, one after the other.
Pure.

Where a reading turns out to be another's, an alert may be open by it that should not be, and one may have
been ended by it that should be open. Neither can be seen from the alert as it is now: it remembers what it
was led to. So the rules of `hub/alerts/life.py` are applied again to the assessments that are left, from
before the reading on.

What people did meanwhile is regarded as it was recorded: an alert is acknowledged from when it was, and has
climbed its ladder as far as it had by then. Where one was closed since its resident had left, whatever would
have been open was closed with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from hub.alerts.assessed import Assessed
from hub.alerts.life import Alert, AlertPolicy, Resolution, consider


@dataclass(frozen=True, slots=True)
class Decided:
    """An assessment that was decided on: the numbers of it and of the reading that completed it, and the id
    of the alert that it raises, if it raises one."""

    assessed: Assessed
    assessment: int
    reading: int
    alert: UUID


@dataclass(frozen=True, slots=True)
class Replayed:
    """The alert that is open at the end, and what raised it; None where none is."""

    alert: Alert | None = None
    raised_by: Decided | None = None

    def same_as(self, other: Replayed) -> bool:
        """Whether both have come to the same, in all that counts for what becomes of it."""
        return _what_counts(self.alert) == _what_counts(other.alert)


def replayed(
    history: Iterable[Decided], policy: AlertPolicy, recorded: Mapping[UUID, Alert], until: datetime
) -> Replayed:
    """Decide on these assessments in their order, with no alert open before the first.

    Args:
        recorded: the resident's alerts as they are stored, by id: for what people did, `until` now.
    """
    alert: Alert | None = None
    raised_by: Decided | None = None
    left = [each.resolved_at for each in recorded.values() if each.resolution is Resolution.LEFT]
    for each in history:
        alert = _as_people_left_it(alert, recorded, left, each.assessed.received_at, policy)
        decision = consider(alert, each.assessed, policy, lambda known_by=each.alert: known_by)  # type: ignore[misc]
        if decision.raised is not None:
            alert, raised_by = decision.raised, each
        elif decision.existing is None or not decision.existing.open:
            alert, raised_by = None, None
        else:
            alert = decision.existing
    alert = _as_people_left_it(alert, recorded, left, until, policy)
    return Replayed(alert, None if alert is None else raised_by)


def _as_people_left_it(
    alert: Alert | None,
    recorded: Mapping[UUID, Alert],
    left: Sequence[datetime | None],
    at: datetime,
    policy: AlertPolicy,
) -> Alert | None:
    """`left` is when the resident's alerts were closed since they had left."""
    if alert is None or any(moment is not None and alert.raised_at <= moment <= at for moment in left):
        return None
    record = recorded.get(alert.id)
    if record is None:
        return alert
    taken_by_then = record.acknowledged_at is not None and record.acknowledged_at <= at
    if taken_by_then and alert.acknowledged_at is None:
        alert = replace(
            alert,
            acknowledged_at=record.acknowledged_at,
            acknowledged_by=record.acknowledged_by,
            acknowledged_via=record.acknowledged_via,
        )
    due = sum(at - alert.raised_at >= rung.after for rung in policy.ladder_of(alert))
    return replace(alert, rung=max(alert.rung, min(due, record.rung)))


def _what_counts(alert: Alert | None) -> tuple[object, ...] | None:
    if alert is None:
        return None
    return (
        alert.id,
        alert.band,
        alert.news2,
        alert.measured_at,
        alert.contributing,
        alert.assessed_until,
        alert.below_since,
        alert.quiet_since,
    )
