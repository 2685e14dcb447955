"""One decoder under payloads that are bred by what code they reach: libFuzzer, through atheris.

A process of its own, since libFuzzer ends the one it runs in: `python -m tests.fuzz.guided DRIVER
CHARACTERISTIC [libFuzzer's options]`. It ends with 0, or with the payload that broke an invariant.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz.corpus import corpus
from tests.fuzz.payloads import LONGEST

_BREEDING = ("-entropic=0", "-reduce_inputs=0")
"""With libFuzzer's own choice a fault behind four bytes, planted in a decoder, was never found in 3 million
payloads (three seeds), with this one in one of two: our payloads are short, and their corpus small."""

_DONE = re.compile(r"Done (\d+) runs in")
_COVERED = re.compile(r"cov: (\d+)")


class GuidedError(AssertionError):
    """The guided fuzzer found something; carries what it said."""


def can_guide() -> bool:
    """Whether atheris is installed (the extra `fuzz`)."""
    return find_spec("atheris") is not None


def guided_run(driver: str, characteristic: str, payloads: int, seed: int) -> tuple[int, int]:
    """How many payloads one decoder was given, and how many branches of the drivers they reached.

    Raises `GuidedError` where one of them broke an invariant.
    """
    with tempfile.TemporaryDirectory(prefix="carehub-fuzz-") as name:
        seeds = Path(name) / "corpus"
        seeds.mkdir()
        for number, payload in enumerate(corpus()):
            (seeds / str(number)).write_bytes(payload)
        options = (f"-runs={payloads}", f"-seed={seed}", f"-max_len={LONGEST}", f"-artifact_prefix={name}/")
        ended = subprocess.run(
            [
                sys.executable,
                "-m",
                "tests.fuzz.guided",
                driver,
                characteristic,
                *options,
                *_BREEDING,
                str(seeds),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    said = ended.stdout + ended.stderr
    done = _DONE.search(said)
    if ended.returncode or done is None:
        raise GuidedError(f"{driver} {characteristic}: {said[-2000:]}")
    return int(done[1]), max(map(int, _COVERED.findall(said)), default=0)


def main() -> None:
    """Fuzz one decoder, until libFuzzer ends the process."""
    import atheris  # the extra `fuzz`

    driver, characteristic, *options = sys.argv[1:]
    with atheris.instrument_imports(include=["drivers"]):
        from drivers.catalogue import DRIVERS
    from tests.fuzz.invariant import checker
    from tests.fuzz.repairs import REPAIRS

    check = checker(driver, characteristic, DRIVERS[driver].characteristics[characteristic])
    repair = REPAIRS.get((driver, characteristic), bytes)
    atheris.Setup([sys.argv[0], *options], lambda payload: check(repair(payload)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
