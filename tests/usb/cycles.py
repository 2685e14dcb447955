"""Plugged in and pulled out two hundred times, in the middle of a frame: nothing of it is left."""

from __future__ import annotations

import asyncio
import gc
import os
import time
import tracemalloc
from pathlib import Path

from tests.rigs.plugging import Talker, adapter, plugging
from tests.rigs.rung import Line, Run, percentile, until_at_rest

_BYTES_A_CYCLE = (200, 4000)
"""What may be left of a cycle and still be called flat, in full size and in brief."""


async def cycles(run: Run) -> list[Line]:
    """Plug in, take a payload, pull out in the midst of the next; the second half is measured."""
    count = run.of(400, 20)
    device = adapter()
    took: list[float] = []
    async with plugging(device.address) as plugged:

        async def cycle(number: int) -> None:
            began = time.monotonic()
            there = plugged.usb.plug(device, talker := Talker(b"%d\n" % number))
            await plugged.until(lambda: plugged.said[-1:] == [b"%d" % number])
            took.append(time.monotonic() - began)
            talker.to_say = b"half of a frame"
            await plugged.usb.unplug(there, mid_frame=True)
            await plugged.until(lambda: not plugged.status(device.address).plugged_in)
            plugged.payloads[:] = plugged.payloads[-1:]
            plugged.learned.clear()

        for number in range(count // 2):
            await cycle(number)
        tracemalloc.start()
        try:
            for number in range(10):
                await cycle(number)
            before = _now()
            for number in range(count // 2):
                await cycle(number)
            await until_at_rest(before[1])
            after = _now()
        finally:
            tracemalloc.stop()
        assert plugged.said == [b"%d" % (count // 2 - 1)], "half a frame was believed"
    grown = (after[2] - before[2]) / (count // 2)
    allowed = run.of(*_BYTES_A_CYCLE)
    return [
        Line(
            f"descriptors after {count // 2} cycles",
            f"{before[0]} -> {after[0]}",
            "flat",
            after[0] <= before[0],
        ),
        Line(f"tasks after {count // 2} cycles", f"{before[1]} -> {after[1]}", "flat", after[1] <= before[1]),
        Line(
            f"Python's memory after {count // 2} cycles",
            f"{grown:+.0f} bytes a cycle, with the virtual socket; "
            f"resident {(after[3] - before[3]) / 2**20:+.1f} MB",
            f"flat: <= {allowed} bytes a cycle",
            grown <= allowed,
        ),
        Line(
            "plugged in -> first payload (virtual socket)",
            f"p50 {percentile(took, 0.5) * 1000:.0f} ms, longest {max(took) * 1000:.0f} ms",
            "<= 2 s",
            max(took) <= 2.0,
            of_time=True,
        ),
    ]


def _now() -> tuple[int, int, int, int]:
    """Descriptors, tasks, bytes that Python holds, bytes resident."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return (
        len(list(Path("/proc/self/fd").iterdir())),
        len(asyncio.all_tasks()),
        tracemalloc.get_traced_memory()[0],
        pages * os.sysconf("SC_PAGE_SIZE"),
    )
