"""What becomes of a resident's alerts where a reading was not theirs.

The rules of `hub/alerts/life.py` are applied twice to what was assessed of them since before the reading
(`hub/attribution/replaying.py`): with it, which must lead to the alert that is open now, and without it.

- Both come to the same: nothing is changed.
- Without it none would be open: the open one is closed, `withdrawn`. One that somebody's concern holds
  stays, and ends when that is settled.
- Without it one would be open, and none is, since their alert was ended by good values of another: it is
  raised again, and calls anew. One that never was is raised too, up to `observation_sets.late` after it
  would have ended.
- Without it another would be open: the open one goes on as that, lower or the same. Where that is of a higher
  band, or nobody has acknowledged it but only what was not theirs, a new one takes its place and calls.

Where the alert that is open does not follow from what is on the card (readings that are gone, a clock that
was not believed, a concern), **nothing is closed**: it ends as any alert does. What would have to be raised
is raised.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from hub import trail
from hub.alerts.book import AlertBook
from hub.alerts.life import Alert, AlertPolicy, Resolution
from hub.assessment.news2 import Band
from hub.attribution.alert_history import decided_on, history_begins, readable, received_at
from hub.attribution.replaying import Replayed, replayed
from hub.residents.register import Register
from hub.store.ownership import Places, alerts_of, assessments_since, rest_alert_on
from hub.store.rows import AlertRow, AssessmentRow, StoredReading
from hub.store.transaction import Transaction
from hub.trail import Audited, Moment
from hub.uplink.contract import AlertChange, Channel

_MOST_REPLAYED = 20_000  # assessments: of a stream, of two weeks


@dataclass(frozen=True, slots=True)
class Correction:
    """What is corrected of a resident: the assessments since before the reading (`history`), those of them
    that are withdrawn, and by their numbers those that were formed anew. `alerts` are theirs as they were,
    `exact` is whether all of it could be read."""

    resident: str
    by: str
    reading: StoredReading
    withdrawn: frozenset[int]
    history: Sequence[AssessmentRow]
    alerts: Sequence[AlertRow]
    exact: bool
    formed: Mapping[int, AssessmentRow] = field(default_factory=dict)

    @property
    def told_with_alerts(self) -> frozenset[int]:
        """The withdrawn assessments that alerts were told with."""
        return self.withdrawn & {row.assessment for row in self.alerts}

    def with_formed(self, transaction: Transaction, formed: Mapping[int, int]) -> Correction:
        """With what was formed anew: the numbers of the new by those of the withdrawn."""
        found = {old: transaction.assessment(new) for old, new in formed.items()}
        return replace(self, formed={old: row for old, row in found.items() if row is not None})

    def took_away(self, alert: Alert) -> bool:
        """Whether what raised an alert is withdrawn, and nothing was formed in its place."""
        return any(
            row.id == alert.id and row.assessment in self.withdrawn and row.assessment not in self.formed
            for row in self.alerts
        )

    @property
    def history_without(self) -> Sequence[AssessmentRow]:
        """The assessments as they are without the reading, each in the place of the one that it replaces."""
        return [
            row if row.sequence not in self.withdrawn else self.formed[row.sequence]
            for row in self.history
            if row.sequence not in self.withdrawn or row.sequence in self.formed
        ]


class AlertsCorrected:
    """Has alerts follow a correction, in its transaction."""

    def __init__(self, book: AlertBook, policy: AlertPolicy, register: Register) -> None:
        self._book = book
        self._policy = policy
        self._register = register

    def begin(
        self,
        transaction: Transaction,
        resident: str,
        reading: StoredReading,
        affected: Sequence[AssessmentRow],
        by: str,
    ) -> Correction:
        """What there is before anything is withdrawn."""
        alerts = alerts_of(transaction.connection, resident)
        withdrawn = frozenset(row.sequence for row in affected)
        if not affected:
            return Correction(resident, by, reading, withdrawn, (), alerts, exact=True)
        numbers = [reading.sequence, *(row.reading for row in affected)]
        since, first, exact = history_begins(alerts, received_at(transaction, reading), min(numbers))
        places = Places(transaction.connection, resident)
        lost: list[int] = []
        # Of too many the newest: what is so now counts, and not what was open in between.
        found = assessments_since(
            transaction.connection, resident, since, first, most=_MOST_REPLAYED + 1, unreadable=lost.append
        )
        history = sorted(found, key=places.of)
        exact = exact and len(history) <= _MOST_REPLAYED and not lost
        return Correction(resident, by, reading, withdrawn, history, alerts, exact)

    def follow(self, transaction: Transaction, correction: Correction) -> str:
        """Change what has to be changed; return it in words, empty where it is nothing."""
        if not correction.withdrawn:
            return ""
        at = self._book.clock.now()
        # Several may rest on one, where they followed a correction before: then the open one goes on.
        closed_first = sorted(correction.alerts, key=lambda row: row.resolved_at is None)
        ids = {row.assessment: row.id for row in closed_first}
        recorded = {alert.id: alert for alert in map(readable, correction.alerts) if alert is not None}
        # An alert that was raised by a set which is formed anew is raised by that.
        ids |= {new.sequence: ids[old] for old, new in correction.formed.items() if old in ids}
        with_it, known = decided_on(transaction, correction.history, ids)
        without, _ = decided_on(transaction, correction.history_without, ids)
        before = replayed(with_it, self._policy, recorded, at)
        after = replayed(without, self._policy, recorded, at)
        existing = self._book.open_alert(transaction, correction.resident, at)
        self._rest_on_formed(transaction, correction)
        said = self._decide(transaction, correction, existing, before, after, at, known and correction.exact)
        self._withdraw_closed(transaction, correction, recorded, at)
        return said

    def _decide(
        self,
        transaction: Transaction,
        correction: Correction,
        existing: Alert | None,
        before: Replayed,
        after: Replayed,
        at: datetime,
        exact: bool,
    ) -> str:
        same = before.same_as(after) and (exact or existing is not None)
        if same and not (existing is not None and correction.took_away(existing)):
            return ""
        if existing is None:
            was = before.alert is None and exact
            return self._raise_again(transaction, correction, after, at, follows=was)
        if after.alert is not None and after.alert.band.rank > existing.band.rank:
            return self._take_its_place(transaction, correction, existing, after, at)
        if existing.concerned:
            down = Band.ZERO if after.alert is None else after.alert.band
            self._book.remember(
                transaction, replace(existing, but_for_concern=None if down is existing.band else down)
            )
            return "Their alert stays open for the concern. Settle that in the alert"
        follows = exact and before.alert is not None and before.alert.id == existing.id
        if not follows:
            return "Their alert stays open: whether it still holds is not certain. Look at them"
        if after.alert is None:
            closed = replace(existing, resolved_at=at, resolution=Resolution.WITHDRAWN)
            self._change(transaction, AlertChange.RESOLVED, closed, at, correction)
            return "Their alert is closed: it rested on this reading"
        taken_for_another = existing.acknowledged_at is not None and after.alert.acknowledged_at is None
        if taken_for_another and after.alert.id != existing.id:
            return self._take_its_place(transaction, correction, existing, after, at)
        return self._go_on_as(transaction, correction, existing, after, at)

    def _go_on_as(
        self, transaction: Transaction, correction: Correction, existing: Alert, after: Replayed, at: datetime
    ) -> str:
        assert after.alert is not None
        assert after.raised_by is not None
        left = after.alert
        goes_on = replace(
            existing,
            band=left.band,
            news2=left.news2,
            measured_at=left.measured_at,
            contributing=left.contributing,
            assessed_until=left.assessed_until,
            questionable=left.questionable,
            doubtful_time=left.doubtful_time,
            below_since=left.below_since,
            quiet_since=left.quiet_since,
        )
        by = after.raised_by
        rest_alert_on(transaction.connection, existing.id, by.reading, by.assessment)
        if left.band.rank < existing.band.rank:
            self._change(transaction, AlertChange.STEPPED_DOWN, goes_on, at, correction)
            return f"Their alert is lower without it: {left.band.words}"
        self._book.remember(transaction, goes_on)
        if goes_on.news2 != existing.news2:
            self._amend(transaction, existing.id, at, {"corrected": True, "by": correction.by}, None)
        return "Their alert goes on without it"

    def _take_its_place(
        self, transaction: Transaction, correction: Correction, existing: Alert, after: Replayed, at: datetime
    ) -> str:
        closed = replace(existing, resolved_at=at, resolution=Resolution.SUPERSEDED)
        self._change(transaction, AlertChange.RESOLVED, closed, at, correction)
        self._add(transaction, correction, after, at, existing.id, existing)
        return "A new alert is raised for them: without this reading it is worse than the one they had"

    def _raise_again(
        self,
        transaction: Transaction,
        correction: Correction,
        after: Replayed,
        at: datetime,
        *,
        follows: bool,
    ) -> str:
        """`follows` is whether it is certain that none would be open with the reading."""
        if after.alert is None or self._register.find_watched(correction.resident) is None:
            return ""
        ended = any(row.id == after.alert.id for row in correction.alerts)
        if not follows and not ended and not correction.exact:
            # As it cannot be told what had ended it, only what was there and is surely bad now calls.
            return "Whether an alert was missed cannot be told from what is kept. Look at them"
        if not ended and at - after.alert.assessed_until > self._policy.late:
            return "Without it they would have had an alert, too long ago to raise it now. Look at them"
        self._add(transaction, correction, after, at, after.alert.id if ended else None, None)
        return "An alert is raised for them: this reading had ended it, or hidden it"

    def _add(
        self,
        transaction: Transaction,
        correction: Correction,
        after: Replayed,
        at: datetime,
        supersedes: uuid.UUID | None,
        existing: Alert | None,
    ) -> None:
        assert after.alert is not None
        assert after.raised_by is not None
        concern = existing.concern if existing is not None and existing.concerned else None
        made = replace(
            after.alert,
            id=uuid.uuid5(
                after.alert.id, f"corrected:{correction.reading.placed.reading.id}:{at.isoformat()}"
            ),
            raised_at=at,
            supersedes=supersedes,
            rung=0,
            delivered_at=None,
            acknowledged_at=None,
            acknowledged_by=None,
            acknowledged_via=None,
            concern=concern,
            but_for_concern=None,
        )
        by = after.raised_by
        self._book.add(transaction, made, at, by.reading, by.assessment, detail=_detail(correction))

    def _change(
        self,
        transaction: Transaction,
        change: AlertChange,
        alert: Alert,
        at: datetime,
        correction: Correction,
    ) -> None:
        self._book.change(transaction, change, alert, at, detail=_detail(correction))

    def _rest_on_formed(self, transaction: Transaction, correction: Correction) -> None:
        """What raised an alert and was formed anew is what it rests on from now on."""
        for row in correction.alerts:
            if (formed := correction.formed.get(row.assessment)) is not None:
                rest_alert_on(transaction.connection, row.id, formed.reading, formed.sequence)

    def _withdraw_closed(
        self,
        transaction: Transaction,
        correction: Correction,
        recorded: Mapping[uuid.UUID, Alert],
        at: datetime,
    ) -> None:
        """Alerts that were over before, and would never have been raised, were in error too: the ICS is
        told."""
        for row in correction.alerts:
            alert = recorded.get(row.id)
            if (
                alert is None
                or alert.open
                or alert.concern is not None
                or row.assessment not in correction.withdrawn
            ):
                continue
            formed = correction.formed.get(row.assessment)
            if formed is not None and Band(formed.band).rank >= self._policy.from_band.rank:
                continue
            withdrawn = replace(alert, resolution=Resolution.WITHDRAWN)
            self._book.remember(transaction, withdrawn)
            detail = {"resolution": Resolution.WITHDRAWN.value, **_detail(correction)}
            self._amend(transaction, alert.id, at, detail, Audited.RESOLVED)

    def _amend(
        self,
        transaction: Transaction,
        alert: uuid.UUID,
        at: datetime,
        detail: Mapping[str, object],
        what: Audited | None,
    ) -> None:
        """Note what was corrected of an alert, and have it told as it is now: it calls nobody."""
        moment = Moment(at, self._book.clock.stamp())
        entry = transaction.audit(trail.alert(what or Audited.ALERT_CORRECTED, alert, moment, detail))
        channel = Channel.AMENDED_ALERT
        transaction.tell_assessment(channel.priority, channel, entry.sequence)


def _detail(correction: Correction) -> Mapping[str, object]:
    return {"by": correction.by, "reading_was_not_theirs": str(correction.reading.placed.reading.id)}
