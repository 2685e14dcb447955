"""A Bluetooth radio of software: real GATT, ATT and link layer (bumble); only the radio waves are missing.

`BleakScanner` and `BleakClient` take their backend as an argument, so the hub's own bleak code runs on it
unchanged. The controllers of all devices hang on one `LocalLink` in this process.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from bleak import BleakClient, BleakScanner
from bleak.args import SizedBuffer
from bleak.assigned_numbers import CharacteristicPropertyName
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError, BleakGATTProtocolError
from bleak.uuids import normalize_uuid_str
from bumble.att import ATT_Error
from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData, BaseBumbleError
from bumble.device import Advertisement, Connection, Device, Peer
from bumble.gatt import Characteristic
from bumble.gatt_client import CharacteristicProxy
from bumble.hci import HCI_REMOTE_USER_TERMINATED_CONNECTION_ERROR, Address
from bumble.host import Host
from bumble.link import LocalLink

from drivers.bluetooth.radio import Dropped, Heard, stop_if_cancelled
from hub.readings import Origin

_T = TypeVar("_T")

_HUB_ADDRESS = "F0:0D:CA:FE:00:01"
_MTU = 517  # what BlueZ asks for

_PROPERTIES: tuple[tuple[Characteristic.Properties, CharacteristicPropertyName], ...] = (
    (Characteristic.Properties.READ, "read"),
    (Characteristic.Properties.WRITE, "write"),
    (Characteristic.Properties.WRITE_WITHOUT_RESPONSE, "write-without-response"),
    (Characteristic.Properties.NOTIFY, "notify"),
    (Characteristic.Properties.INDICATE, "indicate"),
)
_SERVICE_LISTS = (
    AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
)


class VirtualRadio:
    """The air, and the hub's own adapter in it. A `drivers.bluetooth.radio.Radio`; open it with `open`."""

    origin = Origin.VIRTUAL
    settle_seconds = 0.0

    def __init__(self) -> None:
        self._link = LocalLink()  # type: ignore[no-untyped-call]  # bumble has no annotations here
        self._controllers: list[Controller] = []
        self._lost = asyncio.Event()
        self._reason = ""
        self.hub: Device = self.new_device("carehub", _HUB_ADDRESS)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls) -> AsyncIterator[VirtualRadio]:
        """A radio with the hub's adapter powered, for as long as the context lasts."""
        radio = cls()
        await radio.hub.power_on()
        try:
            yield radio
        finally:
            await radio.hub.power_off()

    def new_device(self, name: str, address: str) -> Device:
        """One more Bluetooth device within reach; not yet powered on."""
        controller = Controller(name, link=self._link)
        self._controllers.append(controller)
        return Device(name=name, address=Address(address), host=Host(controller, controller))

    def forget_pending_connection(self) -> None:
        """Give up a connection that is being made: bumble 0.0.236's controller acknowledges a cancel, and
        would still connect when the device appears."""
        self._controllers[0].pending_le_connection = None

    def connections(self) -> int:
        """How many connections the hub's adapter holds."""
        return len(self.hub.connections)

    # --- the Radio protocol

    def scanner(self, heard: Heard) -> BleakScanner:
        """See `Radio.scanner`."""
        return BleakScanner(heard, backend=VirtualScanner, radio=self)

    def client(self, device: BLEDevice, dropped: Dropped) -> BleakClient:
        """See `Radio.client`."""
        return BleakClient(device, dropped, backend=VirtualClient, radio=self)

    async def problem(self) -> str | None:
        """See `Radio.problem`: software has none."""
        return None

    async def wait_until_lost(self) -> str:
        """See `Radio.wait_until_lost`: only `lose` ends it."""
        await self._lost.wait()
        self._lost.clear()
        return self._reason

    def lose(self, reason: str) -> None:
        """Let the collector believe that the adapter went away."""
        self._reason = reason
        self._lost.set()


class VirtualScanner(BaseBleakScanner):
    """bleak's scanner backend on a `VirtualRadio`."""

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: str,
        *,
        radio: VirtualRadio,
        **_kwargs: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._hub = radio.hub
        self._active = scanning_mode == "active"

    async def start(self) -> None:
        self.seen_devices = {}
        self._hub.on(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
        await self._hub.start_scanning(active=self._active)

    async def stop(self) -> None:
        if self._hub.is_scanning:
            self._hub.remove_listener(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
            await self._hub.stop_scanning()

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        address = _text(advertisement.address)
        name = advertisement.data.get(AdvertisingData.COMPLETE_LOCAL_NAME)
        found = AdvertisementData(
            local_name=str(name) if name is not None else None,
            manufacturer_data={},
            service_data={},
            service_uuids=_advertised_services(advertisement.data),
            tx_power=None,
            rssi=advertisement.rssi,
            platform_data=(advertisement,),
        )
        if self.is_allowed_uuid(found.service_uuids):
            device = self.create_or_update_device(address, address, found.local_name, None, found)
            self.call_detection_callbacks(device, found)


class VirtualClient(BaseBleakClient):
    """bleak's client backend on a `VirtualRadio`."""

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        *,
        radio: VirtualRadio,
        disconnected_callback: Callable[[], None] | None,
        timeout: float,
        **_kwargs: Any,
    ) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout)
        self._radio = radio
        self._connection: Connection | None = None
        self._peer: Peer | None = None

    @property
    def name(self) -> str:
        return self.address

    @property
    def mtu_size(self) -> int:
        return self._connected().connection.att_mtu

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    async def connect(self, pair: bool, **_kwargs: Any) -> None:
        if pair:
            raise NotImplementedError("the virtual radio does not pair")
        try:
            async with asyncio.timeout(self._timeout):
                await self._asking(self._connect())
        except BaseException:
            self._radio.forget_pending_connection()
            if self._connection is None:
                self._connection = self._radio.hub.find_connection_by_bd_addr(Address(self.address))
            await self.disconnect()
            raise

    async def _connect(self) -> None:
        connection = await self._radio.hub.connect_le(Address(self.address), timeout=None)
        self._connection = connection
        connection.on(Connection.EVENT_DISCONNECTION, self._on_disconnection)
        self._peer = peer = Peer(connection)
        await peer.request_mtu(_MTU)
        for service in await peer.discover_services():
            for characteristic in await peer.discover_characteristics(service=service):
                await peer.discover_descriptors(characteristic)
        self.services = _services_of(peer)

    async def disconnect(self) -> None:
        connection = self._connection
        if connection is not None:
            await connection.disconnect(HCI_REMOTE_USER_TERMINATED_CONNECTION_ERROR)

    def _on_disconnection(self, _reason: int) -> None:
        self._connection = None
        self._peer = None
        self.services = None
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **_kwargs: Any
    ) -> None:
        await self._asking(
            self._connected().subscribe(characteristic.obj, lambda value: callback(bytearray(value)))
        )

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        await self._asking(self._connected().unsubscribe(characteristic.obj))

    async def read_gatt_char(
        self,
        characteristic: BleakGATTCharacteristic,
        *,
        use_cached: bool = False,  # noqa: ARG002 -- bleak passes it by this name
        **_kwargs: Any,
    ) -> bytearray:
        return bytearray(await self._asking(self._connected().read_value(characteristic.handle)))

    async def write_gatt_char(
        self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool
    ) -> None:
        await self._asking(self._connected().write_value(characteristic.handle, bytes(data), response))

    async def read_gatt_descriptor(
        self,
        descriptor: BleakGATTDescriptor,
        *,
        use_cached: bool = False,  # noqa: ARG002 -- bleak passes it by this name
        **_kwargs: Any,
    ) -> bytearray:
        return bytearray(await self._asking(self._connected().read_value(descriptor.handle)))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        await self._asking(self._connected().write_value(descriptor.handle, bytes(data), True))

    async def pair(self, *_args: Any, **_kwargs: Any) -> None:
        raise NotImplementedError("the virtual radio does not pair")

    async def unpair(self) -> None:
        raise NotImplementedError("the virtual radio does not pair")

    def _connected(self) -> Peer:
        if self._peer is None:
            raise BleakError("Not connected")
        return self._peer

    async def _asking(self, request: Awaitable[_T]) -> _T:
        """Await a request, with bumble's errors turned into bleak's."""
        try:
            result = await request
        except asyncio.CancelledError as error:
            stop_if_cancelled()
            # bumble cancels a request that waits for its answer when the link drops.
            raise BleakError("the device disconnected before it answered") from error
        except ATT_Error as error:
            raise BleakGATTProtocolError(error.error_code) from error
        except BaseBumbleError as error:
            raise BleakError(f"the virtual radio failed: {error}") from error
        stop_if_cancelled()
        return result


def _text(address: Address) -> str:
    return address.to_string(with_type_qualifier=False)


def _advertised_services(data: AdvertisingData) -> list[str]:
    return [
        _uuid(uuid)
        for each in _SERVICE_LISTS
        for uuids in data.get_all(each)
        if isinstance(uuids, list)
        for uuid in uuids
    ]


def _services_of(peer: Peer) -> BleakGATTServiceCollection:
    collection = BleakGATTServiceCollection()
    for service in peer.services:
        bleak_service = BleakGATTService(service, service.handle, _uuid(service.uuid))
        collection.add_service(bleak_service)
        for characteristic in service.characteristics:
            collection.add_characteristic(_characteristic_of(characteristic, bleak_service))
            for descriptor in characteristic.descriptors:
                parent = collection.characteristics[characteristic.handle]
                collection.add_descriptor(
                    BleakGATTDescriptor(descriptor, descriptor.handle, _uuid(descriptor.type), parent)
                )
    return collection


def _characteristic_of(
    characteristic: CharacteristicProxy[bytes], service: BleakGATTService
) -> BleakGATTCharacteristic:
    properties = [name for flag, name in _PROPERTIES if characteristic.properties & flag]
    return BleakGATTCharacteristic(
        characteristic,
        characteristic.handle,
        _uuid(characteristic.uuid),
        properties,
        lambda: _MTU - 3,
        service,
    )


def _uuid(uuid: UUID) -> str:
    return normalize_uuid_str(uuid.to_hex_str("-"))
