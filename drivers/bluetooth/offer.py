"""What a sensor offers, as its services tell, and what of it serves a driver."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.uuids import normalize_uuid_str

from drivers.bluetooth.sensor_clock import CLOCKS
from drivers.gatt import GattDriver

_MOST_ALIKE = 4  # characteristics with one UUID that are subscribed to: a sensor may lie about what it has

WRITE = ("write", "write-without-response")
TELL = ("indicate", "notify")


class Offer:
    """The characteristics that a sensor has, by their names as drivers give them ("2a35")."""

    def __init__(self, characteristics: Iterable[BleakGATTCharacteristic], driver: GattDriver) -> None:
        self._driver = driver
        self._own_service = normalize_uuid_str(driver.service)
        self._by_uuid: dict[str, list[BleakGATTCharacteristic]] = {}
        for each in characteristics:
            self._by_uuid.setdefault(each.uuid, []).append(each)

    def found(self, name: str, *able: str) -> list[BleakGATTCharacteristic]:
        """Those of this name that are able to do one of these (all, if none is named): those in the driver's
        own service if there are any, else those in others."""
        found = [
            each
            for each in self._by_uuid.get(normalize_uuid_str(name), ())
            if not able or any(ability in each.properties for ability in able)
        ]
        return [each for each in found if self._is_own(each)] or found

    def to_subscribe_to(self) -> Sequence[tuple[str, BleakGATTCharacteristic]]:
        """What a link listens to, in the driver's order.

        Raises:
            ConnectionError: it has none of what the driver reads, or cannot tell it.
        """
        driver = self._driver
        names = driver.subscribed_of([each for each in driver.subscribed if self.found(each)])
        if not names:
            raise ConnectionError(
                f"has no {' or '.join(driver.subscribed)}, so it is no {driver.title}: "
                "is it enrolled with the right driver?"
            )
        wanted = [(name, each) for name in names for each in self.found(name, *TELL)[:_MOST_ALIKE]]
        if not wanted:
            raise ConnectionError(
                f"has {' and '.join(names)}, and neither indicates nor notifies it, as a {driver.title} does"
            )
        return wanted

    def clock(self) -> tuple[str, BleakGATTCharacteristic] | None:
        """The clock that can be set: the one in the driver's own service, if there are several."""
        clocks = [(name, each) for name in CLOCKS for each in self.found(name, *WRITE)]
        return min(clocks, key=lambda clock: not self._is_own(clock[1]), default=None)

    def _is_own(self, characteristic: BleakGATTCharacteristic) -> bool:
        return characteristic.service_uuid == self._own_service
