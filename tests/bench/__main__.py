"""`python -m tests.bench [--quick] [--json]`: prints the tables. Timings are for reading, never asserted.

Every figure stands beside others of the same run on the same machine: quote the ratios. It fails where the
hub cannot be measured or loses a reading; a peer that cannot be installed or started is said in the table.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import ceil
from pathlib import Path

from tabulate import tabulate

from hub.demo.mosquitto import Mosquitto
from hub.store.writer import GATHER
from tests.aims import Found
from tests.bench.alone import decoding, idle
from tests.bench.block import RATE, Block, measure
from tests.bench.peers_environment import PeersMissingError, peers_python
from tests.bench.process import NotRunningError, filesystem
from tests.bench.systems import (
    QUIET_BROKER,
    System,
    bridge,
    broker_alone,
    hub,
    python_version,
    reference,
    thingsboard,
)
from tests.bench.table import Blocks, Row, held_to_the_aims, side_by_side

_DISK = "/var/tmp"  # on a disk where /tmp may be memory; what is written there counts
_LEAST_IN_A_FULL_COMMIT = 50  # of the raw limit, which shares commits as the hub does whatever it sends
_NOTES = """\
Each system is a process of its own, started anew for each block and fed the same lines at a Unix socket (the
bridge and the broker: by MQTT). The hub decodes, attributes, scores (NEWS2 and the model), raises alerts, and
has each reading synced before it says so. Nobody else decodes, scores or raises anything: "alert" of the aims
is held against their readings. ThingsBoard: as shipped, but packs of 1,000 (10 is shipped, and gives some 500
readings/s), no report strategy (faster so) and no log; it says "accepted" when a reading is in its memory,
and syncs at checkpoints (sqlite) or never (file). The bridge saves every 30 minutes. The raw limit syncs each
commit as the hub does, gathers for as long, and puts as many readings in a message as the hub was heard to,
and at least 50 in a full commit."""


def main() -> int:
    """Measure, print the tables, or with --json the same for machines."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="The hub beside its peers.")
    parser.add_argument("--quick", action="store_true", help="one short block of each system")
    parser.add_argument("--json", action="store_true", help="every block, row and aim as JSON")
    parser.add_argument("--rounds", type=int, help="blocks of each system")
    chosen = parser.parse_args()
    rounds = chosen.rounds or (1 if chosen.quick else 3)
    steady, flood = (400, 5_000) if chosen.quick else (800, 20_000)
    try:
        python, missing = peers_python(), None
    except PeersMissingError as error:
        python, missing = None, str(error)
    faults: list[str] = []
    blocks: dict[str, list[Block]] = {}
    with tempfile.TemporaryDirectory(prefix="carehub-bench-", dir=_DISK) as name:
        directory = Path(name)
        run = (
            f"{rounds} blocks of each system, {2 * steady} readings at {RATE:g}/s and {flood} at once;"
            f" Python {python_version()}, {os.cpu_count()} cores, {filesystem(directory)},"
            f" load {os.getloadavg()[0]:.1f} at the start"
        )
        with Mosquitto(directory / "broker", QUIET_BROKER) as broker:
            for number in range(rounds):
                for place, system in enumerate(_systems(python, blocks)):
                    files = directory / f"{number}-{place}"
                    files.mkdir()
                    try:
                        block = measure(system, files, broker.port, steady=steady, flood=flood)
                    except (NotRunningError, OSError) as error:
                        if not system.foreign:
                            raise
                        faults.append(f"{system.name}: {error}")
                        continue
                    blocks.setdefault(system.name, []).append(block)
    rows = [*decoding(), *idle()]
    results = blocks, rows, held_to_the_aims(blocks), missing, faults
    if chosen.json:
        print(json.dumps({"run": run, **_as_json(*results)}, indent=2))
    else:
        print(f"make bench (python -m tests.bench): {run}\n")
        _print(*results)
    lost = sum(block.lost for block in blocks["the hub"])
    if lost:
        print(f"the hub lost {lost} readings or alerts", file=sys.stderr)
    return 1 if lost else 0


def _systems(python: Path | None, blocks: dict[str, list[Block]]) -> Iterator[System]:
    """The systems of a round; the raw limit last, since its batch is what the hub was heard to use."""
    yield hub()
    if python is not None:
        yield thingsboard(python, "sqlite")
        yield thingsboard(python, "file")
    yield bridge()
    yield broker_alone()
    message = max(1, round(blocks["the hub"][0].readings_a_message))
    commit = message * ceil(_LEAST_IN_A_FULL_COMMIT / message)
    yield reference(message, commit, GATHER.total_seconds())


def _print(
    blocks: Blocks, rows: Sequence[Row], found: Sequence[Found], missing: str | None, faults: Sequence[str]
) -> None:
    heads, table = side_by_side(blocks)
    print(tabulate(table, heads, disable_numparse=True))
    print()
    print("The aims of issue 3, the hub:", *found, sep="\n- ")
    print()
    print(tabulate([row.cells() for row in rows], ("what", "the hub", "beside", "ratio", "aim")))
    print()
    print(_NOTES)
    if missing is not None:
        print(f"ThingsBoard was NOT measured: its environment cannot be made here: {missing}")
    for fault in faults:
        print(f"NOT measured in a block: {fault}")


def _as_json(
    blocks: Blocks, rows: Sequence[Row], found: Sequence[Found], missing: str | None, faults: Sequence[str]
) -> dict[str, object]:
    return {
        "blocks": [asdict(block) for measured in blocks.values() for block in measured],
        "alone": [asdict(row) for row in rows],
        "aims": [{**asdict(each), "verdict": each.verdict} for each in found],
        "not_measured": ([] if missing is None else [f"ThingsBoard: {missing}"]) + list(faults),
        "notes": _NOTES,
    }


if __name__ == "__main__":
    sys.exit(main())
