"""The steps of the wall clock as the store keeps them: a row each, by which times are put right."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from datetime import timedelta

from hub.clock import ClockStamp, Step, StepKind
from hub.store.encoding import CLOCK_QUALITIES, CLOCK_QUALITY_NUMBERS

_MICROSECOND = timedelta(microseconds=1)
_COLUMNS = "boot, since_boot, kind, quality, from_offset, to_offset"


def add_step(connection: sqlite3.Connection, step: Step) -> None:
    """Store a step, within the transaction that is open."""
    connection.execute(
        f"INSERT INTO clock_step ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
        (
            step.at.boot.bytes,
            step.at.since_boot // _MICROSECOND,
            step.kind.value,
            CLOCK_QUALITY_NUMBERS[step.at.quality],
            step.from_offset // _MICROSECOND,
            step.to_offset // _MICROSECOND,
        ),
    )


def all_steps(connection: sqlite3.Connection) -> tuple[Step, ...]:
    """Every step of every boot, oldest first."""
    return tuple(_steps(connection.execute(f"SELECT {_COLUMNS} FROM clock_step ORDER BY number")))


def steps_of(connection: sqlite3.Connection, boot: uuid.UUID) -> tuple[Step, ...]:
    """The steps of one boot, oldest first."""
    return tuple(
        _steps(
            connection.execute(
                f"SELECT {_COLUMNS} FROM clock_step WHERE boot = ? ORDER BY number", (boot.bytes,)
            )
        )
    )


def _steps(rows: sqlite3.Cursor) -> Iterator[Step]:
    for boot, since_boot, kind, quality, from_offset, to_offset in rows:
        try:
            yield Step(
                StepKind(kind),
                ClockStamp(uuid.UUID(bytes=boot), since_boot * _MICROSECOND, CLOCK_QUALITIES[quality]),
                from_offset * _MICROSECOND,
                to_offset * _MICROSECOND,
            )
        except (ValueError, TypeError, LookupError, OverflowError):
            continue  # of another version, or damaged: the times that it would put right stay as told
