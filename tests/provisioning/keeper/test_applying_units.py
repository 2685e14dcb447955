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
        self.forgets = False
        self.below_the_mask = "enabled"

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
        if verb == "unmask":
            self.state["UnitFileState"] = self.below_the_mask
        if verb == "stop":
            self.state["ActiveState"] = "inactive"
        if verb == "start":
            self.state["ActiveState"] = "active" if self.applies else "inactive"
            self.state |= {
                "ConditionResult": "yes" if self.applies else "no",
                "ConditionTimestampMonotonic": "0" if self.forgets else "7",
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
        ("disabled", "enabled", "active", ["disable"]),
        ("disabled", "static", "active", []),
        ("restored", "disabled", "inactive", ["enable", "start"]),
        ("restored", "enabled", "active", []),
        ("unmasked", "masked", "inactive", ["unmask", "start"]),
        ("unmasked", "enabled", "inactive", []),
        ("absent", "enabled", "active", ["disable", "stop"]),
        ("absent", "disabled", "inactive", []),
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


def test_a_unit_whose_failed_conditions_systemd_has_forgotten_is_no_change_at_each_run() -> None:
    """As bluetooth.service where there is no Bluetooth: nothing else asks systemd to remember it."""
    machine = StandIn("enabled")
    machine.applies, machine.forgets = False, True
    resource = Unit("bluetooth.service", "running")
    for _ in range(2):
        outcome = unit(resource, machine, dry_run=False, held="")
        assert outcome.change == "none"
        assert "does not meet its conditions" in outcome.detail


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


def test_a_unit_of_another_name_is_unmasked_and_never_started() -> None:
    """To start ctrl-alt-del.target is to restart the machine."""
    machine = StandIn("masked")
    machine.below_the_mask = "alias"
    assert unit(Unit("ctrl-alt-del.target", "unmasked"), machine, dry_run=False, held="").change == "changed"
    assert machine.verbs == ["unmask"]


@pytest.mark.parametrize("state", ["stopped", "absent", "disabled", "restored", "unmasked"])
def test_of_one_that_is_not_there_nothing_is_to_be_taken_back(state: str) -> None:
    machine = StandIn("", load="not-found")
    assert unit(Unit("x.service", state), machine, dry_run=False, held="").change == "none"
    assert machine.verbs == []


def test_one_that_is_to_be_absent_is_stopped_before_its_file_goes(tmp_path: Path) -> None:
    machine = StandIn("enabled", "active")
    machine.places = Places(tmp_path)
    file = tmp_path / "etc/systemd/system/x.service"
    file.parent.mkdir(parents=True)
    file.write_text("[Service]")
    resource = Unit("x.service", "absent")
    assert unit(resource, machine, dry_run=True, held="").detail == "disable, stop, removed"
    assert file.exists()
    assert unit(resource, machine, dry_run=False, held="").change == "changed"
    assert not file.exists()
    # Its ExecStop was known to the last; and then systemd forgets it.
    assert machine.verbs == ["disable", "stop", "daemon-reload"]
    assert unit(resource, machine, dry_run=False, held="").change == "none"
