"""bleak's client backend on a `VirtualRadio`. What it raises is what bleak's BlueZ backend would raise."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from bleak.args import SizedBuffer
from bleak.assigned_numbers import CharacteristicPropertyName
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDBusError, BleakError, BleakGATTProtocolError
from bleak.uuids import normalize_uuid_str
from bumble.att import ATT_Error, ErrorCode
from bumble.core import UUID, BaseBumbleError
from bumble.device import Connection, Peer
from bumble.gatt import Characteristic
from bumble.gatt_client import CharacteristicProxy
from bumble.hci import HCI_REMOTE_USER_TERMINATED_CONNECTION_ERROR, Address, HCI_Error

from drivers.bluetooth.radio import stop_if_cancelled

if TYPE_CHECKING:
    from drivers.virtual.radio import VirtualRadio

_T = TypeVar("_T")

_MTU = 517  # what BlueZ asks for

_PROPERTIES: tuple[tuple[Characteristic.Properties, CharacteristicPropertyName], ...] = (
    (Characteristic.Properties.READ, "read"),
    (Characteristic.Properties.WRITE, "write"),
    (Characteristic.Properties.WRITE_WITHOUT_RESPONSE, "write-without-response"),
    (Characteristic.Properties.NOTIFY, "notify"),
    (Characteristic.Properties.INDICATE, "indicate"),
)
_NOT_PAIRED = frozenset(
    (
        ErrorCode.INSUFFICIENT_AUTHENTICATION,
        ErrorCode.INSUFFICIENT_ENCRYPTION,
        ErrorCode.INSUFFICIENT_ENCRYPTION_KEY_SIZE,
    )
)


def _bluez(name: str, words: str) -> BleakDBusError:
    return BleakDBusError(f"org.bluez.Error.{name}", [words])


class VirtualClient(BaseBleakClient):
    """What bleak asks to be done with one connection.

    Refusals have BlueZ's names (`src/device.c`, `src/error.h`, `src/gatt-client.c`):

    - a pairing that the sensor refuses or that fails, a wrong passkey too: AuthenticationFailed; one in which
      the link drops: AuthenticationCanceled;
    - a sensor that has lost the bond: Failed, "le-connection-key-missing" (since BlueZ 5.79; before,
      "le-connection-abort-by-local"); one that has another key: Failed, "le-connection-unknown";
    - a characteristic that wants a bond where there is none: NotPermitted, "Not paired". BlueZ tries to bond
      by itself first; this does not.
    """

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
        self._radio.check_that_it_can_be_used()
        try:
            async with asyncio.timeout(self._timeout):
                await self._asking(self._connect(pair))
        except BaseException:
            self._radio.forget_pending_connection()
            if self._connection is None:
                self._connection = self._radio.hub.find_connection_by_bd_addr(Address(self.address))
            if self._radio.works:
                await self.disconnect()
            raise

    async def _connect(self, pair: bool) -> None:
        connection = await self._radio.hub.connect_le(Address(self.address), timeout=None)
        self._connection = connection
        connection.on(Connection.EVENT_DISCONNECTION, self._on_disconnection)
        self._peer = peer = Peer(connection)
        if await self._radio.is_bonded(self.address):
            await self._encrypt(connection)
        elif pair:
            await self._pair(connection)
        await peer.request_mtu(_MTU)
        for service in await peer.discover_services():
            for characteristic in await peer.discover_characteristics(service=service):
                await peer.discover_descriptors(characteristic)
        self.services = _services_of(peer)

    async def _encrypt(self, connection: Connection) -> None:
        """Encrypt with the key of the bond."""
        try:
            await connection.encrypt()
        except HCI_Error as error:
            raise _bluez("Failed", "le-connection-key-missing") from error
        except asyncio.CancelledError as error:  # bumble's word for: the link has ended
            stop_if_cancelled()
            raise _bluez("Failed", "le-connection-unknown") from error

    async def _pair(self, connection: Connection) -> None:
        try:
            await connection.pair()
        except BaseBumbleError as error:
            raise _bluez("AuthenticationFailed", "Authentication Failed") from error
        except asyncio.CancelledError as error:
            stop_if_cancelled()
            raise _bluez("AuthenticationCanceled", "Authentication Canceled") from error

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
        """Bond, on a link that there is; nothing where there is a bond."""
        connection = self._connected().connection
        if not await self._radio.is_bonded(self.address):
            await self._asking(self._pair(connection))

    async def unpair(self) -> None:
        """Forget the bond; the link ends."""
        await self._asking(self._radio.forget(self.address))

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
            if error.error_code in _NOT_PAIRED:
                raise _bluez("NotPermitted", "Not paired") from error
            raise BleakGATTProtocolError(error.error_code) from error
        except BaseBumbleError as error:
            raise BleakError(f"the virtual radio failed: {error}") from error
        stop_if_cancelled()
        return result


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
