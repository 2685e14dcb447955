"""`python -m tests.faults`: prints the table; ends with 0 only if every promise of the hub was kept."""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic

from tabulate import tabulate

from hub.errors import CareportError
from tests.aims import DRAINS, FLAT, FULL_CARD, KILLS, OVERTAKES, POWER, Aim
from tests.bench.peers_environment import PeersMissingError
from tests.faults import backlog, disk, kills, power, soak, storm
from tests.faults.card import CardError, check_machine
from tests.faults.hub import Hub
from tests.faults.peers import PEERS
from tests.faults.report import HEADERS, Row, Verdict, held_to_the_aims
from tests.faults.stage import BRIEF, FULL, Run


def _peers(run: Run) -> Iterator[Row]:
    """What became of the peers; one that cannot be installed or started is said, and fails nothing."""
    run = replace(run, scale=replace(run.scale, kill_rounds=run.scale.peer_rounds))
    for name, make in list(PEERS.items())[: run.scale.peers]:
        try:
            yield from kills.scenarios(run, name, make, peer=True)
        except (PeersMissingError, RuntimeError, OSError, CareportError) as error:
            yield Row(name, "NOT MEASURED to its end", "", "", "", str(error)[-300:], Verdict.TOLD)


_PARTS: dict[str, Callable[[Run], Iterator[Row]]] = {
    "kills": partial(kills.scenarios, name=Hub.name, make=Hub),
    "power": power.scenarios,
    "disk": disk.scenarios,
    "backlog": backlog.scenarios,
    "soak": soak.scenarios,
    "storm": storm.scenarios,
    "peers": _peers,
}

_AIMS: dict[str, tuple[Aim, ...]] = {
    "kills": (KILLS,),
    "power": (POWER,),
    "disk": (FULL_CARD,),
    "backlog": (OVERTAKES, DRAINS),
    "soak": (FLAT,),
}


def main() -> int:
    """Run what was asked for and print what became of it."""
    asked = _arguments()
    scale = FULL if asked.full else BRIEF
    if asked.rounds is not None:
        scale = replace(scale, power_rounds=asked.rounds)
    if asked.events is not None:
        scale = replace(scale, backlog_events=asked.events)
    try:
        check_machine()
    except CardError as error:
        print(error, file=sys.stderr)
        return 2
    # So that mounts and loop devices are cleaned up however the run ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    print(f"python -m tests.faults --seed {asked.seed}{' --full' if asked.full else ''}", flush=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="careport-faults-") as directory:
        run = Run(Path(directory), scale, asked.seed)
        for name in asked.parts:
            began = monotonic()
            for row in _told(name, _PARTS[name](run)):
                rows.append(row)
                print("  ".join(filter(None, row.cells())), flush=True)
            print(f"({name}: {monotonic() - began:.0f} s)", flush=True)
    print(
        tabulate(
            [row.cells() for row in rows], headers=HEADERS, maxcolwidths=[None, 34, None, None, None, 60]
        )
    )
    if not asked.full:
        print("A brief run: fewer rounds than the aims name. --full has as many.")
    print("The aims of issue 3, the hub:", *held_to_the_aims(rows), sep="\n- ")
    broken = sum(row.verdict is Verdict.BROKEN for row in rows)
    print(f"{broken} promise(s) broken" if broken else "every promise kept")
    return 1 if broken else 0


def _told(part: str, rows: Iterator[Row]) -> Iterator[Row]:
    """The lines of a part; where it could not be played to its end, a line that says why, for each aim."""
    try:
        yield from rows
    except (RuntimeError, OSError, CareportError, CardError) as error:
        traceback.print_exc()
        for aim in _AIMS.get(part, (None,)):
            said = str(error)[-300:]
            yield Row(part, "could not be played to its end", "", "", "", said, Verdict.BROKEN, aim)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(_PARTS)} (all of them)")
    parser.add_argument("--full", action="store_true", help="as many rounds as are promised: some 50 minutes")
    parser.add_argument("--rounds", type=int, help="power cuts")
    parser.add_argument("--events", type=int, help="events of backlog")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="the random moments")
    asked = parser.parse_args()
    if unknown := [name for name in asked.parts if name not in _PARTS]:
        parser.error(f"there is no {unknown[0]}; there are {', '.join(_PARTS)}")
    asked.parts = asked.parts or list(_PARTS)
    return asked


sys.exit(main())
