"""A house whose hub runs on a machine whose clocks are set, lost and believed as on a Pi."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from hub.alerts.book import AlertBook
from hub.alerts.commands import Commands
from hub.alerts.life import Alert, AlertPolicy
from hub.intake.intake import Taken
from hub.readings import Reading
from hub.store.audit import entries
from hub.trail import Audited
from tests.rigs.clocks import SimulatedClock
from tests.rigs.house import House, cuff, oximeter, thermometer
from tests.rigs.simulated_machine import HOUR, MINUTE, SECOND, SimulatedMachine


class Home:
    """A house whose hub has a simulated machine's clock; readings come when the machine says it is now."""

    def __init__(self, directory: Path, machine: SimulatedMachine) -> None:
        self.directory = directory
        self.machine = machine
        self._start()

    def _start(self) -> None:
        self.clock = SimulatedClock(self.machine)
        self.house = House(self.directory, clock=self.clock)
        policy = AlertPolicy.of(self.house.config.alerts, self.house.config.observation_sets)
        book = AlertBook(self.house.identity, self.clock)
        self.commands = Commands(book, policy, self.house.follower)

    def start_again(self) -> None:
        """The hub's process ends and another begins; the machine runs on."""
        self.house.connection.close()
        self._start()
        self.watch()

    def boot_again(self, error: timedelta, *, synchronised: bool, off: timedelta = HOUR) -> None:
        """The machine was off for so long, and is on again, its clock wrong by so much."""
        booted_at = self.machine.true + off
        self.machine = SimulatedMachine(error, synchronised=synchronised)
        self.machine.booted_at = booted_at
        self.start_again()

    def network(self) -> None:
        """A minute later the network sets the clock, and the hub notices."""
        self.machine.pass_time(MINUTE)
        self.machine.set_from_network()
        self.watch()

    def watch(self) -> None:
        """As the timekeeper does each second."""
        self.clock.look()
        with self.house.transaction() as transaction:
            self.house.follower.follow(transaction)

    def take(self, reading: Reading, resident: str | None = None) -> Taken:
        return self.house.take(reading, resident)

    def ill(self) -> Taken:
        self.take(thermometer(37.0, self.machine.wall))
        self.take(cuff(105, self.machine.wall))
        return self.take(oximeter(80, self.machine.wall, pulse=135))

    def well(self) -> Taken:
        self.take(thermometer(37.0, self.machine.wall))
        self.take(cuff(120, self.machine.wall))
        return self.take(oximeter(98, self.machine.wall))

    def acknowledge(self) -> None:
        for alert in self.house.open_alerts():
            with self.house.transaction() as transaction:
                self.commands.acknowledge(transaction, alert.id, "carer-7", self.machine.wall, "hub")

    def escalate(self) -> int:
        with self.house.transaction() as transaction:
            seconds = self.machine.since_boot / SECOND
            return self.commands.escalate(transaction, self.machine.wall, seconds)

    def alert(self) -> Alert:
        (alert,) = self.house.open_alerts()
        return alert

    def noted(self, what: Audited) -> int:
        return sum(each.what == what for each in entries(self.house.connection))
