"""`python -m tests.radio`: prints what was measured beside the aims. Ends with 0 if all are met
that are not of time: a machine may be busy."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tabulate import tabulate

from tests.radio import scenarios
from tests.radio.adapter import adapter
from tests.radio.cycles import cycles
from tests.radio.estate import estate
from tests.radio.faults import faults
from tests.radio.report import Line, Run

SCENARIOS: dict[str, Callable[[Run], Awaitable[list[Line]]]] = {
    "ward": scenarios.ward,
    "latency": scenarios.latency,
    "cycles": cycles,
    "records": scenarios.records,
    "pairing": scenarios.pairing,
    "flood": scenarios.flood,
    "faults": faults,
    "estate": estate,
    "adapter": adapter,
}


async def _played(scenario: Callable[[Run], Awaitable[list[Line]]], run: Run) -> list[Line]:
    return await scenario(run)


def main() -> int:
    """Play what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.radio", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(SCENARIOS)} (all of them)")
    parser.add_argument("--full", action="store_true", help="as often as the aims say")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="the random moments")
    asked = parser.parse_args()
    if unknown := [name for name in asked.parts if name not in SCENARIOS]:
        parser.error(f"there is no {unknown[0]}; there are {', '.join(SCENARIOS)}")
    print(f"python -m tests.radio --seed {asked.seed}{' --full' if asked.full else ''}", flush=True)
    lines: list[tuple[str, Line]] = []
    for name in asked.parts or SCENARIOS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="careport-radio-") as directory:
            run = Run(Path(directory), asked.full, random.Random(asked.seed))
            lines += [(name, line) for line in asyncio.run(_played(SCENARIOS[name], run))]
        print(f"({name}: {time.monotonic() - began:.0f} s)", flush=True)
    rows = [(name, *line.cells()) for name, line in lines]
    print(
        tabulate(rows, headers=("part", "what", "measured", "aim", ""), maxcolwidths=[None, 46, 60, 24, None])
    )
    missed = sum(line.met is False for _, line in lines)
    print(f"{missed} aim(s) missed" if missed else "every aim met")
    return 1 if any(line.met is False and not line.of_time for _, line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
