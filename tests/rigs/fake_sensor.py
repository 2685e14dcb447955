"""A sensor within reach of the fake bluetoothd: what it advertises, holds, sends, and how it pairs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from dbus_fast import Variant

DEVICE = "org.bluez.Device1"
SERVICE = "org.bluez.GattService1"
CHARACTERISTIC = "org.bluez.GattCharacteristic1"

Objects = dict[str, dict[str, dict[str, Variant]]]


class Pairing(Enum):
    """How a sensor pairs."""

    JUST_WORKS = "asks for nothing"
    PASSKEY = "wants the passkey that stands on its label"
    REFUSED = "does not pair, as outside of its pairing mode"
    HANGS = "never ends its pairing"


@dataclass
class FakeCharacteristic:
    """A characteristic. `written` collects what was written; `on_write` may make the sensor answer."""

    uuid: str
    flags: tuple[str, ...] = ("indicate",)
    value: bytes = b""
    written: list[bytes] = field(default_factory=list)
    on_write: Callable[[bytes], None] | None = None
    notifying: bool = False


@dataclass
class FakeSensor:
    """A sensor. `connects` counts the connections made to it; `bonds` are the adapters whose keys it keeps.

    With `payloads` it advertises, sends them all when `characteristic` is subscribed to, and hangs up, if
    `hangs_up`. `connect_errors` are what the next calls of `Connect` are answered with: a name and a text of
    an error, or None for no answer at all. `protected` characteristics want a bond.
    """

    address: str
    service: str = "1810"
    characteristic: str = "2a35"
    payloads: deque[bytes] = field(default_factory=deque)
    hangs_up: bool = True
    connects: int = 0
    more: dict[str, tuple[FakeCharacteristic, ...]] = field(default_factory=dict)
    service_data: dict[str, bytes] = field(default_factory=dict)
    pairing: Pairing = Pairing.JUST_WORKS
    passkey: int = 0
    protected: bool = False
    bonds: set[str] = field(default_factory=set)
    connect_errors: deque[tuple[str, str] | None] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.measurement = FakeCharacteristic(self.characteristic)
        self.services = {self.service: (self.measurement,), **self.more}

    @property
    def has_something_to_say(self) -> bool:
        """Whether it advertises."""
        return bool(self.payloads or self.service_data)

    def path(self, adapter: str) -> str:
        """The path of the device, as that adapter's bluetoothd names it."""
        return f"{adapter}/dev_{self.address.replace(':', '_')}"

    def device(self, adapter: str, rssi: int) -> dict[str, Variant]:
        """What bluetoothd says about it when it is heard first."""
        return {
            "Address": Variant("s", self.address),
            "AddressType": Variant("s", "random"),
            "Alias": Variant("s", "fake cuff"),
            "Name": Variant("s", "fake cuff"),
            "Adapter": Variant("o", adapter),
            "Paired": Variant("b", False),
            "Trusted": Variant("b", False),
            "Blocked": Variant("b", False),
            "LegacyPairing": Variant("b", False),
            "Connected": Variant("b", False),
            "ServicesResolved": Variant("b", False),
            "UUIDs": Variant("as", [whole(uuid) for uuid in self.services]),
            "RSSI": Variant("n", rssi),
            **self.advertised_data(),
        }

    def advertised_data(self) -> dict[str, Variant]:
        """The service data, as bluetoothd tells of it."""
        if not self.service_data:
            return {}
        data = {whole(uuid): Variant("ay", payload) for uuid, payload in self.service_data.items()}
        return {"ServiceData": Variant("a{sv}", data)}

    def gatt(self, device: str) -> Objects:
        """Its services and characteristics, as they are found once it is connected to."""
        objects: Objects = {}
        for number, (uuid, characteristics) in enumerate(self.services.items(), 1):
            service = f"{device}/service{number * 16:04x}"
            objects[service] = {
                SERVICE: {
                    "UUID": Variant("s", whole(uuid)),
                    "Device": Variant("o", device),
                    "Primary": Variant("b", True),
                    "Includes": Variant("ao", []),
                }
            }
            for place, characteristic in enumerate(characteristics, number * 16 + 1):
                objects[f"{service}/char{place:04x}"] = {
                    CHARACTERISTIC: {
                        "UUID": Variant("s", whole(characteristic.uuid)),
                        "Service": Variant("o", service),
                        "Value": Variant("ay", characteristic.value),
                        "Notifying": Variant("b", False),
                        "Flags": Variant("as", list(characteristic.flags)),
                        "MTU": Variant("q", 23),
                    }
                }
        return objects

    def characteristic_at(self, path: str) -> FakeCharacteristic:
        """The characteristic that `gatt` gave this path."""
        number, place = int(path[-13:-9], 16) // 16, int(path[-4:], 16) % 16
        return list(self.services.values())[number - 1][place - 1]


def whole(uuid: str) -> str:
    """A 16-bit UUID in full."""
    return uuid if len(uuid) > 4 else f"0000{uuid}-0000-1000-8000-00805f9b34fb"
