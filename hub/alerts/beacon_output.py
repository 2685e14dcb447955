"""What a beacon is switched by: a pin of the machine, or a file that something stands behind.

The pin is asked of the kernel by its character device (`linux/gpio.h`, version 2 of the interface, Linux
5.10 and later), without a library: two calls. The kernel gives the pin back, and what hangs on it goes out,
when the hub's process ends, however it ends.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import stat
import struct
import termios
import threading
import tty
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Protocol

from hub.alerts.beacon import BeaconError, Output
from hub.configuration.beacon import Beacon

_PATIENCE_SECONDS = 5.0
_SILENT = "it does not answer: pull the beacon out and plug it in again, or restart the hub"

GET_LINE: Final = 0xC250B407
"""GPIO_V2_GET_LINE_IOCTL: _IOWR(0xB4, 0x07, struct gpio_v2_line_request)."""

SET_VALUES: Final = 0xC010B40F
"""GPIO_V2_LINE_SET_VALUES_IOCTL: _IOWR(0xB4, 0x0F, struct gpio_v2_line_values)."""

ACTIVE_LOW, OUTPUT = 1 << 1, 1 << 3
"""GPIO_V2_LINE_FLAG_ACTIVE_LOW, GPIO_V2_LINE_FLAG_OUTPUT."""

LINE_REQUEST = struct.Struct("=64I32sQI20x240xII20xi")
"""struct gpio_v2_line_request: offsets, consumer, config (flags, no attributes), how many lines, size of the
buffer for events, and the line's descriptor, which the kernel fills in."""

LINE_VALUES = struct.Struct("=QQ")
"""struct gpio_v2_line_values: bits, and which of them are meant."""


class Device(Protocol):
    """What is switched; may take its time, and is never asked from two threads."""

    def switch(self, *, on: bool) -> None:
        """Switch it, and open it if it is not open. Raises `OSError`."""

    def close(self) -> None:
        """Let go of it. Raises `OSError`."""

    def words(self, error: OSError) -> str:
        """What went wrong, and what to do."""


class Pin:
    """A pin of the machine. `ioctl` is the kernel's, but in tests."""

    def __init__(
        self, chip: Path, pin: int, *, active_low: bool, ioctl: Callable[..., object] = fcntl.ioctl
    ) -> None:
        self._chip = chip
        self._pin = pin
        self._active_low = active_low
        self._ioctl = ioctl
        self._line: int | None = None

    def switch(self, *, on: bool) -> None:
        """Switch it. Raises `OSError`."""
        if self._line is None:
            self._line = self._request()
        values = bytearray(LINE_VALUES.pack(int(on), 1))
        try:
            self._ioctl(self._line, SET_VALUES, values)
        except OSError:
            self.close()
            raise

    def _request(self) -> int:
        flags = OUTPUT | (ACTIVE_LOW if self._active_low else 0)
        request = bytearray(LINE_REQUEST.pack(self._pin, *[0] * 63, b"carehub beacon", flags, 0, 1, 0, 0))
        chip = os.open(self._chip, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._ioctl(chip, GET_LINE, request)
        finally:
            os.close(chip)
        return int(LINE_REQUEST.unpack(request)[-1])

    def close(self) -> None:
        """Give it back to the kernel."""
        line, self._line = self._line, None
        if line is not None:
            os.close(line)

    def words(self, error: OSError) -> str:
        """What went wrong, and what to do."""
        what = f"pin {self._pin} of {self._chip} cannot be switched: {error.strerror or error}"
        match error:
            case FileNotFoundError():
                return f"{what}: no such chip; 'gpiodetect' lists those that are there (beacon.chip)"
            case PermissionError():
                return f"{what}: put the hub's user into the group gpio, and restart the hub"
            case _:
                return (
                    f"{what}: another program may have it, or there is no such pin; see 'gpioinfo'"
                    " (beacon.pin)"
                )


class WrittenFile:
    """A file, a serial line or another device that something is written to."""

    def __init__(self, path: Path, on: bytes, off: bytes) -> None:
        self._path = path
        self._on = on
        self._off = off
        self._open: int | None = None

    def switch(self, *, on: bool) -> None:
        """Write what switches it. Raises `OSError`."""
        said = self._on if on else self._off
        if self._open is None:
            self._open = _opened(self._path)
        try:
            # A plain file says how it is, not how it has been; an attribute in /sys is one too.
            plain = stat.S_ISREG(os.fstat(self._open).st_mode)
            if plain:
                os.lseek(self._open, 0, os.SEEK_SET)
            if os.write(self._open, said) != len(said):
                raise BlockingIOError("it takes nothing at the moment")
            if plain:
                with suppress(OSError):  # an attribute has no length
                    os.ftruncate(self._open, len(said))
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Close it."""
        opened, self._open = self._open, None
        if opened is not None:
            os.close(opened)

    def words(self, error: OSError) -> str:
        """What went wrong, and what to do."""
        what = f"{self._path} cannot be written: {error.strerror or error}"
        match error:
            case FileNotFoundError():
                return f"{what}: is the beacon plugged in, and is beacon.write_to its name?"
            case PermissionError():
                return f"{what}: the hub's user may not write to it (a serial line is the group dialout's)"
            case _:
                return f"{what}: pull the beacon out and plug it in again"


def _opened(path: Path) -> int:
    """Open without waiting. A serial line is set to 9600 baud and passes every byte on as it is.

    Never made anew: a misspelt name of a device must not become a plain file.
    """
    opened = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if os.isatty(opened):
            tty.setraw(opened, termios.TCSANOW)
            settings = termios.tcgetattr(opened)
            settings[4] = settings[5] = termios.B9600
            termios.tcsetattr(opened, termios.TCSANOW, settings)
    except (OSError, termios.error) as error:
        os.close(opened)
        raise OSError(0, f"it cannot be set as a serial line ({error})") from error
    return opened


class InThread:
    """Has a device switched in a thread of its own, that nobody waits for for long: what hangs on a wire
    may hang, and the hub goes on. The thread ends with the process, whatever it is doing then."""

    def __init__(self, device: Device, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        self._device = device
        self._patience = patience_seconds
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._under_way: asyncio.Future[None] | None = None
        threading.Thread(target=self._work, name="beacon", daemon=True).start()

    async def switch(self, *, on: bool) -> None:
        """Switch it. Raises `BeaconError` where it cannot be, or does not answer."""
        if self._under_way is not None and not self._under_way.done():
            raise BeaconError(_SILENT)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        # Nobody may wait for it any more when it ends.
        done.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        self._under_way = done

        def settle(error: OSError | None) -> None:
            if done.cancelled():
                return
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(BeaconError(self._device.words(error)))

        def work() -> None:
            fault = None
            try:
                self._device.switch(on=on)
            except OSError as error:
                fault = error
            with suppress(RuntimeError):  # the loop may have ended meanwhile
                loop.call_soon_threadsafe(settle, fault)

        self._jobs.put(work)
        finished, _ = await asyncio.wait([done], timeout=self._patience)
        if not finished:
            raise BeaconError(_SILENT)
        done.result()

    def close(self) -> None:
        """Have it let go of, when what is under way has ended. It is opened again when it is switched
        again."""

        def work() -> None:
            with suppress(OSError):
                self._device.close()

        self._jobs.put(work)

    def _work(self) -> None:
        while True:
            self._jobs.get()()


def output_of(settings: Beacon) -> Output | None:
    """What the configuration names; None where there is no beacon. Nothing is opened yet."""
    match settings.output:
        case "none":
            return None
        case "gpio":
            assert settings.pin is not None, "checked with the configuration"
            return InThread(Pin(settings.chip, settings.pin, active_low=settings.active_low))
        case "file":
            assert settings.write_to is not None, "checked with the configuration"
            return InThread(
                WrittenFile(settings.write_to, bytes.fromhex(settings.on), bytes.fromhex(settings.off))
            )
