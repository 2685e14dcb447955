"""Clocks for a house: one that is always right, and that of a simulated machine, which is set and lost."""

from __future__ import annotations

from datetime import datetime

from hub.clock import MACHINE_CLOCK, ClockQuality, ClockStamp, ClockState, HubClock, Step, now
from tests.rigs.simulated_machine import SimulatedMachine


class RightClock:
    """This machine's clock, as if it were synchronised and nobody set it."""

    steps: tuple[Step, ...] = ()

    def now(self) -> datetime:
        return now()

    def stamp(self) -> ClockStamp:
        seen = MACHINE_CLOCK.stamp()
        return ClockStamp(seen.boot, seen.since_boot, ClockQuality.SYNCHRONISED)

    def resume(self, state: ClockState) -> None:
        pass


class SimulatedClock:
    """What a hub's process knows of a simulated machine's clocks; a new one is a hub that starts again.

    As `hub.clock.MachineClock`: each stamp notices that the clock was set, and `look` also that it is
    synchronised.
    """

    def __init__(self, machine: SimulatedMachine) -> None:
        self.machine = machine
        self._hub = HubClock(machine.boot, machine.look())
        self.steps: tuple[Step, ...] = ()

    def look(self) -> None:
        step = self._hub.look(self.machine.look())
        if step is not None:
            self.steps = (*self.steps, step)

    def now(self) -> datetime:
        return self.machine.wall

    def stamp(self) -> ClockStamp:
        self.look()
        return self.machine.stamp(self._hub.state.quality)

    def resume(self, state: ClockState) -> None:
        if state.boot == self.machine.boot:
            self.steps = ()
            self._hub = HubClock.resumed(state)
            self.look()
