"""Readings told straight from their rows: of a backlog there are thousands to tell in a second.

What is told of a reading, `hub/uplink/fhir/raw.py` says, and nothing else does. Most of it is the same from
row to row. So it is made of one row of each kind, which is made up, with a random id, times, bytes and
numbers: where these stand in its text there are gaps, and any other row of the kind has its own put in. It is
made twice, of two such rows. Where the gaps do not make them alike, something in the entry follows from a
particular and is not told by it (a sum, a rounded number): then each reading is told by itself.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from operator import index
from random import SystemRandom
from typing import Any, NamedTuple

from hub.clock import from_microseconds
from hub.readings import DeviceTime
from hub.store.rows import StoredReading
from hub.store.steps import steps_of
from hub.timekeeping.present import told_after
from hub.uplink.contract import Identity
from hub.uplink.feed import ToldReading

Row = Sequence[Any]
"""The columns of `hub.store.rows.SELECT_READING`."""

_BOOT, _SINCE_BOOT, _STRETCH = 18, 19, 21  # where they are in a row
_TEMPLATES = 1024  # of 3 KB: one for each sensor, and more where one says different things
_MICROSECONDS = 1_000_000  # in a second
_random = SystemRandom()


def told_reading(identity: Identity, row: Row) -> ToldReading:
    """What is told of a row, with its times as they are stored.

    It is `ToldReading.of(identity, StoredReading.of(row).placed)`, in a fifth of the time.

    Raises:
        Exception: of many types, where a column that is told is wrong.
    """
    if row[_STRETCH] is not None:  # one of a stream a minute: they are few
        return ToldReading.of(identity, StoredReading.of(row).placed)
    kind, received_at, particulars = _taken_apart(identity, row)
    template = _template(kind)
    if template is None:
        return ToldReading.of(identity, StoredReading.of(row).placed)
    fixed, gaps = template
    pieces = fixed.copy()
    pieces[1::2] = [particulars[gap] for gap in gaps]
    return ToldReading(particulars[0], kind.resident, received_at, "".join(pieces))


def as_told(connection: sqlite3.Connection, rows: Iterable[Row]) -> bool:
    """Whether no step of the clock can have changed what is known of the times of these rows."""
    earliest: dict[bytes, int] = {}
    for row in rows:
        boot, since_boot = row[_BOOT], row[_SINCE_BOOT]
        earliest[boot] = min(since_boot, earliest.get(boot, since_boot))
    for boot, since_boot in earliest.items():
        of_it = steps_of(connection, uuid.UUID(bytes=boot))
        if not told_after(timedelta(microseconds=since_boot), of_it):
            return False
    return True


class _Kind(NamedTuple):
    """All that an entry depends on, but for the particulars; as the columns have it.

    `measured` is as it is stored, with `...` in the place of any number.
    """

    site: str
    hub: str
    test_data: bool
    resident: Any
    device: Any
    driver: Any
    characteristic: Any
    origin: Any
    has_payload: bool
    has_device_time: bool
    time_quality: Any
    measured: tuple[tuple[Any, ...], ...]
    flags: Any
    problem: Any
    boot: Any
    clock: Any

    def specimen(self) -> Row:
        """A row of this kind whose particulars are random: nothing else in its entry looks like them."""
        local_time = DeviceTime(*[_random.getrandbits(32) for _ in range(6)])
        measured = [[_random.random() if part is ... else part for part in each] for each in self.measured]
        return (
            0, _random.randbytes(16), self.resident, self.device, self.driver, self.characteristic,
            self.origin, _random.randbytes(16) if self.has_payload else b"", _random.getrandbits(55),
            str(local_time) if self.has_device_time else None, _random.getrandbits(55), self.time_quality,
            json.dumps(measured), None, self.flags, None, None, self.problem, self.boot,
            _random.getrandbits(52), self.clock, None,
        )  # fmt: skip


def _taken_apart(identity: Identity, row: Row) -> tuple[_Kind, datetime, list[str]]:
    """The kind of a row; when it was received; and its particulars: what differs among rows of a kind, as an
    entry has it, the id first, empty what is not there."""
    (_, identifier, resident, device, driver, characteristic, origin, payload, received_at,
     device_time, measured_at, time_quality, measurements, _, flags, _, _, problem,
     boot, since_boot, clock, _) = row  # fmt: skip
    name = identifier.hex()
    if len(name) != 32:
        raise ValueError("an id is of 16 bytes")
    received = from_microseconds(index(received_at))
    received_text = received.isoformat()
    measured = json.loads(measurements)
    numbers = [repr(float(each[1])) if _is_number(each[1]) else "" for each in measured]
    particulars = [
        f"{name[:8]}-{name[8:12]}-{name[12:16]}-{name[16:20]}-{name[20:]}",
        received_text,
        received_text if measured_at is None else from_microseconds(index(measured_at)).isoformat(),
        repr(index(since_boot) / _MICROSECONDS),
        payload.hex(),
        "" if device_time is None else str(DeviceTime.of(device_time)),
        *numbers,
    ]
    alike = [
        (each[0], ... if number else each[1], *each[2:])
        for each, number in zip(measured, numbers, strict=True)
    ]
    kind = _Kind(
        identity.site, identity.hub, identity.test_data, resident, device, driver, characteristic, origin,
        bool(payload), device_time is not None, time_quality, tuple(alike), flags, problem, boot, clock,
    )  # fmt: skip
    return kind, received, particulars


@lru_cache(maxsize=_TEMPLATES)
def _template(kind: _Kind) -> tuple[list[str], list[int]] | None:
    """The entry of a kind in pieces, every second of them a gap; and which particular fits into each gap.

    None where there is more to it than to fill the gaps.
    """
    pieces = _pieces(kind)
    if pieces != _pieces(kind):
        return None
    return pieces, [int(number) for number in pieces[1::2]]


def _pieces(kind: _Kind) -> list[str]:
    """The entry of a row that is made up, with the number of a particular in the place of each."""
    identity, specimen = Identity(kind.site, kind.hub, kind.test_data), kind.specimen()
    text = ToldReading.of(identity, StoredReading.of(specimen).placed).entry
    _, _, particulars = _taken_apart(identity, specimen)
    for number, particular in enumerate(particulars):
        if particular:
            text = text.replace(particular, f"\0{number}\0")  # not in JSON otherwise: it is escaped there
    return [sys.intern(piece) for piece in text.split("\0")]  # kinds have most of them alike


def _is_number(value: Any) -> bool:
    """Whether it is told as a number: `value - value` is 0 for what is finite."""
    return type(value) in (int, float) and value - value == 0
