"""What the collector asks of a radio: a scanner, clients, bonds, whether it lives, and to be healed.

`drivers.bluetooth.bluez.BlueZRadio` is the real one, `drivers.virtual.radio.VirtualRadio` one of software.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError
from dbus_fast.errors import DBusFastError

from hub.errors import CareportError
from hub.readings import Origin

Heard = Callable[[BLEDevice, AdvertisementData], None]
"""Called, in the event loop, for every advertisement."""

Dropped = Callable[[BleakClient], None]
"""Called, in the event loop, when a connection has ended, whoever ended it."""

RADIO_ERRORS = (BleakError, DBusFastError, OSError, EOFError)
"""What bleak and the layers under it raise when radio, bus or sensor fail (a TimeoutError is an OSError)."""


class Remedy(IntEnum):
    """What a radio that fails can be healed with, the mildest first. To scan anew is the collector's own."""

    POWER_CYCLE = 1
    HAND_OVER = 2
    RESTART_BLUETOOTHD = 3
    REBOOT = 4


class RemedyError(CareportError):
    """A remedy that could not be had; carries which."""

    def __init__(self, remedy: Remedy, reason: str) -> None:
        super().__init__(f"{remedy.name.lower().replace('_', ' ')}: {reason}")
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Adapter:
    """A Bluetooth adapter as the system names it ("hci0"); `in_use` is the one that collects."""

    name: str
    address: str
    powered: bool
    in_use: bool = False


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

    def client(
        self, device: BLEDevice, dropped: Dropped, *, bond: bool = False, passkey: int | None = None
    ) -> BleakClient:
        """A client that is not yet connected. Use one for one connection only.

        With `bond` it bonds before it discovers the services, if it has no bond with the sensor. `passkey`
        is what an engineer has read off the sensor; without one it bonds only with what asks for none.
        """
        ...

    async def is_bonded(self, address: str) -> bool:
        """Whether the adapter in use has a bond with this sensor. Raises `RADIO_ERRORS`."""
        ...

    async def forget(self, address: str) -> None:
        """Remove the bond with a sensor, and all that is remembered of it. Raises `RADIO_ERRORS`; nothing
        where nothing was known."""
        ...

    async def adapters(self) -> tuple[Adapter, ...]:
        """The adapters that there are. Raises nothing; none where none can be seen."""
        ...

    async def heal(self, remedy: Remedy) -> str:
        """Do it, and say in words what was done.

        Raises:
            RemedyError: it cannot be had here, or it failed.
        """
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


def loop_time() -> float:
    """Seconds of the event loop's clock, which does not jump."""
    return asyncio.get_running_loop().time()


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
