"""The hub's own adapter: unplugged and back, and with a controller that hangs, while a strap streams."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from drivers.bluetooth.healing import LADDER
from drivers.bluetooth.patience import Patience
from drivers.virtual.encoding import blood_pressure, heart_rate
from drivers.virtual.profiles import BLOOD_PRESSURE_CUFF, HEART_RATE_STRAP
from drivers.virtual.ward import VirtualWard
from tests.radio.hub import IMPATIENT, Enrolled, radio_hub
from tests.rigs.rung import Line, Run

CUFF, STRAP = "C4:F2:17:00:00:01", "C4:F2:17:01:00:01"
_LONG = 120.0  # seconds after which it is in vain to wait
_HURRIED = replace(
    IMPATIENT, scan=0.2, silence_least=0.4, silence_most=0.8, watch=0.05, disconnect=0.2, connect=1.0
)


async def adapter(run: Run) -> list[Line]:
    """In full size with the product's own patience; in brief with less of it."""
    patience = Patience() if run.full else _HURRIED
    ladder = LADDER if run.full else [replace(step, wait=min(step.wait / 50, 0.2)) for step in LADDER]
    lines: list[Line] = []
    async with VirtualWard.open() as ward:
        cuff = ward.place(BLOOD_PRESSURE_CUFF, CUFF)
        ward.place(HEART_RATE_STRAP, STRAP).wear(lambda: heart_rate(70), 0.2)
        enrolled = Enrolled(CUFF, "blood_pressure"), Enrolled(STRAP, "heart_rate")
        async with radio_hub(
            run.directory / "adapter", ward, *enrolled, patience=patience, ladder=ladder
        ) as hub:

            async def until(condition: Callable[[], bool]) -> float | None:
                """The seconds until it is so; None if it does not become so."""
                began = time.monotonic()
                while not condition():
                    if time.monotonic() - began > _LONG:
                        return None
                    await asyncio.sleep(0.01)
                return time.monotonic() - began

            def collected(what: str, count: int, seconds: float | None) -> None:
                got = hub.committed.get(CUFF, 0) >= count
                said = "never" if seconds is None else f"after {seconds:.1f} s"
                lines.append(Line(f"{what}: the cuff's reading is collected", said, "collected", got))

            cuff.report(blood_pressure(120, 70))
            await until(lambda: hub.committed.get(CUFF, 0) >= 1 and hub.committed.get(STRAP, 0) >= 1)

            ward.radio.hang()
            cuff.report(blood_pressure(121, 70))
            noticed = await until(lambda: hub.collector.status().healing.ails is not None)
            ails = hub.collector.status().healing.ails
            lines.append(
                Line(
                    "controller hangs",
                    "not noticed" if noticed is None else f"after {noticed:.1f} s says: {ails}",
                    "noticed, reported",
                    noticed is not None,
                )
            )
            lines.append(
                Line(
                    "the same",
                    "in time" if noticed else "never",
                    "within 60 s",
                    (noticed or _LONG) <= 60,
                    True,
                )
            )
            back = await until(lambda: hub.committed.get(CUFF, 0) >= 2)
            outcome = hub.collector.status().healing.outcome
            collected(f"controller power-cycled ({outcome})", 2, back)

            ward.radio.take_adapter_away()
            cuff.report(blood_pressure(122, 70))
            noticed = await until(lambda: not hub.collector.status().usable)
            lines.append(
                Line(
                    "adapter unplugged", f"says: {hub.collector.status().radio}", "said", noticed is not None
                )
            )
            await asyncio.sleep(run.of(20, 1))
            ward.radio.give_adapter_back()
            back = await until(lambda: hub.committed.get(CUFF, 0) >= 3)
            collected("adapter back", 3, back)
            lines.append(
                Line("the same", "in time" if back else "never", "within 10 s", (back or _LONG) <= 10, True)
            )
    return lines
