"""Sockets that virtual devices are plugged into and pulled out of: a `UsbBus` without a bus.

A serial device is a pseudo-terminal with an emulator of the device behind it; it is opened by its path, as
any other, with pyserial. When it is pulled out the kernel does to it what it does to a `/dev/ttyUSB0`: its
node goes away, and who has it open reads nothing and can write nothing (EIO). What nobody has open says
nothing, as a USB adapter does: bytes are only fetched from it while it is open. A keyboard has no node here:
`VirtualUsb.keyboard` gives its keys as the kernel would.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import select
import termios
import tty
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path

from drivers.usb.bus import Change, Key, Keyboard, Kind, UsbDevice, UsbError
from drivers.virtual import VirtualWardError
from drivers.virtual.typing_keys import keys_of
from drivers.virtual.usb_scenario import Emulator, UsbScenario, load_usb_scenario, measure
from drivers.virtual.wrong_baud import misheard
from hub.readings import Origin
from hub.running.patience import within

logger = logging.getLogger(__name__)

_LOOKED_AT_EVERY = 0.005  # seconds
_READ_WITHIN = 1.0  # seconds that a hub has to read what a device said last
_SAID_WITHIN = 10.0  # seconds that a device has to say something that it is cut off in
_BAUDS = {
    getattr(termios, f"B{baud}"): baud for baud in (4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800)
}


class VirtualUsb:
    """Sockets, and what is plugged into them. `open` makes one; what is still plugged in when that ends is
    pulled out."""

    origin = Origin.VIRTUAL

    def __init__(self) -> None:
        self._devices: dict[str, UsbDevice] = {}
        self._lines: dict[str, _Line] = {}
        self._keyboards: dict[str, _VirtualKeyboard] = {}
        self._watchers: set[asyncio.Queue[Change | UsbError | None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._playing: asyncio.Task[None] | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, scenario: Path | None = None, *, speed: float = 1.0) -> AsyncIterator[VirtualUsb]:
        """Sockets without anything in them, with a scenario being played in them if one is given, `speed`
        times as fast as written.

        Raises:
            VirtualWardError: the scenario is no scenario.
        """
        script = load_usb_scenario(scenario) if scenario is not None else None
        usb = cls()
        try:
            if script is not None:
                usb._playing = usb._start(usb._play(script, speed), f"scenario {script.title}")
            yield usb
        finally:
            await usb._close()

    @property
    def plugged_in(self) -> tuple[UsbDevice, ...]:
        """What is plugged in, in the order in which it was."""
        return tuple(self._devices.values())

    @property
    def playing(self) -> bool:
        """Whether a scenario is being played, and not yet at its end."""
        return self._playing is not None and not self._playing.done()

    def plug(self, device: UsbDevice, emulator: Emulator, *, baud: int | None = None) -> UsbDevice:
        """Plug a serial device in. Gives it with the node that it can be opened by, another each time.

        `baud` is the rate at which it speaks and hears, where that is to matter: a hub that sets the line
        otherwise then gets what a receiver makes of it. Raises `VirtualWardError`.
        """
        self._refuse(device, Kind.SERIAL)
        line = _Line(emulator, baud)
        self._lines[device.id] = line
        plugged = replace(device, node=line.node)
        self._start(line.run(), f"virtual serial device {device.id}")
        self._appears(plugged)
        return plugged

    def plug_keyboard(self, device: UsbDevice) -> UsbDevice:
        """Plug a keyboard in. Raises `VirtualWardError`."""
        self._refuse(device, Kind.KEYBOARD)
        self._keyboards[device.id] = _VirtualKeyboard(device)
        self._appears(device)
        return device

    async def unplug(self, device: UsbDevice, *, mid_frame: bool = False) -> None:
        """Pull a device out; with `mid_frame` in the midst of what a serial one says next, when the hub has
        read the first half of it. Raises `VirtualWardError` where it is not plugged in."""
        if device.id not in self._devices:
            raise VirtualWardError(f"{device.id} is not plugged in")
        line = self._lines.get(device.id)
        if line is not None:
            if mid_frame:
                await line.said_half()
            del self._lines[device.id]
            line.pull()
        else:
            self._keyboards.pop(device.id).pull()
        self._tell(Change(self._devices.pop(device.id), present=False))

    def type_on(self, keyboard: UsbDevice, text: str) -> None:
        """Type on a keyboard, as a reader of wristbands does: ends with "\\n" where it ends with Enter.

        Raises `VirtualWardError` where it is not plugged in, or has no such key.
        """
        if keyboard.id not in self._keyboards:
            raise VirtualWardError(f"no keyboard {keyboard.id} is plugged in")
        self._keyboards[keyboard.id].type(text)

    def lose_keys(self, keyboard: UsbDevice) -> None:
        """The kernel has lost some keys, as it does where nobody reads them fast enough."""
        self._keyboards[keyboard.id].lose()

    def on_console(self, keyboard: UsbDevice) -> str:
        """What was typed on a keyboard while nobody had taken it for themselves: what a console got."""
        return self._keyboards[keyboard.id].on_console

    def fail(self, words: str) -> None:
        """Whoever watches for changes gets an error, as if udev had gone; they may ask again."""
        for watcher in self._watchers:
            watcher.put_nowait(UsbError(words))

    async def changes(self) -> AsyncGenerator[Change | None, None]:
        """As `UsbBus.changes`."""
        watcher: asyncio.Queue[Change | UsbError | None] = asyncio.Queue()
        for device in self._devices.values():
            watcher.put_nowait(Change(device, present=True))
        watcher.put_nowait(None)
        self._watchers.add(watcher)
        try:
            while True:
                change = await watcher.get()
                if isinstance(change, UsbError):
                    raise change
                yield change
        finally:
            self._watchers.discard(watcher)

    @contextlib.asynccontextmanager
    async def keyboard(self, device: UsbDevice) -> AsyncIterator[Keyboard]:
        """As `UsbBus.keyboard`."""
        keyboard = self._keyboards.get(device.id)
        if keyboard is None:
            raise UsbError(f"{device.node}: is not plugged in")
        with keyboard.taken():
            yield keyboard

    async def _play(self, script: UsbScenario, speed: float) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        emulators = {
            name: entry.emulator()
            for name, entry in script.devices.items()
            if entry.kind != "wristband_reader"
        }
        for event in script.in_order:
            await asyncio.sleep(start + event.at / speed - loop.time())
            device = script.devices[event.device].device
            if event.values is not None:
                measure(emulators[event.device], event.values)
            elif event.scan is not None:
                self.type_on(device, event.scan + "\n")
            elif event.do != "plug in":
                await self.unplug(device, mid_frame=event.do != "pull out")
            elif device.kind is Kind.KEYBOARD:
                self.plug_keyboard(device)
            else:
                self.plug(device, emulators[event.device])

    def _refuse(self, device: UsbDevice, kind: Kind) -> None:
        if device.kind is not kind:
            raise VirtualWardError(f"{device.id} is a {device.kind.value} and no {kind.value}")
        if device.id in self._devices:
            raise VirtualWardError(f"{device.id} is plugged in already")

    def _appears(self, device: UsbDevice) -> None:
        self._devices[device.id] = device
        self._tell(Change(device, present=True))

    def _tell(self, change: Change) -> None:
        for watcher in self._watchers:
            watcher.put_nowait(change)

    def _start(self, life: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(life, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s ended", task.get_name(), exc_info=error)

    async def _close(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for device in self.plugged_in:
            await self.unplug(device)


class _Line:
    """A serial device in its socket: a pseudo-terminal, and the emulator behind it."""

    def __init__(self, emulator: Emulator, baud: int | None) -> None:
        self._emulator = emulator
        self._baud = baud
        self._half: asyncio.Event | None = None
        self._pulled = False
        self._ours, theirs = os.openpty()
        try:
            self.node = os.ttyname(theirs)
            tty.setraw(theirs)
        finally:
            os.close(theirs)
        os.set_blocking(self._ours, False)
        self._poll = select.poll()
        self._poll.register(self._ours, select.POLLIN)

    async def run(self) -> None:
        """Hear and say, until it is pulled out."""
        loop = asyncio.get_running_loop()
        while not self._pulled:
            happened = self._poll.poll(0)
            said = b""
            if happened and happened[0][1] & select.POLLIN:
                written = misheard(os.read(self._ours, 4096), sent=self._hubs_baud, heard=self._baud)
                said += self._emulator.hear(written, loop.time())
            said += self._emulator.due(loop.time())
            is_open = not (happened and happened[0][1] & select.POLLHUP)
            if said and is_open:
                await self._say(said)
            await asyncio.sleep(_LOOKED_AT_EVERY)

    async def said_half(self) -> None:
        """Wait until half of what it says next has been said and read, and nothing after it."""
        self._half = asyncio.Event()
        try:
            await within(_SAID_WITHIN, self._half.wait())
        except TimeoutError:
            raise VirtualWardError(f"{self.node} said nothing that it could be cut off in") from None

    def pull(self) -> None:
        """The node goes away: the kernel hangs up on whoever has it open."""
        self._pulled = True
        os.close(self._ours)

    async def _say(self, octets: bytes) -> None:
        if self._half is None or len(octets) < 2:
            self._write(octets)
            return
        self._write(octets[: len(octets) // 2])
        await self._is_read()
        self._half.set()
        self._pulled = True  # nothing more is said

    def _write(self, octets: bytes) -> None:
        # What the kernel does not take is lost, as from an adapter whose buffer is full.
        with contextlib.suppress(BlockingIOError):
            os.write(self._ours, misheard(octets, sent=self._baud, heard=self._hubs_baud))

    @property
    def _hubs_baud(self) -> int | None:
        """The rate at which whoever has it open speaks and hears; None for one that is not played."""
        return _BAUDS.get(termios.tcgetattr(self._ours)[5])

    async def _is_read(self) -> None:
        """Wait until the other side has read all: what it has not read is lost when the plug is pulled."""
        theirs = os.open(self.node, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            for _ in range(int(_READ_WITHIN / _LOOKED_AT_EVERY)):
                await asyncio.sleep(_LOOKED_AT_EVERY)
                if not any(fcntl.ioctl(theirs, termios.FIONREAD, bytes(4))):
                    return
        finally:
            os.close(theirs)


class _VirtualKeyboard:
    """A keyboard in its socket: whoever has taken it gets its keys, else the console does."""

    def __init__(self, device: UsbDevice) -> None:
        self.on_console = ""
        self._node = device.node
        self._typed: asyncio.Queue[Key | UsbError | None] | None = None

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Take it for oneself. Raises `UsbError` where somebody has."""
        if self._typed is not None:
            raise UsbError(f"{self._node}: another program has taken it for itself")
        self._typed = asyncio.Queue()
        try:
            yield
        finally:
            self._typed = None

    def type(self, text: str) -> None:
        """What is typed goes to whoever has it."""
        keys = keys_of(text)
        if self._typed is None:
            self.on_console += text
            return
        for key in keys:
            self._typed.put_nowait(key)

    def lose(self) -> None:
        """Whoever has it has missed some keys."""
        if self._typed is not None:
            self._typed.put_nowait(None)

    def pull(self) -> None:
        """Whoever has it is told."""
        if self._typed is not None:
            self._typed.put_nowait(UsbError(f"{self._node}: was pulled out"))

    async def keys(self) -> AsyncIterator[Key | None]:
        """As `Keyboard.keys`."""
        while self._typed is not None:
            key = await self._typed.get()
            if isinstance(key, UsbError):
                raise key
            yield key
