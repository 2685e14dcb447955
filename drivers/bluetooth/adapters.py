"""What there is of Bluetooth: D-Bus, bluetoothd, adapters; which of these collects, and when it is lost."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from bleak.exc import BleakDBusError
from dbus_fast import Message
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError

from drivers.bluetooth.bus import (
    ADAPTER,
    BLUEZ,
    BUS,
    OBJECT_MANAGER,
    PROPERTIES,
    ask_bus,
    call,
    system_bus,
)
from drivers.bluetooth.radio import RADIO_ERRORS, Adapter, words
from hub.running.patience import within

WATCHED = (
    f"type='signal',sender='{BUS}',interface='{BUS}',member='NameOwnerChanged',arg0='{BLUEZ}'",
    f"type='signal',sender='{BLUEZ}',interface='{OBJECT_MANAGER}',member='InterfacesRemoved'",
    f"type='signal',sender='{BLUEZ}',interface='{PROPERTIES}',member='PropertiesChanged',arg0='{ADAPTER}'",
)
HANGS = "bluetoothd does not answer: sudo systemctl restart bluetooth"
RESTARTED = "bluetoothd stopped or was restarted"
NOT_RUNNING = "bluetoothd is not running: sudo systemctl enable --now bluetooth"
_START_SECONDS = 10.0
_GONE = frozenset(
    {
        "org.freedesktop.DBus.Error.NoReply",
        "org.freedesktop.DBus.Error.ServiceUnknown",
        "org.freedesktop.DBus.Error.NameHasNoOwner",
    }
)
"""What the bus answers where bluetoothd went away while it was asked."""


@dataclass(frozen=True, slots=True)
class BlueZState:
    """What there is of Bluetooth. `problem` says what is missing and what to do; None if nothing is."""

    adapters: tuple[Adapter, ...]
    problem: str | None


async def bluez_state(adapter: str | None = None, *, start: bool = False) -> BlueZState:
    """Look whether D-Bus, bluetoothd and a powered adapter (that one, if named) are there. Raises nothing.

    With `start` the bus is asked to start a bluetoothd that is not running, as it does for any program that
    calls one; that needs no right.
    """
    try:
        async with system_bus() as bus:
            if not await ask_bus(bus, "NameHasOwner", "s", BLUEZ) and not (start and await _started(bus)):
                return BlueZState((), NOT_RUNNING)
            adapters = await _adapters(bus)
    except TimeoutError:
        return BlueZState((), HANGS)
    except AuthError as error:
        return BlueZState((), f"D-Bus refuses this user ({words(error)}): run as the user of carehub.service")
    except BleakDBusError as refused:
        if refused.dbus_error in _GONE:
            return BlueZState((), NOT_RUNNING)
        return BlueZState(
            (), f"bluetoothd refuses this user ({refused}): sudo adduser USER bluetooth, and log in again"
        )
    except RADIO_ERRORS as error:
        return BlueZState((), f"no system D-Bus ({words(error)}): sudo systemctl start dbus")
    return BlueZState(adapters, _problem_of(adapters, adapter))


async def _started(bus: MessageBus) -> bool:
    try:
        await within(_START_SECONDS, ask_bus(bus, "StartServiceByName", "su", BLUEZ, 0))
    except (BleakDBusError, TimeoutError):
        return False
    return True


async def _adapters(bus: MessageBus) -> tuple[Adapter, ...]:
    objects = await call(bus, BLUEZ, "/", OBJECT_MANAGER, "GetManagedObjects")
    adapters = [
        Adapter(path.rsplit("/", 1)[-1], properties["Address"].value, properties["Powered"].value)
        for path, interfaces in objects.items()
        if (properties := interfaces.get(ADAPTER)) is not None
    ]
    return tuple(sorted(adapters, key=lambda each: (len(each.name), each.name)))  # hci2 before hci10


def _problem_of(adapters: Sequence[Adapter], wanted: str | None) -> str | None:
    names = ", ".join(each.name for each in adapters)
    if not adapters:
        return "there is no Bluetooth adapter: is it plugged in, and not blocked (rfkill list bluetooth)?"
    eligible = [each for each in adapters if wanted is None or is_meant(each, wanted)]
    if not eligible:
        return f"there is no Bluetooth adapter {wanted}, only {names}: correct bluetooth.adapter"
    if not any(each.powered for each in eligible):
        return f"{wanted or names} is switched off: rfkill unblock bluetooth; bluetoothctl power on"
    return None


def is_meant(adapter: Adapter, wanted: str) -> bool:
    """Whether this is what `bluetooth.adapter` names: "hci1", or its address, which no restart changes."""
    return wanted == adapter.name or wanted.upper() == adapter.address.upper()


def choose(
    adapters: Sequence[Adapter], wanted: str | None, in_use: str | None, given_up: Set[str]
) -> Adapter | None:
    """The adapter to collect with: the one that is wanted, else the one in use for as long as it is powered,
    else the first that is. One that was given up is taken only where there is no other."""
    powered = [each for each in adapters if each.powered]
    return min(
        powered,
        key=lambda each: (
            each.name in given_up,
            not (wanted is not None and is_meant(each, wanted)),
            each.name != in_use,
            powered.index(each),
        ),
        default=None,
    )


def loss_in(message: Message, in_use: str) -> str | None:
    """Why an adapter in use is lost, if this message says that it is."""
    match message.member, message.body:
        case "NameOwnerChanged", [str(name), _, _] if name == BLUEZ:
            return RESTARTED
        case "InterfacesRemoved", [str(path), list(interfaces)] if ADAPTER in interfaces:
            return f"the adapter {in_use} was removed" if path == f"/org/bluez/{in_use}" else None
        case "PropertiesChanged", [str(interface), dict(changed), _] if interface == ADAPTER:
            powered = changed.get("Powered")
            if powered is not None and not powered.value and message.path == f"/org/bluez/{in_use}":
                return f"the adapter {in_use} was switched off"
    return None
