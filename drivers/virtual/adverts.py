"""What is nothing but advertisements: sensors that never connect, and everybody else's devices that go by."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from bumble.core import UUID, AdvertisingData
from bumble.hci import Address

from drivers.virtual.profiles import Profile
from drivers.virtual.radio import VirtualRadio

BTHOME = "fcd2"
_LONGEST = 31  # bytes, of which two are the head of each structure

_FLAGS = (AdvertisingData.FLAGS, bytes([AdvertisingData.Flags.LE_GENERAL_DISCOVERABLE_MODE]))
_APPLE = 0x004C


def advertisement_of(profile: Profile) -> bytes:
    """What a sensor of this kind advertises while it can be connected to: its service, and its name or the
    beginning of it."""
    service = UUID(profile.advertised or profile.service).to_pdu_bytes()
    services = (
        AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS
        if len(service) == 2
        else AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS
    )
    name = profile.name.encode()
    room = _LONGEST - len(bytes(AdvertisingData([_FLAGS, (services, service)]))) - 2
    kind = AdvertisingData.COMPLETE_LOCAL_NAME if len(name) <= room else AdvertisingData.SHORTENED_LOCAL_NAME
    return bytes(AdvertisingData([_FLAGS, (services, service), (kind, name[:room])]))


def advertise_service_data(
    radio: VirtualRadio, address: str, data: bytes, *, service: str = BTHOME, name: str = ""
) -> None:
    """One advertisement that carries service data."""
    structures = [_FLAGS, (AdvertisingData.SERVICE_DATA_16_BIT_UUID, UUID(service).to_pdu_bytes() + data)]
    if name:
        structures.append((AdvertisingData.COMPLETE_LOCAL_NAME, name.encode()))
    radio.air.broadcast(Address(address), bytes(AdvertisingData(structures)))


def advertise_manufacturer_data(radio: VirtualRadio, address: str, company: int, data: bytes) -> None:
    """One advertisement that carries a manufacturer's data."""
    whole = company.to_bytes(2, "little") + data
    radio.air.broadcast(
        Address(address),
        bytes(AdvertisingData([_FLAGS, (AdvertisingData.MANUFACTURER_SPECIFIC_DATA, whole)])),
    )


async def flood(
    radio: VirtualRadio,
    per_second: float,
    dice: random.Random,
    *,
    told: Callable[[int], None] = lambda _sent: None,
) -> None:
    """Advertise as strangers' phones do, each time from another address, until cancelled.

    A machine that cannot keep up sends a second's worth at a time, and no more than that is made up for.
    `told` is called with how many were sent so far. Addresses are static random ones outside those of the
    wards' sensors (C4:F2), as bumble's link knows no other.
    """
    loop, sent, owed = asyncio.get_running_loop(), 0, 0.0
    until = loop.time()
    while True:
        before, until = until, loop.time()
        owed = min(owed + (until - before) * per_second, per_second)
        for _ in range(int(owed)):
            owed -= 1
            address = ":".join(["D0", *(f"{dice.randrange(256):02X}" for _ in range(5))])
            advertise_manufacturer_data(radio, address, _APPLE, dice.randbytes(20))
            sent += 1
        told(sent)
        await asyncio.sleep(0.01)
