"""Two hubs hear the same; the clock of one is always right, that of the other is set. They decide alike."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from hub.intake.intake import Taken
from hub.store.transaction import Transaction
from tests.rigs.home import Home
from tests.rigs.house import WELL_OXIMETER, cuff, oximeter, thermometer
from tests.rigs.simulated_machine import HOUR, MINUTE, SECOND, SimulatedMachine


def _alike(right: Taken, other: Taken) -> None:
    """All but the alert's id, into which its time goes."""
    assert (right.alert is None) == (other.alert is None)
    assert replace(right, alert=None) == replace(other, alert=None)


class TwoHubs(RuleBasedStateMachine):
    """Whatever becomes of the one hub's clock, only the times that are told may differ."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        path = Path(self.directory.name)
        self.right = Home(path / "right", SimulatedMachine(synchronised=True))
        self.other = Home(path / "other", SimulatedMachine(-5 * HOUR))
        self.homes = self.right, self.other

    def teardown(self) -> None:
        for home in self.homes:
            home.house.connection.close()
        self.directory.cleanup()

    @rule(minutes=st.integers(1, 40))
    def time_passes(self, minutes: int) -> None:
        for home in self.homes:
            home.machine.pass_time(minutes * MINUTE)

    @rule(
        saturation=st.sampled_from([80, 91, 98]),
        pulse=st.sampled_from([72, 135]),
        late=st.sampled_from([0, 0, 0, 5]),
        of_another=st.booleans(),
    )
    def oximeter(self, saturation: int, pulse: int, late: int, of_another: bool) -> None:
        """It is taken some minutes after it came, where the card was full."""
        taken = []
        for home in self.homes:
            home.machine.pass_time(SECOND)
            device = {"device": WELL_OXIMETER} if of_another else {}
            reading = oximeter(saturation, home.machine.wall, pulse=pulse, **device)
            stamp = home.clock.stamp()
            home.machine.pass_time(late * MINUTE)
            with home.house.transaction() as transaction:
                taken.append(home.house.intake.take(transaction, reading, stamp))
        _alike(*taken)

    @rule(systolic=st.sampled_from([85, 105, 120]))
    def cuff(self, systolic: int) -> None:
        taken = []
        for home in self.homes:
            home.machine.pass_time(SECOND)
            taken.append(home.take(cuff(systolic, home.machine.wall)))
        _alike(*taken)

    @rule(celsius=st.sampled_from([36.9, 39.5]))
    def thermometer(self, celsius: float) -> None:
        taken = []
        for home in self.homes:
            home.machine.pass_time(SECOND)
            taken.append(home.take(thermometer(celsius, home.machine.wall)))
        _alike(*taken)

    @rule()
    def acknowledged(self) -> None:
        for home in self.homes:
            home.acknowledge()

    @rule()
    def escalation(self) -> None:
        assert self.right.escalate() == self.other.escalate()

    @rule(by=st.timedeltas(3 * SECOND, 2 * HOUR) | st.just(400 * HOUR), direction=st.sampled_from([-1, 1]))
    def set_by_hand(self, by: timedelta, direction: int) -> None:
        self.a_moment_passes()
        self.other.machine.set_by_hand(direction * by)

    @rule()
    def set_from_network(self) -> None:
        self.a_moment_passes()
        self.other.machine.set_from_network()

    def a_moment_passes(self) -> None:
        """No clock is set in the very microsecond in which a reading was stamped."""
        for home in self.homes:
            home.machine.pass_time(2 * SECOND)

    @rule()
    def watched(self) -> None:
        self.other.watch()

    @rule()
    def the_hub_starts_again(self) -> None:
        for home in self.homes:
            home.start_again()

    @invariant()
    def the_same_alerts(self) -> None:
        right, other = (
            [
                (alert.resident, alert.band, alert.state, alert.resolution, alert.rung, alert.contributing)
                for alert in home.house.alerts()
            ]
            for home in self.homes
        )
        assert sorted(right, key=str) == sorted(other, key=str)


QUICK = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def test_a_hub_whose_clock_is_set_alerts_and_ends_as_one_whose_clock_was_always_right() -> None:
    run_state_machine_as_test(TwoHubs, settings=QUICK)


@pytest.mark.parametrize("without", ["alerts", "window"])
def test_the_comparison_notices_what_is_not_followed(without: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if without == "alerts":
        monkeypatch.setattr("hub.intake.following_the_clock.shifted", lambda alert, _step: alert)
    else:
        tell_anew = Transaction.tell_anew

        def only_first(transaction: Transaction, present: object, followed: int) -> None:
            if transaction.followed is None:
                tell_anew(transaction, present, followed)  # type: ignore[arg-type]  # the very same
            else:
                transaction._recent.followed = followed

        monkeypatch.setattr(Transaction, "tell_anew", only_first)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(TwoHubs, settings=settings(QUICK, max_examples=60, phases=[Phase.generate]))
