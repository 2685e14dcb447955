"""What every scenario plays on: sensors in the air, adapters in the kernel, bluetoothd, and the hub."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from drivers import blood_pressure
from drivers.bluetooth.bluez import BlueZRadio
from drivers.bluetooth.collector import BluetoothCollector, CollectorStatus, EnrolledSensor
from drivers.bluetooth.session import SensorStatus
from drivers.gatt import GattDriver
from drivers.virtual import sensors as virtual_sensors
from drivers.virtual.profiles import Profile
from drivers.virtual.radio import VirtualRadio
from drivers.virtual.sensors import VirtualSensor
from hub.readings import RawPayload
from tests.vm.guest.controller import Adapter

BACK_WITHIN = 10.0
"""Seconds: the aim after bluetoothd was killed, and after an adapter was out."""

NOTICED_WITHIN = 60.0
"""Seconds: the aim where something hangs."""

CUFF = blood_pressure.DRIVER

# An emulated machine is ten times as slow, and each advertisement passes through five programs on it. Real
# sensors take 20 to 1,285 ms.
virtual_sensors._ADVERTISING_INTERVAL = 200.0

_TODAY = datetime.now(UTC)
_numbers = itertools.count(1)


def systemctl(*arguments: str) -> str:
    """What systemctl says."""
    done = subprocess.run(("systemctl", *arguments), capture_output=True, text=True, check=False, timeout=60)
    return done.stdout.strip()


def bluetoothd() -> int:
    """The process id of bluetoothd; 0 if there is none."""
    return int(systemctl("show", "--property=MainPID", "--value", "bluetooth.service") or 0)


def signal_bluetoothd(number: signal.Signals) -> None:
    """Kill it, stop it, let it go on."""
    os.kill(bluetoothd(), number)


async def until(condition: Callable[[], bool], seconds: float) -> float:
    """Wait until it is so; says how many seconds that took.

    Raises:
        AssertionError: it has not become so.
    """
    began = monotonic()
    while not condition():
        assert monotonic() - began < seconds, f"not so after {seconds:g} s"
        await asyncio.sleep(0.02)
    return monotonic() - began


def aim(seconds: float, took: float) -> str:
    """Whether an aim was met, in words. No scenario fails for one: a machine may be busy."""
    return f"{seconds:g} s: {'met' if took <= seconds else 'MISSED'}"


def descriptors() -> int:
    """How many files and sockets this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def blood_pressure_of(systolic: int) -> bytes:
    """2A35: flags 2 (mmHg, a time), systolic, diastolic 80, mean 96, each as an IEEE 11073 SFLOAT; today."""
    when = _TODAY.year.to_bytes(2, "little") + bytes([_TODAY.month, _TODAY.day, 0, 0, 0])
    return bytes([0x02]) + systolic.to_bytes(2, "little") + bytes([80, 0, 96, 0]) + when


class Collected:
    """The hub's collector, and what it delivered."""

    def __init__(self, radio: BlueZRadio, *sensors: EnrolledSensor) -> None:
        self.received: list[RawPayload] = []
        self.radio = radio
        self.collector = BluetoothCollector(sensors, radio, self._deliver)

    async def _deliver(self, raw: RawPayload) -> None:
        self.received.append(raw)

    @property
    def payloads(self) -> list[bytes]:
        """The bytes alone."""
        return [raw.payload for raw in self.received]

    @property
    def status(self) -> CollectorStatus:
        """What the collector says of itself."""
        return self.collector.status()

    def sensor(self, sensor: VirtualSensor) -> SensorStatus:
        """What it says of one sensor."""
        return next(each for each in self.status.sensors if each.address == sensor.address)

    async def scans(self, seconds: float = 60) -> float:
        """Wait until it scans; says how many seconds that took."""
        return await until(lambda: self.status.usable, seconds)

    async def has(self, *expected: bytes, seconds: float = 60) -> float:
        """Wait until these payloads were delivered; says how many seconds that took."""
        return await until(lambda: set(expected) <= set(self.payloads), seconds)


class Stage:
    """The air, the sensors in it and the adapters of one scenario."""

    def __init__(self) -> None:
        self._radio = VirtualRadio()  # for its air and its sensors; its own adapter is never switched on
        self.adapters: list[Adapter] = []
        self._lives: list[asyncio.Task[None]] = []

    async def adapter(self) -> Adapter:
        """Plug in an adapter that bluetoothd has never seen."""
        adapter = Adapter(self._radio.air, f"00:1B:DC:00:00:{next(_numbers):02X}")
        self.adapters.append(adapter)
        await adapter.plug_in()
        return adapter

    def place(self, profile: Profile) -> VirtualSensor:
        """A sensor that nobody has seen."""
        sensor = VirtualSensor(self._radio, profile, f"C4:F2:17:00:00:{next(_numbers):02X}")
        self._lives.append(asyncio.create_task(sensor.run()))
        return sensor

    @contextlib.asynccontextmanager
    async def collecting(
        self,
        *sensors: tuple[VirtualSensor, GattDriver] | EnrolledSensor,
        adapter: str | None = None,
        longest: float = 150,
    ) -> AsyncIterator[Collected]:
        """The hub collects from these sensors, with the waits that it has in a home."""
        enrolled = [
            each if isinstance(each, EnrolledSensor) else EnrolledSensor(each[0].address, each[1])
            for each in sensors
        ]
        collected = Collected(BlueZRadio(adapter), *enrolled)
        task = asyncio.create_task(collected.collector.run())
        try:
            async with asyncio.timeout(longest):
                yield collected
            assert not task.done(), "the collector has ended"
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def close(self) -> None:
        """Unplug all adapters, switch off all sensors."""
        for adapter in self.adapters:
            adapter.unplug()
        for life in self._lives:
            life.cancel()
        if self._lives:
            await asyncio.wait(self._lives, timeout=10)
