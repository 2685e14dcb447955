"""Many machines from one laptop: set up in parallel, seen in one table, updated with some that fail."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

from tests.faults.patience import wait
from tests.machine.laboratory import Hub, Laboratory
from tests.machine.machine import Machine
from tests.machine.releases import appended
from tests.machine.report import Row, Verdict, promised

_PART = "fleet"
_AIM = 3.0
_FAILS_HERE = """

import os as _os

if _os.path.exists("/run/bad-machine"):
    raise RuntimeError("planted, for this machine alone")
"""


def scenarios(lab: Laboratory) -> Iterator[Row]:
    """As long as one takes, and all of them together."""
    lab.releases.good()
    with contextlib.ExitStack() as stack:
        with lab.bare() as machine:
            alone = lab.provision(machine, lab.site(machine))
            alone.insist()
        machines = [stack.enter_context(lab.bare()) for _ in range(lab.scale.fleet)]
        yield from _provisioned(lab, machines, alone.seconds)


def _provisioned(lab: Laboratory, machines: list[Machine], alone: float) -> Iterator[Row]:
    inventory = _inventory(lab, machines)
    before = _computed()
    ended = lab.engineer.carehub("fleet", "provision", inventory, seconds=1200)
    laptop = (_computed() - before) / len(machines)
    hubs = [Hub(lab, machine, None) for machine in machines]
    collects = [wait(lambda hub=hub: hub.collects, 60) for hub in hubs]  # type: ignore[misc]
    found = [] if ended.code == 0 else [f"it ended with {ended.code}: {(ended.output + ended.errors)[-600:]}"]
    found += [f"{hub.name} does not collect" for hub, does in zip(hubs, collects, strict=True) if not does]
    yield promised(_PART, f"{len(machines)} machines set up by one command", found, f"{ended.seconds:.1f} s")
    remark = f"{ended.seconds:.1f} s; one alone {alone:.1f} s; the laptop computed {laptop:.1f} s for each"
    met = Verdict.MET if ended.seconds <= _AIM * alone else Verdict.MISSED
    what = f"{len(machines)} at once, in times of one"
    yield Row(_PART, what, f"{ended.seconds / alone:.1f}; {remark}", f"{_AIM:g}", met)

    status = lab.engineer.carehub("fleet", "status", inventory, seconds=300)
    found = [f"{hub.name} is not in the table" for hub in hubs if hub.name not in status.output]
    found += [] if status.code == 0 else [f"it ended with {status.code}: {status.output[-600:]}"]
    yield promised(_PART, "carehub fleet status: one table", found, f"{status.seconds:.1f} s")
    yield _updated(lab, inventory, hubs)


def _updated(lab: Laboratory, inventory: Path, hubs: list[Hub]) -> Row:
    """On one of them the release fails, one is away; the others keep it."""
    sick, away, *others = hubs
    sick.machine.as_root("touch /run/bad-machine").insist()
    away.machine.unplug()
    before = str(_build(away))
    bundle = lab.releases.variant("fleet", appended("hub.daemon", _FAILS_HERE))
    ended = lab.engineer.carehub("fleet", "update", inventory, "--bundle", bundle, seconds=900)
    away.machine.plug()
    found = [] if ended.code == 1 else [f"it ended with {ended.code}, though not all have it"]
    found += [
        f"{hub.name} has {_build(hub)} ({(hub.state()['last'] or {}).get('why')})"
        for hub in others
        if _build(hub) != "fleet"
    ]
    found += [f"{hub.name} does not collect" for hub in hubs if not wait(lambda hub=hub: hub.collects, 30)]  # type: ignore[misc]
    found += [f"{hub.name} has {_build(hub)}" for hub in (sick, away) if _build(hub) != before]
    lines = {
        hub.name: [line for line in ended.output.splitlines() if hub.name in line] for hub in (sick, away)
    }
    found += [f"the table does not say what is with {name}" for name, said in lines.items() if not said]
    said = "; ".join(" ".join(line[-1].split()) for line in lines.values() if line)
    what = f"update of {len(hubs)}: one fails, one is away, {len(others)} keep it"
    return promised(_PART, what, found, f"{ended.seconds:.1f} s; {said[:200]}")


def _computed() -> float:
    """Seconds of processor that the programs of the laptop took, where they have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _inventory(lab: Laboratory, machines: list[Machine]) -> Path:
    lines = ["[defaults]", f'bundle = "{lab.releases.good()}"']
    for machine in machines:
        lines += ["[[hubs]]", f'target = "{machine.target}"', f'site = "{lab.site(machine)}"']
    inventory = lab.engineer.directory / "fleet.toml"
    inventory.write_text("\n".join(lines) + "\n")
    return inventory


def _build(hub: Hub) -> str:
    state = hub.state()
    return str(state["slots"][state["in_force"]]["build"])
