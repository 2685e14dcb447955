"""What is heard nearby, for an engineer who looks for a sensor to enrol: bounded, whatever goes by."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.uuids import normalize_uuid_str

from drivers.catalogue import GATT_DRIVERS

_MOST_OF_A_KIND = 100
_LONGEST_NAME = 64  # characters; an advertisement holds fewer, what a scan response makes of it may be longer
_MOST_SERVICES = 20


@dataclass(frozen=True, slots=True)
class Sighting:
    """A device that advertises, enrolled or not. `rssi` is in dBm, `services` are whole UUIDs."""

    address: str
    name: str | None
    services: tuple[str, ...]
    rssi: int
    last_seen: datetime


class Sightings:
    """The newest hundred of each of three kinds: those that offer what a driver can read, those that have a
    name, and all else. So a hundred phones that walk by do not hide the cuff."""

    def __init__(self) -> None:
        self._wanted = frozenset(
            normalize_uuid_str(uuid)
            for driver in GATT_DRIVERS.values()
            for uuid in (driver.service, *driver.advertised)
        )
        self._kinds: tuple[OrderedDict[str, Sighting], ...] = (OrderedDict(), OrderedDict(), OrderedDict())

    def note(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        """A device was heard."""
        address = device.address.upper()
        before = next((each.pop(address) for each in self._kinds if address in each), None)
        name = (advertisement.local_name or device.name or "")[:_LONGEST_NAME]
        services = (*advertisement.service_uuids, *advertisement.service_data)[:_MOST_SERVICES]
        if before is not None:  # not every advertisement says all
            name, services = name or before.name or "", services or before.services
        sighting = Sighting(address, name or None, services, advertisement.rssi, datetime.now(UTC))
        kind = self._kinds[self._kind_of(sighting)]
        kind[address] = sighting
        if len(kind) > _MOST_OF_A_KIND:
            kind.popitem(last=False)

    def newest_first(self) -> tuple[Sighting, ...]:
        """All of them, those that offer what a driver can read first."""
        return tuple(sighting for kind in self._kinds for sighting in reversed(kind.values()))

    def _kind_of(self, sighting: Sighting) -> int:
        if not self._wanted.isdisjoint(sighting.services):
            return 0
        return 1 if sighting.name else 2
