"""A rung of tests that measures: scenarios by name, in brief or in full size, and what is printed of them,
measured beside aim."""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tabulate import tabulate


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table. `met` is None where there is no aim; an aim `of_time` is for the command
    alone, as a machine that runs tests may be busy."""

    what: str
    measured: str
    aim: str
    met: bool | None
    of_time: bool = False

    def cells(self) -> tuple[str, str, str, str]:
        """As it is printed."""
        return self.what, self.measured, self.aim, {True: "met", False: "MISSED", None: ""}[self.met]


@dataclass(frozen=True, slots=True)
class Run:
    """Where a scenario may write, whether it is played in full size, and its dice."""

    directory: Path
    full: bool
    dice: Random

    def of(self, full: int, brief: int) -> int:
        """How often: as the aim says, or as often as a test has time for."""
        return full if self.full else brief


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so large a share (0 to 1) of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def until_at_rest(tasks: int) -> None:
    """Wait until no more tasks than so many are there, for two seconds at the most: what is still ending on a
    busy machine is no leak, and what stays is."""
    for _ in range(40):
        if len(asyncio.all_tasks()) <= tasks:
            return
        await asyncio.sleep(0.05)


Scenario = Callable[[Run], Awaitable[list[Line]]]


def play(program: str, description: str | None, scenarios: Mapping[str, Scenario]) -> int:
    """Play what the command line asks for, and print it.

    0 if all aims are met that are not of time: a machine may be busy.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(scenarios)} (all of them)")
    parser.add_argument("--full", action="store_true", help="as often as the aims say")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="the random moments")
    asked = parser.parse_args()
    if unknown := [name for name in asked.parts if name not in scenarios]:
        parser.error(f"there is no {unknown[0]}; there are {', '.join(scenarios)}")
    print(f"python -m {program} --seed {asked.seed}{' --full' if asked.full else ''}", flush=True)
    lines: list[tuple[str, Line]] = []
    for name in asked.parts or scenarios:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="careport-rung-") as directory:
            run = Run(Path(directory), asked.full, random.Random(asked.seed))
            lines += [(name, line) for line in asyncio.run(_played(scenarios[name], run))]
        print(f"({name}: {time.monotonic() - began:.0f} s)", flush=True)
    rows = [(name, *line.cells()) for name, line in lines]
    print(
        tabulate(rows, headers=("part", "what", "measured", "aim", ""), maxcolwidths=[None, 46, 60, 24, None])
    )
    missed = sum(line.met is False for _, line in lines)
    print(f"{missed} aim(s) missed" if missed else "every aim met")
    return 1 if any(line.met is False and not line.of_time for _, line in lines) else 0


async def _played(scenario: Scenario, run: Run) -> list[Line]:
    return await scenario(run)
