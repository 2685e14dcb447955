"""The tables: medians of the blocks with their spread, ratios beside figures, and which aims were met."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tests.bench.block import RATE, Block

Blocks = Mapping[str, Sequence[Block]]
"""The blocks of each system, in the order of measuring."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table of what needs no peer."""

    what: str
    figure: str
    beside: str
    ratio: str
    aim: str = ""

    def cells(self) -> tuple[str, ...]:
        return self.what, self.figure, self.beside, self.ratio, self.aim


@dataclass(frozen=True, slots=True)
class Aim:
    """An aim of the work on the store, and what came of it; `met` is None where a peer was not measured."""

    what: str
    found: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """In a word."""
        return {True: "met", False: "MISSED", None: "not measured"}[self.met]


def percentile(seconds: Sequence[float], share: float) -> float:
    """In milliseconds, by the nearest rank; 0 of nothing."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 if ordered else 0.0


def _of_readings(share: float) -> Callable[[Block], float]:
    return lambda block: percentile(block.readings, share)


def _of_alerts(share: float) -> Callable[[Block], float]:
    return lambda block: percentile(block.alerts, share)


_ROWS: Sequence[tuple[str, Callable[[Block], float], str]] = (
    ("flood: readings/s delivered", lambda block: block.flood_rate, ",.0f"),
    ("flood: readings a message", lambda block: block.readings_a_message, ".1f"),
    ("flood: processor, µs a reading", lambda block: block.flood_processor * 1e6, ",.0f"),
    ("flood: bytes to disk a reading", lambda block: block.flood_written, ",.0f"),
    (f"{RATE:g}/s: reading p50, ms", _of_readings(0.5), ",.1f"),
    (f"{RATE:g}/s: reading p99, ms", _of_readings(0.99), ",.1f"),
    (f"{RATE:g}/s: alert p50, ms", _of_alerts(0.5), ",.1f"),
    (f"{RATE:g}/s: alert p99, ms", _of_alerts(0.99), ",.1f"),
    (f"{RATE:g}/s: processor, % of a core", lambda block: block.steady_processor * 100, ".1f"),
    (f"{RATE:g}/s: bytes to disk a reading", lambda block: block.steady_written, ",.0f"),
    (f"{RATE:g}/s: and if 1 in 20 raises an alert", lambda block: block.alerting_written, ",.0f"),
    (f"{RATE:g}/s: all programs, by the device", lambda block: block.steady_device, ",.0f"),
    ("memory after the start, MB", lambda block: block.memory_started, ".0f"),
    ("memory at its highest, MB", lambda block: block.memory_peak, ".0f"),
    ("lost, of all blocks", lambda block: block.lost, "d"),
    ("repeated, of all blocks", lambda block: block.repeated, "d"),
)


def side_by_side(blocks: Blocks) -> tuple[list[str], list[list[str]]]:
    """The heads and rows of the table of all systems: the median, and where it differs [least-most]."""
    rows = []
    for what, figure, layout in _ROWS:
        row = [what]
        for measured in blocks.values():
            values = [figure(block) for block in measured]
            if layout == "d":
                row.append(f"{sum(values):.0f}")
                continue
            words, least, most = (
                format(value, layout) for value in (median(values), min(values), max(values))
            )
            said = words if least == most else f"{words} [{least}-{most}]"
            row.append(said if any(values) else "-")
        rows.append(row)
    return ["median [least-most]", *blocks], rows


def aims(blocks: Blocks) -> list[Aim]:
    """What issue 3 aims at, held to these blocks. A peer's latency is a reading's: none raises alerts."""
    hub = blocks["the hub"]
    sqlite = blocks.get("ThingsBoard, sqlite")
    raw = next(measured for name, measured in blocks.items() if name.startswith("raw limit"))
    rate, raw_rate = median(b.flood_rate for b in hub), median(b.flood_rate for b in raw)
    alert = median(percentile(b.alerts, 0.99) for b in hub)
    written = median(b.steady_written for b in hub)
    memory = max(b.memory_peak for b in hub)
    found = [
        Aim(
            "flood: at least 60 % of the raw limit at the same batch size",
            f"{rate / raw_rate:.0%}",
            rate >= 0.6 * raw_rate,
        ),
        Aim(f"{RATE:g}/s: alert p99 of 60 ms at most", f"{alert:.1f} ms", alert <= 60),
        Aim(f"{RATE:g}/s: 900 bytes to disk a reading at most", f"{written:,.0f}", written <= 900),
        Aim("memory with the model loaded: 80 MB at most", f"{memory:.0f} MB", memory <= 80),
    ]
    if sqlite is None:
        found += [Aim("flood and alert p99 against ThingsBoard", "its gateway is not here", None)]
        return found
    theirs, theirs_p99 = (
        median(b.flood_rate for b in sqlite),
        median(percentile(b.readings, 0.99) for b in sqlite),
    )
    found += [
        Aim("flood: at least 3 times ThingsBoard's, sqlite", f"{rate / theirs:.2f} x", rate >= 3 * theirs),
        Aim(
            f"{RATE:g}/s: alert p99 of 1/5 of ThingsBoard's reading p99 at most",
            f"1/{theirs_p99 / alert:.1f}" if alert else "no alert",
            bool(alert) and alert <= theirs_p99 / 5,
        ),
    ]
    return found
