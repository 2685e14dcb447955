"""What is plugged in and pulled out, as udev tells: no thread, and nothing is asked again and again.

udev is listened to first and what is there is looked up then, so that nothing comes in between; what is heard
of twice is told once. Where udev's messages come faster than they are read the kernel throws some away, and
says so: what is there is then looked up anew, and the differences are told.
"""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from drivers.usb.bus import Change, Keyboard, UsbDevice, UsbError
from drivers.usb.keyboard import open_keyboard
from drivers.usb.readable import readable
from drivers.usb.udev_device import SUBSYSTEMS, PluggedIn, read
from hub.readings import Origin

_NETLINK_KOBJECT_UEVENT = 15  # linux/netlink.h
_AT_ONCE = 256  # messages that are read before anything else gets its turn
_NO_UDEV = (
    "udev does not run here, and nothing else says what is plugged in: see systemctl status systemd-udevd"
    " (in a container: run the hub on the machine itself)"
)


class UdevBus:
    """The machine's own sockets: a `drivers.usb.bus.UsbBus`."""

    origin = Origin.SENSOR

    def __init__(self, control: Path = Path("/run/udev/control")) -> None:
        """`control` is there wherever udev runs."""
        self._control = control

    async def changes(self) -> AsyncGenerator[Change | None, None]:
        """As `UsbBus.changes`."""
        if not self._control.exists():
            raise UsbError(_NO_UDEV)
        watch = _Watch()
        try:
            for change in watch.looked_up():
                yield change
            yield None
            while True:
                await readable(watch.descriptor)
                for change in watch.heard():
                    yield change
        finally:
            watch.close()

    def keyboard(self, device: UsbDevice) -> AbstractAsyncContextManager[Keyboard]:
        """As `UsbBus.keyboard`."""
        return open_keyboard(device.node)


class _Watch:
    """Listens to udev, and knows what is plugged in."""

    def __init__(self) -> None:
        # Only a hub with USB pays for it.
        from pyudev import Context, Monitor

        self._known: dict[str, PluggedIn] = {}
        self._missed = False
        try:
            self._udev: Any = Context()
            self._monitor: Any = Monitor.from_netlink(self._udev)
            for subsystem in SUBSYSTEMS:
                self._monitor.filter_by(subsystem)
            self._monitor.start()
        except ImportError as error:
            raise UsbError("libudev is missing: apt-get install libudev1") from error
        except OSError as error:
            raise _deaf(error) from error
        self.descriptor: int = self._monitor.fileno()
        self._socket = socket.fromfd(
            self.descriptor, socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_KOBJECT_UEVENT
        )
        self._queue = select.poll()
        self._queue.register(self.descriptor, select.POLLIN)

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()
        self._monitor = None  # libudev closes what nobody refers to

    def looked_up(self) -> Iterator[Change]:
        """What is otherwise in sysfs than was known."""
        devices = self._udev.list_devices()
        for subsystem in SUBSYSTEMS:
            devices.match_subsystem(subsystem)
        there = {device.sys_path: found for device in devices if (found := read(device)) is not None}
        for gone in self._known.keys() - there.keys():
            yield from self._is(gone, None)
        for path, found in there.items():
            yield from self._is(path, found)

    def heard(self) -> Iterator[Change]:
        """What udev has said by now. Raises `UsbError` where it cannot be heard any more."""
        for _ in range(_AT_ONCE):
            if not self._queue.poll(0):
                break
            try:
                device = self._monitor.poll(0)
            except ValueError:
                continue  # a message that libudev cannot read, and has taken off the queue
            except OSError as error:
                # pyudev sees that there is an error, and not which; to ask for it takes it away.
                number = error.errno or self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if number != errno.ENOBUFS:
                    raise _deaf(error) from error
                self._missed = True
                continue
            if device is not None:
                yield from self._is(device.sys_path, None if device.action == "remove" else read(device))
        else:
            return
        if self._missed:
            # Not before the queue is empty: until then the kernel throws away what is new, and says it once.
            self._missed = False
            yield from self.looked_up()

    def _is(self, path: str, now: PluggedIn | None) -> Iterator[Change]:
        before = self._known.pop(path, None)
        if now is not None:
            self._known[path] = now
        if before == now:
            return
        if before is not None:
            yield Change(before.device, present=False)
        if now is not None:
            yield Change(now.device, present=True)


def _deaf(error: OSError) -> UsbError:
    return UsbError(f"udev cannot be listened to: {error.strerror or error}")
