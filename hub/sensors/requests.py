"""What the command line may ask of the running daemon about sensors: what is seen, what is enrolled, and to
enrol and forget. `carehub devices` asks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bleak.uuids import uuidstr_to_str
from pydantic import ValidationError

from drivers.bluetooth.collector import BluetoothCollector, SensorStatus, Sighting
from drivers.catalogue import DRIVERS
from drivers.usb.address import is_usb
from hub.clock import now
from hub.configuration.file import Sensor
from hub.control.control_socket import ControlError, Handler
from hub.readings import DRIVERS_OF_THE_ROOM
from hub.sensors.enrolment import Enrolled, Enrolment
from hub.sensors.fitting import drivers_at, is_reader
from hub.sensors.information import SensorInformation
from hub.sensors.plugged_in import OFF as USB_OFF
from hub.sensors.plugged_in import PluggedIn, readers_of, suggestions_of

if TYPE_CHECKING:
    from drivers.known_models import Suggestion
    from drivers.usb.collector import UsbCollector, UsbSensorStatus, UsbSighting

Request = Mapping[str, object]
_OFF = 'Bluetooth is off on this hub: set bluetooth.radio = "bluez" in the configuration and restart the hub'
_OF_THE_SIG = "-0000-1000-8000-00805f9b34fb"
_OPTIONS = {"bonding": "--bond"}
_OF_THE_FILE = {'bonding = "never"': "--bond never", ", in quotes, as": ", as"}  # as hub.toml would have it
_NO_ALERT = {
    "glucose": "a glucose raises no alert, however low or high: it is kept, and told to the ICS",
    "weight_scale": "a weight raises no alert: it is kept, and told to the ICS",
} | dict.fromkeys(
    DRIVERS_OF_THE_ROOM,
    "what is of the room raises no alert, and the ICS is not told: 'carehub readings' shows it",
)
_NO_ALERT["glucose_and_ketone"] = _NO_ALERT["onetouch_ultra_easy"] = _NO_ALERT["glucose"]


class SensorRequests:
    """The commands about sensors, by name in `handlers`."""

    def __init__(
        self,
        enrolment: Enrolment,
        information: SensorInformation,
        collector: BluetoothCollector | None,
        usb: UsbCollector | None = None,
    ) -> None:
        """`collector` is None where Bluetooth is off, `usb` where USB is."""
        self._enrolment = enrolment
        self._information = information
        self._collector = collector
        self._plugged_in = PluggedIn(enrolment, usb)
        self.handlers: Mapping[str, Handler] = {
            "scan": self.scan,
            "sensors": self.sensors,
            "enrol": self.enrol,
            "forget": self.forget,
        }

    async def scan(self, _request: Request) -> Mapping[str, object]:
        """What is heard nearby and what is plugged in, enrolled or not.

        Raises:
            ControlError: both Bluetooth and USB are off.
        """
        usb = self._plugged_in.state
        if self._collector is None and usb is None:
            raise ControlError(f"{_OFF}. {USB_OFF}")
        moment = now()
        heard = () if self._collector is None else self._collector.sightings()
        return {
            "radio": self._radio(),
            "devices": [self._seen(each, moment) for each in heard],
            "usb": usb,
            "plugged_in": self._plugged_in.seen(),
        }

    def _radio(self) -> Mapping[str, object] | None:
        if self._collector is None:
            return None
        status = self._collector.status()
        return {"usable": status.usable, "words": status.radio}

    def _seen(self, sighting: Sighting, moment: datetime) -> dict[str, object]:
        enrolled = self._find(sighting.address)
        return {
            "address": sighting.address,
            "name": sighting.name,
            "services": [_short(uuid) for uuid in sighting.services],
            "offers": [_named(uuid) for uuid in sighting.services],
            "rssi": sighting.rssi,
            "last_seen": sighting.last_seen.isoformat(),
            "seconds_ago": round(max(0.0, (moment - sighting.last_seen).total_seconds()), 1),
            "enrolled": enrolled is not None,
            "resident": None if enrolled is None else enrolled.sensor.resident,
            "driver": None if enrolled is None else enrolled.sensor.driver,
            "suggested": [{"driver": each.driver, "why": each.why} for each in _suggestions(sighting)],
        }

    async def sensors(self, _request: Request) -> Mapping[str, object]:
        """Every enrolled sensor, and how it is."""
        known: dict[str, SensorStatus | UsbSensorStatus] = dict(self._plugged_in.statuses())
        if self._collector is not None:
            known |= {each.address: each for each in self._collector.status().sensors}
        return {
            "radio": self._radio(),
            "usb": self._plugged_in.state,
            "sensors": [self._said(each, known.get(each.sensor.address)) for each in self._enrolment.all],
        }

    def plugged_in(self) -> list[Mapping[str, object]]:
        """What is plugged in, enrolled or not."""
        return self._plugged_in.seen()

    async def enrol(self, request: Request) -> Mapping[str, object]:
        """Enrol a sensor; without a driver, with the one that its advertisement suggests, or its number or
        name on USB.

        Raises:
            CareportError: it cannot be enrolled; says why, and what to do.
        """
        given = {key: request.get(key) for key in Sensor.model_fields if request.get(key) is not None}
        sighting = self._sighting(str(given.get("address", "")))
        suggestions = _suggestions(sighting)
        chosen = certain(suggestions)
        try:
            sensor = Sensor.model_validate({"driver": chosen or "", **given})
        except ValidationError as error:
            raise ControlError("; ".join(_words(problem) for problem in error.errors())) from error
        if not sensor.driver and self._find(sensor.address) is None:
            raise ControlError(f"{sensor.address}: {_why_none(sensor.address, sighting, suggestions)}")
        if is_usb(sensor.address):
            self._plugged_in.refuse(sensor)
        enrolled = await self._enrolment.add(sensor, str(request.get("by") or ""))
        return {
            "sensor": self._said(enrolled, None),
            "words": self._enrolled_words(sensor, enrolled),
            "notes": self._notes(sensor, sighting, suggestions),
        }

    async def forget(self, request: Request) -> Mapping[str, object]:
        """Forget a sensor that was enrolled by command.

        Raises:
            CareportError: it cannot be forgotten; says why, and what to do.
        """
        address = str(request.get("address") or "")
        forgotten, bond_left = await self._enrolment.forget(address, str(request.get("by") or ""))
        self._information.forget(forgotten.sensor.address)
        sensor = forgotten.sensor
        whose = f"{sensor.resident}'s" if sensor.resident is not None else "nobody's yet"
        words = (
            f"{sensor.address} ({sensor.driver}) is forgotten: it is not connected to any more. What it"
            f" measured until now stays as it is, {whose}"
        )
        if bond_left is not None:
            words += (
                f". The bond with it could not be removed ({bond_left}): remove it with 'bluetoothctl remove"
                f" {sensor.address}'"
            )
        return {"address": sensor.address, "words": words}

    def _find(self, address: str) -> Enrolled | None:
        return next((each for each in self._enrolment.all if each.sensor.address == address.upper()), None)

    def _sighting(self, address: str) -> Sighting | UsbSighting | None:
        if is_usb(address):
            try:
                return next(iter(self._plugged_in.named_by(address)), None)
            except ValueError:
                return None  # what is wrong with it is said when it is read
        seen = self._collector.sightings() if self._collector is not None else ()
        return next((each for each in seen if each.address == address.upper()), None)

    def _said(self, enrolled: Enrolled, status: SensorStatus | UsbSensorStatus | None) -> dict[str, object]:
        sensor = enrolled.sensor
        told = self._information.of(sensor.address)
        information = told.information if told is not None else None
        owner = None if sensor.resident is None else self._enrolment.register.find(sensor.resident)
        return {
            "address": sensor.address,
            "driver": sensor.driver,
            "resident": sensor.resident,
            "name": "" if owner is None else owner.name,
            "room": "" if owner is None else owner.room,
            "user": sensor.user,
            "label": sensor.label,
            "kit": sensor.kit,
            "enrolled": "in the configuration" if enrolled.by is None else "by command",
            "enrolled_by": enrolled.by,
            "enrolled_at": None if enrolled.at is None else enrolled.at.isoformat(),
            "connected": status is not None and status.connected,
            "last_heard": _moment(status.last_heard) if status is not None else None,
            "last_payload": _moment(status.last_payload) if status is not None else None,
            "bonded": status.bonded if isinstance(status, SensorStatus) else None,
            "plugged_in": None if status is None or isinstance(status, SensorStatus) else status.plugged_in,
            "frames": 0 if status is None or isinstance(status, SensorStatus) else status.frames,
            "passed_over": 0 if status is None or isinstance(status, SensorStatus) else status.passed_over,
            "trouble": enrolled.trouble or (status.trouble if status is not None else None),
            "nobodys": self._enrolment.register.why_nobodys(sensor),
            "battery": None if information is None else information.battery,
            "manufacturer": None if information is None else information.manufacturer,
            "model": None if information is None else information.model,
            "firmware": None if information is None else information.firmware,
        }

    def _enrolled_words(self, sensor: Sensor, enrolled: Enrolled) -> str:
        title = DRIVERS[sensor.driver].title
        if is_reader(DRIVERS[sensor.driver]):
            return (
                f"{sensor.address} is enrolled as {sensor.driver}, {title}. A wristband that it scans says"
                " whose readings come next from the shared sensors of its kit"
            )
        owner = self._enrolment.register.find(sensor.resident) if sensor.resident is not None else None
        if owner is None:
            alone = self._enrolment.register.alone
            whose = (
                self._shared_words(sensor)
                if alone is None
                else f"Its readings are {alone.id}'s, who lives here alone"
            )
        else:
            known_as = ", ".join(part for part in (owner.name, owner.room) if part)
            whose = f"Its readings are those of {owner.id}{f' ({known_as})' if known_as else ''}"
            if sensor.user not in (None, "any"):
                whose += f", of what it measures of its user {sensor.user}"
            if enrolled.since == enrolled.at:
                whose += "; what it measured before now is nobody's, and waits for a person"
        return f"{sensor.address} is enrolled as {sensor.driver}, {title}. {whose}"

    def _shared_words(self, sensor: Sensor) -> str:
        readers = readers_of(sensor.kit, self._enrolment)
        if not readers:
            missing = "" if sensor.kit is None else f": no reader of the kit {sensor.kit} is enrolled"
            return f"It is shared: its readings wait until a person says whose they are{missing}"
        return (
            "It is shared: what it measures in a round is of whose wristband was scanned (with"
            f" {' or '.join(readers)}); all else waits until a person says whose it is"
        )

    def _notes(
        self, sensor: Sensor, sighting: Sighting | UsbSighting | None, suggestions: Sequence[Suggestion]
    ) -> list[str]:
        notes = [_NO_ALERT[sensor.driver]] if sensor.driver in _NO_ALERT else []
        if is_usb(sensor.address):
            notes += self._plugged_in.notes(sensor, suggestions)
        else:
            notes += self._of_bluetooth(heard=sighting is not None)
        if suggestions and sensor.driver not in {each.driver for each in suggestions}:
            notes.append(f"is {sensor.driver} right? It {_may_be(suggestions)}")
        if (why := self._enrolment.register.why_nobodys(sensor)) is not None:
            notes.append(why)
        return notes

    def _of_bluetooth(self, *, heard: bool) -> list[str]:
        """Why nothing comes of a sensor yet."""
        if self._collector is None:
            return [f"nothing is collected: {_OFF}"]
        status = self._collector.status()
        if not status.usable:
            return [f"Bluetooth does not work now, so nothing is collected: {status.radio}"]
        if not heard:
            return [
                "it has not been heard since the hub started: take a measurement with it, and see with"
                " 'carehub devices list' that it is heard"
            ]
        return []


def certain(suggestions: Sequence[Suggestion]) -> str | None:
    """The driver, where there can be no doubt about it: a cuff that is read by the rules of another tells
    wrong numbers. None where several may be the one, where its name, not heard yet, would tell, or where only
    an adapter is known."""
    if not suggestions or any(each.ground.doubtful for each in suggestions):
        return None
    strongest = min(each.ground for each in suggestions)
    best = {each.driver for each in suggestions if each.ground is strongest}
    return best.pop() if len(best) == 1 else None


def _suggestions(sighting: Sighting | UsbSighting | None) -> Sequence[Suggestion]:
    if sighting is None:
        return ()
    if not isinstance(sighting, Sighting):
        return suggestions_of(sighting)
    from drivers.known_models import suggest  # a table that a hub needs while it is looked at only

    return suggest(sighting.name, sighting.services)


def _why_none(
    address: str, sighting: Sighting | UsbSighting | None, suggestions: Sequence[Suggestion]
) -> str:
    """Why it is not known what a device is, and what to do."""
    names = ", ".join(drivers_at(address))
    if sighting is None:
        hidden = "is not plugged in" if is_usb(address) else "has not been heard"
        return f"{hidden}, so what it is is not known: name its driver with --driver ({names})"
    if not suggestions:
        return f"does not say what it is: name its driver with --driver ({names})"
    if [each.driver for each in suggestions] == [None]:
        return suggestions[0].why
    may_be = _may_be(suggestions)
    doubt = "may be another thing as well" if is_usb(address) else "may be read by more than one"
    return f"{doubt}: look at the sensor, and name its driver with --driver. It {may_be}"


def _may_be(suggestions: Sequence[Suggestion]) -> str:
    """Each ground is said once, with all the drivers that it speaks for."""
    options: dict[str, list[str]] = {}
    for each in suggestions:
        options.setdefault(each.why, []).extend([f"--driver {each.driver}"] if each.driver else [])
    return "; or it ".join(f"{why} ({' or '.join(said)})" if said else why for why, said in options.items())


def _short(uuid: str) -> str:
    """A service's UUID, in four digits where it is the SIG's."""
    return uuid[4:8] if uuid.startswith("0000") and uuid.endswith(_OF_THE_SIG) else uuid


def _named(uuid: str) -> str:
    """What a service is for, where the SIG, or a member of it, has given it a name."""
    name = uuidstr_to_str(uuid)
    return _short(uuid) if name in ("Unknown", "Vendor specific") else name


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _words(problem: object) -> str:
    """What is wrong with what was given, by the option of `carehub devices add`; a passkey is not quoted."""
    assert isinstance(problem, dict)
    key = str(problem["loc"][0]) if problem["loc"] else ""
    message = str(problem["msg"]).removeprefix("Value error, ")
    for of_the_file, of_the_command in _OF_THE_FILE.items():
        message = message.replace(of_the_file, of_the_command)
    option = "" if key in ("", "address") else f"{_OPTIONS.get(key, f'--{key}')}: "
    shown = f" (it is {problem['input']!r})" if key not in ("", "passkey") else ""
    return f"{option}{message}{shown}"
