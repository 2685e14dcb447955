"""What the collector asks of a radio: a scanner, clients, what its payloads are, and whether it lives.

`drivers.bluetooth.bluez.BlueZRadio` is the real one, `drivers.virtual.radio.VirtualRadio` one of software.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Protocol

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError
from dbus_fast.errors import DBusFastError

from hub.readings import Origin

Heard = Callable[[BLEDevice, AdvertisementData], None]
"""Called, in the event loop, for every advertisement."""

Dropped = Callable[[BleakClient], None]
"""Called, in the event loop, when a connection has ended, whoever ended it."""

RADIO_ERRORS = (BleakError, DBusFastError, OSError, EOFError)
"""What bleak and the layers under it raise when radio, bus or sensor fail (a TimeoutError is an OSError)."""


class Radio(Protocol):
    """A Bluetooth radio. There is one of it in a process, and the collector starts one scanner on it."""

    @property
    def origin(self) -> Origin:
        """What payloads from this radio are: SENSOR, or VIRTUAL where no person was measured."""
        ...

    @property
    def settle_seconds(self) -> float:
        """For how long after a connection the radio may still repeat an old advertisement of that sensor."""
        ...

    def scanner(self, heard: Heard) -> BleakScanner:
        """A scanner that is not yet started."""
        ...

    def client(self, device: BLEDevice, dropped: Dropped) -> BleakClient:
        """A client that is not yet connected. Use one for one connection only."""
        ...

    async def problem(self) -> str | None:
        """Why the radio cannot be used now and what to do about it; None if it can. Raises nothing."""
        ...

    async def wait_until_lost(self) -> str:
        """Return, when scanner and clients have become worthless, with the reason. Raises nothing."""
        ...


def stop_if_cancelled() -> None:
    """Raise the `CancelledError` that a library has swallowed: call it after each wait inside one.

    `asyncio.wait_for` of Python 3.11, for one, returns as if nothing were if its task is cancelled in the
    moment in which what it waits for ends. A loop that went on then would never stop.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def words(error: BaseException) -> str:
    """An error as one line for the log: many of D-Bus's have no text of their own."""
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    return " ".join(f"{error}".split()) or type(error).__name__


def doubling(least: float, most: float) -> Iterator[float]:
    """Seconds to wait before each next try: `least`, then twice as long each time, up to `most`."""
    wait = least
    while True:
        yield min(wait, most)
        wait = min(wait * 2, most)
