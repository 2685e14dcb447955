"""Whose reading is it? A personal sensor's is its resident's; any other waits for a person, unguessed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from drivers.usb.wedge import as_typed
from hub.configuration.file import Resident, Sensor
from hub.errors import CareportError
from hub.residents.care import Care, Consent, Whereabouts

GONE = frozenset({Whereabouts.MOVED, Whereabouts.DECEASED})
"""Of whom a wristband's code may be another's by now."""
NOTHING_SAID = Care()


class UnknownResidentError(CareportError):
    """A resident id that is not listed; carries the id."""

    def __init__(self, resident: str) -> None:
        super().__init__(
            f"resident {resident}: is not listed, neither in the configuration nor among those who were"
            " entered; `carehub residents` lists those who are"
        )
        self.resident = resident


class NotWatchedError(CareportError):
    """A resident of whom nothing may be taken now; carries the id."""

    def __init__(self, resident: str, care: Care) -> None:
        super().__init__(f"resident {resident}: {why_not_watched(care)}, so nothing is taken of them")
        self.resident = resident


@dataclass(frozen=True, slots=True)
class _People:
    """Who lives here at one moment: replaced whole."""

    residents: Mapping[str, Resident] = field(default_factory=dict)
    cares: Mapping[str, Care] = field(default_factory=dict)
    since: Mapping[str, datetime] = field(default_factory=dict)

    def care(self, pseudonym: str) -> Care:
        return self.cares.get(pseudonym, NOTHING_SAID)

    def watched(self, pseudonym: str) -> Resident | None:
        found = self.residents.get(pseudonym)
        return found if found is not None and self.care(pseudonym).watched else None

    @property
    def not_gone(self) -> list[Resident]:
        return [each for each in self.residents.values() if self.care(each.id).whereabouts not in GONE]


class Register:
    """Who lives in the home and which sensors are enrolled: those of a checked configuration, and those that
    were entered and enrolled since. Each question is answered from one state of it, from whatever thread it
    is asked.

    **Who is not watched owns nothing.** Of somebody who is in hospital, has moved, has died, or has withdrawn
    their consent (`hub.residents.care.Care.watched`) nothing is measured here: what their sensor tells is of
    whoever has it now, and nobody knows who that is.
    """

    def __init__(
        self, residents: Iterable[Resident], sensors: Iterable[Sensor], *, one_person: bool = False
    ) -> None:
        self._one_person = one_person
        self._people = _People({resident.id: resident for resident in residents})
        self._wearing = _wearing(self._people)
        self._sensors = {sensor.address.upper(): sensor for sensor in sensors}
        self._theirs_since: dict[str, datetime] = {}

    @property
    def residents(self) -> tuple[Resident, ...]:
        """All who are listed, whether they are here or not: the configuration's first, then as entered."""
        return tuple(self._people.residents.values())

    @property
    def watched(self) -> tuple[Resident, ...]:
        """Those whose readings may be theirs, in the same order."""
        people = self._people
        return tuple(each for each in people.residents.values() if people.care(each.id).watched)

    def resident(self, pseudonym: str) -> Resident:
        """The resident with this pseudonym, whether they are here or not.

        Raises:
            UnknownResidentError: nobody has it.
        """
        found = self._people.residents.get(pseudonym)
        if found is None:
            raise UnknownResidentError(pseudonym)
        return found

    def watched_resident(self, pseudonym: str) -> Resident:
        """The resident with this pseudonym, of whom something is to be taken.

        Raises:
            UnknownResidentError: nobody has it.
            NotWatchedError: they are not here, or have withdrawn their consent.
        """
        people = self._people
        if pseudonym not in people.residents:
            raise UnknownResidentError(pseudonym)
        found = people.watched(pseudonym)
        if found is None:
            raise NotWatchedError(pseudonym, people.care(pseudonym))
        return found

    def find(self, pseudonym: str) -> Resident | None:
        """The resident with this pseudonym, or None."""
        return self._people.residents.get(pseudonym)

    def find_watched(self, pseudonym: str) -> Resident | None:
        """The resident with this pseudonym, if what is measured may be theirs; else None."""
        return self._people.watched(pseudonym)

    def care(self, pseudonym: str) -> Care:
        """What is known of them; as of somebody of whom nothing was said, where that is so."""
        return self._people.care(pseudonym)

    def list_resident(self, resident: Resident, care: Care, since: datetime | None = None) -> None:
        """From now on they are listed, with this known of them; in place of what was.

        What a sensor measured, or the hub received, before `since` is not theirs: they were not here, or not
        watched.
        """
        people, name = self._people, resident.id
        others = {of: at for of, at in people.since.items() if of != name}
        self._set_people(
            _People(
                {**people.residents, name: resident},
                {**people.cares, name: care},
                others if since is None else {**others, name: since},
            )
        )

    def take_out(self, pseudonym: str) -> None:
        """From now on nobody has this pseudonym."""
        people = self._people
        self._set_people(
            _People(
                {of: each for of, each in people.residents.items() if of != pseudonym},
                {of: care for of, care in people.cares.items() if of != pseudonym},
                {of: at for of, at in people.since.items() if of != pseudonym},
            )
        )

    def _set_people(self, people: _People) -> None:
        self._wearing = _wearing(people)
        self._people = people

    def watched_since(self, pseudonym: str) -> datetime | None:
        """Since when what is measured may be theirs; None where that was always so."""
        return self._people.since.get(pseudonym)

    def wearing(self, wristband: str) -> Resident | None:
        """The resident on whose wristband this code is, or None: it is nobody's who is listed, of somebody
        who is not watched, or of two."""
        found = self._wearing.get(as_typed(wristband))
        return None if found is None else self._people.watched(found)

    def worn_by(self, wristband: str) -> str | None:
        """The pseudonym of whoever has this code and has not moved away or died; None where nobody has."""
        code = as_typed(wristband)
        return next((each.id for each in self._people.not_gone if each.wristband == code), None)

    @property
    def alone(self) -> Resident | None:
        """Who lives here alone (`site.one_person`), or None: whose a shared sensor's readings are.

        None also while they are not watched, and where more than one is listed who has not moved or died.
        """
        people = self._people
        there = people.not_gone if self._one_person else []
        return people.watched(there[0].id) if len(there) == 1 else None

    @property
    def one_person(self) -> bool:
        """Whether it is said that only one person lives here."""
        return self._one_person

    def enrol(self, sensor: Sensor, since: datetime | None = None) -> None:
        """From now on this sensor's readings are its resident's: what it measured `since` then, if given."""
        address = sensor.address.upper()
        if since is not None:
            self._theirs_since = {**self._theirs_since, address: since}
        self._sensors = {**self._sensors, address: sensor}

    def theirs_since(self, device_address: str) -> datetime | None:
        """From when on what a sensor measured is whose it is now; None where that was always so.

        A sensor that is handed on brings the memory of whom it served before; and one that stayed here while
        its resident was in hospital, what it measured of others meanwhile.
        """
        sensor, people = self.sensor(device_address), self._people
        since = self._theirs_since.get(device_address.upper())
        owner = None
        if sensor is not None:
            alone = self.alone if sensor.resident is None else None
            owner = sensor.resident if alone is None else alone.id
        watched = None if owner is None else people.since.get(owner)
        return max((each for each in (since, watched) if each is not None), default=None)

    def forget(self, device_address: str) -> None:
        """From now on this sensor's readings are nobody's."""
        gone = device_address.upper()
        self._sensors = {address: sensor for address, sensor in self._sensors.items() if address != gone}
        self._theirs_since = {address: at for address, at in self._theirs_since.items() if address != gone}

    def sensor(self, device_address: str) -> Sensor | None:
        """The enrolled sensor with this Bluetooth address, or None: it is a stranger."""
        return self._sensors.get(device_address.upper())

    def sensors_of(self, pseudonym: str) -> tuple[Sensor, ...]:
        """The sensors that are enrolled for this resident alone; of who lives here alone, all."""
        alone = self.alone
        theirs = {pseudonym, None} if alone is not None and alone.id == pseudonym else {pseudonym}
        return tuple(sensor for sensor in self._sensors.values() if sensor.resident in theirs)

    def why_nobodys(self, sensor: Sensor) -> str | None:
        """Why what a personal sensor measures is nobody's now, and what to do; None where it is somebody's,
        or the sensor is shared."""
        if sensor.resident is None:
            return None
        people = self._people
        if sensor.resident not in people.residents:
            return (
                f"its resident {sensor.resident} is not listed any more, and its readings are nobody's:"
                " forget"
                " it, and add it for whoever has it now"
            )
        if people.watched(sensor.resident) is None:
            return (  # an engineer reads it, who need not know why
                f"its resident {sensor.resident} is not here, or not watched, and its readings are"
                " nobody's until"
                " a manager says otherwise"
            )
        return None

    def owner_of(self, device_address: str, user_id: int | None = None) -> Resident | None:
        """The resident whose readings this sensor takes, or None: a person has to say whose they are.

        None for a sensor that is not enrolled, for a shared one, where the sensor's own number for the
        person (`user_id`) is not the one enrolled, and where its resident is not listed any more or not
        watched. In a home of one person (`site.one_person`) a shared sensor is theirs too.
        """
        sensor = self._sensor_for(device_address, user_id)
        if sensor is None:
            return None
        if sensor.resident is not None:
            return self._people.watched(sensor.resident)
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


def _wearing(people: _People) -> dict[str, str]:
    """Who wears which code. One that two have says of neither that it is them."""
    worn = Counter(each.wristband for each in people.not_gone)
    return {
        each.wristband: each.id
        for each in people.not_gone
        if each.wristband is not None and worn[each.wristband] == 1
    }


def why_not_watched(care: Care) -> str:
    """In words that go on after "resident R-0412"."""
    if care.consent is Consent.WITHDRAWN:
        return "has withdrawn their consent to be watched"
    return {
        Whereabouts.HERE: "is here",
        Whereabouts.IN_HOSPITAL: "is in hospital",
        Whereabouts.MOVED: "has moved away",
        Whereabouts.DECEASED: "has died",
    }[care.whereabouts]


def age_at(resident: Resident, year: int) -> int | None:
    """The age in years that the resident reaches in `year`, so at most one too many; None if not known."""
    if resident.birth_year is None or year < resident.birth_year:
        return None
    return year - resident.birth_year
