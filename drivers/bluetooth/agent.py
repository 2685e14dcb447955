"""org.bluez.Agent1, which bluetoothd asks whether a device may bond, and by which passkey; and bonding."""

from __future__ import annotations

import logging
from collections.abc import Container

from bleak.exc import BleakDBusError
from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from drivers.bluetooth.bus import BLUEZ, DEVICE, call, set_property

logger = logging.getLogger(__name__)

AGENT_PATH = "/org/carehub/agent"
_AGENT = "org.bluez.Agent1"
_MANAGER = "org.bluez.AgentManager1"
_PAIR_SECONDS = 30.0
"""The Security Manager's own limit for a pairing (Core Specification, volume 3, part H, 3.4)."""


class Agent:
    """Answers for as long as its bus connection lives; bluetoothd forgets it with the connection.

    `accepted` holds the paths of the devices that may bond; everybody else is refused. Nobody is there to
    compare or to read numbers, so `passkey`, which an engineer has read off the sensor, is all it can give.
    """

    def __init__(self, accepted: Container[str], passkey: int | None = None) -> None:
        self._accepted = accepted
        self._passkey = passkey

    @property
    def capability(self) -> str:
        """What it can do, in bluetoothd's words.

        With KeyboardOnly the sensor shows, or bears on its label, what the hub enters. KeyboardDisplay would
        let a sensor choose numbers that both show and somebody compares. A sensor that can do nothing of the
        kind bonds with either ("Just Works"), since bluetoothd asks for the medium security level only.
        """
        return "NoInputNoOutput" if self._passkey is None else "KeyboardOnly"

    async def register(self, bus: MessageBus, *, as_default: bool) -> None:
        """Be asked over this connection: about what is begun over it, and as default about all else.

        Raises:
            BleakDBusError: bluetoothd refuses; TimeoutError, OSError, EOFError: see `call`.
        """
        bus.add_message_handler(self._answer)
        await call(bus, BLUEZ, "/org/bluez", _MANAGER, "RegisterAgent", "os", AGENT_PATH, self.capability)
        if as_default:
            await call(bus, BLUEZ, "/org/bluez", _MANAGER, "RequestDefaultAgent", "o", AGENT_PATH)

    def _answer(self, message: Message) -> Message | None:
        if message.message_type is not MessageType.METHOD_CALL or message.path != AGENT_PATH:
            return None
        match message.member, message.body:
            case "Release" | "Cancel", []:
                return Message.new_method_return(message)
            case "RequestAuthorization", [str(device)] if device in self._accepted:
                return Message.new_method_return(message)
            case "AuthorizeService", [str(device), str()] if device in self._accepted:
                return Message.new_method_return(message)
            case "RequestPasskey", [str(device)] if device in self._accepted and self._passkey is not None:
                return Message.new_method_return(message, "u", [self._passkey])
        logger.warning("Bluetooth: %s was refused: not asked for by this hub", message.member)
        return Message.new_error(message, "org.bluez.Error.Rejected", "this hub does not know you")


async def bond(bus: MessageBus, path: str, passkey: int | None) -> None:
    """Bond with a device that there is no bond with, and let bluetoothd keep it.

    `bus` is a connection for this bond alone: bluetoothd asks the agent of whoever calls `Pair`, and pairs
    with its capability, so that a passkey is given to this device only.

    Raises:
        BleakDBusError: the sensor or bluetoothd refused; TimeoutError, OSError, EOFError: see `call`.
    """
    await Agent((path,), passkey).register(bus, as_default=False)
    try:
        await call(bus, BLUEZ, path, DEVICE, "Pair", seconds=_PAIR_SECONDS)
    except BleakDBusError as error:
        if error.dbus_error != "org.bluez.Error.AlreadyExists":
            raise
    await set_property(bus, path, DEVICE, "Trusted", Variant("b", True))
