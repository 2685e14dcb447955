"""Setting the hub's clock ends no alert early, hides no relapse and calls nobody: as if it had been right."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from hub.alerts.answers import acknowledge, deliver
from hub.alerts.assessed import Assessed
from hub.alerts.concern import Concern
from hub.alerts.life import Alert, Outcome, consider
from hub.assessment.news2 import Band
from hub.assessment.observation_set import Observation, ObservationSet
from hub.clock import ClockQuality, ClockStamp, HubClock, Step, StepKind
from hub.readings import Vital
from hub.timekeeping.correction import AlertStamps, carried_over, retold, shifted
from tests.rigs.assessments import (
    HIGH,
    MEDIUM,
    MIND,
    POLICY,
    RED,
    WELL,
    assessed,
    considered,
    existing,
    raised,
    seen,
    without,
)
from tests.rigs.simulated_machine import HOUR, MINUTE, SECOND, SimulatedMachine

BOOT = uuid.UUID(int=1)


def step(shift: timedelta, at: timedelta = HOUR, kind: StepKind = StepKind.STEPPED) -> Step:
    return Step(kind, ClockStamp(BOOT, at, ClockQuality.STEPPED), 1000 * HOUR, 1000 * HOUR + shift)


def moment(minute: float) -> datetime:
    """So many minutes after the rigs' noon."""
    return assessed(WELL, minute).received_at


def test_setting_the_clock_ahead_ends_no_alert_early() -> None:
    """Well at minute 10; at minute 11 the clock is set 5 h ahead; well again a minute later."""
    recovering = existing(considered(raised(RED), assessed(WELL, 10)))
    next_one = assessed(WELL, 5 * 60 + 12)
    assert considered(recovering, next_one).outcome is Outcome.RESOLVED  # the known fault
    told_anew = shifted(recovering, step(5 * HOUR))
    assert considered(told_anew, next_one).outcome is Outcome.UNCHANGED
    assert considered(told_anew, next_one, assessed(WELL, 5 * 60 + 39)).outcome is Outcome.UNCHANGED
    assert considered(told_anew, next_one, assessed(WELL, 5 * 60 + 40)).outcome is Outcome.RESOLVED


def test_setting_the_clock_back_delays_no_end() -> None:
    recovering = existing(considered(raised(RED), assessed(WELL, 10)))
    told_anew = shifted(recovering, step(-5 * HOUR))
    assert considered(recovering, assessed(WELL, 40 - 5 * 60)).outcome is Outcome.UNCHANGED
    assert considered(told_anew, assessed(WELL, 40 - 5 * 60)).outcome is Outcome.RESOLVED


def test_setting_the_clock_back_hides_no_relapse() -> None:
    partly = existing(considered(seen(raised(HIGH)), assessed(without(WELL, MIND), 10)))
    told_anew = shifted(partly, step(-5 * HOUR))
    assert considered(partly, assessed(HIGH, 40 - 5 * 60)).outcome is Outcome.UNCHANGED
    assert considered(told_anew, assessed(HIGH, 40 - 5 * 60)).outcome is Outcome.SUPERSEDED


def test_what_comes_late_after_the_clock_was_set_ahead_is_late_still() -> None:
    """Assessed at minute 10; after the clock was set 5 h ahead, what was measured at minute 6 comes."""
    alert = existing(considered(raised(RED), assessed(RED, 10)))
    late = assessed(WELL, 5 * 60 + 6, received=5 * 60 + 12)
    assert existing(considered(alert, late)).below_since != {}  # as if it were the newest
    assert existing(considered(shifted(alert, step(5 * HOUR)), late)).below_since == {}


# The record


def stamped(minute: float, quality: ClockQuality = ClockQuality.NOT_YET) -> ClockStamp:
    return ClockStamp(BOOT, minute * MINUTE, quality)


def test_an_alerts_record_is_put_right_when_the_clock_is_first_set() -> None:
    alert = acknowledge(deliver(raised(RED), moment(1)), "carer-7", moment(2), "hub").alert
    first_set = step(5 * HOUR, 60 * MINUTE, StepKind.FIRST_SET)
    stamps = AlertStamps(stamped(0), stamped(1), stamped(2))
    right = retold(alert, stamps, [first_set])
    assert right == replace(
        alert,
        raised_at=alert.raised_at + 5 * HOUR,
        measured_at=alert.measured_at + 5 * HOUR,
        delivered_at=moment(1) + 5 * HOUR,
        acknowledged_at=moment(2) + 5 * HOUR,
    )


def test_of_a_record_only_what_the_unset_clock_told_is_put_right() -> None:
    """Raised in an earlier boot; delivered before the clock was set in this one, acknowledged after it."""
    alert = acknowledge(deliver(raised(RED), moment(1)), "carer-7", moment(400), "hub").alert
    first_set = step(5 * HOUR, 60 * MINUTE, StepKind.FIRST_SET)
    earlier = ClockStamp(uuid.UUID(int=2), 9000 * HOUR, ClockQuality.SYNCHRONISED)
    stamps = AlertStamps(earlier, stamped(1), stamped(100, ClockQuality.SYNCHRONISED))
    right = retold(alert, stamps, [first_set])
    assert right == replace(alert, delivered_at=moment(1) + 5 * HOUR)


def test_when_a_concern_was_said_is_put_right_by_the_clock_that_told_it() -> None:
    """Said in this boot, of an alert of an earlier one."""
    alert = replace(raised(RED), concern=Concern(moment(3), words="pale"))
    first_set = step(5 * HOUR, 60 * MINUTE, StepKind.FIRST_SET)
    earlier = ClockStamp(uuid.UUID(int=2), 9000 * HOUR, ClockQuality.SYNCHRONISED)
    right = retold(alert, AlertStamps(earlier, concern=stamped(3)), [first_set])
    assert right == replace(alert, concern=Concern(moment(3) + 5 * HOUR, words="pale"))
    assert retold(alert, AlertStamps(earlier), [first_set]) == alert, "nobody knows which clock told it"


def test_a_clock_that_contradicts_itself_rewrites_no_record() -> None:
    alert = deliver(raised(RED), moment(1))
    synchronised = stamped(0, ClockQuality.SYNCHRONISED)
    assert retold(alert, AlertStamps(synchronised, synchronised), [step(5 * HOUR)]) == alert


# Another boot


def test_after_a_boot_whose_clock_is_not_believed_a_recovery_begins_anew() -> None:
    recovering = existing(considered(raised(RED), assessed(WELL, 10)))
    clock = assessed(WELL, -300).received_at  # hours behind
    over = carried_over(recovering, clock, POLICY.resolve_after)
    assert considered(over, assessed(WELL, -299), assessed(WELL, -270)).outcome is Outcome.UNCHANGED
    assert considered(over, assessed(WELL, -299), assessed(WELL, -269)).outcome is Outcome.RESOLVED
    ahead = carried_over(recovering, assessed(WELL, 9999).received_at, POLICY.resolve_after)
    assert considered(ahead, assessed(WELL, 9999)).outcome is Outcome.UNCHANGED


@pytest.mark.parametrize("minute", [-300, 11, 9999])
def test_after_a_boot_whose_clock_is_not_believed_no_relapse_is_hidden(minute: float) -> None:
    partly = existing(considered(seen(raised(HIGH)), assessed(without(WELL, MIND), 10)))
    over = carried_over(partly, assessed(WELL, minute).received_at, POLICY.resolve_after)
    assert considered(over, assessed(HIGH, minute + 1)).outcome is Outcome.SUPERSEDED


def test_after_a_boot_what_never_was_quiet_does_not_alert_anew() -> None:
    over = carried_over(seen(raised(HIGH)), assessed(WELL, 10).received_at, POLICY.resolve_after)
    assert considered(over, assessed(HIGH, 11)).outcome is Outcome.UNCHANGED


# Under anything that may happen


class TwoHubs(RuleBasedStateMachine):
    """The same readings and minutes at a hub whose clock is always right, and at one whose clock is set."""

    shift: Callable[[Alert, Step], Alert] = staticmethod(shifted)

    def __init__(self) -> None:
        super().__init__()
        self.machine = SimulatedMachine(-5 * HOUR)
        self.clock = HubClock(self.machine.boot, self.machine.look())
        self.alerts: list[Alert | None] = [None, None]  # of the right hub, and of the other

    @rule(minutes=st.integers(1, 45))
    def time_passes(self, minutes: int) -> None:
        self.machine.pass_time(minutes * MINUTE)

    @rule(
        points=st.sampled_from([WELL, RED, MEDIUM, HIGH]),
        missing=st.sampled_from([(), (), (MIND,), (Vital.OXYGEN_SATURATION,)]),
        carried=st.sampled_from([0, 0, 3, 20]),
        late=st.sampled_from([0, 0, 0, 30]),
    )
    def assess(self, points: dict[Vital, int], missing: tuple[Vital, ...], carried: int, late: int) -> None:
        self.notice()
        identity = uuid.uuid4()
        outcomes = []
        for index, error in enumerate([timedelta(0), self.machine.error]):
            received_at = self.machine.true + error
            at = received_at - late * MINUTE
            said = assessed(without(points, *missing), 0)
            moments = {vital: at - (carried * MINUTE if vital is MIND else timedelta(0)) for vital in points}
            observations = {
                vital: Observation(0.0, moments[vital], each.reading_id)
                for vital, each in said.observations.observations.items()
            }
            one = Assessed("R-0412", ObservationSet(at, observations), said.news2, received_at)
            decision = consider(self.alerts[index], one, POLICY, lambda: identity)
            alert = decision.raised or decision.existing
            self.alerts[index] = alert if alert is not None and alert.open else None
            outcomes.append((decision.outcome, alert.band if alert else None))
        assert outcomes[0] == outcomes[1]

    @rule()
    def acknowledged(self) -> None:
        self.notice()
        for index, error in enumerate([timedelta(0), self.machine.error]):
            alert = self.alerts[index]
            if alert is not None:
                self.alerts[index] = acknowledge(alert, "carer-7", self.machine.true + error, "hub").alert

    @rule(by=st.timedeltas(3 * SECOND, 2 * HOUR) | st.just(400 * HOUR), direction=st.sampled_from([-1, 1]))
    def set_by_hand(self, by: timedelta, direction: int) -> None:
        self.notice()
        self.machine.set_by_hand(direction * by)

    @rule()
    def set_from_network(self) -> None:
        self.notice()
        self.machine.set_from_network()

    @rule()
    def notice(self) -> None:
        """As the watch does, or the first reading after it."""
        found = self.clock.look(self.machine.look())
        alert = self.alerts[1]
        if found is not None and alert is not None:
            self.alerts[1] = type(self).shift(alert, found)


OFTEN = settings(max_examples=60, stateful_step_count=40, deadline=None)
CONTROL = settings(OFTEN, max_examples=3000, phases=[Phase.generate], derandomize=True)


def test_a_hub_whose_clock_is_set_decides_as_one_whose_clock_was_always_right() -> None:
    run_state_machine_as_test(TwoHubs, settings=OFTEN)


def _as_it_was(alert: Alert, _: Step) -> Alert:
    return alert


def _only_the_first_set(alert: Alert, found: Step) -> Alert:
    return shifted(alert, found) if found.kind is StepKind.FIRST_SET else alert


def _not_what_was_quiet(alert: Alert, found: Step) -> Alert:
    return replace(shifted(alert, found), quiet_since=alert.quiet_since)


def _not_what_was_below(alert: Alert, found: Step) -> Alert:
    return replace(shifted(alert, found), below_since=alert.below_since)


@pytest.mark.parametrize(
    "broken",
    [_as_it_was, _only_the_first_set, _not_what_was_quiet, _not_what_was_below],
)
def test_the_account_finds_what_is_not_told_anew(broken: Callable[[Alert, Step], Alert]) -> None:
    """Positive controls."""

    class Broken(TwoHubs):
        shift = staticmethod(broken)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(Broken, settings=CONTROL)


def test_a_shift_leaves_the_record_and_the_bands_as_they_are() -> None:
    alert = existing(considered(seen(raised(HIGH)), assessed(WELL, 10)))
    moved = shifted(alert, step(5 * HOUR))
    assert set(moved.below_since) == set(alert.below_since) == {Band.SINGLE_RED, Band.MEDIUM, Band.HIGH}
    assert moved.raised_at == alert.raised_at
    assert moved.acknowledged_at == alert.acknowledged_at
    assert shifted(moved, step(-5 * HOUR)) == alert
