"""bleak's scanner backend on a `VirtualRadio`."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any
from uuid import UUID

from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.uuids import normalize_uuid_str
from bumble.core import AdvertisingData
from bumble.device import Advertisement, Device

if TYPE_CHECKING:
    from drivers.virtual.radio import VirtualRadio

_MOST_REMEMBERED = 500
"""Devices. BlueZ forgets whom it has not heard for 30 s; here all are forgotten once they are too many."""

_SERVICE_LISTS = (
    AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
)
_SERVICE_DATA = {
    AdvertisingData.SERVICE_DATA_16_BIT_UUID: 2,
    AdvertisingData.SERVICE_DATA_32_BIT_UUID: 4,
    AdvertisingData.SERVICE_DATA_128_BIT_UUID: 16,
}
_NAMES = (AdvertisingData.COMPLETE_LOCAL_NAME, AdvertisingData.SHORTENED_LOCAL_NAME)


class VirtualScanner(BaseBleakScanner):
    """What bleak asks to be done to scan."""

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
        self._radio = radio
        self._active = scanning_mode == "active"

    async def start(self) -> None:
        self._radio.check_that_it_can_be_used()
        self.seen_devices = {}
        hub = self._radio.hub
        hub.on(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
        await hub.start_scanning(active=self._active)

    async def stop(self) -> None:
        hub = self._radio.hub
        if self._on_advertisement in hub.listeners(Device.EVENT_ADVERTISEMENT):
            hub.remove_listener(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
            if hub.is_scanning:
                self._radio.check_that_it_can_be_used()
                await hub.stop_scanning()

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        if len(self.seen_devices) > _MOST_REMEMBERED:
            self.seen_devices.clear()
            self._radio.hub.advertisement_accumulators.clear()
        address = advertisement.address.to_string(with_type_qualifier=False)
        found = advertisement_data(advertisement)
        if self.is_allowed_uuid(found.service_uuids):
            device = self.create_or_update_device(address, address, found.local_name, None, found)
            self.call_detection_callbacks(device, found)


def advertisement_data(advertisement: Advertisement) -> AdvertisementData:
    """An advertisement as bleak tells of it (Core Specification Supplement, part A, section 1)."""
    names: dict[int, str] = {}
    services: dict[str, None] = {}  # each once, in order
    service_data: dict[str, bytes] = {}
    manufacturer_data: dict[int, bytes] = {}
    tx_power: int | None = None
    for kind, data in advertisement.data.ad_structures:
        if kind in _NAMES:
            names[kind] = data.decode("utf-8", errors="replace")
        elif kind in _SERVICE_LISTS:
            width = 2 if kind in _SERVICE_LISTS[:2] else 16
            whole = len(data) - len(data) % width
            services |= dict.fromkeys(_uuid(data[at : at + width]) for at in range(0, whole, width))
        elif kind in _SERVICE_DATA and len(data) >= _SERVICE_DATA[kind]:
            width = _SERVICE_DATA[kind]
            service_data[_uuid(data[:width])] = data[width:]
        elif kind == AdvertisingData.MANUFACTURER_SPECIFIC_DATA and len(data) >= 2:
            manufacturer_data[int.from_bytes(data[:2], "little")] = data[2:]
        elif kind == AdvertisingData.TX_POWER_LEVEL and len(data) == 1:
            (tx_power,) = struct.unpack("b", data)
    return AdvertisementData(
        local_name=next((names[kind] for kind in _NAMES if kind in names), None),
        manufacturer_data=manufacturer_data,
        service_data=service_data,
        service_uuids=list(services),
        tx_power=tx_power,
        rssi=advertisement.rssi,
        platform_data=(advertisement,),
    )


def _uuid(little_endian: bytes) -> str:
    """As bleak writes a UUID. bumble's own are looked for in a list of all that there ever were."""
    number = little_endian[::-1].hex()
    return normalize_uuid_str(number) if len(little_endian) < 16 else str(UUID(number))
