"""A fake bluetoothd: org.bluez on a private bus, as much of it as bleak's BlueZ backend asks for.

One adapter, hci0, and sensors that behave like cuffs: each advertises when it has payloads, sends them when
it is subscribed to, and drops the link. Everything between bleak and this is real D-Bus.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from dbus_fast import BusType, ErrorType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

ADAPTER = "/org/bluez/hci0"
_ADAPTER = "org.bluez.Adapter1"
_DEVICE = "org.bluez.Device1"
_SERVICE = "org.bluez.GattService1"
_CHARACTERISTIC = "org.bluez.GattCharacteristic1"
_OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
_PROPERTIES = "org.freedesktop.DBus.Properties"

Objects = dict[str, dict[str, dict[str, Variant]]]


@dataclass
class FakeSensor:
    """A sensor within reach of the fake adapter. `connects` counts the connections made to it."""

    address: str
    service: str = "1810"
    characteristic: str = "2a35"
    payloads: deque[bytes] = field(default_factory=deque)
    hangs_up: bool = True
    connects: int = 0

    @property
    def path(self) -> str:
        return f"{ADAPTER}/dev_{self.address.replace(':', '_')}"

    @property
    def service_path(self) -> str:
        return f"{self.path}/service000a"

    @property
    def characteristic_path(self) -> str:
        return f"{self.service_path}/char000b"


class FakeBlueZ:
    """bluetoothd, from `start` to `stop`. `stop` is its sudden death: nothing is said to anyone."""

    def __init__(self, *sensors: FakeSensor) -> None:
        self.sensors = {sensor.path: sensor for sensor in sensors}
        self.discovering = False
        self._objects: Objects = {}
        self._bus: MessageBus | None = None
        self._rssi = -60

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.stop()

    async def start(self, *, adapter: bool = True, powered: bool = True) -> None:
        """Take the name org.bluez on the bus that DBUS_SYSTEM_BUS_ADDRESS names."""
        self._bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
        self._bus.add_message_handler(self._answer)
        self.discovering = False
        self._objects = {"/org/bluez": {"org.bluez.AgentManager1": {}}}
        if adapter:
            self._objects[ADAPTER] = {_ADAPTER: self._adapter_properties(powered)}
        await self._bus.request_name("org.bluez")
        if adapter:
            self._added(ADAPTER)

    def stop(self) -> None:
        """Die."""
        if self._bus is not None:
            self._bus.disconnect()
            self._bus = None

    def tell(self, sensor: FakeSensor, *payloads: bytes) -> None:
        """The sensor has something to say: it advertises, if the adapter is discovering."""
        sensor.payloads.extend(payloads)
        self.advertise(sensor)

    def set_powered(self, powered: bool) -> None:
        """Switch the adapter on or off."""
        self._change(ADAPTER, _ADAPTER, {"Powered": Variant("b", powered)})

    def remove_adapter(self) -> None:
        """Pull the adapter out."""
        del self._objects[ADAPTER]
        self._signal("/", _OBJECT_MANAGER, "InterfacesRemoved", "oas", [ADAPTER, [_ADAPTER]])

    # --- what the radio would bring

    def advertise(self, sensor: FakeSensor) -> None:
        """The sensor is heard once, if it has something to say and the adapter is discovering."""
        if not self.discovering or not sensor.payloads:
            return
        self._rssi = -60 if self._rssi == -61 else -61
        rssi = Variant("n", self._rssi)
        if sensor.path in self._objects:
            self._change(sensor.path, _DEVICE, {"RSSI": rssi})
            return
        self._objects[sensor.path] = {
            _DEVICE: {
                "Address": Variant("s", sensor.address),
                "AddressType": Variant("s", "random"),
                "Alias": Variant("s", "fake cuff"),
                "Name": Variant("s", "fake cuff"),
                "Adapter": Variant("o", ADAPTER),
                "Paired": Variant("b", False),
                "Trusted": Variant("b", False),
                "Blocked": Variant("b", False),
                "LegacyPairing": Variant("b", False),
                "Connected": Variant("b", False),
                "ServicesResolved": Variant("b", False),
                "UUIDs": Variant("as", [_uuid(sensor.service)]),
                "RSSI": rssi,
            }
        }
        self._added(sensor.path)

    def _connect(self, sensor: FakeSensor) -> None:
        sensor.connects += 1
        self._change(sensor.path, _DEVICE, {"Connected": Variant("b", True)})
        self._objects[sensor.service_path] = {
            _SERVICE: {
                "UUID": Variant("s", _uuid(sensor.service)),
                "Device": Variant("o", sensor.path),
                "Primary": Variant("b", True),
                "Includes": Variant("ao", []),
            }
        }
        self._added(sensor.service_path)
        self._objects[sensor.characteristic_path] = {
            _CHARACTERISTIC: {
                "UUID": Variant("s", _uuid(sensor.characteristic)),
                "Service": Variant("o", sensor.service_path),
                "Value": Variant("ay", b""),
                "Notifying": Variant("b", False),
                "Flags": Variant("as", ["indicate"]),
                "MTU": Variant("q", 23),
            }
        }
        self._added(sensor.characteristic_path)
        self._change(sensor.path, _DEVICE, {"ServicesResolved": Variant("b", True)})

    def _subscribed(self, sensor: FakeSensor) -> None:
        self._change(sensor.characteristic_path, _CHARACTERISTIC, {"Notifying": Variant("b", True)})
        while sensor.payloads:
            value = Variant("ay", sensor.payloads.popleft())
            self._change(sensor.characteristic_path, _CHARACTERISTIC, {"Value": value})
        if sensor.hangs_up:
            self._dropped(sensor)

    def _dropped(self, sensor: FakeSensor) -> None:
        self._change(sensor.path, _DEVICE, {"Connected": Variant("b", False)})
        # A property that changes when all is over: bleak reports it as if it were an advertisement.
        late = {"ServicesResolved": Variant("b", False)}
        asyncio.get_running_loop().call_later(0.01, self._change, sensor.path, _DEVICE, late)

    # --- D-Bus

    def _answer(self, message: Message) -> Message | None:
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        sensor = next((s for s in self.sensors.values() if str(message.path).startswith(s.path)), None)
        match message.interface, message.member:
            case str(interface), "GetManagedObjects" if interface == _OBJECT_MANAGER:
                return Message.new_method_return(message, "a{oa{sa{sv}}}", [self._objects])
            case str(interface), "SetDiscoveryFilter" if interface == _ADAPTER:
                pass
            case str(interface), "StartDiscovery" if interface == _ADAPTER:
                self.discovering = True
                for each in self.sensors.values():
                    self._later(self.advertise, each)
            case str(interface), "StopDiscovery" if interface == _ADAPTER:
                self.discovering = False
            case str(interface), "Connect" if interface == _DEVICE and sensor:
                if not sensor.payloads and sensor.hangs_up:
                    return Message.new_error(message, "org.bluez.Error.Failed", "the sensor is not there")
                self._connect(sensor)
            case str(interface), "Disconnect" if interface == _DEVICE and sensor:
                self._later(self._dropped, sensor)
            case str(interface), "StartNotify" if interface == _CHARACTERISTIC and sensor:
                self._later(self._subscribed, sensor)
            case _:
                return Message.new_error(
                    message, ErrorType.UNKNOWN_METHOD, f"the fake has no {message.member}"
                )
        return Message.new_method_return(message)

    def _later(self, what: Any, sensor: FakeSensor) -> None:
        asyncio.get_running_loop().call_soon(what, sensor)

    def _added(self, path: str) -> None:
        self._signal("/", _OBJECT_MANAGER, "InterfacesAdded", "oa{sa{sv}}", [path, self._objects[path]])

    def _change(self, path: str, interface: str, changed: Mapping[str, Variant]) -> None:
        if path not in self._objects:
            return
        self._objects[path][interface].update(changed)
        self._signal(path, _PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, dict(changed), []])

    def _signal(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> None:
        if self._bus is not None and self._bus.connected:
            self._bus.send(Message.new_signal(path, interface, member, signature, body))

    def _adapter_properties(self, powered: bool) -> dict[str, Variant]:
        return {
            "Address": Variant("s", "00:1A:7D:DA:71:13"),
            "Name": Variant("s", "carehub"),
            "Alias": Variant("s", "carehub"),
            "Powered": Variant("b", powered),
            "Discovering": Variant("b", False),
            "Roles": Variant("as", ["central", "peripheral"]),
        }


def _uuid(short: str) -> str:
    return f"0000{short}-0000-1000-8000-00805f9b34fb"
