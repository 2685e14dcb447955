"""`python -m tests.machine`: prints the table; ends with 0 only if every promise of the hub was kept."""

from __future__ import annotations

import argparse
import random
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from time import monotonic

from tabulate import tabulate

from hub.errors import CareportError
from tests.faults.card import CardError
from tests.machine.laboratory import BRIEF, FULL, Laboratory, laboratory
from tests.machine.parts import centre, fleet, followed, hangs, power, provision, trouble, updates
from tests.machine.report import HEADERS, Row, Verdict, broken
from tests.machine.rig import in_its_own_mounts
from tests.machine.root import PYTHONS

_PARTS: dict[str, Callable[[Laboratory], Iterator[Row]]] = {
    "provision": provision.scenarios,
    "updates": updates.scenarios,
    "centre": centre.scenarios,
    "power": power.scenarios,
    "hangs": hangs.scenarios,
    "trouble": trouble.scenarios,
    "fleet": fleet.scenarios,
    "readme": followed.scenarios,
}


def main() -> int:
    """Run what was asked for and print what became of it."""
    asked = _arguments()
    in_its_own_mounts()
    scale = FULL if asked.full else BRIEF
    if asked.machines is not None:
        scale = replace(scale, fleet=asked.machines)
    # So that machines, mounts and networks are taken away however the run ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    print(f"python -m tests.machine --seed {asked.seed}{' --full' if asked.full else ''}", flush=True)
    rows: list[Row] = []
    began = monotonic()
    try:
        with laboratory(asked.release, scale, asked.seed) as lab:
            print(f"(the laboratory is there after {monotonic() - began:.0f} s)", flush=True)
            for name in asked.parts:
                since = monotonic()
                for row in _told(name, _PARTS[name](lab)):
                    rows.append(row)
                    print(*filter(None, row.cells()), sep=" | ", flush=True)
                print(f"({name}: {monotonic() - since:.0f} s)", flush=True)
    except (CareportError, CardError) as error:
        print(error, file=sys.stderr)
        return 2
    print(tabulate([row.cells() for row in rows], headers=HEADERS, maxcolwidths=[None, 40, 70, 14, None]))
    if not asked.full:
        print("A brief run: fewer rounds than the aims name. --full has as many.")
    count = broken(rows)
    kept = f"{count} promise(s) broken" if count else "every promise kept"
    print(f"{kept}; {monotonic() - began:.0f} s")
    return 1 if count else 0


def _told(part: str, rows: Iterator[Row]) -> Iterator[Row]:
    """The lines of a part, and one that says why where it could not be played to its end."""
    try:
        yield from rows
    except (CareportError, CardError, OSError, RuntimeError) as error:
        traceback.print_exc()
        yield Row(part, "could not be played to its end", str(error)[-600:], "", Verdict.BROKEN)


def _arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.machine", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(_PARTS)} (all of them)")
    parser.add_argument("--full", action="store_true", help="as many rounds and machines as the aims name")
    parser.add_argument("--release", choices=list(PYTHONS), default="bookworm", help="of Debian")
    parser.add_argument("--machines", type=int, help="of the fleet")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="the random moments")
    asked = parser.parse_args(arguments)
    if unknown := [name for name in asked.parts if name not in _PARTS]:
        parser.error(f"there is no {unknown[0]}; there are {', '.join(_PARTS)}")
    asked.parts = asked.parts or list(_PARTS)
    return asked


if __name__ == "__main__":
    sys.exit(main())
