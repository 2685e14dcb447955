"""A keyboard that is taken for the hub alone (EVIOCGRAB): what is typed on it reaches no console."""

from __future__ import annotations

import errno
import fcntl
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from drivers.usb.bus import Key, UsbError
from drivers.usb.readable import readable
from hub.running.patience import within

if TYPE_CHECKING:
    from evdev import InputDevice
    from evdev.events import InputEvent

_QUIET = 0.3  # seconds without a key: what was being typed when the keyboard was taken has ended
_QUIET_WITHIN = 5.0

# The kernel's numbers (input-event-codes.h).
_EV_SYN, _EV_KEY = 0, 1
_SYN_REPORT, _SYN_DROPPED = 0, 3
_UP, _DOWN, _REPEATS = 0, 1, 2
_EVIOCSCLOCKID = 0x400445A0  # _IOW('E', 0xa0, int), linux/input.h

_REASONS = {
    errno.EACCES: "the hub may not open it: systemd/udev/70-carehub-usb.rules says how it is given a reader",
    errno.EPERM: "the hub may not open it: systemd/udev/70-carehub-usb.rules says how it is given a reader",
    errno.EBUSY: "another program has taken it for itself: end that, and it is tried again",
    errno.ENOENT: "it is not there any more",
    errno.ENODEV: "it was pulled out",
}


class EvdevKeyboard:
    """A keyboard that has been taken."""

    def __init__(self, device: InputDevice[str], *, tells_time: bool) -> None:
        self._device = device
        self._tells_time = tells_time

    async def keys(self) -> AsyncIterator[Key | None]:
        """As `drivers.usb.bus.Keyboard.keys`."""
        lost = False
        while True:
            for event in await self._read():
                if event.type == _EV_SYN and event.code == _SYN_DROPPED:
                    lost = True
                    yield None
                elif event.type == _EV_SYN and event.code == _SYN_REPORT:
                    lost = False
                elif event.type == _EV_KEY and not lost:  # the rest of a report that is not whole
                    at = event.timestamp() if self._tells_time else None
                    yield Key(event.code, event.value != _UP, event.value == _REPEATS, at)

    async def settle(self) -> None:
        """Drop what has been typed until now, to its end: the rest of a code may be another code.

        Raises:
            UsbError: it was pulled out, or types without end.
        """
        try:
            await within(_QUIET_WITHIN, self._drop())
        except TimeoutError:
            raise UsbError("it types without a pause: is a key held down?") from None

    async def _drop(self) -> None:
        quiet = False
        while not quiet:
            try:
                await within(_QUIET, self._read())
            except TimeoutError:
                quiet = True

    async def _read(self) -> list[InputEvent]:
        while True:
            await readable(self._device.fd)
            try:
                events = list(self._device.read())
            except BlockingIOError:
                continue
            except OSError as error:
                raise _in_words(error) from error
            if not events:  # an end of file, which would be read for ever
                raise UsbError(_REASONS[errno.ENODEV])
            return events


@asynccontextmanager
async def open_keyboard(node: str) -> AsyncIterator[EvdevKeyboard]:
    """Take the keyboard, for as long as the context lasts.

    Raises:
        UsbError: it cannot be opened, or somebody else has taken it.
    """
    # Only a hub with a reader pays for it.
    from evdev import InputDevice

    try:
        device = InputDevice(node)
    except OSError as error:
        raise _in_words(error) from error
    try:
        try:
            device.grab()
        except OSError as error:
            raise _in_words(error) from error
        keyboard = EvdevKeyboard(device, tells_time=_by_the_monotonic_clock(device.fd))
        await keyboard.settle()
        yield keyboard
    finally:
        device.close()  # which lets go of it


def _by_the_monotonic_clock(descriptor: int) -> bool:
    """Have the kernel stamp what is typed by the clock of the event loop; whether it does."""
    try:
        fcntl.ioctl(descriptor, _EVIOCSCLOCKID, struct.pack("i", time.CLOCK_MONOTONIC))
    except OSError:  # before Linux 3.4, or a simulated one
        return False
    return True


def _in_words(error: OSError) -> UsbError:
    return UsbError(_REASONS.get(error.errno or 0, error.strerror or str(error)))
