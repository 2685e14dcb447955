"""Real USB sockets: what is plugged into them, pulled out and typed, the kernel takes for hardware.

QEMU's own monitor (QMP) and the far end of each of its serial adapters are virtio ports of this machine
(`tests/vm/machine.py`): the guest plugs devices into itself, and plays the sensor behind each adapter.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import termios
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from drivers.serial_line import SerialDriver
from drivers.usb.address import UsbAddress
from drivers.usb.collector import EnrolledUsb, UsbCollector, UsbSensorStatus, UsbSighting
from drivers.usb.udev import UdevBus
from drivers.virtual.usb_scenario import Emulator
from drivers.wristband_reader import DRIVER as READER
from drivers.wristband_reader import KeyboardDriver
from hub.readings import RawPayload
from tests.vm.guest.stage import until

FTDI = 0x0403, 0x6001
"""What QEMU's serial adapter says that it is."""

KEYBOARD = 0x0627, 0x0001
"""What its keyboard says."""

_PORTS = Path("/dev/virtio-ports")
_USB = Path("/sys/bus/usb/devices")
_INPUTS = Path("/dev/input/by-id")
_LOOKED_AT_EVERY = 0.05  # seconds; emulation is slow, and a sensor's adapter gathers bytes too
_LET_GO_WITHIN = 5.0  # seconds
_A_MOVE = 0.03  # seconds; the kernel fetches one in 8 ms at best, QEMU remembers 16 and forgets the rest
_USBDEVFS_RESET = ord("U") << 8 | 20  # linux/usbdevice_fs.h


class Line:
    """The far end of a serial adapter. What nobody has open says nothing: an adapter does not keep it."""

    def __init__(self, number: int) -> None:
        self.chardev = f"line{number}"
        self._file = os.open(_PORTS / self.chardev, os.O_RDWR | os.O_NONBLOCK)
        self._life: asyncio.Task[None] | None = None

    def say(self, octets: bytes) -> None:
        """The sensor sends this."""
        assert os.write(self._file, octets) == len(octets)

    def play(self, emulator: Emulator, is_open: Callable[[], bool]) -> None:
        """Have this sensor behind the adapter, from now on."""
        self.stop()
        self._life = asyncio.create_task(self._play(emulator, is_open))

    def stop(self) -> None:
        """The sensor is silent."""
        if self._life is not None:
            self._life.cancel()
            self._life = None

    def close(self) -> None:
        """Let go of it."""
        self.stop()
        os.close(self._file)

    async def _play(self, emulator: Emulator, is_open: Callable[[], bool]) -> None:
        while True:
            heard = self.heard()
            said = emulator.hear(heard, monotonic()) if heard else b""
            said += emulator.due(monotonic())
            if said and is_open():
                self.say(said)
            await asyncio.sleep(_LOOKED_AT_EVERY)

    def heard(self) -> bytes:
        """What the hub has written since this was last asked."""
        try:
            return os.read(self._file, 4096)
        except BlockingIOError:
            return b""


class Sockets:
    """A controller with four sockets, "1" to "4"; where a hub is plugged in it has "4.1" to "4.8"."""

    def __init__(self) -> None:
        self._monitor = os.open(_PORTS / "qmp", os.O_RDWR)
        self._said = b""
        self._lines: dict[str, Line] = {}
        self._plugged: list[str] = []
        self._named = 0
        with contextlib.suppress(AssertionError):  # where it was introduced to a scenario before
            self._command("qmp_capabilities", {})

    def line(self, number: int) -> Line:
        """The far end of adapter 1 to 3."""
        line = Line(number)
        return self._lines.setdefault(line.chardev, line)

    async def plug(self, line: Line, port: str, serial: str | None = None) -> str:
        """Plug the adapter of this line in; gives its name, for `pull`."""
        began = monotonic()
        while True:
            try:
                return self._plug("usb-serial", port, serial, chardev=line.chardev)
            except AssertionError as error:
                # QEMU lets go of a line some time after the adapter was pulled out.
                if "is in use" not in str(error) or monotonic() - began > _LET_GO_WITHIN:
                    raise
            await asyncio.sleep(0.02)

    def plug_keyboard(self, port: str, serial: str) -> str:
        """Plug a keyboard in: the one that is typed on from now on."""
        return self._plug("usb-kbd", port, serial)

    async def keyboard_is_ready(self, serial: str) -> None:
        """Wait until udev has made its node, and the kernel's console has it."""
        await until(lambda: any(each.exists() for each in _INPUTS.glob(f"*_{serial}-event-kbd")), 20)
        await asyncio.sleep(0.3)

    def plug_hub(self, port: str) -> str:
        """Plug in a hub, with more sockets."""
        return self._plug("usb-hub", port, None)

    def _plug(self, driver: str, port: str, serial: str | None, **more: str) -> str:
        self._named += 1
        name = f"{driver}-{self._named}"
        if serial is not None:
            more["serial"] = serial
        self._command("device_add", {"driver": driver, "id": name, "port": port, **more})
        self._plugged.append(name)
        return name

    def pull(self, name: str) -> None:
        """Pull a device out; with a hub what is plugged into it."""
        self._plugged.remove(name)
        self._command("device_del", {"id": name})

    async def type(self, text: str) -> None:
        """Type as a reader does, quickly; "\\n" is Enter."""
        for character in text:
            plain = {"\n": "ret", "-": "minus", " ": "spc"}.get(character, character.lower())
            keys = ["shift", plain] if character.isupper() else [plain]
            moves = [(key, True) for key in keys] + [(key, False) for key in reversed(keys)]
            events = [
                {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": key}}}
                for key, down in moves
            ]
            self._command("input-send-event", {"events": events})
            await asyncio.sleep(_A_MOVE * len(moves))

    async def close(self) -> None:
        """Pull everything out; when this returns the kernel has seen it."""
        for name in reversed(self._plugged):
            with contextlib.suppress(AssertionError):  # it went with its hub
                self._command("device_del", {"id": name})
        await until(lambda: not any(_USB.glob("[0-9]*-[1-9]*")), 10)
        for line in self._lines.values():
            line.close()
        os.close(self._monitor)

    def _command(self, name: str, arguments: Mapping[str, object]) -> None:
        os.write(self._monitor, json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
        while True:
            said = json.loads(self._read_line())
            if "return" in said:
                return
            assert "error" not in said, said["error"]["desc"]  # else it tells of an event

    def _read_line(self) -> bytes:
        while b"\n" not in self._said:
            self._said += os.read(self._monitor, 4096)
        line, self._said = self._said.split(b"\n", 1)
        return line


@dataclass
class Collected:
    """The hub's collector of USB, and what it delivered. `unheard` are the readers that were not heard until
    then, or from then on."""

    collector: UsbCollector
    received: list[RawPayload] = field(default_factory=list)
    scanned: list[tuple[str, str | None]] = field(default_factory=list)
    unheard: list[str] = field(default_factory=list)

    def status(self, address: UsbAddress | str) -> UsbSensorStatus:
        """What the collector says of one device."""
        return next(each for each in self.collector.status().sensors if each.address == str(address))

    def payloads(self, address: UsbAddress | str) -> list[RawPayload]:
        """What was delivered of one device."""
        return [raw for raw in self.received if raw.device == str(address)]

    def is_open(self, address: UsbAddress | str) -> Callable[[], bool]:
        """Whether the hub has it open."""
        return lambda: self.status(address).plugged_in and self.status(address).connected

    @property
    def codes(self) -> list[str | None]:
        """What was scanned, None where a scan was lost."""
        return [code for _, code in self.scanned]

    async def is_usable(self) -> None:
        """Wait until it listens to udev."""
        await until(lambda: self.collector.status().usable, 20)

    async def opened(self, address: UsbAddress | str, seconds: float = 20) -> float:
        """Wait until it is collected from; says how many seconds that took."""
        return await until(self.is_open(address), seconds)

    async def gone(self, address: UsbAddress | str) -> float:
        """Wait until it is known to be pulled out, and let go of; says how many seconds that took."""
        return await until(
            lambda: not (self.status(address).plugged_in or self.status(address).connected), 20
        )

    async def sighting(self, number: int = 1) -> UsbSighting:
        """Wait until so many devices are seen; gives the last of them, in the order of the sockets."""
        await until(lambda: len(self.collector.sightings()) == number, 20)
        return self.collector.sightings()[-1]

    async def another_payload(self, address: UsbAddress | str) -> float:
        """Wait for the next one; says how many seconds that took."""
        before = len(self.payloads(address))
        return await until(lambda: len(self.payloads(address)) > before, 20)


@contextlib.asynccontextmanager
async def collecting(
    *enrolled: tuple[UsbAddress, SerialDriver | KeyboardDriver], longest: float = 90
) -> AsyncIterator[Collected]:
    """The hub collects from these, with the waits that it has in a home, and the real udev."""

    async def deliver(raw: RawPayload) -> None:
        received.append(raw)

    def scan(address: str, code: str | None) -> None:
        scanned.append((address, code))

    received: list[RawPayload] = []
    scanned: list[tuple[str, str | None]] = []
    unheard: list[str] = []
    sensors = [EnrolledUsb(*each) for each in enrolled]
    collector = UsbCollector(sensors, UdevBus(), deliver, scanned=scan, unheard=unheard.append)
    task = asyncio.create_task(collector.run())
    collected = Collected(collector, received, scanned, unheard)
    try:
        async with asyncio.timeout(longest):
            await collected.is_usable()
            yield collected
        assert not task.done(), "the collector has ended"
    finally:
        task.cancel()
        await asyncio.wait([task])


def adapter(serial: str) -> UsbAddress:
    """QEMU's serial adapter, by this serial number."""
    return UsbAddress(*FTDI, serial=serial)


def reader(serial: str) -> tuple[UsbAddress, KeyboardDriver]:
    """QEMU's keyboard, as a reader of wristbands."""
    return UsbAddress(*KEYBOARD, serial=serial), READER


def reset(sighting: UsbSighting) -> None:
    """Reset a device's socket, as the kernel does after an electrical disturbance or a sleep."""
    device = next(place for place in Path(sighting.device.id).parents if (place / "devnum").exists())
    bus, number = (int((device / name).read_text()) for name in ("busnum", "devnum"))
    node = os.open(f"/dev/bus/usb/{bus:03}/{number:03}", os.O_WRONLY)
    try:
        fcntl.ioctl(node, _USBDEVFS_RESET, 0)
    finally:
        os.close(node)


def opened_by(pid: int) -> list[str]:
    """What a process has open, by its paths."""
    return list(_links(Path(f"/proc/{pid}/fd")))


def _links(folder: Path) -> Iterator[str]:
    for each in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            yield str(each.readlink())


class Console:
    """The first virtual console, with a program that waits for a line there, as a login does: what a stray
    code would land on."""

    def __init__(self) -> None:
        self._terminal = os.open("/dev/tty1", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    def clear(self) -> None:
        """Forget what was typed, and empty the screen."""
        termios.tcflush(self._terminal, termios.TCIFLUSH)
        os.write(self._terminal, b"\x1b[2J\x1b[H")

    def line(self) -> str:
        """The line that the program got; "" while there is none."""
        try:
            return os.read(self._terminal, 4096).decode(errors="replace")
        except BlockingIOError:
            return ""

    @staticmethod
    def screen() -> str:
        """What can be read on the screen."""
        return " ".join(Path("/dev/vcs1").read_bytes().decode(errors="replace").split())

    def close(self) -> None:
        """Go away from it."""
        os.close(self._terminal)
