"""A collector of USB on virtual sockets, and a sensor that says lines, for tests of what is between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from drivers.bluetooth.device_information import DeviceInformation
from drivers.driver import Decoded
from drivers.serial_line import Heard, LineSettings, SerialDriver
from drivers.usb.address import UsbAddress
from drivers.usb.bus import Kind, UsbDevice
from drivers.usb.collector import EnrolledUsb, UsbCollector, UsbSensorStatus
from drivers.usb.patience import Patience
from drivers.virtual.usb import VirtualUsb
from drivers.wristband_reader import DRIVER as READER
from hub.readings import RawPayload
from hub.running.patience import within

QUICK = Patience(
    again_least=0.01,
    again_most=0.05,
    frameless=0.1,
    rest=0.001,
    answer=0.001,
    udev_least=0.01,
    udev_most=0.05,
)
HOME_TIME = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
_TOO_LONG = 10.0


class Lines:
    """A conversation whose frames are lines: each is a payload; one that ends with "?" is answered."""

    def __init__(self) -> None:
        self.frames = 0
        self.passed_over = 0
        self._held = b""

    def begin(self, at: float, local: datetime | None) -> Heard:
        """Greets with the time."""
        clock = "no time" if local is None else f"{local:%H:%M}"
        return Heard(write=f"hub {clock}\n".encode(), information=DeviceInformation(model="lines"))

    def hear(self, octets: bytes, at: float) -> Heard:
        """Cut at the ends of lines; a line with a zero byte in it is none."""
        *whole, self._held = (self._held + octets).split(b"\n")
        good = [line for line in whole if b"\0" not in line]
        self.frames += len(good)
        self.passed_over += sum(len(line) for line in whole if b"\0" in line)
        answers = b"".join(b"yes\n" for line in good if line.endswith(b"?"))
        return Heard(tuple(("line", line) for line in good), answers)

    def wait(self, at: float) -> Heard:
        """Nothing to say."""
        return Heard()


LINES = SerialDriver(
    name="lines",
    title="sensor that says lines",
    characteristics={"line": lambda _payload: Decoded(())},
    streaming=frozenset({"line"}),
    settings=LineSettings(9_600),
    converse=Lines,
)


@dataclass
class Talker:
    """The sensor of `LINES`: says what it is told to say, once it was greeted, and keeps what it hears."""

    to_say: bytes = b""
    heard: bytes = b""

    def hear(self, octets: bytes, at: float) -> bytes:
        """Keep it."""
        self.heard += octets
        return b""

    def due(self, at: float) -> bytes:
        """All at once. What it said before the line was open would be thrown away with what was of before."""
        if not self.heard:
            return b""
        said, self.to_say = self.to_say, b""
        return said


def adapter(serial: str | None = "A9XK2P7Q", port: str = "platform-usb-0:1.1", **other: object) -> UsbDevice:
    """A serial adapter by FTDI, not plugged in."""
    made = UsbDevice(
        f"/sys/devices/{port}", Kind.SERIAL, "", 0x0403, 0x6001, port, serial, manufacturer="FTDI"
    )
    return made if not other else UsbDevice(**{**_fields(made), **other})  # type: ignore[arg-type]  # of the same


def reader(serial: str | None = "R1", port: str = "platform-usb-0:1.9") -> UsbDevice:
    """A reader of wristbands, not plugged in."""
    return UsbDevice(f"/sys/devices/{port}", Kind.KEYBOARD, "/dev/input/event9", 0x0C2E, 0x0B61, port, serial)


def _fields(device: UsbDevice) -> dict[str, object]:
    return {name: getattr(device, name) for name in UsbDevice.__slots__}


@dataclass
class Plugged:
    """A collector on virtual sockets, and what came of it."""

    usb: VirtualUsb
    collector: UsbCollector
    local_now: datetime | None
    payloads: list[RawPayload] = field(default_factory=list)
    scans: list[tuple[str, str | None]] = field(default_factory=list)
    unheard: list[str] = field(default_factory=list)
    learned: list[tuple[str, DeviceInformation]] = field(default_factory=list)

    def status(self, address: UsbAddress | str) -> UsbSensorStatus:
        """Of one enrolled device."""
        return next(each for each in self.collector.status().sensors if each.address == str(address))

    @property
    def said(self) -> list[bytes]:
        """The payloads alone."""
        return [each.payload for each in self.payloads]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for it; `TimeoutError` where it does not come."""
        await within(_TOO_LONG, _until(condition))


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.002)


@asynccontextmanager
async def plugging(
    *enrolled: EnrolledUsb | UsbAddress, local_now: datetime | None = HOME_TIME
) -> AsyncIterator[Plugged]:
    """A collector that runs until the context ends; an address alone is of a sensor of `LINES`.

    `Plugged.local_now` is the home's time, and may be set.
    """
    sensors: Sequence[EnrolledUsb] = [
        each if isinstance(each, EnrolledUsb) else EnrolledUsb(each, LINES) for each in enrolled
    ]
    async with VirtualUsb.open() as usb:

        async def deliver(payload: RawPayload) -> None:
            made.payloads.append(payload)

        collector = UsbCollector(
            sensors,
            usb,
            deliver,
            scanned=lambda address, code: made.scans.append((address, code)),
            unheard=lambda address: made.unheard.append(address),
            learned=lambda address, said: made.learned.append((address, said)),
            local_now=lambda: made.local_now,
            patience=QUICK,
        )
        made = Plugged(usb, collector, local_now)
        running = asyncio.create_task(collector.run())
        try:
            await made.until(lambda: collector.status().usable)
            yield made
        finally:
            running.cancel()
            await asyncio.wait([running])


def enrolled_reader(device: UsbDevice) -> EnrolledUsb:
    """As a reader of wristbands."""
    return EnrolledUsb(device.address, READER)
