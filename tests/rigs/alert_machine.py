"""The alert lifecycle under anything that may happen, held to an account of its own of what happened.

The machine remembers every assessment of an episode (from the first alert to the last one's end)
and judges each decision by that memory alone. Broken variants of the code under test show that the
machine can fail.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hub.alerts.answers import Escalation, acknowledge, deliver, escalate
from hub.alerts.assessed import Assessed
from hub.alerts.life import Alert, AlertPolicy, Decision, Outcome, Resolution, consider
from hub.assessment.news2 import PARAMETERS, Band, News2, OxygenScale
from hub.assessment.observation_set import Observation, ObservationSet
from hub.configuration.file import Rung
from hub.readings import Vital
from tests.rigs.assessments import LADDER, MINUTE, NOON, POLICY, WELL

Consider = Callable[[Alert | None, Assessed, AlertPolicy, Callable[[], uuid.UUID]], Decision]
Escalate = Callable[[Alert, Sequence[Rung], datetime], Escalation | None]
POINTS = [
    WELL,
    WELL | {Vital.PULSE_RATE: 2},
    WELL | {Vital.OXYGEN_SATURATION: 3},
    WELL | {Vital.CONSCIOUSNESS: 3},
    WELL | {Vital.OXYGEN_SATURATION: 3, Vital.PULSE_RATE: 2},
    WELL | {Vital.OXYGEN_SATURATION: 3, Vital.PULSE_RATE: 3, Vital.RESPIRATION_RATE: 2},
    WELL | {Vital.OXYGEN_SATURATION: 3, Vital.PULSE_RATE: 2, Vital.CONSCIOUSNESS: 3},
]
USUALLY_DOUBTFUL: list[frozenset[Vital]] = [
    frozenset(), frozenset(), frozenset({Vital.OXYGEN_SATURATION, Vital.PULSE_RATE}), frozenset(PARAMETERS),
]  # fmt: skip
USUALLY_MISSING = [(), (Vital.CONSCIOUSNESS,), (Vital.OXYGEN_SATURATION,), (Vital.PULSE_RATE,)]


def assessed(
    points: dict[Vital, int],
    at: datetime,
    received_at: datetime,
    carried: timedelta = timedelta(0),
    doubtful: frozenset[Vital] = frozenset(),
    considered_at: datetime | None = None,
) -> Assessed:
    """All but the temperature was measured `carried` earlier, and is carried in the set."""
    observations = {
        vital: Observation(
            value=0.0,
            measured_at=at if vital is Vital.TEMPERATURE else at - carried,
            reading_id=uuid.UUID(int=0),
            doubtful_time=vital in doubtful,
        )
        for vital in points
    }
    missing = tuple(vital for vital in PARAMETERS if vital not in points)
    news2 = News2(OxygenScale.SCALE_1, points, missing)
    return Assessed("R-1", ObservationSet(at, observations), news2, received_at, considered_at)


@st.composite
def scored(draw: st.DrawFn) -> dict[Vital, int]:
    points = draw(st.sampled_from(POINTS))
    missing = draw(st.sampled_from(USUALLY_MISSING) | st.sets(st.sampled_from(PARAMETERS)))
    return {vital: each for vital, each in points.items() if vital not in missing}


@dataclass
class Remembered:
    assessed: Assessed
    at: datetime  # as the hub's clock has it now: never later than that
    in_order: bool
    worst_since: int  # the rank of the worst of this and all that came later, except what was older

    @property
    def rank(self) -> int:
        return self.assessed.news2.band.rank

    @property
    def alerting(self) -> bool:
        return self.rank >= POLICY.from_band.rank

    @property
    def measured(self) -> set[Vital]:
        return set(self.assessed.news2.sub_scores)

    @property
    def surely_measured(self) -> set[Vital]:
        of = self.assessed.observations.observations
        return {vital for vital in self.measured if not of[vital].doubtful_time}


def contributed(episode: Sequence[Remembered]) -> set[Vital]:
    return {vital for each in episode if each.alerting for vital in each.assessed.news2.contributing}


@dataclass(frozen=True)
class Rules:
    """The code under test; or a broken variant of it."""

    consider: Consider = consider
    escalate: Escalate = escalate


class Ward(RuleBasedStateMachine):
    """One resident, whatever is measured, in whatever order it arrives and whoever acknowledges."""

    tested: ClassVar[Rules] = Rules()

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON  # the hub's clock, which may be set
        self.lived = timedelta(0)  # the true time, which nobody can
        self.alerts: dict[uuid.UUID, Alert] = {}
        self.episode: list[Remembered] = []
        self.last: Assessed | None = None
        self.raised_by: dict[uuid.UUID, int] = {}  # the place in the episode
        self.begun: dict[uuid.UUID, timedelta] = {}  # in true time, when the wait for somebody began
        self.told: dict[uuid.UUID, list[Rung]] = {}
        self.first_to_acknowledge: dict[uuid.UUID, str] = {}

    @property
    def open(self) -> list[Alert]:
        return [alert for alert in self.alerts.values() if alert.resolution is None]

    def live(self, time: timedelta) -> None:
        self.now += time
        self.lived += time

    # What may happen

    @rule(
        points=scored(),
        later=st.sampled_from([0, 1, 10, 15, 30, 31, 60]),
        carried=st.sampled_from([0, 5, 30]),
        doubtful=st.sampled_from(USUALLY_DOUBTFUL),
    )
    def measure(self, points: dict[Vital, int], later: int, carried: int, doubtful: frozenset[Vital]) -> None:
        self.live(later * MINUTE)
        self.assess(assessed(points, self.now, self.now, carried * MINUTE, doubtful))

    @rule(later=st.sampled_from([1, 30, 31]), carried=st.sampled_from([0, 5]), awake=st.booleans())
    def measure_all_well(self, later: int, carried: int, awake: bool) -> None:
        self.live(later * MINUTE)
        points = {vital: 0 for vital in PARAMETERS if awake or vital is not Vital.CONSCIOUSNESS}
        self.assess(assessed(points, self.now, self.now, carried * MINUTE))

    @rule(points=scored(), before=st.sampled_from([1, 10, 20, 35, 70, 719, 721, 900]))
    def receive_late(self, points: dict[Vital, int], before: int) -> None:
        self.assess(assessed(points, self.now - before * MINUTE, self.now))

    @rule(points=scored(), before=st.sampled_from([1, 10, 35, 200]))
    def commit_what_waited_for_the_card(self, points: dict[Vital, int], before: int) -> None:
        received_at = self.now - before * MINUTE
        self.assess(assessed(points, received_at, received_at, considered_at=self.now))

    @rule(minutes=st.sampled_from([-525600, -1440, -60, -20, -5, 5, 60, 1440]))
    def the_hubs_clock_is_set(self, minutes: int) -> None:
        self.now += minutes * MINUTE

    @precondition(lambda self: self.last is not None)
    @rule()
    def assess_the_same_again(self) -> None:
        assert self.last is not None
        assert self.assess(self.last).raised is None, "a repetition is no news"

    @precondition(lambda self: self.alerts)
    @rule(data=st.data(), by=st.sampled_from(["carer-7", "gp-2"]))
    def acknowledge_one(self, data: st.DataObject, by: str) -> None:
        self.acknowledge(data.draw(st.sampled_from(list(self.alerts.values()))), by)

    def acknowledge(self, alert: Alert, by: str) -> None:
        self.alerts[alert.id] = acknowledge(alert, by, self.now, "ics").alert
        self.first_to_acknowledge.setdefault(alert.id, by)

    @precondition(lambda self: self.open)
    @rule()
    def acknowledge_the_open_one(self) -> None:
        self.acknowledge(self.open[0], "carer-7")

    @precondition(lambda self: self.alerts)
    @rule(data=st.data())
    def deliver_one(self, data: st.DataObject) -> None:
        alert = data.draw(st.sampled_from(list(self.alerts.values())))
        self.alerts[alert.id] = deliver(alert, self.now)

    @rule(minutes=st.sampled_from([1, 4, 5, 12]))
    def wait(self, minutes: int) -> None:
        self.live(minutes * MINUTE)
        self.look_at_the_ladder()

    def look_at_the_ladder(self) -> None:
        for alert in list(self.alerts.values()):
            # As `hub/alerts/commands.py` does: the wall clock says nothing of how long it was.
            waited = self.lived - self.begun[alert.id]
            escalation = self.tested.escalate(alert, LADDER, alert.raised_at + waited)
            due = [rung for rung in LADDER if waited >= rung.after]
            if alert.id in self.first_to_acknowledge or alert.resolution is not None:
                assert escalation is None, "what is acknowledged or resolved climbs no more"
                continue
            if escalation is not None:
                self.alerts[alert.id] = escalation.alert
                self.told.setdefault(alert.id, []).extend(escalation.rungs)
            assert self.told.get(alert.id, []) == due, "every rung once, in order, when it is due"

    # What must then be so

    def assess(self, assessment: Assessed) -> Decision:
        before = self.open[0] if self.open else None
        new_id = uuid.UUID(int=len(self.alerts) + 1)
        decision = self.tested.consider(before, assessment, POLICY, lambda: new_id)
        for alert in (decision.existing, decision.raised):
            if alert is not None:
                self.alerts[alert.id] = alert
                self.begun.setdefault(alert.id, self.lived)
        self.last = assessment
        if assessment.received_at - assessment.at > POLICY.late:
            assert (decision.outcome, decision.existing, decision.raised) == (Outcome.TOO_LATE, before, None)
            return decision
        for each in self.episode:
            each.at = min(each.at, assessment.clock)
            if each.at <= assessment.at:
                each.worst_since = max(each.worst_since, assessment.news2.band.rank)
        in_order = all(each.at <= assessment.at for each in self.episode)
        now = Remembered(assessment, assessment.at, in_order, assessment.news2.band.rank)
        self.judge_raising(before, now, decision)
        self.episode = [*self.episode, now]
        if decision.raised is not None:
            self.raised_by[decision.raised.id] = len(self.episode) - 1
        if before is not None and decision.existing is not None:
            self.judge_existing(before, now, decision.existing, decision.raised)
        if not self.open:
            self.episode = []
        return decision

    def judge_raising(self, before: Alert | None, now: Remembered, decision: Decision) -> None:
        raised = decision.raised
        if not now.alerting:
            assert raised is None
            return
        if before is None or now.rank > before.band.rank:
            assert raised is not None, "a rise in band always alerts"
        elif self.relapsed(before, now) or self.another_cause(before, now):
            assert raised is not None, "a relapse or another cause alerts again"
        if raised is None:
            return
        assert raised.band is now.assessed.news2.band
        assert (raised.acknowledged_at, raised.rung) == (None, 0), "nobody has seen the new alert yet"
        assert raised.supersedes == (None if before is None else before.id)
        if before is not None and now.rank <= before.band.rank:
            assert before.id in self.first_to_acknowledge or self.told.get(before.id) == list(LADDER)
            since = now.at - POLICY.resolve_after
            bad = any(each.rank >= now.rank and since < each.at < now.at for each in self.episode)
            assert not bad or contributed(self.episode) - now.measured

    def relapsed(self, before: Alert, now: Remembered) -> bool:
        """Acknowledged, and below the band, as far as measured, for long enough since it was raised."""
        return before.id in self.first_to_acknowledge and any(
            index > self.raised_by[before.id]
            and start.in_order
            and start.at + POLICY.resolve_after <= now.at
            and start.measured & contributed(self.episode[:index])
            and all(each.rank < now.rank for each in self.episode[index:])
            for index, start in enumerate(self.episode)
        )

    def another_cause(self, before: Alert, now: Remembered) -> bool:
        """Acknowledged, its cause not measured, and a 3 where nothing was amiss before."""
        points, known = now.assessed.news2.sub_scores, contributed(self.episode)
        red = any(points[vital] == 3 for vital in now.measured - known)
        return before.id in self.first_to_acknowledge and bool(known - now.measured) and red

    def judge_existing(self, before: Alert, now: Remembered, after: Alert, raised: Alert | None) -> None:
        unchanged = replace(
            after,
            band=before.band,
            contributing=before.contributing,
            assessed_until=before.assessed_until,
            below_since=before.below_since,
            quiet_since=before.quiet_since,
            resolved_at=None,
            resolution=None,
        )
        assert unchanged == before, "an assessment changes nothing else"
        assert (after.resolution is Resolution.SUPERSEDED) == (raised is not None)
        recovered = after.resolution is Resolution.RECOVERED
        if not recovered and after.band is before.band:
            return
        assert after.band.rank <= before.band.rank
        left = Band.SINGLE_RED.rank if recovered else after.band.rank + 1
        bad = contributed(self.episode)
        assert now.in_order, "what comes late neither lowers nor resolves"
        assert bad <= now.surely_measured, "every vital that contributed was measured, and it is known when"
        anew = min(now.assessed.observations.observations[vital].measured_at for vital in bad)
        assert any(
            start.in_order
            and start.at + POLICY.resolve_after <= anew
            and contributed(self.episode[:index]) <= start.surely_measured
            and start.worst_since < left
            for index, start in enumerate(self.episode)
        ), "below the band for long enough, from one whole measurement to another"

    @invariant()
    def at_most_one_alert_is_open(self) -> None:
        assert len(self.open) <= 1

    @invariant()
    def the_first_acknowledgement_stands(self) -> None:
        by = {alert.id: alert.acknowledged_by for alert in self.alerts.values() if alert.acknowledged_by}
        assert by == self.first_to_acknowledge

    def teardown(self) -> None:
        """Whatever happened: who is not acknowledged climbs to the top, and who recovers is resolved."""
        self.live(timedelta(days=1))
        self.look_at_the_ladder()
        for _ in range(2):
            self.live(POLICY.resolve_after)
            self.assess(assessed(WELL, self.now, self.now))
        assert not self.open, "a recovery that is measured whole resolves"


def run(machine: type[RuleBasedStateMachine], examples: int = 150) -> None:
    """The same examples each time, so that what passes today passes tomorrow."""
    same = settings(derandomize=True, database=None, deadline=None, phases=[Phase.generate])
    run_state_machine_as_test(machine, settings=settings(same, max_examples=examples, stateful_step_count=25))
