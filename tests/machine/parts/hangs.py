"""The hub is killed, stopped, and hung in one stage after the other: systemd has it running again.

Hangs are planted into the installed release, by root, in the one place that all stages go through: a stage,
with every task that it has begun, hangs at its next wait once /run/hang-STAGE is there. The event loop and
the thread of the store's writer hang otherwise, and are planted for themselves.
"""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic

from tests.faults.patience import wait
from tests.faults.ward import Ward
from tests.machine.laboratory import Hub, Laboratory
from tests.machine.releases import sources
from tests.machine.report import Row, promised

_PART = "hangs"
_WATCHDOG_SECONDS = 60.0
"""From a hang to the restart, as the unit's words have it: a stage's patience of 20 s and WatchdogSec."""
_LONGER = {"Bluetooth": 95.0}
"""Of a stage with a patience of its own (`systemd/README.md`): its 60 s, WatchdogSec and a look."""
_PATIENCE_SECONDS = 110.0
_PLANTED = """

import contextlib as _contextlib
import os as _os
import time as _time


def _hangs(name):
    return _os.path.exists("/run/hang-" + name.replace(" ", "-").replace(",", ""))


_loop = Progress.loop


@contextmanager
def _named_loop(self, name):
    with _loop(self, name):
        _here.get().name = name
        yield


Progress.loop = _named_loop


class _Driven:
    # What a stage awaits is awaited for it, until it is to hang: then it waits for ever.

    def __init__(self, inner):
        self.inner = inner

    def __await__(self):
        inner = self.inner.__await__()
        step, given = inner.send, None
        while True:
            loop = _here.get()
            if loop is not None and loop.at_work and _hangs(loop.name):
                while True:  # whoever cancels it, a timeout of its own too
                    with _contextlib.suppress(asyncio.CancelledError):
                        yield from asyncio.get_running_loop().create_future().__await__()
            try:
                awaited = step(given)
            except StopIteration as ended:
                return ended.value
            try:
                given = yield awaited
                step = inner.send
            except BaseException as error:
                step, given = inner.throw, error


async def _drive(inner):
    return await _Driven(inner)


def _tasks_are_driven(loop, inner, **more):
    return asyncio.Task(_drive(inner), loop=loop, **more)


_watched = Progress.watched


def _watched_and_driven(self, name, run):
    async def driven():
        asyncio.get_running_loop().set_task_factory(_tasks_are_driven)  # those that it begins, too
        await _Driven(run())

    return _watched(self, name, driven)


Progress.watched = _watched_and_driven


async def _blocked():
    while True:
        await asyncio.sleep(0.2)
        while _hangs("event loop"):
            _time.sleep(1)


_watch = Progress.watch


async def _watch_and_block(self):
    blocked = asyncio.create_task(_blocked())
    try:
        await _watch(self)
    finally:
        blocked.cancel()


Progress.watch = _watch_and_block
"""
_PLANTED_IN_WRITER = """

import os as _os
import time as _time

_take = Writer._take


def _take_or_hang(self, *arguments):
    # Before the transaction: within one it would be the card that stalls, which has its own time.
    while _os.path.exists("/run/hang-writer-thread"):
        _time.sleep(0.5)
    return _take(self, *arguments)


Writer._take = _take_or_hang
"""
_BESIDE = ("writer thread", "event loop")
_NO_PART = frozenset({"the card", "reception", "Bluetooth, handing over", "USB, handing over"})
"""Counted, and no loop of their own: they hang with the writer's thread or the event loop."""
_SELDOM = frozenset({"housekeeping", "summaries", "model watch", "updates"})
"""Their rounds may last minutes, and a hang is noticed after one (`tests/hub/running/test_stages.py`)."""
_AT_ONCE = 4
_Scenario = Callable[["Hub"], Row]


def scenarios(lab: Laboratory) -> Iterator[Row]:
    """On some machines at once, since most of it is waiting; each of them is fed all along."""
    ward = Ward(ill=300)
    with lab.hubs(_AT_ONCE, ward) as hubs:
        with contextlib.ExitStack() as feeding:
            for hub in hubs:
                feeding.enter_context(hub.feeding(rate=20, lanes=1))
            stages = _stages(hubs[0])
            yield Row(_PART, "stages that there are", ", ".join(stages))
            found = [name for name in lab.scale.hung_stages if name not in stages]
            yield promised(_PART, "the stages that are to hang are there", [f"no {name}" for name in found])
            at_work = _at_work(hubs[0]) - _NO_PART - _SELDOM
            if not lab.scale.hung_stages:
                others = ", ".join(name for name in stages if name not in at_work)
                yield Row(_PART, "not hung here: they rest, are counted, or turn seldom", others)
            asked = [*_BESIDE, *(lab.scale.hung_stages or sorted(at_work))]
            todo: queue.SimpleQueue[_Scenario] = queue.SimpleQueue()
            todo.put(_killed)
            todo.put(_stopped)
            for name in asked:
                todo.put(partial(_hung, stage=name))
            with ThreadPoolExecutor(len(hubs)) as workers:
                for rows in workers.map(lambda hub: list(_played(hub, todo)), hubs):
                    yield from rows
        judged = hubs[0].judgement()
        yield promised(_PART, "over all this nothing committed was lost", [judged.faults], hubs[0].told())


def _played(hub: Hub, todo: queue.SimpleQueue[_Scenario]) -> Iterator[Row]:
    """As many as one hub comes to; it is rigged first."""
    for module, text in (("hub.running.progress", _PLANTED), ("hub.store.writer", _PLANTED_IN_WRITER)):
        path = sources(hub.machine.path("/opt/carehub/current/lib"), module)
        path.write_text(path.read_text() + text)
    hub.machine.as_root("systemctl restart carehub").insist()
    hub.wait_until_it_collects()
    while True:
        try:
            play = todo.get_nowait()
        except queue.Empty:
            return
        yield play(hub)


def _stages(hub: Hub) -> Sequence[str]:
    stages = hub.status()["progress"]["stages"]
    return [str(name) for name in stages]


def _at_work(hub: Hub) -> set[str]:
    """The stages that had something to do in these seconds; one that rests cannot hang."""
    found: set[str] = set()
    for _ in range(10):
        stages = hub.status()["progress"]["stages"]
        found |= {str(name) for name, said in stages.items() if said["words"].startswith("it gets on")}
        time.sleep(0.5)
    return found


def _killed(hub: Hub) -> Row:
    before, began = hub.process, monotonic()
    hub.machine.as_root(f"kill -KILL {before}").insist()
    back = hub.wait_for_restart(before, 30)
    found = [] if back else ["it does not collect again within 30 s"]
    return promised(_PART, "kill -9: started again", found, f"collects after {monotonic() - began:.1f} s")


def _stopped(hub: Hub) -> Row:
    before, began = hub.process, monotonic()
    hub.machine.as_root(f"kill -STOP {before}").insist()
    return _judged(hub, "the whole process is stopped (SIGSTOP)", before, began, "")


def _hung(hub: Hub, stage: str) -> Row:
    file = "/run/hang-" + stage.replace(" ", "-").replace(",", "")
    before, began = hub.process, monotonic()
    hub.machine.as_root(f"touch {file}").insist()
    wait(lambda: hub.process != before, _PATIENCE_SECONDS, pause=0.3)
    hub.machine.as_root(f"rm {file}").insist()
    named = stage if stage not in _BESIDE else ""
    return _judged(hub, f"hang: {stage}", before, began, named)


def _judged(hub: Hub, what: str, before: str, began: float, named: str) -> Row:
    """Restarted in time, and said in the journal: `named` is the stage that it must name."""
    ended = wait(lambda: hub.process != before, _PATIENCE_SECONDS - (monotonic() - began), pause=0.3)
    after = monotonic() - began
    back = ended and hub.wait_for_restart(before, 30)
    since = f"--since=-{int(monotonic() - began) + 2}s"
    said = hub.machine.journal("--unit=carehub", since)
    found = [] if ended else [f"it was not restarted within {after:.0f} s"]
    found += [] if back or not ended else ["it does not collect again within 30 s"]
    aim = _LONGER.get(named, _WATCHDOG_SECONDS)
    found += [f"restarted after {after:.0f} s"] if ended and after > aim else []
    found += [] if "atchdog" in said else ["the journal does not say that the watchdog ended it"]
    found += (
        [f"the journal does not say that {named} hangs"] if named and f"{named} hangs" not in said else []
    )
    time.sleep(0.5)
    return promised(_PART, what, found, f"restarted after {after:.0f} s", f"{aim:g} s")
