"""Whether the release in force is dead, and may hence be unpacked anew; the systemd is played."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest

from provisioning.keeper.in_force import is_dead
from provisioning.keeper.judge import UnitSeen
from provisioning.keeper.places import UNIT
from tests.rigs.releases import QUICK, Machine, Processes

PACE = replace(QUICK, answer=0.1, silence=0.5)
ENDED_ONCE = UnitSeen("active", "running", restarts=1)


def seen_as(services: Processes, looks: Sequence[UnitSeen]) -> None:
    """At each look another one, and then always the last."""
    left = list(looks)

    def seen(_unit: str) -> UnitSeen:
        return left.pop(0) if len(left) > 1 else left[0]

    services.seen = seen  # type: ignore[assignment, method-assign]


def test_one_that_ended_some_time_ago_and_answers_or_is_only_slow_to_is_not(machine: Machine) -> None:
    machine.with_hub()
    seen_as(machine.services, [ENDED_ONCE])
    assert not is_dead(machine.places, machine.services, PACE)
    hub = machine.services.process
    os.kill(hub, signal.SIGSTOP)
    goes_on = threading.Timer(0.3, os.kill, (hub, signal.SIGCONT))
    goes_on.start()
    assert not is_dead(machine.places, machine.services, replace(PACE, silence=20))
    goes_on.join()


def test_one_that_has_ended_and_does_not_answer_any_more_is(machine: Machine) -> None:
    machine.with_hub()
    seen_as(machine.services, [ENDED_ONCE])
    os.kill(machine.services.process, signal.SIGSTOP)
    assert is_dead(machine.places, machine.services, PACE)
    os.kill(machine.services.process, signal.SIGCONT)


@pytest.mark.parametrize(
    ("looks", "dead"),
    [
        ([UnitSeen("failed", "failed", "exit-code", code=1)], True),
        ([UnitSeen("activating", "auto-restart", "exit-code", code=1)], True),
        (
            [replace(ENDED_ONCE, active="activating"), replace(ENDED_ONCE, active="activating", restarts=2)],
            True,
        ),
        ([UnitSeen("inactive")], False),  # by somebody's hand
        ([replace(ENDED_ONCE, active="activating"), UnitSeen("inactive", restarts=1)], False),
        ([UnitSeen("active", "running")], False),
    ],
)
def test_it_goes_by_what_systemd_makes_of_it(machine: Machine, looks: list[UnitSeen], *, dead: bool) -> None:
    seen_as(machine.services, looks)
    assert is_dead(machine.places, machine.services, PACE) is dead


def test_where_no_hub_is_to_run_nothing_is_dead(machine: Machine) -> None:
    machine.services = Processes(machine.places, enabled=())
    seen_as(machine.services, [UnitSeen("failed", "failed", "exit-code", code=1)])
    assert not is_dead(machine.places, machine.services, PACE)
    assert not machine.services.wanted(UNIT)
