"""Whose reading is it? A personal sensor's is its resident's; any other waits for a person, unguessed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from drivers.usb.wedge import as_typed
from hub.config import Resident, Sensor
from hub.errors import CareportError


class UnknownResidentError(CareportError):
    """A resident id that the configuration does not list; carries the id."""

    def __init__(self, resident: str) -> None:
        super().__init__(
            f"resident {resident}: not in the configuration; `carehub residents` lists those who are"
        )
        self.resident = resident


class Register:
    """Who lives in the home and which sensors are enrolled: those of a checked configuration, and those that
    were enrolled since. Each question is answered from one state of it, from whatever thread it is asked."""

    def __init__(
        self, residents: Iterable[Resident], sensors: Iterable[Sensor], *, one_person: bool = False
    ) -> None:
        self._one_person = one_person
        self._residents = {resident.id: resident for resident in residents}
        self._wearing = {
            each.wristband: each for each in self._residents.values() if each.wristband is not None
        }
        self._sensors = {sensor.address.upper(): sensor for sensor in sensors}
        self._theirs_since: dict[str, datetime] = {}

    @property
    def residents(self) -> tuple[Resident, ...]:
        """All residents, in the order of the configuration."""
        return tuple(self._residents.values())

    def resident(self, pseudonym: str) -> Resident:
        """The resident with this pseudonym.

        Raises:
            UnknownResidentError: nobody has it.
        """
        if pseudonym not in self._residents:
            raise UnknownResidentError(pseudonym)
        return self._residents[pseudonym]

    def find(self, pseudonym: str) -> Resident | None:
        """The resident with this pseudonym, or None."""
        return self._residents.get(pseudonym)

    def wearing(self, wristband: str) -> Resident | None:
        """The resident on whose wristband this code is, or None: it is nobody's who is listed."""
        return self._wearing.get(as_typed(wristband))

    @property
    def alone(self) -> Resident | None:
        """Who lives here alone (`site.one_person`), or None: whose a shared sensor's readings are."""
        return self.residents[0] if self._one_person else None

    def enrol(self, sensor: Sensor, since: datetime | None = None) -> None:
        """From now on this sensor's readings are its resident's: what it measured `since` then, if given."""
        address = sensor.address.upper()
        if since is not None:
            self._theirs_since = {**self._theirs_since, address: since}
        self._sensors = {**self._sensors, address: sensor}

    def theirs_since(self, device_address: str) -> datetime | None:
        """From when on what a sensor measured is whose it is now; None where that was always so.

        A sensor that is handed on brings the memory of whom it served before.
        """
        return self._theirs_since.get(device_address.upper())

    def forget(self, device_address: str) -> None:
        """From now on this sensor's readings are nobody's."""
        gone = device_address.upper()
        self._sensors = {address: sensor for address, sensor in self._sensors.items() if address != gone}
        self._theirs_since = {address: at for address, at in self._theirs_since.items() if address != gone}

    def sensor(self, device_address: str) -> Sensor | None:
        """The enrolled sensor with this Bluetooth address, or None: it is a stranger."""
        return self._sensors.get(device_address.upper())

    def owner_of(self, device_address: str, user_id: int | None = None) -> Resident | None:
        """The resident whose readings this sensor takes, or None: a person has to say whose they are.

        None for a sensor that is not enrolled, for a shared one, where the sensor's own number for the
        person (`user_id`) is not the one enrolled, and where its resident is not listed any more (one of the
        configuration always is). In a home of one person (`site.one_person`) a shared sensor is theirs too.
        """
        sensor = self._sensor_for(device_address, user_id)
        if sensor is None:
            return None
        if sensor.resident is not None:
            return self._residents.get(sensor.resident)
        return self.alone

    def shared(self, device_address: str, user_id: int | None = None) -> Sensor | None:
        """The enrolled sensor with this address, if it is shared and measures whoever has a round; else None.

        Of one that keeps people apart by numbers (`user_id`) only the number that is enrolled counts.
        """
        sensor = self._sensor_for(device_address, user_id)
        return sensor if sensor is not None and sensor.resident is None else None

    def _sensor_for(self, device_address: str, user_id: int | None) -> Sensor | None:
        sensor = self.sensor(device_address)
        if sensor is None or (sensor.user != "any" and sensor.user != user_id):
            return None
        return sensor


def age_at(resident: Resident, year: int) -> int | None:
    """The age in years that the resident reaches in `year`, so at most one too many; None if not known."""
    if resident.birth_year is None or year < resident.birth_year:
        return None
    return year - resident.birth_year
