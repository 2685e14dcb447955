"""`python -m tests.image`: prints what was measured beside the aims. Ends with 0 if all are met that are
not of time: a machine may be busy."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from time import monotonic

from tabulate import tabulate

from hub.errors import CareportError
from provisioning.keeper.errors import KeeperError
from tests.image import parts
from tests.image.made import CACHE, bundle
from tests.rigs.rung import Line

PARTS: dict[str, Callable[[parts.Given], Iterator[Line]]] = {
    "image": parts.of_the_image,
    "boot": parts.on_virt,
    "pi": parts.on_a_pi,
    "bundle": parts.of_the_bundle,
}


def main() -> int:
    """Make the release, play the parts, tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.image", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (all)")
    asked = parser.parse_args().parts or list(PARTS)
    if unknown := [name for name in asked if name not in PARTS]:
        parser.error(f"there is no {unknown[0]}; there are {', '.join(PARTS)}")
    CACHE.mkdir(parents=True, exist_ok=True)
    began, lines = monotonic(), []
    try:
        given = parts.Given(*bundle(CACHE))
        print(f"The release is there after {monotonic() - began:.0f} s", flush=True)
        for name in asked:
            for line in PARTS[name](given):
                print(f"  {line.what}: {line.measured}", flush=True)
                lines.append(line)
    except (CareportError, KeeperError) as error:
        print(error, file=sys.stderr)
        return 2
    print(tabulate([line.cells() for line in lines], ("what", "measured", "aim", ""), tablefmt="simple"))
    print(f"{monotonic() - began:.0f} s in all")
    return int(any(line.met is False and not line.of_time for line in lines))


if __name__ == "__main__":
    sys.exit(main())
