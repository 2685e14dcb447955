"""What is answered to an alert, and what becomes of one that nobody answers: delivered, acknowledged,
escalated.

Pure, like `hub/alerts/life.py`, which has the rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hub.alerts.life import Alert, AlertError
from hub.configuration.file import Rung


def deliver(alert: Alert, at: datetime) -> Alert:
    """The broker took the alert at `at`. The first delivery is the one recorded."""
    return alert if alert.delivered_at is not None else replace(alert, delivered_at=at)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What an acknowledgement came to; `accepted` is False where another was there before."""

    alert: Alert
    accepted: bool

    @property
    def words(self) -> str:
        """The answer to whoever acknowledged."""
        already = "" if self.accepted else "already "
        return f"alert {self.alert.id}: {already}acknowledged by {self.alert.acknowledged_by}"


def acknowledge(alert: Alert, by: str, at: datetime, via: str) -> Acknowledgement:
    """Somebody (`by`, never empty) has seen the alert, and said so at `at` by way of `via` ("ics", "cli").

    The first acknowledgement is recorded and never overwritten. One that comes before the delivery,
    or after the alert is resolved, is recorded too.

    Raises:
        AlertError: nobody is named.
    """
    if not by.strip():
        raise AlertError(alert.id, "an acknowledgement must say by whom")
    if alert.acknowledged_at is not None:
        return Acknowledgement(alert, accepted=False)
    acknowledged = replace(alert, acknowledged_at=at, acknowledged_by=by, acknowledged_via=via)
    return Acknowledgement(acknowledged, accepted=True)


@dataclass(frozen=True, slots=True)
class Escalation:
    """An alert that climbed: `rungs` are those newly due, lowest first; several after an outage."""

    alert: Alert
    rungs: tuple[Rung, ...]

    @property
    def rung(self) -> Rung:
        """The highest rung that is due: whom to tell now."""
        return self.rungs[-1]

    @property
    def words(self) -> str:
        """The escalation in one line, for people."""
        minutes = self.rung.after / timedelta(minutes=1)
        tell = ", ".join(rung.tell for rung in self.rungs)
        return f"nobody has acknowledged for at least {minutes:g} min: tell {tell}. {self.alert.words}"


def escalate(alert: Alert, ladder: Sequence[Rung], now: datetime) -> Escalation | None:
    """The rungs that are due now and were not climbed before; None if there are none.

    `ladder` is `AlertPolicy.ladder_of(alert)`. An alert that is acknowledged or resolved climbs no more.
    """
    if alert.acknowledged_at is not None or not alert.open:
        return None
    due = sum(now - alert.raised_at >= rung.after for rung in ladder)
    if due <= alert.rung:
        return None
    return Escalation(replace(alert, rung=due), tuple(ladder[alert.rung : due]))
