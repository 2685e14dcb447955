"""The real radio: BlueZ over the system's D-Bus, through bleak's own backend.

bleak does not notice that bluetoothd was killed: no callback comes, and its clients go on saying that
they are connected (measured with bleak 3.1). So this radio watches org.bluez on the bus itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError

from drivers.bluetooth.radio import RADIO_ERRORS, Dropped, Heard, words
from hub.readings import Origin

_BLUEZ = "org.bluez"
_ADAPTER = "org.bluez.Adapter1"
_BUS = "org.freedesktop.DBus"
_OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_ANSWER_SECONDS = 10.0

_WATCHED = (
    f"type='signal',sender='{_BUS}',interface='{_BUS}',member='NameOwnerChanged',arg0='{_BLUEZ}'",
    f"type='signal',sender='{_BLUEZ}',interface='{_OBJECT_MANAGER}',member='InterfacesRemoved'",
    f"type='signal',sender='{_BLUEZ}',interface='{_PROPERTIES}',member='PropertiesChanged',arg0='{_ADAPTER}'",
)


@dataclass(frozen=True, slots=True)
class Adapter:
    """A Bluetooth adapter as BlueZ names it ("hci0")."""

    name: str
    address: str
    powered: bool


@dataclass(frozen=True, slots=True)
class BlueZState:
    """What there is of Bluetooth. `problem` says what is missing and what to do; None if nothing is."""

    adapters: tuple[Adapter, ...]
    problem: str | None


class _RefusedError(Exception):
    """An error reply on the bus."""

    def __init__(self, reply: Message) -> None:
        super().__init__(f"{reply.error_name}: {reply.body[0] if reply.body else 'no reason given'}")
        self.name = reply.error_name


async def bluez_state(adapter: str | None = None) -> BlueZState:
    """Look whether D-Bus, bluetoothd and a powered adapter (that one, if named) are there. Raises nothing."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS), _system_bus() as bus:
            owned = await _call(bus, _BUS, "/org/freedesktop/DBus", _BUS, "NameHasOwner", _BLUEZ)
            if not owned:
                return BlueZState((), "bluetoothd is not running: sudo systemctl enable --now bluetooth")
            objects = await _call(bus, _BLUEZ, "/", _OBJECT_MANAGER, "GetManagedObjects")
    except TimeoutError:
        return BlueZState((), "bluetoothd does not answer: sudo systemctl restart bluetooth")
    except AuthError as error:
        return BlueZState((), f"D-Bus refuses this user ({words(error)}): run as the user of carehub.service")
    except _RefusedError as refused:
        return BlueZState(
            (), f"bluetoothd refuses this user ({refused}): sudo adduser USER bluetooth, and log in again"
        )
    except RADIO_ERRORS as error:
        return BlueZState((), f"no system D-Bus ({words(error)}): sudo systemctl start dbus")
    adapters = tuple(
        Adapter(path.rsplit("/", 1)[-1], properties["Address"].value, properties["Powered"].value)
        for path, interfaces in sorted(objects.items())
        if (properties := interfaces.get(_ADAPTER)) is not None
    )
    return BlueZState(adapters, _problem_of(adapters, adapter))


def _problem_of(adapters: tuple[Adapter, ...], wanted: str | None) -> str | None:
    names = ", ".join(each.name for each in adapters)
    if not adapters:
        return "there is no Bluetooth adapter: is it plugged in, and not blocked (rfkill list bluetooth)?"
    eligible = [each for each in adapters if wanted in (None, each.name)]
    if not eligible:
        return f"there is no Bluetooth adapter {wanted}, only {names}: correct bluetooth.adapter"
    if not any(each.powered for each in eligible):
        return f"{wanted or names} is switched off: rfkill unblock bluetooth; bluetoothctl power on"
    return None


class BlueZRadio:
    """A Linux machine's Bluetooth adapter: the one named ("hci0"), or the first that is powered."""

    origin = Origin.SENSOR

    def __init__(self, adapter: str | None = None, *, settle_seconds: float = 1.0) -> None:
        self._adapter = adapter
        # bleak calls the detection callback for any changed property of a known device, among them that it is
        # no longer connected. Taken for an advertisement, that would cost a vain connect after each reading.
        self.settle_seconds = settle_seconds

    def scanner(self, heard: Heard) -> BleakScanner:
        """See `Radio.scanner`. Without a filter: enrolled addresses decide, and not all sensors advertise
        the service that they have."""
        return BleakScanner(heard, bluez={"adapter": self._adapter} if self._adapter else {})

    def client(self, device: BLEDevice, dropped: Dropped) -> BleakClient:
        """See `Radio.client`."""
        return BleakClient(device, dropped, bluez={"adapter": self._adapter} if self._adapter else {})

    async def problem(self) -> str | None:
        """See `Radio.problem`."""
        return (await bluez_state(self._adapter)).problem

    async def wait_until_lost(self) -> str:
        """See `Radio.wait_until_lost`: bluetoothd or an adapter went away, or the bus itself."""
        try:
            async with _system_bus() as bus:
                lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

                def watch(message: Message) -> None:
                    reason = _reason_in(message)
                    if reason is not None and not lost.done():
                        lost.set_result(reason)

                bus.add_message_handler(watch)
                async with asyncio.timeout(_ANSWER_SECONDS):
                    for rule in _WATCHED:
                        await _call(bus, _BUS, "/org/freedesktop/DBus", _BUS, "AddMatch", rule)
                # What went away before the watch began is found here.
                if (problem := await self.problem()) is not None:
                    return problem
                return await _first(lost, bus)
        except (*RADIO_ERRORS, _RefusedError) as error:
            return f"the system D-Bus went away ({words(error)})"


async def _first(lost: asyncio.Future[str], bus: MessageBus) -> str:
    bus_ended = asyncio.ensure_future(bus.wait_for_disconnect())  # type: ignore[no-untyped-call]  # dbus-fast
    try:
        await asyncio.wait((lost, bus_ended), return_when=asyncio.FIRST_COMPLETED)
        return lost.result() if lost.done() else "the system D-Bus went away"
    finally:
        bus_ended.cancel()
        await asyncio.wait((bus_ended,))
        if not bus_ended.cancelled():
            bus_ended.exception()  # taken note of: that the bus ended is all that matters


def _reason_in(message: Message) -> str | None:
    match message.member, message.body:
        case "NameOwnerChanged", [str(name), _, _] if name == _BLUEZ:
            return "bluetoothd stopped or was restarted"
        case "InterfacesRemoved", [str(path), list(interfaces)] if _ADAPTER in interfaces:
            return f"the adapter {path.rsplit('/', 1)[-1]} was removed"
        case "PropertiesChanged", [str(interface), dict(changed), _] if interface == _ADAPTER:
            powered = changed.get("Powered")
            if powered is not None and not powered.value:
                return f"the adapter {str(message.path).rsplit('/', 1)[-1]} was switched off"
    return None


@contextlib.asynccontextmanager
async def _system_bus() -> AsyncIterator[MessageBus]:
    bus = MessageBus(bus_type=BusType.SYSTEM)
    try:
        await bus.connect()
        yield bus
    finally:
        bus.disconnect()  # also after a connect that failed: it holds the socket


async def _call(bus: MessageBus, to: str, path: str, interface: str, member: str, *body: str) -> Any:
    reply = await bus.call(
        Message(
            destination=to,
            path=path,
            interface=interface,
            member=member,
            signature="s" * len(body),
            body=list(body),
        )
    )
    assert reply is not None
    if reply.message_type is MessageType.ERROR:
        raise _RefusedError(reply)
    return reply.body[0] if reply.body else None
