"""What sensors say of themselves (battery, firmware, how their clock stood): the newest of each, kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import timedelta
from typing import Self

from drivers.bluetooth.device_information import DeviceInformation
from hub.clock import now
from hub.store.errors import NotCommittedError
from hub.store.sensors import InformationRow, information, note_information
from hub.store.transaction import Transaction
from hub.store.writer import Writer

_log = logging.getLogger(__name__)
_STRAYS = timedelta(seconds=30)

BATTERY_LOW = 20
"""Percent: a sensor with less, or as much, shall get a new battery before it falls silent."""


class SensorInformation:
    """Keeps what the collector learns of those that are enrolled (`is_enrolled`, by address)."""

    def __init__(
        self, writer: Writer, known: Mapping[str, InformationRow], is_enrolled: Callable[[str], bool]
    ) -> None:
        self._writer = writer
        self._known = dict(known)
        self._is_enrolled = is_enrolled
        self._unkept: set[str] = set()
        self._keeping: set[asyncio.Task[None]] = set()

    @classmethod
    async def load(cls, writer: Writer, is_enrolled: Callable[[str], bool]) -> Self:
        """As the card has it. Raises `NotCommittedError` where it cannot be read."""
        known = await writer.write(lambda transaction: information(transaction.connection), urgent=True)
        return cls(writer, known, is_enrolled)

    def of(self, address: str) -> InformationRow | None:
        """What is known of a sensor; None where it has told nothing yet."""
        return self._known.get(address) if self._is_enrolled(address) else None

    def learned(self, address: str, said: DeviceInformation) -> None:
        """A sensor said something of itself; what it did not say now stays as it was. In the event loop."""
        if not self._is_enrolled(address):
            self._known.pop(address, None)
            return
        before = self._known.get(address)
        known = before.information if before is not None else DeviceInformation()
        merged = _merged(known, said)
        if before is not None and _the_same(known, merged) and address not in self._unkept:
            return  # the card is spared
        moment = now()
        if before is not None and merged.battery == known.battery:
            row = InformationRow(merged, before.battery_at, moment)
        else:
            row = InformationRow(merged, None if merged.battery is None else moment, moment)
        self._known[address] = row
        task = asyncio.ensure_future(self._keep(address, row))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    def forget(self, address: str) -> None:
        """Whose sensor it is next is to be told what it says then."""
        self._known.pop(address, None)

    async def _keep(self, address: str, row: InformationRow) -> None:
        def work(transaction: Transaction) -> None:
            if self._is_enrolled(address):
                note_information(transaction.connection, address, row)

        try:
            await self._writer.write(work)
        except NotCommittedError as error:
            self._unkept.add(address)
            _log.info("sensor %s: what it says of itself waits to be stored: %s", address, error)
        else:
            self._unkept.discard(address)


def _merged(known: DeviceInformation, said: DeviceInformation) -> DeviceInformation:
    told = ((each.name, getattr(said, each.name), getattr(known, each.name)) for each in fields(known))
    return DeviceInformation(**{name: new if new is not None else old for name, new, old in told})


def _the_same(known: DeviceInformation, told: DeviceInformation) -> bool:
    """But for what a clock strays between two links."""
    if known.clock_ahead is not None and told.clock_ahead is not None:
        strayed = abs(told.clock_ahead - known.clock_ahead)
        return strayed < _STRAYS and replace(told, clock_ahead=known.clock_ahead) == known
    return told == known
