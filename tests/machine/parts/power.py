"""The power goes: in the middle of provisioning, of an update, and of running."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from hub.store.errors import StoreError
from tests.faults.hub import stored
from tests.faults.ward import Ward
from tests.machine.errors import RigError
from tests.machine.laboratory import Hub, Laboratory
from tests.machine.machine import Machine
from tests.machine.parts.updates import good, update
from tests.machine.releases import sources
from tests.machine.report import Row, promised
from tests.machine.slot import not_whole

_PART = "power"
_DATABASE = "/var/lib/carehub"
_AGAIN_SECONDS = 120.0


def scenarios(lab: Laboratory) -> Iterator[Row]:
    """While it is set up, while it is updated, while it runs; and what must lose."""
    yield _provisioning(lab)
    yield _updating(lab)
    yield _running(lab, "power cuts while it runs: nothing committed lost", lab.scale.cuts_while_running)
    yield _running(lab, "the same with synchronous=NORMAL: must lose", lab.scale.control_cuts, control=True)


def _provisioning(lab: Laboratory) -> Row:
    """Each on a bare machine of its own; the same command again does the rest."""
    dice, rounds = lab.dice("cuts while provisioning"), lab.scale.cuts_while_provisioning
    lab.releases.good()
    found: list[str] = []
    lost, again, moments = 0, [], []
    whole = 10.0
    began = monotonic()
    for number in range(rounds):
        with lab.bare(on_a_card=True) as machine:
            site = lab.site(machine)
            moment = dice.uniform(0.5, whole)
            thread = threading.Thread(target=_attempt, args=(lab, machine, site))
            thread.start()
            time.sleep(moment)
            machine.as_root("echo control >/var/control; hostname >>/var/control")
            machine.cut_power()
            thread.join()
            control = machine.tree / "var/control"
            lost += not control.exists() or not control.read_bytes()
            machine.boot()
            ended = lab.provision(machine, site, seconds=_AGAIN_SECONDS)
            again.append(ended.seconds)
            if ended.code:
                said = (ended.output + ended.errors)[-600:]
                found.append(
                    f"round {number}, cut after {moment:.1f} s: again ended with {ended.code}: {said}"
                )
                continue
            try:
                Hub(lab, machine, None).wait_until_it_collects()
            except RigError as error:
                found.append(f"round {number}, cut after {moment:.1f} s: {error}")
            moments.append(f"{moment:.1f}")
            whole = max(5.0, ended.seconds)  # as long as it takes here
    if not lost:
        found.append("no file that was not synced was ever lost: this shows nothing")
    measured = (
        f"cut after {', '.join(moments)} s; again {max(again):.1f} s at most; the file not synced was lost"
        f" in {lost} of {rounds}; {(monotonic() - began) / rounds:.0f} s a round"
    )
    return promised(_PART, f"{rounds} power cuts while provisioning: again does the rest", found, measured)


def _attempt(lab: Laboratory, machine: Machine, site: Path) -> None:
    with contextlib.suppress(RigError):
        lab.provision(machine, site, seconds=_AGAIN_SECONDS)


def _updating(lab: Laboratory) -> Row:
    """From one good release to the other and back; the power goes at some moment of each update."""
    dice, rounds = lab.dice("cuts while updating"), lab.scale.cuts_while_updating
    bundles = {build: lab.releases.variant(*good(build)) for build in ("even", "odd")}
    found: list[str] = []
    outcomes: dict[str, int] = {}
    on_card = _Found()
    began = monotonic()
    with lab.hub(on_a_card=True, ward=Ward(ill=200, alert_every=100)) as hub:
        whole = update(hub, bundles["even"])
        whole.insist()
        for number in range(rounds):
            build = "odd" if _build(hub) == "even" else "even"
            # Half of them while it unpacks, half while it is on trial.
            moment = dice.uniform(0.0, whole.seconds + 1.0)
            with hub.feeding():
                thread = threading.Thread(target=_cut_update, args=(hub, bundles[build]))
                thread.start()
                time.sleep(moment)
                hub.cut_power()
                thread.join()
            missed = _examine(hub, on_card)
            found += [f"round {number}, cut after {moment:.1f} s: {missed}"] if missed else []
            hub.machine.boot()
            try:
                hub.wait_until_it_collects()
            except RigError as error:
                found.append(f"round {number}, cut after {moment:.1f} s: {error}")
                break
            state = hub.state()
            said = (state["last"] or {}).get("outcome", "none")
            outcomes[said] = outcomes.get(said, 0) + 1
            slot = hub.machine.path(f"/opt/carehub/slots/{state['in_force']}")
            damaged = not_whole(slot, bundles.get(_build(hub), lab.releases.good()), lab.releases)
            found += [f"round {number}, cut after {moment:.1f} s: {each}" for each in damaged[:3]]
            found += [f"round {number}: a trial is still noted"] if state["trial"] else []
        judged = hub.judgement()
        found.append(judged.faults)
    measured = f"{', '.join(f'{count} {name}' for name, count in outcomes.items())}; {hub.told()}"
    each = f"{(monotonic() - began) / max(1, rounds):.0f} s a round"
    return promised(_PART, f"{rounds} power cuts in updates: a hub that works", found, f"{measured}; {each}")


def _cut_update(hub: Hub, bundle: Path) -> None:
    with contextlib.suppress(RigError):  # the machine is gone
        update(hub, bundle, "--on-probation")  # of the round before


def _build(hub: Hub) -> str:
    state = hub.state()
    return str(state["slots"][state["in_force"]]["build"])


@dataclass
class _Found:
    """What the cuts did, so far."""

    lossy: int = 0
    readings: int = 0
    alerts: int = 0
    damaged: int = 0


def _running(lab: Laboratory, what: str, rounds: int, *, control: bool = False) -> Row:
    """What was confirmed is in the database after each cut, and arrives in the end."""
    dice, found = lab.dice(f"cuts while running {control}"), _Found()
    began, faults = monotonic(), []
    with lab.hub(on_a_card=True, ward=Ward(ill=300)) as hub:
        if control:
            _loosen(hub)
        for number in range(rounds):
            try:
                with hub.feeding(rate=1000, lanes=10):
                    time.sleep(dice.uniform(0.5, 2.5))
                    hub.cut_power()
                _examine(hub, found)
                hub.machine.boot()
                hub.wait_until_it_collects()
            except RigError as error:
                faults.append(f"round {number}: {error}")
                break
        judged = hub.judgement(quiet=1.0 if control else 20.0)
        told = hub.told()
    said = f"lost in {found.lossy} of {rounds} cuts: {found.readings} readings ({found.alerts} alerts)"
    each = f"{(monotonic() - began) / max(1, rounds):.0f} s a round; {told}"
    if control:
        return promised(
            _PART, what, faults + ([] if found.lossy else ["the control lost nothing"]), f"{said}; {each}"
        )
    faults += [judged.faults, f"{found.damaged} database(s) damaged" if found.damaged else ""]
    faults += [said] if found.lossy else []
    return promised(_PART, f"{rounds} {what}", faults, each)


def _loosen(hub: Hub) -> None:
    """Have the installed release commit without a sync: a hub that must lose."""
    path = sources(hub.machine.path("/opt/carehub/current/lib"), "hub.store.database")
    text = path.read_text()
    assert "PRAGMA synchronous = FULL" in text, "the store sets synchronous in another way now"
    path.write_text(text.replace("PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"))
    hub.machine.as_root("systemctl restart carehub && sync").insist()
    hub.wait_until_it_collects()


def _examine(hub: Hub, found: _Found) -> str:
    """What of the confirmed this cut took from the card, and whether it damaged the database; in words.

    It looks at a copy, so that the hub itself finds the database as the cut left it.
    """
    with tempfile.TemporaryDirectory(prefix="careport-machine-") as directory:
        copy = Path(directory) / "data"
        shutil.copytree(hub.machine.tree / _DATABASE.lstrip("/"), copy)
        database = copy / "carehub.db"
        connection = sqlite3.connect(database)
        try:
            (answer,) = connection.execute("PRAGMA integrity_check").fetchone()
        except sqlite3.Error as error:
            answer = str(error)
        finally:
            connection.close()
        damaged = "" if answer == "ok" else f"the database is damaged: {answer}"
        try:
            readings, alerts = stored(database)
        except StoreError:
            readings, alerts = set(), set()
    confirmed = hub.account.confirmed().values()
    lost = sum(payload.names[0] not in readings for payload in confirmed)
    lost_alerts = sum(payload.alerts and payload.names[0] not in alerts for payload in confirmed)
    more, more_alerts = lost - found.readings, lost_alerts - found.alerts
    missed = f"not on the card: {more} readings ({more_alerts} alerts)" if more > 0 or more_alerts > 0 else ""
    found.lossy += bool(missed)
    found.damaged += bool(damaged)
    found.readings, found.alerts = lost, lost_alerts
    return ", ".join(filter(None, (missed, damaged)))
