"""Whether every stage of the hub gets on: what systemd's watchdog is fed by, and what `status` tells.

A stage hangs where work waits for it, or it should turn by itself, and it has not got on for longer than its
patience. There are two kinds. A loop says `turn` each time round, with the seconds that the next round may
take at the most, and `rest` before it waits for what may never come; it hangs only while it runs. What many
tasks do at once is counted: what is done, and whether something waits.

No hang is what is only slow, or not the hub's fault: a card that takes nothing (each attempt is a turn; what
waits in memory would be lost with a restart) or that stalls (all may wait for it: `holds_up`), a broker that
is away, a radio that hangs (the collector heals it), and a machine that stood still: then time is not
counted, since nobody has looked.

A part that fails is no hang either: it alone is started again. But it is not well, from its failure on until
it has run for a minute without another.

What `Progress.data` says (`status.result.progress` on the control socket, by which an update is judged):
`{"well": bool, "stages": {name: {"well": bool, "turned": bool, "words": str}}}`. `turned` says that the stage
has got on once since the hub started, or had nothing to do. A part that failed stays among them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any

from hub.clock import now
from hub.running.journal import about
from hub.store.errors import NotCommittedError

PATIENCE = 20.0
"""Seconds, for whatever says no other. With the unit's WatchdogSec it is less than a minute from a hang to
the restart; and what gets on again before that is pardoned."""

WELL_AGAIN_AFTER = 60.0
"""Seconds that a part must have run since it failed: longer than `supervision.py` ever waits to start it."""

_LOOKS_EVERY = 2.0
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Stage:
    """`done` changes whenever it gets on; `waits` says whether it should; `turned` whether it has got on yet.
    All others wait for one that `holds_up`, while it waits. Seconds."""

    done: Callable[[], object]
    waits: Callable[[], bool]
    patience: Callable[[], float]
    turned: Callable[[], bool]
    where: Callable[[], str] = str
    seen: object = None
    waited: float = 0.0
    holds_up: bool = False

    @property
    def hangs(self) -> bool:
        return self.waited > self.patience()

    def look(self, elapsed: float) -> None:
        done = self.done()
        if done != self.seen or not self.waits():
            self.seen, self.waited = done, 0.0
        else:
            self.waited += elapsed

    @property
    def words(self) -> str:
        if self.hangs:
            return f"it has not got on for {self.waited:.0f} s, and may take {self.patience():g} s"
        return "it gets on" if self.waits() else "it has nothing to do"


@dataclass(slots=True)
class _Failed:
    """How often a part has failed, since when, and for how many seconds it has run since the last time."""

    since: datetime
    times: int = 0
    runs: bool = False
    ran: float = 0.0

    @property
    def well_again(self) -> bool:
        return self.ran > WELL_AGAIN_AFTER

    @property
    def words(self) -> str:
        often = "once" if self.times == 1 else f"{self.times} times"
        then = "" if self.runs else ", and is started again"
        return f"it failed {often} since {self.since:%d %b %H:%M} UTC{then}"


class _Loop:
    """The turns of one loop. At work from its first turn on."""

    def __init__(self, account: Progress) -> None:
        self.account = account
        self.turns = 0
        self.at_work = False
        self.within = PATIENCE
        self.task: asyncio.Task[object] | None = None

    def where(self) -> str:
        """In which line it waits, of whatever it has called."""
        place = ""
        waiting: Any = None if self.task is None else self.task.get_coro()
        while waiting is not None:
            if (frame := getattr(waiting, "cr_frame", None)) is not None:
                place = f" ({Path(frame.f_code.co_filename).name}, line {frame.f_lineno})"
            waiting = getattr(waiting, "cr_await", None)
        return place


class Progress:
    """The account of all stages. Everything is called on the event loop."""

    def __init__(self) -> None:
        """No stage yet; without any, all is well."""
        self._stages: dict[str, _Stage] = {}
        self._failed: dict[str, _Failed] = {}
        self._turned: set[str] = set()
        self._hanging: set[str] = set()
        self._well = asyncio.Event()
        self._well.set()

    def count(
        self,
        name: str,
        done: Callable[[], object],
        waits: Callable[[], bool],
        patience: float = PATIENCE,
        *,
        holds_up: bool = False,
    ) -> None:
        """A stage that many tasks go through: `done` changes with each that is through, `waits` says whether
        one is not. With `holds_up` all other stages may wait for it: while it waits, its time alone counts.
        """
        first = done()
        self._stages[name] = _Stage(
            done,
            waits,
            lambda: patience,
            lambda: done() != first or not waits(),
            seen=first,
            holds_up=holds_up,
        )

    @contextmanager
    def loop(self, name: str) -> Iterator[None]:
        """Around a loop that turns: `turn` and `rest` in here are its own."""
        loop = _Loop(self)
        stage = _Stage(
            lambda: loop.turns,
            lambda: loop.at_work,
            lambda: loop.within,
            lambda: loop.turns > 0,
            loop.where,
            seen=0,
        )
        self._stages[name] = stage
        token = _here.set(loop)
        try:
            yield
        finally:
            _here.reset(token)
            if stage.turned():
                self._turned.add(name)
            if self._stages.get(name) is stage:
                del self._stages[name]

    def watched(
        self, name: str, run: Callable[[], Awaitable[None]]
    ) -> Callable[[], Coroutine[Any, Any, None]]:
        """A part of the daemon as a stage; where it fails, that is kept, and raised."""

        async def run_watched() -> None:
            if (failed := self._failed.get(name)) is not None:
                failed.runs = True
            try:
                with self.loop(name):
                    await run()
            except BaseException as error:
                if _is_its_own(error):
                    self._note_failure(name)
                raise

        return run_watched

    def _note_failure(self, name: str) -> None:
        failed = self._failed.setdefault(name, _Failed(now()))
        failed.times, failed.runs, failed.ran = failed.times + 1, False, 0.0

    def look(self, elapsed: float) -> list[str]:
        """Look at all; so many seconds after the look before. Returns those that hang since this look."""
        held_up = any(stage.holds_up and stage.waits() for stage in self._stages.values())
        for name, stage in self._stages.items():
            stage.look(0.0 if held_up and not stage.holds_up else elapsed)
            if stage.turned():
                self._turned.add(name)
        for failed in self._failed.values():
            failed.ran += elapsed if failed.runs else 0.0
        hanging = {name for name, stage in self._stages.items() if stage.hangs}
        begun, self._hanging = sorted(hanging - self._hanging), hanging
        if hanging:
            self._well.clear()
        else:
            self._well.set()
        return begun

    async def watch(self) -> None:
        """Look now and then, and say what hangs, until cancelled."""
        last = monotonic()
        while True:
            await asyncio.sleep(_LOOKS_EVERY)
            before, last = last, monotonic()
            was_well = self._well.is_set()
            # At most: where nobody could look (the machine slept, a debugger held it), nobody could get on.
            begun = self.look(min(last - before, 2 * _LOOKS_EVERY))
            for name in begun:
                with about(stage=name):
                    words = self._stages[name].words + self._stages[name].where()
                    _log.critical("%s hangs: %s; systemd will restart the hub", name, words)
            if not was_well and self._well.is_set():
                _log.warning("what hung gets on again")

    async def until_well(self) -> None:
        """Returns when no stage hangs."""
        await self._well.wait()

    def data(self) -> Mapping[str, object]:
        """How each is, for `status`."""
        stages = {name: self._said(name) for name in dict.fromkeys([*self._stages, *self._failed])}
        return {"well": all(each["well"] for each in stages.values()), "stages": stages}

    def _said(self, name: str) -> dict[str, object]:
        stage, failed = self._stages.get(name), self._failed.get(name)
        words = [] if stage is None else [stage.words]
        words += [] if failed is None else [failed.words]
        return {
            "well": name not in self._hanging and (failed is None or failed.well_again),
            "turned": name in self._turned or (stage is not None and stage.turned()),
            "words": "; ".join(words),
        }


def _is_its_own(error: BaseException) -> bool:
    """Whether the part has failed; not where it is stopped, nor where the card takes nothing, of which the
    status tells."""
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError):  # what it waited for may be, too: a fault like any other
        return task is not None and not task.cancelling()
    return not isinstance(error, NotCommittedError)


_here: ContextVar[_Loop | None] = ContextVar("the loop that turns here", default=None)


def turn(within: float = PATIENCE) -> None:
    """The loop that runs here has got on, and will again within so many seconds, whatever comes."""
    if (loop := _here.get()) is not None:
        loop.turns += 1
        loop.at_work, loop.within = True, within
        with suppress(RuntimeError):  # nobody's task
            loop.task = asyncio.current_task()


def rest() -> None:
    """The loop that runs here has got on, and waits for what may never come."""
    if (loop := _here.get()) is not None:
        loop.turns += 1
        loop.at_work = False


@contextmanager
def apart(name: str) -> Iterator[None]:
    """Around a loop beside the one that started it: a stage of its own."""
    if (loop := _here.get()) is None:
        yield
        return
    with loop.account.loop(name):
        yield
