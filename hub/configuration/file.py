"""The configuration: one TOML file, checked as a whole, with errors that name the key and what is allowed."""

from __future__ import annotations

import tomllib
from datetime import time, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from drivers.usb.address import is_usb
from hub.assessment.news2 import OxygenScale
from hub.configuration.alerts import Alerts as Alerts
from hub.configuration.alerts import ObservationSets as ObservationSets
from hub.configuration.alerts import Recency as Recency
from hub.configuration.alerts import Rung as Rung
from hub.configuration.beacon import Beacon
from hub.configuration.models import Model, Rhythm
from hub.configuration.page import Page
from hub.configuration.update import Update
from hub.configuration.values import (
    Address,
    Duration,
    Identifier,
    Passkey,
    Section,
    Size,
    TopicLevel,
    Wristband,
    local_time,
    wrong,
    zone,
)
from hub.errors import CareportError

PLAINTEXT = (
    "broker.tls = false, and the broker is another machine: whoever is on the way can read and change what"
    " is sent of residents' health, and silence alerts; set broker.tls = true"
)
"""What to say where `Broker.readable_on_the_way`."""


class ConfigError(CareportError):
    """A configuration that cannot be used; `problems` has one line for each key that is wrong."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        super().__init__(
            "\n".join([f"{path}: {len(problems)} problem(s)", *(f"  {line}" for line in problems)])
        )
        self.path = path
        self.problems = problems


class Site(Section):
    """Where this hub stands. `id` is on every topic and message; it must not name a person.

    `one_person` says that only one person lives here, so that whatever an enrolled sensor measures is
    of them. It is said and not concluded: a home may list one resident of thirty for a trial.
    """

    id: TopicLevel
    timezone: Annotated[str, AfterValidator(zone)] = "Europe/London"
    test_data: bool = False
    one_person: bool = False


class Hub(Section):
    """This hub: its identity and its place on the disk."""

    id: TopicLevel
    data_directory: Path = Path("/var/lib/carehub")
    control_socket: Path = Path("/run/carehub/control.sock")


class Broker(Section):
    """The ICS's MQTT broker."""

    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=1, le=65535)] = 8883
    username: str | None = None
    password_file: Path | None = None
    tls: bool = True
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    keepalive: Duration = timedelta(seconds=30)
    window: Annotated[int, Field(ge=1, le=1000)] = 100
    reconnect_least: Duration = timedelta(seconds=1)
    reconnect_most: Duration = timedelta(seconds=30)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file go together: give both or neither")
        if not self.tls and (self.ca_file or self.certificate_file):
            raise ValueError("tls = false, yet a CA or certificate is given: remove it or set tls = true")
        return self

    @property
    def readable_on_the_way(self) -> bool:
        """Without TLS, and the broker is not this very machine."""
        try:
            here = ip_address(self.host).is_loopback
        except ValueError:
            here = self.host == "localhost"
        return not self.tls and not here


class Resident(Section):
    """A person in the home. `id` is a pseudonym and leaves the hub; `name` and `room` never do. `wristband`
    is the code on the one they wear: a reader's scan of it opens a round for them. It is compared as a whole,
    without regard to upper and lower case, and shown nowhere: it may be an NHS number."""

    id: Identifier
    name: str = ""
    room: str = ""
    birth_year: Annotated[int, Field(ge=1900, le=2100)] | None = None
    oxygen_scale: OxygenScale = OxygenScale.SCALE_1
    oxygen_scale_prescriber: str | None = None
    wristband: Annotated[Wristband | None, Field(repr=False)] = None

    @model_validator(mode="after")
    def _scale_2_is_prescribed(self) -> Self:
        if self.oxygen_scale is OxygenScale.SCALE_2 and not self.oxygen_scale_prescriber:
            raise ValueError(
                "oxygen_scale = 2 only where a clinician prescribed a target of 88 to 92 %: "
                "name them in oxygen_scale_prescriber"
            )
        return self


class Sensor(Section):
    """An enrolled sensor. Without `resident` it is shared, and its readings wait for a person to assign.

    `user` is the resident's number on a sensor that keeps several people apart (a cuff's "user 1"):
    what it measured of any other, or of nobody in particular, waits too. Without it, whatever such a
    sensor says of a numbered person waits; "any" takes all of them for the resident.

    `kit` is which kit a shared sensor, or a reader of wristbands, belongs to: what a reader opens a round on.
    All without one are of one kit.

    `bonding` is when it is bonded with, where that is not as its driver has it (`drivers.driver.Bonding`);
    `passkey` is what it asks for then. Neither says whose its readings are.
    """

    address: Address
    driver: str
    resident: str | None = None
    user: Annotated[int, Field(ge=0, le=254)] | Literal["any"] | None = None
    label: str = ""
    kit: Identifier | None = None
    bonding: Literal["first", "when-asked", "never"] | None = None
    passkey: Passkey | None = None

    @model_validator(mode="after")
    def _kit_is_shared(self) -> Self:
        if self.kit is not None and self.resident is not None:
            raise ValueError("what is of a kit is shared, and this is a resident's: leave out one of them")
        return self

    @model_validator(mode="after")
    def _passkey_is_for_a_bond(self) -> Self:
        if is_usb(self.address) and (self.bonding is not None or self.passkey is not None):
            raise ValueError("what is on USB is not bonded with: leave out bonding and passkey")
        if is_usb(self.address) and self.user is not None:
            raise ValueError("what is on USB numbers no persons: leave out user")
        if self.passkey is not None and self.bonding == "never":
            raise ValueError('bonding = "never", yet a passkey is given: leave out one of them')
        return self


class Bluetooth(Section):
    """The radio. "virtual" is the demo's ward of virtual sensors and needs `site.test_data = true`.

    `may_reboot`: where nothing else has healed the radio the machine is started anew, once a day at the most.
    """

    radio: Literal["bluez", "virtual", "off"] = "bluez"
    adapter: str | None = None
    scenario: Path | None = None
    may_reboot: bool = True


class Usb(Section):
    """What is plugged in. "virtual" is the demo's sockets and needs `site.test_data = true`; `scenario` says
    what is plugged into them, if not what the demo has."""

    ports: Literal["udev", "virtual", "off"] = "udev"
    scenario: Path | None = None

    @model_validator(mode="after")
    def _scenario_is_played(self) -> Self:
        if self.scenario is not None and self.ports != "virtual":
            raise ValueError('scenario is for ports = "virtual" only: leave it out')
        return self


class Replay(Section):
    """Where recorded payloads may be fed in: off unless a socket is named, and for test data only."""

    socket: Path | None = None


class SensorClock(Section):
    """How far a sensor's own clock is believed. See `hub/timekeeping/timing.py` for the rule."""

    agrees_within: Duration = timedelta(minutes=5)
    believed_for: Duration = timedelta(days=30)


class RoundTimes(Section):
    """How long a round lasts when nobody is scanned after it, and how long after the scan what comes without
    a time of its own may be of before it. See `hub/attribution/rule.py` for the rule."""

    lasts: Annotated[Duration, Field(ge=timedelta(minutes=1), le=timedelta(hours=1))] = timedelta(minutes=10)
    settle: Annotated[Duration, Field(ge=timedelta(seconds=10))] = timedelta(minutes=1)

    @model_validator(mode="after")
    def _settles_while_it_lasts(self) -> Self:
        if self.settle >= self.lasts:
            raise ValueError("settle must be shorter than lasts, or what tells no time were never anybody's")
        return self


class Publish(Section):
    """Which topics beside `alert` and `status` the hub publishes."""

    observation: bool = True
    reading: bool = False
    summary: bool = True


class Summary(Section):
    """When summaries are told: local times of day, each for the time since the one before."""

    at: Annotated[tuple[Annotated[time, AfterValidator(local_time)], ...], Field(min_length=1)] = (
        time(7),
        time(19),
    )


class Store(Section):
    """What is kept on the card, and for how long. See `hub/store/retention.py` for what goes first.

    `gather` is how long commits wait for company, unless they are urgent. `keep_streams` is for the stretches
    of a stream of which no observation was made, `keep_scores` for what a model is judged by later. `largest`
    is how much of the database may be in use; `least_free` is what its file leaves of the card to others.
    """

    gather: Annotated[Duration, Field(ge=timedelta(0), le=timedelta(seconds=2))] = timedelta(milliseconds=200)
    keep_streams: Annotated[Duration, Field(ge=timedelta(hours=1))] = timedelta(days=7)
    keep_readings: Annotated[Duration, Field(ge=timedelta(days=2))] = timedelta(days=90)
    keep_alerts: Annotated[Duration, Field(ge=timedelta(days=2))] = timedelta(days=365)
    keep_scores: Annotated[Duration, Field(ge=timedelta(days=2))] = timedelta(days=1095)
    largest: Annotated[Size, Field(ge=100 * 10**6)] = 2 * 10**9
    least_free: Size = 200 * 10**6


class Config(Section):
    """The whole file."""

    site: Site
    hub: Hub
    broker: Broker
    residents: tuple[Resident, ...] = ()
    sensors: tuple[Sensor, ...] = ()
    bluetooth: Bluetooth = Bluetooth()
    usb: Usb = Usb()
    replay: Replay = Replay()
    observation_sets: ObservationSets = ObservationSets()
    sensor_clock: SensorClock = SensorClock()
    rounds: RoundTimes = RoundTimes()
    alerts: Alerts = Alerts()
    model: Model = Model()
    rhythm: Rhythm = Rhythm()
    beacon: Beacon = Beacon()
    publish: Publish = Publish()
    store: Store = Store()
    summary: Summary = Summary()
    page: Page = Page()
    update: Update = Update()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        residents = [resident.id for resident in self.residents]
        addresses = [sensor.address for sensor in self.sensors]
        for what, names in (("residents.id", residents), ("sensors.address", addresses)):
            for name in {name for name in names if names.count(name) > 1}:
                raise ValueError(f"{what}: {name} is given twice")
        worn = {resident.wristband: resident.id for resident in self.residents}
        for resident in self.residents:
            if resident.wristband is not None and (other := worn[resident.wristband]) != resident.id:
                raise ValueError(f"residents.wristband: {resident.id} and {other} have the same code")
        if self.site.one_person and len(residents) != 1:
            raise ValueError(f"site.one_person = true, yet {len(residents)} residents are listed: list one")
        for sensor in self.sensors:
            if sensor.resident is not None and sensor.resident not in residents:
                raise ValueError(
                    f"sensors: {sensor.address} belongs to resident {sensor.resident}, who is not listed"
                    " here: one of somebody who was entered is enrolled with 'carehub devices add'"
                )
        if self.bluetooth.radio == "virtual" and not self.site.test_data:
            raise ValueError(
                'bluetooth.radio = "virtual" invents readings: set site.test_data = true beside it'
            )
        if self.usb.ports == "virtual" and not self.site.test_data:
            raise ValueError('usb.ports = "virtual" invents readings: set site.test_data = true beside it')
        if self.replay.socket is not None and not self.site.test_data:
            raise ValueError("replay.socket lets old readings in as new: set site.test_data = true beside it")
        return self


def load(path: Path) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: the file cannot be read, is not TOML, or a key is wrong; every wrong key is named.
    """
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise ConfigError(path, [f"cannot be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(path, [f"is not TOML: {error}"]) from error
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        raise ConfigError(path, [wrong(problem) for problem in error.errors()]) from error
