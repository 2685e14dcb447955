"""The tables: medians of the blocks with their spread, ratios beside figures, and which aims were met."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tests import aims
from tests.aims import Found
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


def held_to_the_aims(blocks: Blocks) -> list[Found]:
    """What issue 3 aims at, held to these blocks. A peer's latency is a reading's: none raises alerts."""
    hub = blocks["the hub"]
    raw = next(measured for name, measured in blocks.items() if name.startswith("raw limit"))
    rate, raw_rate = _rate(hub), _rate(raw)
    alert = median(percentile(block.alerts, 0.99) for block in hub)
    written = median(block.steady_written for block in hub)
    memory = max(block.memory_peak for block in hub)
    return [
        *_held_beside_thingsboard(rate, alert, blocks.get("ThingsBoard, sqlite")),
        Found(
            aims.FLOOD_BESIDE_RAW,
            f"{rate:,.0f}/s",
            f"{raw_rate:,.0f}/s ({rate / raw_rate:.0%})",
            rate >= 0.6 * raw_rate,
        ),
        Found(aims.ALERT, f"{alert:.1f} ms", "60 ms", bool(alert) and alert <= 60),
        Found(aims.WRITTEN, f"{written:,.0f} bytes", "900 bytes", written <= 900),
        Found(aims.MEMORY, f"{memory:.0f} MB at its highest", "80 MB", memory <= 80),
    ]


def _held_beside_thingsboard(rate: float, alert: float, sqlite: Sequence[Block] | None) -> list[Found]:
    if sqlite is None:
        both = aims.FLOOD_BESIDE_THINGSBOARD, aims.ALERT_BESIDE_THINGSBOARD
        return [Found(aim, "its gateway is not here", "", None) for aim in both]
    theirs, theirs_p99 = _rate(sqlite), median(percentile(block.readings, 0.99) for block in sqlite)
    return [
        Found(
            aims.FLOOD_BESIDE_THINGSBOARD,
            f"{rate:,.0f}/s",
            f"{theirs:,.0f}/s ({rate / theirs:.2f} times)",
            rate >= 3 * theirs,
        ),
        Found(
            aims.ALERT_BESIDE_THINGSBOARD,
            f"{alert:.1f} ms",
            f"{theirs_p99:.1f} ms",
            bool(alert) and alert <= theirs_p99 / 5,
        ),
    ]


def _rate(measured: Sequence[Block]) -> float:
    return median(block.flood_rate for block in measured)
