"""The alert lifecycle under anything that may happen (`tests/rigs/alert_machine.py`), and the machine itself
under broken variants of the code, each of which it has to find."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import pytest

from hub.alerts.answers import escalate
from hub.alerts.assessed import Assessed
from hub.alerts.life import Alert, Decision, Outcome, Resolution, consider
from hub.alerts.of_concern import Settled, heed
from hub.assessment.news2 import Band
from hub.readings import Vital
from tests.rigs.alert_machine import Consider, Escalate, Rules, Ward, assessed, run
from tests.rigs.assessments import POLICY, WELL
from tests.rigs.concern_machine import Concerned, ConcernRules, settled


def test_the_alerts_keep_their_rules_under_anything_that_may_happen() -> None:
    run(Ward)


# Broken variants, each of which the machine has to find


def as_if_fresh(assessment: Assessed, imputed: Mapping[Vital, int] = MappingProxyType({})) -> Assessed:
    points = {**imputed, **assessment.news2.sub_scores}
    return replace(
        assessed(
            points, assessment.at, assessment.received_at, doubtful=assessment.observations.doubtful_time
        ),
        considered_at=assessment.considered_at,
    )


def as_if_sure(assessment: Assessed) -> Assessed:
    of = assessment.observations.observations
    sure = {vital: replace(each, doubtful_time=False) for vital, each in of.items()}
    return replace(assessment, observations=replace(assessment.observations, observations=sure))


def with_raised(decision: Decision, change: Callable[[Alert], Alert]) -> Decision:
    return decision if decision.raised is None else replace(decision, raised=change(decision.raised))


HOWEVER_LATE = replace(POLICY, late=timedelta(days=9))
WITHOUT_A_WAIT = replace(POLICY, resolve_after=timedelta(0))
BROKEN_DECISIONS: dict[str, Consider] = {
    "resolves on partial scores": lambda alert, new, policy, id: consider(
        alert, as_if_fresh(new, WELL), policy, id
    ),
    "believes carried values": lambda alert, new, policy, id: consider(alert, as_if_fresh(new), policy, id),
    "believes a time that is doubtful": lambda alert, new, policy, id: consider(
        alert, as_if_sure(new), policy, id
    ),
    "waits for a clock that was ahead": lambda alert, new, policy, id: consider(
        alert, replace(new, considered_at=new.clock + timedelta(days=999)), policy, id
    ),
    "believes that all is considered in order": lambda alert, new, policy, id: consider(
        alert, replace(new, considered_at=new.received_at), policy, id
    ),
    "forgets the open alert": lambda _, new, policy, id: consider(None, new, policy, id),
    "alerts on every reading": lambda alert, new, policy, id: consider(
        alert and replace(alert, band=Band.ZERO), new, policy, id
    ),
    "hands the acknowledgement on": lambda alert, new, policy, id: with_raised(
        consider(alert, new, policy, id),
        lambda raised: replace(raised, acknowledged_at=alert.acknowledged_at if alert else None),
    ),
    "misses a rise": lambda alert, new, policy, id: consider(
        alert and replace(alert, band=Band.HIGH), new, policy, id
    ),
    "hides another cause": lambda alert, new, policy, id: consider(
        alert and replace(alert, contributing=alert.contributing | new.news2.contributing), new, policy, id
    ),
    "hides a relapse": lambda alert, new, policy, id: consider(
        alert and replace(alert, quiet_since={}), new, policy, id
    ),
    "forgets what the superseded alert was about": lambda alert, new, policy, id: with_raised(
        consider(alert, new, policy, id),
        lambda raised: replace(raised, contributing=new.news2.contributing),
    ),
    "takes late readings for new": lambda alert, new, policy, id: consider(
        alert and replace(alert, assessed_until=new.at), new, policy, id
    ),
    "alerts however late": lambda alert, new, _, id: consider(alert, new, HOWEVER_LATE, id),
    "resolves at once": lambda alert, new, _, id: consider(alert, new, WITHOUT_A_WAIT, id),
    "never resolves": lambda alert, new, policy, id: consider(
        alert and replace(alert, below_since={}), new, policy, id
    ),
}
BROKEN_ESCALATIONS: dict[str, Escalate] = {
    "climbs after acknowledgement": lambda alert, ladder, now: escalate(
        replace(alert, acknowledged_at=None), ladder, now
    ),
    "climbs every rung again": lambda alert, ladder, now: escalate(replace(alert, rung=0), ladder, now),
    "never climbs to the top": lambda alert, ladder, now: escalate(alert, ladder[:-1], now),
}


@pytest.mark.parametrize(
    "rules",
    [Rules(consider=broken) for broken in BROKEN_DECISIONS.values()]
    + [Rules(escalate=broken) for broken in BROKEN_ESCALATIONS.values()],
    ids=[*BROKEN_DECISIONS, *BROKEN_ESCALATIONS],
)
def test_the_machine_finds_rules_that_are_broken(rules: Rules) -> None:
    class Broken(Ward):
        tested = rules

    with pytest.raises(AssertionError):
        run(Broken)


# Somebody's concern


def test_a_concern_adds_and_never_takes_away_under_anything_that_may_happen() -> None:
    run(Concerned, examples=40)


BROKEN_CONCERNS: dict[str, ConcernRules] = {
    "good values end it": ConcernRules(
        consider=lambda alert, new, policy, id: consider(
            alert and replace(alert, concern=None), new, policy, id
        )
    ),
    "an acknowledgement of before counts for it": ConcernRules(
        heed=lambda alert, said, new, policy, id: (
            heed(alert, said, new, policy, id)
            if alert is None or alert.acknowledged_at is None
            else Decision(Outcome.CONCERN, replace(alert, concern=said))
        )
    ),
    "joins, and is told to nobody": ConcernRules(
        heed=lambda alert, said, new, policy, id: (
            heed(alert, said, new, policy, id)
            if alert is None
            else Decision(Outcome.CONCERN, replace(alert, concern=said))
        )
    ),
    "the new alert forgets what was bad": ConcernRules(
        heed=lambda alert, said, new, policy, id: with_raised(
            heed(alert, said, new, policy, id), lambda raised: replace(raised, contributing=frozenset())
        )
    ),
    "a higher band leaves it behind": ConcernRules(
        consider=lambda alert, new, policy, id: with_raised(
            consider(alert, new, policy, id), lambda raised: replace(raised, concern=None)
        )
    ),
    "to settle it ends what the score asks for": ConcernRules(
        settle=lambda alert: replace(
            (done := settled(alert)),
            alert=replace(done.alert, resolved_at=alert.raised_at, resolution=Resolution.SETTLED),
        )
    ),
    "settled, and goes on for nothing": ConcernRules(
        settle=lambda alert: Settled(replace(settled(alert).alert, resolved_at=None, resolution=None))
    ),
}


@pytest.mark.parametrize("rules", BROKEN_CONCERNS.values(), ids=BROKEN_CONCERNS)
def test_the_machine_finds_concerns_that_are_not_heeded(rules: ConcernRules) -> None:
    class Broken(Concerned):
        tested = rules

    with pytest.raises(AssertionError):
        run(Broken)
