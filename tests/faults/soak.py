"""A long life with a bad link: memory and descriptors must not grow.

They do at first, until what is bounded is full: the window of what was measured of late, SQLite's pages, and
the heap around them. So what is judged comes after a warm-up that has filled them all.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TypeVar

from tests.aims import FLAT
from tests.faults.account import Account
from tests.faults.hub import Hub
from tests.faults.patience import wait
from tests.faults.report import Row, Verdict, judged
from tests.faults.stage import Run, Stage, stage
from tests.faults.ward import BATCH, Ward

Number = TypeVar("Number", int, float)

_QUIET_SECONDS = 60.0
_SAMPLE_SECONDS = 0.5
_WARM_UP = 20_000  # readings: 200 of each resident who is well
_WARM_UP_RATE, _RATE = 1000.0, 400.0  # readings a second; 400 for each drop, which takes about a second
_WELL = _ILL = 100
_CONNECTION_LIVES_SECONDS = (0.1, 0.6)
_MAY_GROW_MEGABYTES = 2.0  # the messages in flight come and go with 1.2
_MAY_GROW_DESCRIPTORS = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """The hub's process at one moment."""

    readings: int
    megabytes: float
    descriptors: int


@dataclass(frozen=True, slots=True)
class Growth:
    """By how much the last third of some samples is above the first, each by its median."""

    megabytes: float
    descriptors: int

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Growth:
        """Raises `ValueError` where there are fewer than three samples."""
        if len(samples) < 3:
            raise ValueError(f"{len(samples)} sample(s) say nothing of growth")
        third = len(samples) // 3
        first, last = samples[:third], samples[-third:]
        return cls(
            _median([each.megabytes for each in last]) - _median([each.megabytes for each in first]),
            _median([each.descriptors for each in last]) - _median([each.descriptors for each in first]),
        )

    @property
    def flat(self) -> bool:
        """Whether that is no growth."""
        return self.megabytes <= _MAY_GROW_MEGABYTES and self.descriptors <= _MAY_GROW_DESCRIPTORS


def scenarios(run: Run) -> Iterator[Row]:
    """One hub, many readings, and its connection dropped again and again meanwhile."""
    readings, drops = run.scale.soak_readings, run.scale.soak_reconnects
    # So many that they last for the whole of it.
    alert_every = -(-(_WARM_UP + readings) // _ILL // BATCH) * BATCH
    with stage(run, Hub, Ward(ill=_ILL, well=_WELL, alert_every=alert_every), proxied=True) as parts:
        parts.system.start()
        assert isinstance(parts.system, Hub)
        with _sampled(parts.system, parts.account) as samples:
            fed, reconnects = _live(run, parts, readings, drops)
            judgement = parts.subscriber.wait_for_all(_QUIET_SECONDS)
        alive = parts.system.alive
        older = parts.system.log.count("with MQTT 3.1.1")
    yield judged(
        Hub.name,
        f"soak: {readings:,} readings and {drops} dropped connections",
        judgement,
        f"{reconnects} reconnects, {older} of them as MQTT 3.1.1",
        broken="" if alive else "the hub ended by itself",
    )
    if not alive:
        raise RuntimeError("the hub ended by itself: its memory was not measured")
    under_load = [each for each in samples if _WARM_UP <= each.readings <= fed]
    grown = Growth.of(under_load)
    begin, end, most = under_load[0], under_load[-1], max(each.megabytes for each in samples)
    yield Row(
        system=Hub.name,
        scenario=f"memory and descriptors over the soak, after {_WARM_UP:,} readings of warm-up: flat",
        confirmed="",
        lost="",
        duplicates="",
        remarks=f"{samples[0].megabytes:.1f} MB at the start, {begin.megabytes:.1f} warm, "
        f"{end.megabytes:.1f} at the end, at most {most:.1f}; "
        f"first to last third {grown.megabytes:+.1f} MB over {end.readings - begin.readings:,} readings; "
        f"{begin.descriptors} -> {end.descriptors} descriptors",
        verdict=Verdict.MET if grown.flat else Verdict.MISSED,
        aim=FLAT,
    )


def _live(run: Run, parts: Stage, readings: int, drops: int) -> tuple[int, int]:
    """Feed and drop; return how many readings were confirmed, and how often it connected again.

    The drops are spread over the readings, but each connection lives for a moment.
    """
    assert parts.proxy is not None
    with parts.feeding(rate=_WARM_UP_RATE, lanes=20):
        while parts.system.alive and parts.account.confirmed_count < _WARM_UP:
            wait(lambda: False, 0.02)
            parts.subscriber.listen()
    confirmed = 0
    dice = run.dice("soak")
    dropped, life = 0, dice.uniform(*_CONNECTION_LIVES_SECONDS)
    with parts.feeding(rate=_RATE, lanes=20):
        while parts.system.alive and (confirmed < _WARM_UP + readings or dropped < drops):
            wait(lambda: False, 0.02)
            confirmed = parts.account.confirmed_count
            parts.subscriber.listen()
            if dropped == drops or confirmed < _WARM_UP + readings * (dropped + 1) // (drops + 1):
                continue
            if monotonic() - parts.proxy.connects[-1] >= life and parts.proxy.drop():
                dropped += 1
                life = dice.uniform(*_CONNECTION_LIVES_SECONDS)
    return confirmed, len(parts.proxy.connects) - 1


@contextlib.contextmanager
def _sampled(hub: Hub, account: Account) -> Iterator[list[Sample]]:
    """Samples of the hub for as long as it is entered, and lives."""
    samples = [_sample(hub.pid, account.confirmed_count)]
    left = threading.Event()

    def watch() -> None:
        while hub.alive and not left.wait(_SAMPLE_SECONDS):
            with contextlib.suppress(OSError, ValueError):  # it ended meanwhile
                samples.append(_sample(hub.pid, account.confirmed_count))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield samples
    finally:
        left.set()
        watching.join()


def _sample(pid: int, readings: int) -> Sample:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    (resident,) = (int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    return Sample(readings, resident * 1024 / 1e6, sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()))


def _median(values: Sequence[Number]) -> Number:
    return sorted(values)[len(values) // 2]
