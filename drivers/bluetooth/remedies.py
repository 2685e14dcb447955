"""What heals Bluetooth on a Linux machine, through D-Bus and without the rights of root.

`systemd/polkit/50-carehub-bluetooth.rules` gives the user of carehub.service the two rights that it needs:
bluetooth.service may be killed and restarted, and the machine restarted.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator

from bleak.exc import BleakDBusError
from dbus_fast import Variant
from dbus_fast.aio import MessageBus

from drivers.bluetooth.bus import ADAPTER, BLUEZ, ask_bus, call, properties_of, set_property, system_bus
from drivers.bluetooth.radio import RADIO_ERRORS, Remedy, RemedyError, words

_SYSTEMD = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
_LOGIN = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
_UNIT = "bluetooth.service"

_POWER_SECONDS = 10.0
"""A controller that is well needs less than one; the kernel waits 2 s for each command left open."""
_POWER_TRIES = 3
_BETWEEN_TRIES = 1.0  # seconds
_START_SECONDS = 20.0  # until bluetoothd is back on the bus, on a Pi that is busy

_NOT_ALLOWED = frozenset(
    {
        "org.freedesktop.DBus.Error.AccessDenied",
        "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
        "org.freedesktop.DBus.Error.AuthFailed",
        "org.freedesktop.PolicyKit1.Error.NotAuthorized",
    }
)
_WHAT_TO_INSTALL = (
    "this user may not: apt-get install polkitd, and install systemd/polkit/50-carehub-bluetooth.rules "
    "to /etc/polkit-1/rules.d"
)


async def power_cycle(adapter: str) -> str:
    """Switch an adapter off and on: its controller is begun anew, and all links end.

    Raises:
        RemedyError: it does not go off, or stays off.
    """
    path = f"/org/bluez/{adapter}"
    async with _remedy(Remedy.POWER_CYCLE) as bus:
        if await properties_of(bus, path, ADAPTER) is None:
            raise RemedyError(Remedy.POWER_CYCLE, f"there is no {adapter}")
        try:
            await _switch(bus, path, False)
        except (BleakDBusError, TimeoutError):  # it may go off all the same, and is to be on in any case
            await _switch_on(bus, path)
            raise
        await _switch_on(bus, path)
    return f"{adapter} was switched off and on"


async def restart_bluetoothd() -> str:
    """Kill bluetoothd, which may hang and then would be given 90 s to end by itself, and start it anew.

    Raises:
        RemedyError: systemd refuses, or bluetoothd does not come back.
    """
    async with _remedy(Remedy.RESTART_BLUETOOTHD) as bus:
        before = await _owner(bus)
        with contextlib.suppress(BleakDBusError):  # where there is nothing to kill; a refusal comes below too
            await call(bus, *_SYSTEMD, "KillUnit", "ssi", _UNIT, "all", int(signal.SIGKILL))
        await call(bus, *_SYSTEMD, "RestartUnit", "ss", _UNIT, "replace")
        await _until_another_owns_bluez(bus, before)
    return "bluetoothd was restarted"


async def reboot() -> str:
    """Ask systemd to restart the machine, in good order.

    Raises:
        RemedyError: it refuses.
    """
    async with _remedy(Remedy.REBOOT) as bus:
        await call(bus, *_LOGIN, "Reboot", "b", False)
    return "the machine is being restarted"


@contextlib.asynccontextmanager
async def _remedy(remedy: Remedy) -> AsyncIterator[MessageBus]:
    """A bus, and whatever fails on it as a `RemedyError` in words."""
    try:
        async with system_bus() as bus:
            yield bus
    except BleakDBusError as error:
        reason = _WHAT_TO_INSTALL if error.dbus_error in _NOT_ALLOWED else words(error)
        raise RemedyError(remedy, reason) from error
    except RADIO_ERRORS as error:
        raise RemedyError(remedy, words(error)) from error


async def _switch(bus: MessageBus, path: str, on: bool) -> None:
    await set_property(bus, path, ADAPTER, "Powered", Variant("b", on), seconds=_POWER_SECONDS)


async def _switch_on(bus: MessageBus, path: str) -> None:
    for tries_left in reversed(range(_POWER_TRIES)):
        try:
            await _switch(bus, path, True)
        except BleakDBusError:  # it may be busy with going off
            if not tries_left:
                raise
            await asyncio.sleep(_BETWEEN_TRIES)
        else:
            return


async def _owner(bus: MessageBus) -> str | None:
    """Which bluetoothd it is, in the bus's words."""
    if not await ask_bus(bus, "NameHasOwner", "s", BLUEZ):
        return None
    return str(await ask_bus(bus, "GetNameOwner", "s", BLUEZ))


async def _until_another_owns_bluez(bus: MessageBus, before: str | None) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + _START_SECONDS
    while await _owner(bus) in (None, before):
        if loop.time() > end:
            raise TimeoutError("bluetoothd did not come back")
        await asyncio.sleep(0.1)
