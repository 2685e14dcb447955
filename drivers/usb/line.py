"""A serial line that is open: bytes as they come, and in words why it ended when a device is pulled out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from drivers.bluetooth.radio import words
from drivers.serial_line import LineSettings
from drivers.usb.bus import UsbError
from hub.running.patience import in_thread, within

if TYPE_CHECKING:
    import serial
    from serial_asyncio_fast import SerialTransport

_MOST_HELD = 64 * 1024
_TO_CLOSE = 5.0  # seconds; closing a device that hangs must not hold up the hub


class Line(asyncio.Protocol):
    """An open line. `read` gives what came, and b"" now and then where nothing did.

    After each read of the device it rests: a frame of five bytes is not worth waking up for, and whatever a
    device floods it with, no more than a kilobyte is taken in each rest. The kernel holds four meanwhile.
    """

    def __init__(self, rest: float, tick: float) -> None:
        self._rest = rest
        self._tick = tick
        self._held = bytearray()
        self._something = asyncio.Event()
        self._ended = asyncio.Event()
        self._error: Exception | None = None
        self._transport: SerialTransport | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}

    # --- what the transport calls

    def connect(self, transport: SerialTransport) -> None:
        """This is the transport, as of now."""
        self._transport = transport
        self._ticked()

    def data_received(self, octets: bytes) -> None:
        """Bytes came."""
        self._held += octets
        self._something.set()
        assert self._transport is not None
        self._transport.pause_reading()
        self._later("resume", self._rest, self._resume)

    def connection_lost(self, error: Exception | None) -> None:
        """The device was pulled out, or the line is closed."""
        self._error = error
        for timer in self._timers.values():
            timer.cancel()
        self._ended.set()
        self._something.set()

    # --- what the session calls

    async def read(self) -> bytes:
        """What has come since the last call, or b"" after a quarter of a second without anything.

        Raises:
            UsbError: the device was pulled out, or fails.
        """
        await self._something.wait()
        if not self._ended.is_set():
            self._something.clear()
        octets = bytes(self._held)
        self._held.clear()
        if octets or not self._ended.is_set():
            return octets
        raise UsbError(words(self._error) if self._error is not None else "the line was closed")

    def write(self, octets: bytes) -> None:
        """Have it sent. What a device that is gone does not take is no error here: the next `read` tells."""
        port = self._port
        if octets and port is not None:
            # Not through the transport, which reports what cannot be written as a fault of the program.
            with suppress(*_line_errors()):
                port.write(octets)

    async def close(self) -> None:
        """Close it, whatever still waits to be sent; returns when the device is free."""
        if self._transport is None or (port := self._port) is None:
            return
        if not self._transport.is_closing():
            # Else the kernel waits up to 30 s for a device that takes nothing.
            with suppress(*_line_errors()):
                port.reset_output_buffer()
            self._transport.abort()
        with suppress(TimeoutError):
            await within(_TO_CLOSE, self._ended.wait())

    @property
    def _port(self) -> serial.Serial | None:
        return None if self._transport is None else self._transport.serial

    def _later(self, name: str, seconds: float, call: Callable[[], None]) -> None:
        self._timers[name] = asyncio.get_running_loop().call_later(seconds, call)

    def _resume(self) -> None:
        if len(self._held) > _MOST_HELD:
            self._later("resume", self._rest, self._resume)
        elif self._transport is not None and not self._ended.is_set():
            self._transport.resume_reading()

    def _ticked(self) -> None:
        self._something.set()
        self._later("tick", self._tick, self._ticked)


@asynccontextmanager
async def open_line(
    node: str, settings: LineSettings, *, rest: float = 0.05, tick: float = 0.25
) -> AsyncIterator[Line]:
    """The line of a device, open for as long as the context lasts, and for nobody else.

    Raises:
        UsbError: it cannot be opened: it is gone, another program has it, or this user may not.
    """
    from serial_asyncio_fast import SerialTransport  # only hubs with a serial sensor need it

    port = await _opened(node, settings)
    line = Line(rest, tick)
    try:
        line.connect(SerialTransport(asyncio.get_running_loop(), line, port))  # which sets the port once more
    except _line_errors() as error:
        port.close()
        raise UsbError(_why_not(error)) from error
    try:
        yield line
    finally:
        await line.close()


async def _opened(node: str, settings: LineSettings) -> serial.Serial:
    import serial

    def work() -> serial.Serial:
        # In a thread: a device that hangs holds up the setting of the baud rate for seconds.
        return serial.Serial(
            node,
            baudrate=settings.baud,
            # A pseudo-terminal, which the virtual sockets have, refuses parity.
            parity="N" if node.startswith("/dev/pts/") else settings.parity,
            stopbits=settings.stop_bits,
            exclusive=True,
            timeout=0,
        )

    opening = asyncio.ensure_future(in_thread(work))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_late)
        raise
    except _line_errors() as error:
        raise UsbError(_why_not(error)) from error


def _close_late(opening: asyncio.Future[serial.Serial]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _line_errors() -> tuple[type[Exception], ...]:
    import termios

    # pyserial's own error is an OSError; some calls let termios' out, which is none.
    return (OSError, ValueError, termios.error)


def _why_not(error: Exception) -> str:
    import errno

    match getattr(error, "errno", None):
        case errno.EACCES | errno.EPERM:
            return (
                "this user may not open it: install systemd/udev/70-carehub-usb.rules to /etc/udev/rules.d,"
                " and plug it in again"
            )
        case errno.EBUSY | errno.EAGAIN:
            return "another program has it open"
        case errno.ENOENT | errno.ENODEV | errno.ENXIO:
            return "it is gone"
    if "exclusively lock" in str(error):
        return "another program has it open"
    return f"it cannot be opened: {words(error)}"
