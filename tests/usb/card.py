"""A day of oximetry at one value a second: what it costs the card."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from unittest import mock

from drivers.virtual import encoding
from hub.clock import ClockQuality, ClockStamp, now, stamp
from hub.intake.reception import Reception
from hub.store.database import FILE_NAME
from hub.store.retention import Size
from hub.store.writer import Writer
from tests.rigs.house import OXIMETER, House, raw
from tests.rigs.rung import Line, Run

_MOST_BYTES = 3_000_000


async def card(run: Run) -> list[Line]:
    """Play the day as fast as it goes, through the reception to a real database."""
    lines = []
    for name, saturation in (("steady", _steady), ("wandering", _wandering)):
        directory = run.directory / name
        directory.mkdir()
        seconds = run.of(86_400, 7_200)
        grown, written, rows = await _played(directory, seconds, saturation)
        a_day = 86_400 / seconds
        lines += [
            Line(
                f"the database grows by a {name} day",
                f"{grown * a_day / 1e6:.2f} MB ({rows * a_day:.0f} rows)",
                "< 3 MB",
                grown * a_day < _MOST_BYTES,
            ),
            Line(f"written meanwhile, log and all ({name})", f"{written * a_day / 1e6:.0f} MB", "", None),
        ]
    return lines


def _steady(_second: int) -> int:
    return 97


def _wandering(second: int) -> int:
    """Through the sub-scores 0 to 3 in some minutes, to and fro."""
    return round(93.5 + 3.5 * math.sin(second / 240) + math.sin(second / 7))


async def _played(directory: Path, seconds: int, saturation: object) -> tuple[int, int, int]:
    assert callable(saturation)
    house = House(directory)
    began, machine = now() - timedelta(seconds=seconds), stamp()
    async with Writer(house.path, timedelta(milliseconds=1), reserve_bytes=1 << 16) as writer:
        reception = Reception(writer, house.intake)
        before, written = _used(house), _written()
        for second in range(seconds):
            at = ClockStamp(machine.boot, timedelta(seconds=second), ClockQuality.SYNCHRONISED)
            with _stamped(at):
                payload = encoding.continuous(saturation(second), 72)
                await reception.accept(
                    raw(OXIMETER, "pulse_oximeter", payload, began + timedelta(seconds=second), "2a5f")
                )
        await reception.settled()
        (rows,) = house.connection.execute("SELECT count(*) FROM reading").fetchone()
        grown, written = _used(house) - before, _written() - written
        house.connection.close()
    return grown, written, rows


@contextmanager
def _stamped(at: ClockStamp) -> Iterator[None]:
    """The time since boot goes with the day that is played: what says when a stretch is over."""
    with mock.patch("hub.intake.reception.stamp", return_value=at):
        yield


def _used(house: House) -> int:
    assert house.path.name == FILE_NAME
    return Size.of(house.connection).used


def _written() -> int:
    """Bytes that this process has handed to the disk."""
    text = Path("/proc/self/io").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("write_bytes")).split()[1])
