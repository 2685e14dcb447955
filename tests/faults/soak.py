"""A long life with a bad link: memory and descriptors must not grow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from tests.faults.hub import Hub
from tests.faults.patience import wait
from tests.faults.report import Row, Verdict, judged
from tests.faults.stage import Run, Stage, stage
from tests.faults.ward import Ward

_QUIET_SECONDS = 60.0
_RECONNECT_SECONDS = 60.0
_SAMPLE_SECONDS = 0.5
_RATE = 1000.0  # readings a second
_DROP_PAUSE_SECONDS = (0.1, 0.6)
_MAY_GROW_MEGABYTES = 3.0  # from the middle third to the last: what is bounded is full by then
_MAY_GROW_DESCRIPTORS = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """The hub's process at one moment."""

    readings: int
    megabytes: float
    descriptors: int


def scenarios(run: Run) -> Iterator[Row]:
    """One hub, many readings, and its connection dropped again and again meanwhile."""
    readings, drops = run.scale.soak_readings, run.scale.soak_reconnects
    with stage(run, Hub, Ward(ill=200, well=20, alert_every=200), proxied=True) as parts:
        parts.system.start()
        samples, reconnects = _live(run, parts, readings, drops)
        judgement = parts.subscriber.wait_for_all(_QUIET_SECONDS)
        alive = parts.system.alive
        assert isinstance(parts.system, Hub)
        older = parts.system.log.count("with MQTT 3.1.1")
    yield judged(
        Hub.name,
        f"soak: {readings:,} readings and {drops} dropped connections",
        judgement,
        f"{reconnects} reconnects, {older} of them as MQTT 3.1.1",
        broken="" if alive else "the hub ended by itself",
    )
    third = max(1, len(samples) // 3)
    before, last = samples[third:-third], samples[-third:]
    grown = _median([each.megabytes for each in last]) - _median([each.megabytes for each in before])
    more = _median([each.descriptors for each in last]) - _median([each.descriptors for each in before])
    flat = grown <= _MAY_GROW_MEGABYTES and more <= _MAY_GROW_DESCRIPTORS
    begin, end, most = samples[0], samples[-1], max(each.megabytes for each in samples)
    yield Row(
        system=Hub.name,
        scenario="memory and descriptors over the soak: flat",
        confirmed="",
        lost="",
        duplicates="",
        remarks=f"{begin.megabytes:.1f} -> {end.megabytes:.1f} MB, at most {most:.1f}; "
        f"{_slope(samples):+.2f} MB per 10,000 readings in the second half; "
        f"{begin.descriptors} -> {end.descriptors} descriptors",
        verdict=Verdict.MET if flat else Verdict.MISSED,
    )


def _live(run: Run, parts: Stage, readings: int, drops: int) -> tuple[list[Sample], int]:
    assert parts.proxy is not None
    hub = parts.system
    assert isinstance(hub, Hub)
    dice = run.dice("soak")
    samples: list[Sample] = []
    dropped = 0
    with parts.feeding(rate=_RATE, lanes=20):
        next_drop, next_sample = monotonic() + 1, monotonic() + 2
        while parts.account.confirmed_count < readings or dropped < drops:
            if not hub.alive:
                break
            if monotonic() >= next_sample:
                samples.append(_sample(hub.pid, parts.account.confirmed_count))
                next_sample = monotonic() + _SAMPLE_SECONDS
                parts.subscriber.listen()
            if dropped < drops and monotonic() >= next_drop and parts.proxy.drop():
                dropped += 1
                next_drop = monotonic() + dice.uniform(*_DROP_PAUSE_SECONDS)
            wait(lambda: False, 0.02)
    samples.append(_sample(hub.pid, parts.account.confirmed_count))
    return samples, len(parts.proxy.connects) - 1


def _sample(pid: int, readings: int) -> Sample:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    (resident,) = (int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    return Sample(readings, resident * 1024 / 1e6, sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()))


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _slope(samples: Sequence[Sample]) -> float:
    """MB per 10,000 readings over the second half, by least squares."""
    half = samples[len(samples) // 2 :]
    across = sum(each.readings for each in half) / len(half)
    up = sum(each.megabytes for each in half) / len(half)
    spread = sum((each.readings - across) ** 2 for each in half)
    if not spread:
        return 0.0
    return 10_000 * sum((each.readings - across) * (each.megabytes - up) for each in half) / spread
