"""A thousand links, one after the other: what is left of them afterwards must be nothing."""

from __future__ import annotations

import asyncio
import gc
import os
import tracemalloc
from pathlib import Path

from drivers.virtual.encoding import blood_pressure
from drivers.virtual.profiles import BLOOD_PRESSURE_CUFF
from drivers.virtual.ward import VirtualWard
from tests.radio.hub import Enrolled
from tests.rigs.collecting import CUFF as CUFF_DRIVER
from tests.rigs.collecting import Collected, collecting, until
from tests.rigs.rung import Line, Run, until_at_rest

CUFF = Enrolled("C4:F2:17:00:00:01", "blood_pressure")
_BYTES_A_LINK = (200, 2000)
"""What may be left of a link and still be called flat, in full size and in brief: allocators and caches are
never quite still."""

_SIMULATION = ("bumble", f"drivers{os.sep}virtual", "pyee")


async def cycles(run: Run) -> list[Line]:
    """Connect, take a reading, be dropped, again and again; the second half is measured."""
    count = run.of(1000, 24)
    async with (
        VirtualWard.open() as ward,
        collecting(ward.radio, (CUFF.address, CUFF_DRIVER)) as collected,
    ):
        cuff = ward.place(BLOOD_PRESSURE_CUFF, CUFF.address)

        async def link(number: int) -> None:
            cuff.report(blood_pressure(100 + number % 100, 60))
            await collected.until_received(1)
            await until(lambda: not cuff.linked and ward.radio.connections() == 0)
            collected.received.clear()

        for number in range(count // 2):
            await link(number)
        tracemalloc.start()
        try:
            await _links_in_the_middle(link)
            before = _now()
            for number in range(count // 2):
                await link(number)
            await until_at_rest(before.tasks)
            after = _now()
        finally:
            tracemalloc.stop()
        links = cuff.links
    return _lines(run, count, links, before, after, collected)


async def _links_in_the_middle(link: object) -> None:
    """A few, so that what is allocated once under `tracemalloc` is there already."""
    assert callable(link)
    for number in range(10):
        await link(number)


class _Now:
    """Descriptors, tasks and memory at a moment."""

    def __init__(self, descriptors: int, tasks: int, resident: int, snapshot: tracemalloc.Snapshot) -> None:
        self.descriptors = descriptors
        self.tasks = tasks
        self.resident = resident
        self.snapshot = snapshot


def _now() -> _Now:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return _Now(
        sum(1 for _ in Path("/proc/self/fd").iterdir()),
        len(asyncio.all_tasks()),
        pages * os.sysconf("SC_PAGE_SIZE"),
        tracemalloc.take_snapshot(),
    )


def _lines(run: Run, count: int, links: int, before: _Now, after: _Now, collected: Collected) -> list[Line]:
    assert collected.collector.status().lost == 0
    measured, allowed = count // 2, run.of(*_BYTES_A_LINK)
    grown = after.snapshot.compare_to(before.snapshot, "filename")
    of_simulation = sum(
        each.size_diff for each in grown if any(part in each.traceback[0].filename for part in _SIMULATION)
    )
    of_hub = sum(each.size_diff for each in grown) - of_simulation
    return [
        Line("links made", f"{links}", f">= {count}", links >= count),
        Line(
            f"descriptors after {measured} links",
            f"{before.descriptors} -> {after.descriptors}",
            "flat",
            after.descriptors <= before.descriptors,
        ),
        Line(
            f"tasks after {measured} links",
            f"{before.tasks} -> {after.tasks}",
            "flat",
            after.tasks <= before.tasks,
        ),
        Line(
            f"Python's memory after {measured} links",
            f"{of_hub / measured:+.0f} bytes a link (the simulation itself {of_simulation / measured:+.0f}); "
            f"resident {(after.resident - before.resident) / 2**20:+.1f} MB",
            f"flat: <= {allowed} bytes a link",
            of_hub / measured <= allowed,
        ),
    ]
