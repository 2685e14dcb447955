"""Units: which verbs of systemctl a state needs. A real systemd has them in tests/machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from provisioning.keeper.applying_commands import Machine, Said
from provisioning.keeper.applying_units import unit
from provisioning.keeper.places import Places
from provisioning.keeper.resources import Unit


class StandIn(Machine):
    """A machine with one unit, whose systemctl is played."""

    def __init__(self, enabled: str = "disabled", active: str = "inactive", load: str = "loaded") -> None:
        super().__init__(Places(Path("/")), live=True)
        self.state = {"LoadState": load, "UnitFileState": enabled, "ActiveState": active}
        self.verbs: list[str] = []
        self.fails = ""
        self.applies = True

    def call(self, command: Sequence[str], seconds: float = 0.0) -> Said:
        verb = command[1]
        if command[0] != "systemctl":
            return Said(0, "the last words of its log")
        if verb == "show":
            return Said(0, "\n".join(f"{key}={value}" for key, value in self.state.items()))
        self.verbs.append(verb)
        if verb == self.fails:
            return Said(1, "Job failed.")
        if verb in ("enable", "disable", "mask"):
            self.state["UnitFileState"] = {"enable": "enabled", "disable": "disabled", "mask": "masked"}[verb]
        if verb == "stop":
            self.state["ActiveState"] = "inactive"
        if verb == "start":
            self.state["ActiveState"] = "active" if self.applies else "inactive"
            self.state |= {
                "ConditionResult": "yes" if self.applies else "no",
                "ConditionTimestampMonotonic": "7",
            }
        return Said(0, "")


@pytest.mark.parametrize(
    ("wanted", "enabled", "active", "verbs"),
    [
        ("running", "disabled", "inactive", ["enable", "start"]),
        ("running", "enabled", "active", []),
        ("running", "enabled", "failed", ["start"]),
        ("running", "enabled", "activating", ["start"]),
        ("running", "masked", "inactive", ["unmask", "enable", "start"]),
        ("running", "static", "active", []),
        ("enabled", "disabled", "inactive", ["enable"]),
        ("enabled", "enabled", "inactive", []),
        ("stopped", "enabled", "active", ["disable", "stop"]),
        ("stopped", "disabled", "inactive", []),
        ("stopped", "linked", "active", ["stop"]),
        ("masked", "enabled", "active", ["mask", "stop"]),
        ("masked", "masked", "inactive", []),
    ],
)
def test_what_is_missing_is_done_and_then_nothing(
    wanted: str, enabled: str, active: str, verbs: list[str]
) -> None:
    machine = StandIn(enabled, active)
    resource = Unit("carehub.service", wanted)
    assert unit(resource, machine, dry_run=True, held="").change == ("would change" if verbs else "none")
    assert machine.verbs == []
    assert unit(resource, machine, dry_run=False, held="").change == ("changed" if verbs else "none")
    assert machine.verbs == verbs
    assert unit(resource, machine, dry_run=False, held="").change == "none"


def test_a_unit_whose_conditions_are_not_met_is_not_started_again_and_again() -> None:
    machine = StandIn("enabled")
    machine.applies = False
    resource = Unit("systemd-timesyncd.service", "running")
    outcome = unit(resource, machine, dry_run=False, held="")
    assert "does not meet its conditions" in outcome.detail
    assert unit(resource, machine, dry_run=False, held="").change == "none"


def test_a_hub_that_must_wait_is_not_started_and_others_are() -> None:
    machine = StandIn()
    outcome = unit(Unit("carehub.service", "running"), machine, dry_run=False, held="it waits")
    assert (outcome.change, outcome.detail, machine.verbs) == ("failed", "not started: it waits", [])
    assert unit(Unit("ssh.service", "running"), machine, dry_run=False, held="it waits").change == "changed"
    running = StandIn("enabled", "active")
    assert unit(Unit("carehub.service", "running"), running, dry_run=False, held="it waits").change == "none"


def test_one_that_does_not_start_says_what_it_logged() -> None:
    machine = StandIn()
    machine.fails = "start"
    outcome = unit(Unit("carehub.service", "running"), machine, dry_run=False, held="")
    assert outcome.change == "failed"
    assert outcome.detail == "systemctl start: Job failed.\nthe last words of its log"


def test_one_that_is_not_there_is_said_and_may_be_stopped_all_the_same() -> None:
    machine = StandIn("", load="not-found")
    assert (
        "there is no such unit" in unit(Unit("x.service", "running"), machine, dry_run=False, held="").detail
    )
    assert unit(Unit("x.timer", "stopped"), machine, dry_run=False, held="").change == "none"
