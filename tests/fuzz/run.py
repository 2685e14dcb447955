"""One decoder, so many payloads: a third of them random, a third mutated, a third guided."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from random import Random

from drivers.catalogue import DRIVERS, GATT_DRIVERS
from tests.fuzz.corpus import corpus
from tests.fuzz.framers import fuzz_framer
from tests.fuzz.guided import can_guide, guided_run
from tests.fuzz.invariant import Check, checker
from tests.fuzz.payloads import mutated_payloads, random_payloads
from tests.fuzz.repairs import REPAIRS

_FRAMED_SHARE = 10
"""One notification for the framer of a driver to so many payloads for its decoder: each makes several."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one decoder went through without breaking an invariant. `guided` is None where it could not be.

    `taken` are those of the random and mutated payloads that were decoded, not refused; `framed` the
    notifications fed to its framer; `branches` what of the drivers' code the guided ones reached.
    """

    driver: str
    characteristic: str
    random: int
    mutated: int
    taken: int
    guided: int | None
    branches: int | None
    framed: int
    seconds: float

    @property
    def payloads(self) -> int:
        """All payloads that were decoded or refused."""
        return self.random + self.mutated + (self.guided or 0)

    def as_dict(self) -> dict[str, str | int | float | None]:
        """For a record."""
        return asdict(self)


def fuzz_decoder(driver: str, characteristic: str, payloads: int, seed: int) -> Outcome:
    """Fuzz one decoder of the catalogue. Raises `BrokenInvariantError` or `GuidedError`.

    Where atheris is not installed the mutated payloads are as many more, and nothing is guided.
    """
    begun = time.monotonic()
    guided = payloads // 3 if can_guide() else 0
    blind = (payloads - guided) // 2
    mutated = payloads - guided - blind
    check = checker(driver, characteristic, DRIVERS[driver].characteristics[characteristic])
    random = Random(f"{seed} {driver} {characteristic}")
    taken = blind_run(check, random_payloads(random), blind)
    taken += blind_run(check, mutations(check, random, REPAIRS.get((driver, characteristic))), mutated)
    spoken = GATT_DRIVERS.get(driver)
    framer, framed = None if spoken is None else spoken.framer, 0
    if framer is not None:
        framed = payloads // _FRAMED_SHARE
        fuzz_framer(framer, check, framed, random)
    reached = guided_run(driver, characteristic, guided, seed) if guided else None
    return Outcome(
        driver=driver,
        characteristic=characteristic,
        random=blind,
        mutated=mutated,
        taken=taken,
        guided=reached[0] if reached else None,
        branches=reached[1] if reached else None,
        framed=framed,
        seconds=round(time.monotonic() - begun, 1),
    )


def blind_run(check: Check, payloads: Iterable[bytes], number: int) -> int:
    """Check so many of these payloads, and say how many of them were decoded, not refused.

    Raises `BrokenInvariantError`.
    """
    return sum(map(check, islice(payloads, number)))


def mutations(
    check: Check, random: Random, repair: Callable[[bytes], bytes] | None = None
) -> Iterable[bytes]:
    """Of what this decoder takes and does not refuse, so that they reach deep; of all where it takes none.

    Every other one is repaired, where that is needed to get past a checksum.
    """
    taken = [payload for payload in corpus() if check(payload)]
    mutated = mutated_payloads(random, taken or corpus())
    if repair is None:
        return mutated
    return (repair(payload) if random.getrandbits(1) else payload for payload in mutated)
