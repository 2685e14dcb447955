"""Calls over the system's D-Bus, each with a limit, each refusal an error that names itself."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from bleak.exc import BleakDBusError
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from hub.running.patience import within

BUS = "org.freedesktop.DBus"
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
BLUEZ = "org.bluez"
ADAPTER = "org.bluez.Adapter1"
DEVICE = "org.bluez.Device1"

ANSWER_SECONDS = 5.0
"""What is only asked is answered in milliseconds; a bluetoothd that takes so long hangs."""

_UNKNOWN = frozenset(
    {
        "org.freedesktop.DBus.Error.UnknownObject",
        "org.freedesktop.DBus.Error.UnknownMethod",  # what an older D-Bus library answers for such an object
        "org.bluez.Error.DoesNotExist",
    }
)


@contextlib.asynccontextmanager
async def system_bus() -> AsyncIterator[MessageBus]:
    """A connection of its own to the system's bus.

    Raises:
        OSError, AuthError, EOFError: there is no bus, or it does not let this user in.
    """
    bus = MessageBus(bus_type=BusType.SYSTEM)
    try:
        await within(ANSWER_SECONDS, bus.connect())
        yield bus
    finally:
        bus.disconnect()  # also after a connect that failed: it holds the socket


async def call(
    bus: MessageBus,
    to: str,
    path: str,
    interface: str,
    member: str,
    signature: str = "",
    *body: Any,
    seconds: float | None = None,
) -> Any:
    """Call a method, and give the first value of its answer, or None.

    Raises:
        BleakDBusError: it was refused; `dbus_error` is the name of the error.
        TimeoutError: no answer in so many seconds, or in `ANSWER_SECONDS`.
        OSError, EOFError: the bus went away.
    """
    message = Message(
        destination=to,
        path=path,
        interface=interface,
        member=member,
        signature=signature,
        body=list(body),
    )
    reply = await within(seconds or ANSWER_SECONDS, bus.call(message))
    assert reply is not None  # since an answer is expected
    if reply.message_type is MessageType.ERROR:
        raise BleakDBusError(str(reply.error_name), reply.body)
    return reply.body[0] if reply.body else None


async def ask_bus(bus: MessageBus, member: str, signature: str, *body: Any) -> Any:
    """Call a method of the bus itself. Raises what `call` raises."""
    return await call(bus, BUS, "/org/freedesktop/DBus", BUS, member, signature, *body)


async def properties_of(bus: MessageBus, path: str, interface: str) -> dict[str, Any] | None:
    """The properties of an object of bluetoothd; None where there is no such one. Raises as `call` does."""
    try:
        values = await call(bus, BLUEZ, path, PROPERTIES, "GetAll", "s", interface)
    except BleakDBusError as error:
        if is_unknown(error):
            return None
        raise
    return {name: value.value for name, value in values.items()}


async def set_property(
    bus: MessageBus, path: str, interface: str, name: str, value: Variant, *, seconds: float | None = None
) -> None:
    """Set a property of an object of bluetoothd. Raises what `call` raises."""
    await call(bus, BLUEZ, path, PROPERTIES, "Set", "ssv", interface, name, value, seconds=seconds)


def is_unknown(error: BleakDBusError) -> bool:
    """Whether it says that there is no such object."""
    return error.dbus_error in _UNKNOWN


def device_path(adapter: str, address: str) -> str:
    """What bluetoothd calls a device, as an adapter ("hci0") knows it."""
    return f"/org/bluez/{adapter}/dev_{address.upper().replace(':', '_')}"
