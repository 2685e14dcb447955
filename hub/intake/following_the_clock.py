"""The hub follows its wall clock: whenever that was set, what is compared is told anew, before all else.

Each step is stored once, in the transaction that does what follows from it, and each reading and each command
first has the steps followed that were noticed before it. So none is decided between a step and its
consequences. What was followed is remembered with the writer's window (`hub/store/recent.py`), which follows
the transaction: one that is undone leaves its steps to be followed by the next.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hub import trail
from hub.alerts.book import AlertBook, UnreadableAlertError, alert_of
from hub.alerts.life import Alert
from hub.clock import (
    MACHINE_CLOCK,
    Clock,
    ClockQuality,
    ClockStamp,
    ClockState,
    Step,
    StepKind,
    from_microseconds,
)
from hub.configuration.file import Config
from hub.store.audit import AuditEntry, AuditError, history
from hub.store.transaction import Transaction
from hub.timekeeping.correction import AlertStamps, carried_over, retold, shifted
from hub.timekeeping.present import Present, clock_rule
from hub.timekeeping.timing import ClockRule
from hub.trail import Audited, Moment
from hub.uplink.contract import Identity

_log = logging.getLogger(__name__)
_STATE = "clock"
"""The fact that says what the clock was when it was followed last."""
_MICROSECOND = timedelta(microseconds=1)
_MOST_SUPERSEDED = 5  # alerts that took each other's place while a concern was carried on

OnFirstSet = Callable[[Transaction, Step], Mapping[str, int]]
"""What else is done when a clock was set for the first time in its boot, by that step; returns how many of
what, for the trail. All that is compared is told by the clock as it is then."""


class ClockFollower:
    """Follows one clock, for all that is decided on a store. For the writer's thread alone.

    `on_first_set` is the intake's: it is to be set before anything is followed, since it is done once.
    """

    def __init__(self, book: AlertBook, rule: ClockRule, resolve_after: timedelta) -> None:
        self.clock = book.clock
        self.rule = rule
        self.on_first_set: OnFirstSet = lambda _transaction, _step: {}
        self._book = book
        self._resolve_after = resolve_after
        self._resumed = False

    @classmethod
    def of(cls, config: Config, identity: Identity, clock: Clock = MACHINE_CLOCK) -> ClockFollower:
        """As it is configured."""
        return cls(AlertBook(identity, clock), clock_rule(config), config.alerts.resolve_after)

    def follow(self, transaction: Transaction) -> None:
        """Follow every step that was noticed and is not followed yet: the first act of each transaction's
        work that compares times."""
        if transaction.followed is not None:
            self.clock.stamp()  # notices that it was set just now
        if transaction.followed != len(self.clock.steps):
            self._catch_up(transaction)

    def _catch_up(self, transaction: Transaction) -> None:
        if transaction.followed is None:
            self._begin(transaction)
        # Both clocks at one moment: what follows may take seconds, which the next start took for a step.
        now, wall = self.clock.stamp(), self.clock.now()
        steps = self.clock.steps  # after the stamp: with all that came before it
        missed = steps[transaction.followed or 0 :]
        put_right = [self._apply(transaction, step) for step in missed]
        transaction.tell_anew(Present.of(self.rule, transaction.steps, now), len(steps))
        transaction.set_fact(_STATE, _text(ClockState.noted(wall, now)))
        for step, alerts in zip(missed, put_right, strict=True):
            if step.kind is StepKind.FIRST_SET:
                counts = {"open alerts": alerts, **self.on_first_set(transaction, step)}
                if step.shift or any(counts.values()):
                    moment = Moment(_wall(step), step.at)
                    transaction.audit(trail.times_corrected(moment, step.shift, counts))

    def _begin(self, transaction: Transaction) -> None:
        """Go on from what the last run of the hub left, before anything is stamped."""
        left = _left(transaction)
        if left is not None and not self._resumed:
            self.clock.resume(left)
        self._resumed = True
        now = self.clock.stamp()
        if left is not None and left.boot == now.boot:
            return
        # Another boot: how long the machine was off only two clocks that are believed can tell.
        believed = left is not None and left.quality is ClockQuality.SYNCHRONISED
        if believed and now.quality is ClockQuality.SYNCHRONISED:
            return
        clock = self.clock.now()
        for alert in self._book.open_alerts(transaction):
            self._book.remember(transaction, carried_over(alert, clock, self._resolve_after))

    def _apply(self, transaction: Transaction, step: Step) -> int:
        """Store a step, and have the open alerts follow it; return how many of them were put right."""
        transaction.add_step(step)
        of_boot = [each for each in transaction.steps if each.at.boot == step.at.boot]
        put_right = 0
        for alert in self._book.open_alerts(transaction):
            after = shifted(alert, step)
            stamps = alert_stamps(transaction, alert) if step.kind is StepKind.FIRST_SET else None
            if stamps is not None:
                # Only by the steps of this boot: those of others were regarded in theirs.
                right = retold(after, stamps, of_boot)
                put_right += right != after
                after = right
            if after != alert:
                self._book.remember(transaction, after)
        transaction.audit(trail.clock_set(Moment(_wall(step), step.at), step.kind.value, step.shift))
        return put_right


def _wall(step: Step) -> datetime:
    """What the wall clock said when the step was noticed."""
    return from_microseconds(0) + step.to_offset + step.at.since_boot


def raised_entry(transaction: Transaction, alert: Alert) -> AuditEntry | None:
    """What the trail says of an alert's raising; None where it cannot be read, or is gone."""
    return _first(transaction, alert, Audited.RAISED).get(Audited.RAISED)


def alert_stamps(transaction: Transaction, alert: Alert) -> AlertStamps | None:
    """Which clock told an alert's times, as the trail has it; None where it does not say."""
    said = _first(
        transaction, alert, Audited.RAISED, Audited.DELIVERED, Audited.ACKNOWLEDGED, Audited.RESOLVED
    )
    stamps = {what: entry.stamp for what, entry in said.items()}
    if Audited.RAISED not in stamps:
        return None
    return AlertStamps(
        stamps[Audited.RAISED],
        stamps.get(Audited.DELIVERED),
        stamps.get(Audited.ACKNOWLEDGED),
        stamps.get(Audited.RESOLVED),
        _concern_stamp(transaction, alert),
    )


def _concern_stamp(transaction: Transaction, alert: Alert) -> ClockStamp | None:
    """Which clock told when a concern was said: in this alert, or in the ones that it superseded."""
    concern, named = alert.concern, alert
    for _ in range(_MOST_SUPERSEDED):
        if concern is None:
            return None
        for entry in _history(transaction, named):
            if entry.what in {Audited.RAISED, Audited.CONCERN_SAID} and entry.at == concern.said_at:
                return entry.stamp
        row = None if named.supersedes is None else transaction.alert(named.supersedes)
        if row is None:
            return None
        try:
            named = alert_of(row)
        except UnreadableAlertError:
            return None
    return None


def _history(transaction: Transaction, alert: Alert) -> Sequence[AuditEntry]:
    try:
        return history(transaction.connection, alert.id)
    except AuditError as error:
        _log.error("%s", error)
        return ()


def _first(transaction: Transaction, alert: Alert, *kinds: Audited) -> dict[str, AuditEntry]:
    """The first entry of each kind."""
    found: dict[str, AuditEntry] = {}
    for entry in _history(transaction, alert):
        if entry.what in kinds:
            found.setdefault(entry.what, entry)
    return found


def _left(transaction: Transaction) -> ClockState | None:
    """What the clock was when the hub last followed it, and how far it was believed with the newest reading.

    The reading's time of receipt is not asked: a replayed one is of another day.
    """
    text = transaction.fact(_STATE)
    if text is None:
        return None
    try:
        boot, since_boot, offset, quality = json.loads(text)
        state = ClockState(
            uuid.UUID(boot), since_boot * _MICROSECOND, offset * _MICROSECOND, ClockQuality(quality)
        )
    except (ValueError, TypeError, OverflowError):
        return None  # damaged: as if it were another boot
    newest = transaction.newest_stamp()
    if newest is not None and newest.boot == state.boot and newest.since_boot > state.since_boot:
        state = replace(state, quality=newest.quality)
    return state


def _text(state: ClockState) -> str:
    said = (
        str(state.boot), state.since_boot // _MICROSECOND, state.offset // _MICROSECOND, state.quality.value,
    )  # fmt: skip
    return json.dumps(said)
