"""Fuzz the decoders of the catalogue: `python -m tests.fuzz [DRIVER ...] [--payloads N] [--seed S]`.

Each decoder gets N payloads, a third random, a third mutated, a third guided by coverage (with the extra
`fuzz`); each framer is fed besides, and each serial conversation with N random bytes. It ends with 0 only if
nothing broke an invariant. With --record FILE
what was done is written down as it is done, and is not done again while the drivers are the same.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

from drivers.catalogue import DRIVERS
from drivers.serial_line import SerialDriver
from tests.fuzz.conversations import LineOutcome, fuzz_line
from tests.fuzz.guided import GuidedError, can_guide
from tests.fuzz.invariant import BrokenInvariantError
from tests.fuzz.run import Outcome, fuzz_decoder

_ROOT = Path(__file__).parents[2]


def main() -> int:
    """Fuzz what the arguments say, and print a line for each decoder."""
    arguments = _arguments()
    unknown = set(arguments.drivers) - DRIVERS.keys()
    if unknown:
        print(f"no driver is named {', '.join(sorted(unknown))}; there are: {', '.join(sorted(DRIVERS))}")
        return 2
    if not can_guide():
        print("atheris is not installed (the extra fuzz): nothing is guided, and more is mutated instead")
    done = _done(arguments.record, arguments)
    broken = 0
    seen: dict[object, str] = {}
    for driver in arguments.drivers or DRIVERS:
        for characteristic, decode in DRIVERS[driver].characteristics.items():
            if decode in seen:
                print(f"{driver} {characteristic}: the same decoder as {seen[decode]}")
                continue
            seen[decode] = f"{driver} {characteristic}"
            if (outcome := done.get((driver, characteristic))) is None:
                try:
                    outcome = fuzz_decoder(driver, characteristic, arguments.payloads, arguments.seed)
                except (BrokenInvariantError, GuidedError) as error:
                    print(f"BROKEN {driver} {characteristic}: {error}", flush=True)
                    broken += 1
                    continue
                if arguments.record is not None:
                    _write_down(arguments.record, arguments, outcome)
            print(_line(outcome), flush=True)
        entry = DRIVERS[driver]
        if isinstance(entry, SerialDriver):
            try:
                print(_of_a_line(fuzz_line(entry, arguments.payloads, arguments.seed)), flush=True)
            except BrokenInvariantError as error:
                print(f"BROKEN {driver}, its conversation: {error}", flush=True)
                broken += 1
    print(f"{broken} broke an invariant" if broken else "nothing broke an invariant")
    return 1 if broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("drivers", nargs="*", metavar="DRIVER", help="all of the catalogue if none is named")
    parser.add_argument("--payloads", type=int, default=1_000_000, metavar="N", help="for each decoder")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--record", type=Path, metavar="FILE", help="go on where an earlier run ended")
    return parser.parse_args()


def _line(outcome: Outcome) -> str:
    blind = outcome.random + outcome.mutated
    guided = (
        f"{outcome.guided:,} guided ({outcome.branches} branches)" if outcome.guided else "nothing guided"
    )
    framed = f", {outcome.framed:,} notifications to the framer" if outcome.framed else ""
    return (
        f"{outcome.driver} {outcome.characteristic}: {outcome.payloads:,} payloads: "
        f"{outcome.random:,} random, {outcome.mutated:,} mutated "
        f"({outcome.taken / max(blind, 1):.0%} of both decoded), {guided}{framed}; {outcome.seconds:.0f} s"
    )


def _of_a_line(outcome: LineOutcome) -> str:
    return (
        f"{outcome.driver}, its conversation: {outcome.noise:,} random bytes"
        f" in {outcome.seconds_heard / 3600:.1f} h: {outcome.frames:,} frames"
        f" ({'with' if outcome.checksum else 'without'} a checksum), {outcome.payloads:,} payloads, "
        f"{outcome.usable:,} of them usable; {outcome.damaged:,} bytes of damaged streams; at most "
        f"{outcome.worst} frames lost after noise, {outcome.trials:,} times; {outcome.seconds:.0f} s"
    )


def _of_the_drivers() -> str:
    """What tells these drivers from others: the sources that they are made of."""
    digest = hashlib.sha256()
    for pattern in ("drivers/*.py", "hub/readings.py", "tests/fuzz/*.py", "tests/drivers/captures.jsonl"):
        for source in sorted(_ROOT.glob(pattern)):
            digest.update(source.read_bytes())
    return digest.hexdigest()


def _same(arguments: argparse.Namespace) -> dict[str, str | int | bool]:
    return {
        "payloads": arguments.payloads,
        "seed": arguments.seed,
        "guided": can_guide(),
        "sources": _of_the_drivers(),
    }


def _done(record: Path | None, arguments: argparse.Namespace) -> dict[tuple[str, str], Outcome]:
    if record is None or not record.exists():
        return {}
    same = _same(arguments)
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    outcomes = [Outcome(**line["outcome"]) for line in lines if line["of"] == same]
    return {(outcome.driver, outcome.characteristic): outcome for outcome in outcomes}


def _write_down(record: Path, arguments: argparse.Namespace, outcome: Outcome) -> None:
    with record.open("a") as lines:
        lines.write(json.dumps({"of": _same(arguments), "outcome": outcome.as_dict()}) + "\n")


if __name__ == "__main__":
    sys.exit(main())
