"""A fake bluetoothd: org.bluez on a private bus, as much of it as the radio and bleak's backend ask for.

Adapters that come and go, and sensors that behave like cuffs: each advertises when it has payloads, sends
them when it is subscribed to, and drops the link. Everything between the hub and this is real D-Bus. What
it does is what BlueZ 5.66 does by its source; `make test-vm` has the real one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, Self

from dbus_fast import BusType, ErrorType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from tests.rigs.fake_pairing import AGENT_MANAGER, FakePairing
from tests.rigs.fake_sensor import CHARACTERISTIC, DEVICE, FakeSensor, Objects

__all__ = ["FakeBlueZ", "FakeSensor"]

_ADAPTER = "org.bluez.Adapter1"
_OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_BLUEZ_ERROR = "org.bluez.Error"
_NO_ANSWER = True
"""Makes dbus-fast regard a call as dealt with."""
_LOST_BOND = ("le-connection-abort-by-local", "br-connection-canceled")  # by what it hears of first: in turns


class FakeBlueZ:
    """bluetoothd, from `start` to `stop`. `stop` is its sudden death: nothing is said to anyone.

    While it is `hung`, or for so many calls `unanswered`, it answers none. `hung_controllers` hear nothing,
    and what needs them fails or hangs; `power_cycle_heals` says whether switching one off and on helps.
    `powered` is every switching that was done; `refused_switches` is how many more are refused.
    """

    def __init__(self, *sensors: FakeSensor) -> None:
        self.sensors = sensors
        self.hung = False
        self.unanswered = 0
        self.hung_controllers: set[str] = set()
        self.power_cycle_heals = True
        self.refused_switches = 0
        self.powered: list[tuple[str, bool]] = []
        self.pairing: FakePairing | None = None
        self._objects: Objects = {}
        self._stored: set[str] = set()
        self._discoveries: set[tuple[str, str]] = set()
        self._bus: MessageBus | None = None
        self._rssi = -60
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def discovering(self) -> bool:
        """Whether any adapter scans."""
        return bool(self._discoveries)

    def discovers(self, adapter: str) -> bool:
        """Whether this adapter ("hci0") scans."""
        return any(path == _path(adapter) for path, _ in self._discoveries)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.stop()

    async def start(self, *, adapter: bool = True, powered: bool = True, address: str | None = None) -> None:
        """Take the name org.bluez on the bus at `address`, or on that which DBUS_SYSTEM_BUS_ADDRESS names."""
        self._bus = await MessageBus(bus_address=address, bus_type=BusType.SYSTEM).connect()
        self.pairing = FakePairing(self._bus)
        self._bus.add_message_handler(self._answer)
        self._discoveries = set()
        self._objects = {"/org/bluez": {AGENT_MANAGER: {}}}
        await self._ask_bus("AddMatch", "s", "type='signal',member='NameOwnerChanged'")
        if adapter:
            self.add_adapter("hci0", powered=powered)
        await self._bus.request_name("org.bluez")
        for path in list(self._objects):
            self._added(path)

    async def until_the_bus_ends(self) -> None:
        """Serve for as long as there is a bus."""
        assert self._bus is not None
        await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # dbus-fast

    def stop(self) -> None:
        """Die."""
        for task in self._tasks:
            task.cancel()
        if self._bus is not None:
            self._bus.disconnect()
            self._bus = None

    def tell(self, sensor: FakeSensor, *payloads: bytes) -> None:
        """The sensor has something to say: it advertises, if an adapter is discovering."""
        sensor.payloads.extend(payloads)
        self.advertise(sensor)

    def set_powered(self, powered: bool, adapter: str = "hci0") -> None:
        """Switch an adapter on or off."""
        path = _path(adapter)
        if not powered:
            self._discoveries = {each for each in self._discoveries if each[0] != path}
            if self.power_cycle_heals:
                self.hung_controllers.discard(adapter)
            for sensor in self.sensors:
                self._dropped(sensor, path)
        self._change(path, _ADAPTER, {"Powered": Variant("b", powered)})

    def add_adapter(self, adapter: str, *, powered: bool = True) -> None:
        """Plug an adapter in; it has the bonds that were made with it."""
        path = _path(adapter)
        self._objects[path] = {_ADAPTER: _adapter_properties(adapter, powered)}
        self._added(path)
        for sensor in self.sensors:
            if sensor.path(path) in self._stored:
                self._know(sensor, path)

    def remove_adapter(self, adapter: str = "hci0") -> None:
        """Pull an adapter out."""
        path = _path(adapter)
        self._discoveries = {each for each in self._discoveries if each[0] != path}
        for each in [each for each in self._objects if each.startswith(f"{path}/")] + [path]:
            interfaces = list(self._objects.pop(each))
            self._signal("/", _OBJECT_MANAGER, "InterfacesRemoved", "oas", [each, interfaces])

    def properties(self, sensor: FakeSensor, adapter: str = "hci0") -> dict[str, Any]:
        """What bluetoothd knows of a sensor; nothing, if it does not know it."""
        known = self._objects.get(sensor.path(_path(adapter)), {}).get(DEVICE, {})
        return {name: value.value for name, value in known.items()}

    # --- what the radio would bring

    def advertise(self, sensor: FakeSensor) -> None:
        """The sensor is heard once by every adapter that discovers, if it has something to say."""
        for adapter in {path for path, _ in self._discoveries}:
            if sensor.has_something_to_say and adapter.rsplit("/", 1)[-1] not in self.hung_controllers:
                self._rssi = -60 if self._rssi == -61 else -61
                changed = {"RSSI": Variant("n", self._rssi), **sensor.advertised_data()}
                if sensor.path(adapter) in self._objects:
                    self._change(sensor.path(adapter), DEVICE, changed)
                else:
                    self._know(sensor, adapter)

    def drop(self, sensor: FakeSensor, adapter: str = "hci0") -> None:
        """The link to the sensor ends."""
        self._dropped(sensor, _path(adapter))

    def notify(self, sensor: FakeSensor, uuid: str, value: bytes, adapter: str = "hci0") -> None:
        """The sensor sends something on one of its characteristics."""
        for path in sensor.gatt(sensor.path(_path(adapter))):
            if "/char" in path and sensor.characteristic_at(path).uuid == uuid:
                self._change(path, CHARACTERISTIC, {"Value": Variant("ay", value)})

    def _know(self, sensor: FakeSensor, adapter: str) -> None:
        device = sensor.path(adapter)
        self._objects[device] = {DEVICE: sensor.device(adapter, self._rssi)}
        if device in self._stored:
            self._objects[device][DEVICE] |= {"Paired": Variant("b", True), "Trusted": Variant("b", True)}
        self._added(device)

    def _connected(self, sensor: FakeSensor, adapter: str) -> None:
        sensor.connects += 1
        device = sensor.path(adapter)
        self._change(device, DEVICE, {"Connected": Variant("b", True)})
        for path, interfaces in sensor.gatt(device).items():
            self._objects[path] = interfaces
            self._added(path)
        self._change(device, DEVICE, {"ServicesResolved": Variant("b", True)})

    def _subscribed(self, sensor: FakeSensor, path: str) -> None:
        self._change(path, CHARACTERISTIC, {"Notifying": Variant("b", True)})
        sensor.characteristic_at(path).notifying = True
        if sensor.characteristic_at(path) is not sensor.measurement:
            return
        while sensor.payloads:
            self._change(path, CHARACTERISTIC, {"Value": Variant("ay", sensor.payloads.popleft())})
        if sensor.hangs_up:
            self._dropped(sensor, _adapter_of(path))

    def _dropped(self, sensor: FakeSensor, adapter: str) -> None:
        device = sensor.path(adapter)
        if not self._objects.get(device, {}).get(DEVICE, {}).get("Connected", Variant("b", False)).value:
            return
        self._change(device, DEVICE, dict.fromkeys(("Connected", "ServicesResolved"), Variant("b", False)))
        # What changes after that bleak reports like an advertisement; the next link may be there by then.
        late = {"Alias": Variant("s", "fake cuff")}
        asyncio.get_running_loop().call_later(0.01, self._change, device, DEVICE, late)

    # --- D-Bus

    def _answer(self, message: Message) -> Message | bool | None:
        if message.message_type is MessageType.SIGNAL and message.member == "NameOwnerChanged":
            self._gone(message.body[0])
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        if self.hung or self.unanswered:
            self.unanswered = max(0, self.unanswered - 1)
            return _NO_ANSWER
        path = str(message.path)
        sensor = next((each for each in self.sensors if each.path(_adapter_of(path)) in path), None)
        match message.interface:
            case str(interface) if interface == _OBJECT_MANAGER:
                return Message.new_method_return(message, "a{oa{sa{sv}}}", [self._objects])
            case str(interface) if interface == AGENT_MANAGER and self.pairing is not None:
                return self.pairing.call(message)
            case _ if path not in self._objects:
                return Message.new_error(message, ErrorType.UNKNOWN_OBJECT, "there is no such object")
            case str(interface) if interface == _PROPERTIES:
                return self._property(message, path)
            case str(interface) if interface == _ADAPTER:
                return self._adapter(message, path)
            case str(interface) if interface == DEVICE and sensor is not None:
                return self._device(message, path, sensor)
            case str(interface) if interface == CHARACTERISTIC and sensor is not None:
                return self._later(message, self._characteristic(message, path, sensor))
        return Message.new_error(message, ErrorType.UNKNOWN_METHOD, f"the fake has no {message.member}")

    def _property(self, message: Message, path: str) -> Message | bool:
        interface = message.body[0]
        match message.member, message.body[1:]:
            case "GetAll", []:
                return Message.new_method_return(message, "a{sv}", [self._objects[path].get(interface, {})])
            case "Set", ["Powered", Variant(value=bool(powered))]:
                adapter = path.rsplit("/", 1)[-1]
                if powered and self.refused_switches:
                    self.refused_switches -= 1
                    return _refusal(message, "Busy", "Busy")
                self.powered.append((adapter, powered))
                self.set_powered(powered, adapter)
            case "Set", [str(name), Variant() as value]:
                self._change(path, interface, {name: value})
        return Message.new_method_return(message)

    def _adapter(self, message: Message, path: str) -> Message | bool:
        discovery = path, str(message.sender)
        match message.member:
            case "StartDiscovery" if not self._objects[path][_ADAPTER]["Powered"].value:
                return _refusal(message, "NotReady", "Resource Not Ready")
            case "StartDiscovery" if discovery in self._discoveries or self._hangs(path):
                return _refusal(message, "InProgress", "Operation already in progress")
            case "StartDiscovery":
                self._discoveries.add(discovery)
                for each in self.sensors:
                    asyncio.get_running_loop().call_soon(self.advertise, each)
            case "StopDiscovery" if self._hangs(path):
                return _refusal(message, "InProgress", "Operation already in progress")
            case "StopDiscovery":
                self._discoveries.discard(discovery)
            case "RemoveDevice":
                return self._remove_device(message, message.body[0])
        return Message.new_method_return(message)

    def _remove_device(self, message: Message, device: str) -> Message:
        if device not in self._objects:
            return _refusal(message, "DoesNotExist", "Does Not Exist")
        self._stored.discard(device)
        for path in [each for each in self._objects if each.startswith(device)]:
            interfaces = list(self._objects.pop(path))
            self._signal("/", _OBJECT_MANAGER, "InterfacesRemoved", "oas", [path, interfaces])
        return Message.new_method_return(message)

    def _device(self, message: Message, path: str, sensor: FakeSensor) -> Message | bool:
        adapter = _adapter_of(path)
        match message.member:
            case "Connect" | "Pair" if self._hangs(adapter):
                return _NO_ANSWER
            case "Connect":
                return self._connect(message, adapter, sensor)
            case "Pair" if path in self._stored:
                return _refusal(message, "AlreadyExists", "Already Exists")
            case "Pair":
                return self._later(message, self._pair(message, adapter, sensor))
            case "Disconnect":
                asyncio.get_running_loop().call_soon(self._dropped, sensor, adapter)
        return Message.new_method_return(message)

    def _connect(self, message: Message, adapter: str, sensor: FakeSensor) -> Message | bool:
        if sensor.connect_errors:
            error = sensor.connect_errors.popleft()
            return _NO_ANSWER if error is None else _refusal(message, *error)
        device = sensor.path(adapter)
        if self._objects[device][DEVICE]["Connected"].value:
            return Message.new_method_return(message)
        if not sensor.payloads and sensor.hangs_up:
            return _refusal(message, "Failed", "the sensor is not there")
        if device in self._stored and adapter not in sensor.bonds:  # encryption fails for want of a key
            sensor.connects += 1
            self._change(device, DEVICE, {"Connected": Variant("b", True)})
            self._change(device, DEVICE, {"Connected": Variant("b", False)})
            return _refusal(message, "Failed", _LOST_BOND[sensor.connects % 2])
        self._connected(sensor, adapter)
        return Message.new_method_return(message)

    async def _pair(self, message: Message, adapter: str, sensor: FakeSensor) -> Message:
        assert self.pairing is not None
        device = sensor.path(adapter)
        was_connected = self._objects[device][DEVICE]["Connected"].value
        self._change(device, DEVICE, {"Connected": Variant("b", True)})
        error = await self.pairing.pair(sensor, device, str(message.sender))
        if not self._objects[device][DEVICE]["Connected"].value:
            error = "AuthenticationCanceled"
        if error is not None:
            self._dropped(sensor, adapter)
            return _refusal(message, error, error)
        self._bonded(sensor, adapter)
        if not was_connected:
            self._connected(sensor, adapter)
        return Message.new_method_return(message)

    def _bonded(self, sensor: FakeSensor, adapter: str) -> None:
        sensor.bonds.add(adapter)
        self._stored.add(sensor.path(adapter))
        self._change(sensor.path(adapter), DEVICE, {"Paired": Variant("b", True)})

    async def _characteristic(self, message: Message, path: str, sensor: FakeSensor) -> Message:
        assert self.pairing is not None
        adapter, characteristic = _adapter_of(path), sensor.characteristic_at(path)
        if sensor.protected and sensor.path(adapter) not in self._stored:
            # bluetoothd raises the security of the link by itself, and tries again.
            if await self.pairing.pair_unasked(sensor, sensor.path(adapter)) is not None:
                return _refusal(message, "NotPermitted", "Not paired")
            self._bonded(sensor, adapter)
        match message.member:
            case "StartNotify":
                asyncio.get_running_loop().call_soon(self._subscribed, sensor, path)
            case "ReadValue":
                return Message.new_method_return(message, "ay", [characteristic.value])
            case "WriteValue":
                characteristic.written.append(bytes(message.body[0]))
                if characteristic.on_write is not None:
                    characteristic.on_write(bytes(message.body[0]))
        return Message.new_method_return(message)

    def _hangs(self, adapter: str) -> bool:
        return adapter.rsplit("/", 1)[-1] in self.hung_controllers

    def _gone(self, owner: str) -> None:
        """Somebody left the bus: what he had asked for ends."""
        self._discoveries = {each for each in self._discoveries if each[1] != owner}
        if self.pairing is not None:
            self.pairing.gone(owner)

    def _later(self, message: Message, work: Coroutine[Any, Any, Message]) -> bool:
        async def answer() -> None:
            reply = await work
            if self._bus is not None:
                await self._bus.send(reply)

        task = asyncio.create_task(answer())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return _NO_ANSWER

    async def _ask_bus(self, member: str, signature: str, *body: Any) -> None:
        assert self._bus is not None
        bus = "org.freedesktop.DBus"
        await self._bus.call(
            Message(bus, "/" + bus.replace(".", "/"), bus, member, signature=signature, body=list(body))
        )

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


def _path(adapter: str) -> str:
    return f"/org/bluez/{adapter}"


def _adapter_of(path: str) -> str:
    return "/".join(path.split("/")[:4])


def _refusal(message: Message, name: str, text: str) -> Message:
    return Message.new_error(message, f"{_BLUEZ_ERROR}.{name}", text)


def _adapter_properties(adapter: str, powered: bool) -> dict[str, Variant]:
    return {
        "Address": Variant("s", f"00:1A:7D:DA:71:{13 + int(adapter[3:]):02d}"),
        "Name": Variant("s", "carehub"),
        "Alias": Variant("s", "carehub"),
        "Powered": Variant("b", powered),
        "Discovering": Variant("b", False),
        "Roles": Variant("as", ["central", "peripheral"]),
    }
