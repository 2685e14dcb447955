"""`python -m tests.vm`: the scenarios over the real bluetoothd; ends with 0 only if all of them passed."""

from __future__ import annotations

import argparse
import os
import queue
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from time import monotonic

from tests.vm.image import CACHE, PYTHONS, Image, MachineError, image
from tests.vm.machine import SCENARIOS, Machine
from tests.vm.results import Result, read_results, write_junit

_LAST = CACHE / "last"


def main() -> int:
    """Build the image if need be, boot, play, tell."""
    asked = _arguments()
    began = monotonic()
    try:
        booted = image(asked.release, anew=asked.anew)
        print(f"The image of Debian {booted.release} is there after {monotonic() - began:.0f} s", flush=True)
        shutil.rmtree(_LAST, ignore_errors=True)
        results = list(_played(booted, asked))
    except MachineError as error:
        print(error, file=sys.stderr)
        return 2
    write_junit(_LAST / "junit.xml", results)
    failed = sum(not each.passed for each in results)
    print(f"{monotonic() - began:.0f} s; results, consoles and traces are in {_LAST}")
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed or not results else 0


def _played(booted: Image, asked: argparse.Namespace) -> Iterator[Result]:
    """The results of all machines, as they come: one machine for each file. They wait for the most part, so
    twice as many at once as there are processors."""
    waiting: queue.Queue[str] = queue.Queue()
    for name in asked.files or SCENARIOS:
        waiting.put(name)
    told: queue.Queue[Result | None] = queue.Queue()
    workers = min(asked.at_once, waiting.qsize())

    def work() -> None:
        while True:
            try:
                name = waiting.get_nowait()
            except queue.Empty:
                break
            machine = Machine(booted, _LAST / name, trace=asked.trace, seconds=asked.seconds)
            for result in read_results(name, machine, asked.pytest):
                told.put(result)
        told.put(None)

    for _ in range(workers):
        threading.Thread(target=work, daemon=True).start()
    while workers:
        result = told.get()
        if result is None:
            workers -= 1
        else:
            print(result, flush=True)
            yield result


def _arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.vm", description=__doc__)
    parser.add_argument("files", nargs="*", metavar="FILE", help=f"of {', '.join(SCENARIOS)} (all of them)")
    parser.add_argument("-k", help="only scenarios whose names match, as pytest has it")
    parser.add_argument("--release", choices=list(PYTHONS), default="trixie", help="of Debian")
    parser.add_argument("--anew", action="store_true", help="build the image, though there is one")
    parser.add_argument("--trace", action="store_true", help="write what goes over HCI (btmon) to hci.log")
    parser.add_argument("--seconds", type=float, default=1200, help="after which a machine is switched off")
    parser.add_argument("--at-once", type=int, default=2 * (os.cpu_count() or 1), help="machines")
    asked = parser.parse_args(arguments)
    if unknown := [name for name in asked.files if name not in SCENARIOS]:
        parser.error(f"there is no {unknown[0]}; there are {', '.join(SCENARIOS)}")
    asked.pytest = ["-k", asked.k] if asked.k else []
    return asked


if __name__ == "__main__":
    sys.exit(main())
