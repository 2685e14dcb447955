"""Somebody's concern under anything that may happen, beside a twin: the same resident, and nobody said so.

What is measured, and who acknowledges, is the same for both. So whatever the twin's alert is may be said of a
concern: it adds, and never takes away.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hub.alerts.answers import acknowledge, escalate
from hub.alerts.assessed import Assessed
from hub.alerts.concern import Concern, SoftSign
from hub.alerts.life import Alert, AlertPolicy, Decision, Outcome, Resolution, consider
from hub.alerts.of_concern import Settled, heed, settle
from hub.assessment.news2 import PARAMETERS
from hub.configuration.file import Rung
from hub.readings import Vital
from tests.rigs.alert_machine import Consider, assessed, scored
from tests.rigs.assessments import MINUTE, NOON, WELL
from tests.rigs.assessments import POLICY as OF_SCORES

POLICY = replace(
    OF_SCORES,
    concern_ladder=(Rung(after=3 * MINUTE, tell="night nurse"), Rung(after=12 * MINUTE, tell="GP or 111")),
)

Heed = Callable[[Alert | None, Concern, Assessed, AlertPolicy, Callable[[], uuid.UUID]], Decision]
Settle = Callable[[Alert], Settled]


def settled(alert: Alert) -> Settled:
    """As a senior carer settles it."""
    return settle(alert, "senior-1", alert.raised_at, "she slept badly", POLICY)


@dataclass(frozen=True)
class ConcernRules:
    """The code under test; or a broken variant of it."""

    heed: Heed = heed
    consider: Consider = consider
    settle: Settle = settled


class Concerned(RuleBasedStateMachine):
    """One resident, whatever is measured, and whoever is concerned, acknowledges or settles."""

    tested: ClassVar[ConcernRules] = ConcernRules()

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.ids = 0
        self.alert: Alert | None = None
        self.twin: Alert | None = None
        self.holds = False  # a concern was said, and nobody has settled it
        self.told: set[str] = set()  # since the alert was raised, or the concern joined it

    def new_id(self) -> uuid.UUID:
        self.ids += 1
        return uuid.UUID(int=self.ids)

    # What may happen

    @rule(points=scored(), later=st.sampled_from([0, 1, 10, 15, 30, 31, 60]))
    def measure(self, points: dict[Vital, int], later: int) -> None:
        self.now += later * MINUTE
        self.assess(points)

    @rule(later=st.sampled_from([1, 30, 31]))
    def measure_all_well(self, later: int) -> None:
        self.now += later * MINUTE
        self.assess(WELL)

    @rule(points=scored(), before=st.sampled_from([1, 20, 35, 70, 721]))
    def receive_late(self, points: dict[Vital, int], before: int) -> None:
        self.assess(points, before * MINUTE)

    @rule(points=scored(), sign=st.sampled_from(SoftSign))
    def say_concern(self, points: dict[Vital, int], sign: SoftSign) -> None:
        """Of what was measured just before, as much as is known at the moment: it may be less than before."""
        self.assess(points)
        known: dict[Vital, int] = {each: points[each] for each in points if each is not Vital.PULSE_RATE}
        said = Concern(said_at=self.now, signs=(sign,), by="carer-7")
        before = self.alert
        decision = self.tested.heed(before, said, assessed(known, self.now, self.now), POLICY, self.new_id)
        self.alert = decision.raised or decision.existing
        assert self.alert is not None, "whatever the score, a concern is an alert"
        assert self.alert.open
        assert self.alert.concerned
        assert self.alert.acknowledged_at is None, "nobody has answered to the concern yet"
        assert self.alert.rung < len(POLICY.ladder_of(self.alert)), "somebody is still to be told"
        assert self.alert.concern is not None
        assert sign in self.alert.concern.signs
        if before is not None:
            assert self.alert.band.rank >= before.band.rank
            assert before.contributing <= self.alert.contributing, "what was bad must still be measured again"
        if decision.raised is not None or before is None or not before.concerned:
            self.told = set()
        self.holds = True

    @precondition(lambda self: self.holds)
    @rule()
    def settle_it(self) -> None:
        assert self.alert is not None
        before, done = self.alert, self.tested.settle(self.alert)
        self.holds = False
        assert done.alert.band.rank <= before.band.rank
        assert not done.alert.concerned
        if done.alert.open:
            self.alert, self.told = done.alert, set()
        else:
            assert done.alert.resolution is Resolution.SETTLED
            self.alert = None

    @rule()
    def acknowledge(self) -> None:
        if self.alert is not None:
            self.alert = acknowledge(self.alert, "carer-7", self.now, "hub").alert
        if self.twin is not None:
            self.twin = acknowledge(self.twin, "carer-7", self.now, "hub").alert

    @rule(minutes=st.sampled_from([1, 4, 5, 12]))
    def wait(self, minutes: int) -> None:
        self.now += minutes * MINUTE
        self.climb()

    def climb(self) -> None:
        if self.twin is not None:
            climbed = escalate(self.twin, POLICY.ladder_of(self.twin), self.now)
            self.twin = self.twin if climbed is None else climbed.alert
        if self.alert is None:
            return
        ladder = POLICY.ladder_of(self.alert)
        climbed = escalate(self.alert, ladder, self.now)
        if climbed is not None:
            self.alert = climbed.alert
            self.told |= {rung.tell for rung in climbed.rungs}
        if self.alert.acknowledged_at is None:
            waited = self.now - self.alert.raised_at
            due = {rung.tell for rung in ladder if waited >= rung.after}
            assert due <= self.told, "whoever is due by any of its ladders was told"

    # What must then be so

    def assess(self, points: dict[Vital, int], before: timedelta = timedelta(0)) -> None:
        at = self.now - before
        assessment = assessed(points, at, self.now)
        decision = self.tested.consider(self.alert, assessment, POLICY, self.new_id)
        if self.holds:
            assert decision.outcome not in {Outcome.RESOLVED, Outcome.STEPPED_DOWN}, (
                "only a person settles it"
            )
        if decision.raised is not None:
            self.told = set()
        self.alert = _open(decision)
        self.twin = _open(consider(self.twin, assessment, POLICY, self.new_id))

    @invariant()
    def a_concern_holds_an_alert_until_it_is_settled(self) -> None:
        assert not self.holds or (self.alert is not None and self.alert.concerned)

    @invariant()
    def it_never_takes_away(self) -> None:
        if self.twin is None:
            return
        assert self.alert is not None, "without the concern an alert would be open"
        assert self.alert.band.rank >= self.twin.band.rank or not self.holds

    def teardown(self) -> None:
        """Whatever happened: who is due is told in the end, and once it is settled all well is the end."""
        self.now += timedelta(days=1)
        self.climb()
        if self.holds and self.alert is not None and self.alert.concerned:
            self.settle_it()
        for _ in range(3):
            self.now += POLICY.resolve_after
            self.assess(dict.fromkeys(PARAMETERS, 0))
        assert self.alert is None, "nothing holds it any more"


def _open(decision: Decision) -> Alert | None:
    if decision.raised is not None:
        return decision.raised
    existing = decision.existing
    return existing if existing is not None and existing.open else None
