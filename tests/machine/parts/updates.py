"""Releases that go wrong on purpose: the one before is back, nothing is lost, and it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from provisioning.authority import Authority
from tests.faults.patience import wait
from tests.faults.ward import Ward
from tests.machine.laboratory import Hub, Laboratory
from tests.machine.releases import appended
from tests.machine.report import Row, promised, timed
from tests.machine.running import Ended

_PART = "updates"
_BACK_SECONDS = 30.0
_PROBATION_SECONDS = 180.0
_ON_THE_MACHINE = "/var/tmp/release.bundle"

_HANGS = """

import os as _os, signal as _signal, threading as _threading

_ready = ServiceManager.ready


def _ready_and_stopped(self, *said):
    _ready(self, *said)
    _threading.Timer(1.0, lambda: _os.kill(_os.getpid(), _signal.SIGSTOP)).start()


ServiceManager.ready = _ready_and_stopped
"""
_OTHER_CONFIGURATION = """

def load(path):
    raise ConfigError(path, ["broker.colour: missing: this release wants one"])
"""
_NO_BROKER = """

_load = load


def load(path):
    config = _load(path)
    return config.model_copy(update={"broker": config.broker.model_copy(update={"port": 9})})
"""


_ONE_STAGE = """

import asyncio as _asyncio

_watched = Progress.watched


def _watched_but_one(self, name, run):
    async def planted():
        {planted}

    return _watched(self, name, planted if name == "escalation" else run)


Progress.watched = _watched_but_one
"""
_STAGE_HANGS = _ONE_STAGE.format(planted="await _asyncio.get_running_loop().create_future()")
_STAGE_CRASHES = _ONE_STAGE.format(planted="raise RuntimeError('planted')")
_ENDS_LATER = """

import os as _os, threading as _threading

_ready = ServiceManager.ready


def _ready_and_ended(self, *said):
    _ready(self, *said)
    _threading.Timer(14.0, lambda: _os._exit(1)).start()


ServiceManager.ready = _ready_and_ended
"""


BAD = {
    "crash-at-start": ("crashes at start", appended("hub.daemon", "\n\nraise RuntimeError('planted')\n")),
    "hang-after-ready": ("hangs after it is ready", appended("hub.running.service_manager", _HANGS)),
    "other-configuration": (
        "finds the configuration wrong",
        appended("hub.configuration.file", _OTHER_CONFIGURATION),
    ),
    "no-broker": ("cannot reach the broker", appended("hub.configuration.file", _NO_BROKER)),
    "stage-hangs": ("has a stage that hangs from the start", appended("hub.running.progress", _STAGE_HANGS)),
    "stage-crashes": ("has a stage that crashes for ever", appended("hub.running.progress", _STAGE_CRASHES)),
}
"""Each by its build: in words, and what is changed."""


def good(build: str) -> tuple[str, Callable[[Path], None]]:
    """A release that is well, and tells itself apart by one line."""
    return build, appended("hub.__init__", f"\n\n# {build}\n")


@dataclass
class _Watch:
    """When the slot in force was switched, and when the hub collected in the old one again."""

    hub: Hub
    switched: float = 0.0
    back: float = 0.0
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        link = self.hub.machine.path("/opt/carehub/current")
        before = link.readlink()
        while not self.over.wait(0.05):
            now_linked = link.readlink()
            if now_linked != before and not self.switched:
                self.switched = monotonic()
            if self.switched and now_linked == before and not self.back and self.hub.collects:
                self.back = monotonic()
                return


def scenarios(lab: Laboratory) -> Iterator[Row]:
    """Bad ones, then a good one, all while the hub is fed."""
    ward = Ward(ill=200, alert_every=100)
    with lab.hub(ward=ward) as hub:
        first = hub.state()["slots"]["a"]["build"]
        with hub.feeding():
            for build, (words, change) in BAD.items():
                yield from _bad(lab, hub, build, words, change, first)
            yield _ends_again_and_again(lab, hub, first)
            yield _killed(lab, hub)
            yield _another_broker(lab, hub, ward)
            yield _good(lab, hub)
            yield _too_soon(lab, hub)
        yield _booted(hub)
        yield _brought_down(lab, hub, first)
        judged = hub.judgement()
        yield promised(_PART, "over all these updates nothing was lost", [judged.faults], hub.told())


def _bad(
    lab: Laboratory, hub: Hub, build: str, words: str, change: Callable[[Path], None], first: str
) -> Iterator[Row]:
    bundle = lab.releases.variant(build, change)
    watch = _Watch(hub)
    thread = threading.Thread(target=watch.run)
    thread.start()
    began = monotonic()
    ended = update(hub, bundle)
    if watch.switched:
        wait(lambda: watch.back, 30)
    watch.over.set()
    thread.join()
    state = hub.state()
    last = state["last"] or {}
    found = [] if ended.code == 1 else [f"carehub update ended with {ended.code}"]
    found += [] if watch.switched else [f"it was never tried: {ended.output + ended.errors}"]
    found += [] if watch.back else ["the release before does not collect again"]
    in_force = state["slots"][state["in_force"]]["build"]
    found += [] if in_force == first else [f"{in_force} is in force"]
    if last.get("outcome") != "rolled back" or last.get("to", {}).get("build") != build:
        found.append(f"the state is {last}")
    told = wait(lambda: _reported(lab, hub, build, began), 15)
    found += [] if told else ["the ICS was not told in the hub's status"]
    said = hub.machine.as_root("/usr/local/bin/carehub update --state").output
    found += [] if "rolled back" in said else [f"carehub update --state says {said}"]
    yield promised(
        _PART, f"a release that {words} is rolled back and reported", found, str(last.get("why", ""))
    )
    back = [watch.back - watch.switched] if watch.back and watch.switched else []
    yield timed(
        _PART, f"{words}: old version back", back, _BACK_SECONDS, f"the command took {ended.seconds:.1f} s"
    )


def _reported(lab: Laboratory, hub: Hub, build: str, since: float) -> bool:
    told = lab.ics.arrived(hub.name, "status", since=since)
    return any(build in str(each.event.data.get("update")) for each in told)


def _ends_again_and_again(lab: Laboratory, hub: Hub, first: str) -> Row:
    """It proves itself, and is not well afterwards."""
    build, began = "ends-later", monotonic()
    ended = update(hub, lab.releases.variant(build, appended("hub.running.service_manager", _ENDS_LATER)))
    found = [] if ended.code == 0 else [f"carehub update ended with {ended.code}: {ended.output}"]
    back = wait(lambda: _build_in_force(hub) == first and hub.collects, _PROBATION_SECONDS, pause=0.5)
    took = monotonic() - began
    found += [] if back else [f"{_build_in_force(hub)} is in force"]
    last = hub.state()["last"] or {}
    if last.get("outcome") != "rolled back" or last.get("to", {}).get("build") != build:
        found.append(f"the state is {last}")
    if not wait(lambda: _reported(lab, hub, "rolled back", began), 15):
        found.append("the ICS was not told in the hub's status")
    what = "a release that was kept, and then ends again and again, is taken back"
    return promised(_PART, what, found, f"after {took:.0f} s: {last.get('why')}")


def _killed(lab: Laboratory, hub: Hub) -> Row:
    """The keeper that tries a release is killed, in a process that is no unit's, as in 'provision'."""
    before = _build_in_force(hub)
    bundle = lab.releases.variant(*good("untold"))
    hub.machine.as_root(f"cat >{_ON_THE_MACHINE}", given=bundle.read_bytes()).insist()
    trying = threading.Thread(
        target=lambda: hub.machine.as_root(
            f"/usr/lib/carehub/keeper update --here {_ON_THE_MACHINE}", seconds=180
        )
    )
    trying.start()
    wait(lambda: _build_in_force(hub) == "untold", 60, pause=0.05)
    hub.machine.as_root("kill -KILL $(sed 's/.* process //' /var/lib/carehub-keeper/lock)").insist()
    trying.join()
    began = monotonic()
    back = wait(lambda: _build_in_force(hub) == before and hub.collects, 30, pause=0.2)
    state = hub.state()
    found = [] if back else [f"{_build_in_force(hub)} is in force"]
    found += ["its trial is still noted"] if state["trial"] else []
    outcome = (state["last"] or {}).get("outcome")
    found += [] if outcome == "interrupted" else [f"the state is {state['last']}"]
    what = "a keeper that is killed in a trial: the release before is back without a boot"
    return promised(_PART, what, found, f"after {monotonic() - began:.1f} s")


def _another_broker(lab: Laboratory, hub: Hub, ward: Ward) -> Row:
    """'provision' brings a release and a hub.toml with another broker's authority, and that is not there."""
    before, laptop = _build_in_force(hub), lab.engineer.directory
    another = Authority(laptop / "another")
    another.begin()
    site = lab.site(hub.machine, ward=ward)
    true = site.read_text()
    site.write_text(true.replace("port = 8883", f'port = 8883\nca_file = "{another.certificate_file}"'))
    ended = lab.provision(hub.machine, site, bundle=lab.releases.variant(*good("untold")))
    site.write_text(true)
    found = [] if ended.code else ["carehub provision ended with 0"]
    found += [] if "rolled back" in ended.output else [f"it was never tried: {ended.output[-600:]}"]
    found += [] if _build_in_force(hub) == before else [f"{_build_in_force(hub)} is in force"]
    connected = wait(lambda: hub.status().get("broker", {}).get("connected") is True, 15, pause=0.2)
    found += [] if connected else ["the hub does not reach the broker that it had"]
    hub.machine.as_root("systemctl restart carehub").insist()  # as a power cut would
    hub.wait_until_it_collects()
    connected = wait(lambda: hub.status().get("broker", {}).get("connected") is True, 15, pause=0.2)
    found += [] if connected else ["the hub does not reach the broker that it had, once it is started again"]
    what = "a release is provisioned with another broker, which is not there: the hub is back at the old one"
    return promised(_PART, what, found, f"{ended.seconds:.1f} s")


def _booted(hub: Hub) -> Row:
    """Soon after a release was kept."""
    hub.machine.reboot()
    hub.wait_until_it_collects()
    watched = wait(
        lambda: hub.machine.unit("carehub-probation", "ActiveState")["ActiveState"] == "active", 20
    )
    found = [] if watched else [f"it is {hub.machine.unit('carehub-probation', 'ActiveState', 'Result')}"]
    found += [] if hub.state()["probation"] else ["no probation is noted"]
    found += [] if _build_in_force(hub) == "better" else [f"{_build_in_force(hub)} is in force"]
    return promised(_PART, "a release on probation is watched after a boot too", found)


def _brought_down(lab: Laboratory, hub: Hub, first: str) -> Row:
    """The machine starts again and again soon after a release was kept, the boot before this counted."""
    began = monotonic()
    for _ in range(2):
        hub.machine.reboot()
        hub.wait_until_it_collects()
    back = wait(lambda: _build_in_force(hub) == first and hub.collects, 60, pause=0.5)
    found = [] if back else [f"{_build_in_force(hub)} is in force"]
    last = hub.state()["last"] or {}
    if last.get("outcome") != "rolled back" or "machine was started 3 times" not in last.get("why", ""):
        found.append(f"the state is {last}")
    if not wait(lambda: _reported(lab, hub, "rolled back", began), 15):
        found.append("the ICS was not told in the hub's status")
    what = "a release with which the machine is started again and again is taken back"
    return promised(_PART, what, found, f"{monotonic() - began:.0f} s with the boots: {last.get('why')}")


def _build_in_force(hub: Hub) -> str:
    state = hub.state()
    return str(state["slots"][state["in_force"]]["build"])


def _good(lab: Laboratory, hub: Hub) -> Row:
    bundle = lab.releases.variant(*good("better"))
    ended = update(hub, bundle)
    state = hub.state()
    in_force = state["slots"][state["in_force"]]["build"]
    found = (
        [] if ended.code == 0 else [f"carehub update ended with {ended.code}: {ended.output + ended.errors}"]
    )
    found += [] if in_force == "better" else [f"{in_force} is in force"]
    found += [] if hub.collects else ["the hub does not collect"]
    found += [] if (state["last"] or {}).get("outcome") == "kept" else [f"the state is {state['last']}"]
    return promised(_PART, "a good release is kept", found, f"{ended.seconds:.1f} s; {state['last']['why']}")


def _too_soon(lab: Laboratory, hub: Hub) -> Row:
    """By hand and by 'provision', while the one before must be there to go back to."""
    another, before = lab.releases.variant(*good("untold")), hub.state()
    ended = {"update": update(hub, another)}
    ended["provision"] = lab.provision(hub.machine, lab.site(hub.machine), bundle=another)
    found = [
        f"{name} ended with {each.code}: {each.output + each.errors}"
        for name, each in ended.items()
        if each.code == 0 or "watched over" not in each.output + each.errors
    ]
    found += [] if hub.state() == before else [f"the state is {hub.state()}"]
    what = "while a release is watched over, no other takes the place of the one before"
    return promised(_PART, what, found, f"provision took {ended['provision'].seconds:.1f} s to say so")


def update(hub: Hub, bundle: Path, *options: str) -> Ended:
    """`carehub update` on the machine, by root."""
    hub.machine.as_root(f"cat >{_ON_THE_MACHINE}", given=bundle.read_bytes()).insist()
    words = " ".join(("/usr/local/bin/carehub update", *options, _ON_THE_MACHINE))
    return hub.machine.as_root(words, seconds=180)
