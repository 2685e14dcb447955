"""Units of systemd: enabled, started, stopped, masked, taken back. In an image they are enabled only."""

from __future__ import annotations

import os
import shlex

from provisioning.keeper.applying_commands import Machine
from provisioning.keeper.applying_files import below
from provisioning.keeper.atomic import sync
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.places import PAGE_UNIT, UNIT
from provisioning.keeper.resources import Outcome, Unit, title

OWN = (UNIT, PAGE_UNIT)
_FILE = "/etc/systemd/system/{}"
_ENABLED = ("enabled", "static", "indirect", "generated", "alias", "transient")
_PROPERTIES = "LoadState,UnitFileState,ActiveState,ConditionResult,ConditionTimestampMonotonic"


def unit(resource: Unit, machine: Machine, *, dry_run: bool, held: str) -> Outcome:
    """Have a unit in its state. `held` says why a unit of the hub's must not be started, if it is so.

    Raises:
        KeeperError: systemctl cannot be run, or there is no such state.
        OSError: its file cannot be removed.
    """
    name = title(resource)
    there = _properties(resource.name, machine)
    wanted = _wanted(resource, there)
    own = below(machine.places.root, _FILE.format(resource.name))
    removed = ["removed"] if resource.state == "absent" and os.path.lexists(own) else []
    if not wanted and not removed:
        return Outcome(name, "none")
    starts = any(words[0] == "start" for words in wanted)
    if starts and held and resource.name in OWN:
        return Outcome(name, "failed", f"not started: {held}")
    if there["LoadState"] == "not-found" and resource.state in ("running", "enabled") and not dry_run:
        return Outcome(name, "failed", "there is no such unit: what brings it has failed")
    words = ", ".join([each[0] for each in wanted] + removed)
    if dry_run:
        return Outcome(name, "would change", words)
    for each in wanted:
        said = machine.call(_systemctl(machine, *each, resource.name))
        if not said.done:
            return Outcome(
                name, "failed", f"systemctl {each[0]}: {said.words[-1000:]}{_journal(resource, machine)}"
            )
    if removed:
        own.unlink()
        sync(own.parent)
        if machine.live:
            machine.call(["systemctl", "daemon-reload"])
    after = _properties(resource.name, machine)
    if resource.state == "unmasked" and after["UnitFileState"] == "enabled" and machine.live:
        # Not an alias: that of ctrl-alt-del.target is the restart of the machine.
        words += ", start" if machine.call(["systemctl", "start", resource.name]).done else ""
    ran = after["ActiveState"] in ("active", "activating", "reloading")
    if starts and machine.live and not ran and resource.name not in OWN:
        # Started without a complaint: its conditions said no, and systemd may have forgotten that already.
        words += "; it does not run, since this machine does not meet its conditions"
        if wanted == [["start"]]:
            return Outcome(name, "none", words)
    return Outcome(name, "changed", words)


def _wanted(resource: Unit, there: dict[str, str]) -> list[list[str]]:
    """Which verbs of systemctl are needed."""
    enabled, found = there["UnitFileState"], there["LoadState"] != "not-found"
    active = there["ActiveState"]
    disable = [["disable"]] if enabled == "enabled" and found else []
    match resource.state:
        case "restored" if not found:
            return []
        case "running" | "enabled" | "restored":
            verbs = [] if enabled in _ENABLED else [["unmask"]] if enabled.startswith("masked") else []
            if enabled not in _ENABLED:
                verbs.append(["enable"])
            runs = active in ("active", "reloading", "image") or _does_not_apply(there)
            return verbs if resource.state == "enabled" or runs else [*verbs, ["start"]]
        case "stopped" | "absent":
            return [*disable, ["stop"]] if active in ("active", "activating", "reloading") else disable
        case "disabled":
            return disable
        case "masked":
            if enabled == "masked":
                return []
            return [["mask"], ["stop"]] if active in ("active", "activating") else [["mask"]]
        case "unmasked":
            return [["unmask"]] if enabled == "masked" else []
        case state:
            raise KeeperError(
                f"{resource.name}: there is no state {state!r} of a unit: provision with one release"
            )


def _properties(name: str, machine: Machine) -> dict[str, str]:
    if not machine.live:
        said = machine.call(_systemctl(machine, "is-enabled", name))
        state = said.words.splitlines()[-1] if said.words else ""
        known = state.replace("-", "").isalpha()
        return {
            "LoadState": "loaded" if known else "not-found",
            "UnitFileState": state if known else "",
            "ActiveState": "image",
        }
    said = machine.call(["systemctl", "show", f"--property={_PROPERTIES}", name])
    if not said.done:
        raise KeeperError(f"systemd cannot be asked: {said.words[-500:] or 'systemctl said nothing'}")
    found = dict.fromkeys(_PROPERTIES.split(","), "")
    return found | dict(line.partition("=")[::2] for line in said.words.splitlines() if "=" in line)


def _does_not_apply(there: dict[str, str]) -> bool:
    """It was asked to start, and its own conditions said no: in a container there is no clock to set."""
    return there.get("ConditionResult") == "no" and there.get("ConditionTimestampMonotonic") not in ("0", "")


def _systemctl(machine: Machine, *words: str) -> list[str]:
    where = [] if machine.live else [f"--root={machine.places.root}"]
    return ["systemctl", *where, *words]


def _journal(resource: Unit, machine: Machine) -> str:
    """The last lines of what would not start: the hub's log has no names in it."""
    if not machine.live:
        return ""
    said = machine.run(f"journalctl --no-pager -q -o cat -n 5 -u {shlex.quote(resource.name)}", 10)
    return f"\n{said.words}" if said.done and said.words else ""
