"""Which sensors are enrolled: those of the configuration, and those that an engineer enrolled by command.

Both are the same to all who use them, and so are what is on Bluetooth and what is on USB: each collector is
told of its own. An address in both places is the configuration's: what was enrolled by command is then
forgotten at the next start, so that it does not come back, with its owner of that time, when it is one day
taken out of the file. What cannot be used any more (a driver that this hub does not have, or that does not
fit, a resident who has moved out) stays enrolled, says so, and is nobody's: the hub starts all the same.

**In one moment.** Whose a reading is, is asked when it is stored. A sensor's readings are its resident's from
when its enrolment is on the card, and nobody's from before the card is asked to forget it; those that were
stored before stay whose they were. Another owner is another enrolment: forget, and enrol anew. The sensor
then brings the memory of whom it served before: what it measured before it was enrolled is nobody's, unless
it was the same resident's when it was forgotten. Of one on USB that is known by its socket it is nobody's all
the same: another may be plugged in there by now.

**The passkey is kept,** on the card, which only the hub's user reads: a sensor that has lost its bond, as
some do when their battery is changed, is bonded with again when it is next heard, and the engineer is not
there then. It is shown to nobody and is in no log, no trail and no message.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import ValidationError

from drivers.bluetooth.collector import BluetoothCollector
from drivers.bluetooth.session import EnrolledSensor
from drivers.catalogue import DRIVERS, GATT_DRIVERS
from drivers.gatt import Bonding
from drivers.serial_line import SerialDriver
from drivers.usb.address import UsbAddress, is_usb
from drivers.wristband_reader import KeyboardDriver
from hub import trail
from hub.clock import now
from hub.configuration.file import Config, ConfigError, Sensor
from hub.configuration.settings import Settings, settings
from hub.errors import CareportError
from hub.residents.listed import residents_of
from hub.residents.register import Register
from hub.sensors.fitting import misfit
from hub.store import sensors as store
from hub.store.audit import NewEntry
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.trail import Moment

if TYPE_CHECKING:
    from drivers.usb.collector import EnrolledUsb, UsbCollector

_log = logging.getLogger(__name__)
_LONGEST_NAME = 200


class EnrolmentError(CareportError):
    """A sensor that cannot be enrolled or forgotten; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """An enrolled sensor: who enrolled it by command, and when; None where it is in the configuration.

    What it measured before `since` is not its resident's: it may be of whom the sensor served before.
    `trouble` says why nothing is collected from it, or why what is collected is nobody's.
    """

    sensor: Sensor
    by: str | None = None
    at: datetime | None = None
    trouble: str | None = None
    since: datetime | None = None


def refuse_misfits(config: Config, path: Path = Path("the configuration")) -> None:
    """Refuse a configuration in which a sensor names a driver that there is not, or that cannot be of what is
    at its address. Raises `ConfigError`."""
    problems = [
        f"sensors[{index}].{wrong.key}: {wrong.words}"
        for index, sensor in enumerate(config.sensors)
        if (wrong := misfit(sensor)) is not None
    ]
    if problems:
        raise ConfigError(path, problems)


def enrolled_sensors(config: Config, connection: sqlite3.Connection) -> list[Enrolled]:
    """All of them, from the configuration and from the hub's database."""
    listed = [Enrolled(sensor) for sensor in config.sensors]
    of_file = {sensor.address for sensor in config.sensors}
    by_command = _enrolled_by_command(config, connection)
    return listed + [each for each in by_command if each.sensor.address not in of_file]


def _enrolled_by_command(config: Config, connection: sqlite3.Connection) -> list[Enrolled]:
    found, listed = [], {each.resident.id for each in residents_of(config, connection)}
    for row in store.enrolled(connection):
        try:
            sensor = Sensor.model_validate(
                {
                    "address": row.address,
                    "driver": row.driver,
                    "resident": row.resident,
                    "label": row.label,
                    "user": int(row.user) if row.user is not None and row.user != "any" else row.user,
                    "bonding": row.bonding,
                    "passkey": None if row.passkey is None else f"{row.passkey:06d}",
                    "kit": row.kit,
                }
            )
        except (ValidationError, ValueError, TypeError):
            _log.error("an enrolled sensor on the card is damaged and left out: enrol it again")
            continue
        trouble = _trouble(sensor, listed)
        found.append(Enrolled(sensor, str(row.enrolled_by), row.enrolled_at, trouble, row.theirs_since))
    return found


def _trouble(sensor: Sensor, listed: Collection[str]) -> str | None:
    if (wrong := misfit(sensor)) is not None:
        return f"nothing is collected: {wrong.words}"
    if sensor.resident is not None and sensor.resident not in listed:
        return (
            f"its resident {sensor.resident} is not listed any more, and its readings are nobody's: forget"
            " it,"
            " and add it for whoever has it now"
        )
    return None


class Enrolment:
    """Takes sensors in and out while the hub runs; `register` and the collectors follow at once."""

    def __init__(self, config: Config, writer: Writer, sensors: Sequence[Enrolled]) -> None:
        self._config = config
        self._writer = writer
        self._enrolled = {each.sensor.address: each for each in sensors}
        self._collector: BluetoothCollector | None = None
        self._usb: UsbCollector | None = None
        self.before_forgetting: Callable[[str], Awaitable[None]] = _nothing
        """Is given the address, and stores what was gathered of the sensor: it stays whose it is."""
        self._turn = asyncio.Lock()
        self.register = Register(config.residents, (), one_person=config.site.one_person)
        for each in sensors:
            self.register.enrol(each.sensor, each.since)

    @classmethod
    async def load(cls, config: Config, writer: Writer) -> Self:
        """As the configuration and the card have it.

        Raises:
            NotCommittedError: the card cannot be read.
        """
        sensors = await writer.write(
            lambda transaction: enrolled_sensors(config, transaction.connection), urgent=True
        )
        for each in sensors:
            if each.trouble is not None:
                _log.error("sensor %s: %s", each.sensor.address, each.trouble)
        return cls(config, writer, sensors)

    def begin(self, transaction: Transaction) -> None:
        """At the start: forget what was enrolled by command and is in the configuration by now."""
        for each in _enrolled_by_command(self._config, transaction.connection):
            known = self._enrolled.get(each.sensor.address)
            if known is not None and known.by is None:
                store.forget(transaction.connection, each.sensor.address)
                transaction.audit(_forgotten(each, "the configuration, which has it too", self._settings()))

    def collect_with(self, collector: BluetoothCollector) -> None:
        """From now on this collector follows: it collects from `to_collect` already."""
        self._collector = collector

    def collect_usb_with(self, collector: UsbCollector) -> None:
        """From now on this collector follows: it collects from `to_collect_usb` already."""
        self._usb = collector

    @property
    def all(self) -> tuple[Enrolled, ...]:
        """Every enrolled sensor: the configuration's first, then the others in the order of enrolment. Whose
        resident is listed is as it is now: they may have been entered since."""
        listed = {each.id for each in self.register.residents}
        return tuple(
            each if each.by is None else replace(each, trouble=_trouble(each.sensor, listed))
            for each in self._enrolled.values()
        )

    @property
    def to_collect(self) -> list[EnrolledSensor]:
        """What a collector of Bluetooth shall collect from."""
        return [made for each in self.all if (made := _to_collect(each.sensor)) is not None]

    @property
    def to_collect_usb(self) -> list[EnrolledUsb]:
        """What a collector of USB shall collect from."""
        return [made for each in self.all if (made := _to_collect_usb(each.sensor)) is not None]

    @property
    def configuration(self) -> Config:
        """The configuration with every sensor that is enrolled now, as the trail is told of it."""
        return self._config.model_copy(update={"sensors": tuple(each.sensor for each in self.all)})

    async def add(self, sensor: Sensor, by: str) -> Enrolled:
        """Enrol a sensor; when this returns it is on the card, and is collected from.

        Raises:
            EnrolmentError: it is enrolled already, has no such driver or one that does not fit, or nobody is
                named.
            UnknownResidentError: there is no such resident.
            NotCommittedError: the card takes nothing; nothing was changed.
        """
        by = _named(by)
        async with self._turn:
            self._refuse(sensor)
            known_at = now()
            after = self._settings({**self._enrolled, sensor.address: Enrolled(sensor)})

            def work(transaction: Transaction) -> Enrolled:
                connection, resident = transaction.connection, sensor.resident
                since = None
                if resident is not None and not _may_be_another(sensor.address):
                    since = store.was_theirs_since(connection, sensor.address, resident)
                made = Enrolled(sensor, by, known_at, since=since or known_at)
                store.enrol(connection, _row(made))
                transaction.audit(trail.sensor_enrolled(Moment.present(), sensor, by, after))
                return made

            entry = await self._writer.write(work, urgent=True)
            self._take_in(entry)
        _log.info("sensor %s (%s): enrolled", sensor.address, sensor.driver)
        return entry

    async def look_again(self) -> None:
        """Take in what is enrolled and was not known at the start, when the card had no room to be opened.

        Raises:
            NotCommittedError: the card cannot be read.
        """
        async with self._turn:
            for each in await self._writer.write(
                lambda transaction: enrolled_sensors(self._config, transaction.connection), urgent=True
            ):
                if each.sensor.address not in self._enrolled:
                    self._take_in(each)
                    _log.warning(
                        "sensor %s: is enrolled, and was not known at the start", each.sensor.address
                    )

    def _take_in(self, entry: Enrolled) -> None:
        sensor = entry.sensor
        self._enrolled[sensor.address] = entry
        self.register.enrol(sensor, entry.since)
        if self._collector is not None and (made := _to_collect(sensor)) is not None:
            self._collector.enrol(made)
        if self._usb is not None and (plugged := _to_collect_usb(sensor)) is not None:
            self._usb.enrol(plugged)

    async def forget(self, address: str, by: str) -> tuple[Enrolled, str | None]:
        """Forget a sensor that was enrolled by command; when this returns its link has ended, or its node is
        closed.

        Gives back what it was enrolled as, and why the bond with it could not be removed, if so.

        Raises:
            EnrolmentError: it is not enrolled, or in the configuration, or nobody is named.
            NotCommittedError: the card takes nothing; nothing was changed.
        """
        by = _named(by)
        async with self._turn:
            entry = self._enrolled.get(address.upper())
            if entry is None:
                raise EnrolmentError(f"{address}: is not enrolled; see 'carehub devices list'")
            sensor = entry.sensor
            if entry.by is None:
                raise EnrolmentError(
                    f"{sensor.address}: is enrolled in the configuration: take it out of [[sensors]] there,"
                    " and restart the hub"
                )
            others = {known: each for known, each in self._enrolled.items() if known != sensor.address}
            after = self._settings(others)

            def work(transaction: Transaction) -> None:
                store.forget(transaction.connection, sensor.address)
                transaction.audit(_forgotten(entry, by, after))

            await self.before_forgetting(sensor.address)
            self.register.forget(sensor.address)  # before: what is stored meanwhile must not be theirs
            try:
                await self._writer.write(work, urgent=True)
            except BaseException:
                self.register.enrol(sensor, entry.since)
                raise
            self._enrolled = others
            left = None
            if self._collector is not None and _to_collect(sensor) is not None:
                left = await self._collector.forget(sensor.address)
            if self._usb is not None and _to_collect_usb(sensor) is not None:
                await self._usb.forget(sensor.address)
        _log.info("sensor %s (%s): forgotten", sensor.address, sensor.driver)
        return entry, left

    def _refuse(self, sensor: Sensor) -> None:
        known = self._enrolled.get(sensor.address)
        if known is not None:
            whose = f"for {known.sensor.resident}" if known.sensor.resident else "as a shared sensor"
            where = (
                "in the configuration: change it there, and restart the hub"
                if known.by is None
                else "by command: to change that, first 'carehub devices forget' it"
            )
            raise EnrolmentError(f"{sensor.address}: is enrolled already, {whose}, {where}")
        if (wrong := misfit(sensor)) is not None:
            raise EnrolmentError(wrong.words)
        if sensor.resident is not None:
            self.register.resident(sensor.resident)
        elif sensor.user is not None and not self._config.site.one_person:
            raise EnrolmentError("a shared sensor has no user: say whose it is as well (--resident)")

    def _settings(self, sensors: dict[str, Enrolled] | None = None) -> Settings:
        enrolled = self._enrolled if sensors is None else sensors
        return settings(
            self._config.model_copy(update={"sensors": tuple(each.sensor for each in enrolled.values())})
        )


async def _nothing(_address: str) -> None:
    pass


def _to_collect(sensor: Sensor) -> EnrolledSensor | None:
    """None where it is none of Bluetooth, or there is no such driver."""
    found = GATT_DRIVERS.get(sensor.driver)
    if found is None or misfit(sensor) is not None:
        return None
    bonding = None if sensor.bonding is None else Bonding(sensor.bonding.replace("-", " "))
    return EnrolledSensor(sensor.address, found, bonding, sensor.passkey)


def _to_collect_usb(sensor: Sensor) -> EnrolledUsb | None:
    """None where it is none of USB, or there is no such driver."""
    found = DRIVERS.get(sensor.driver)
    if not isinstance(found, SerialDriver | KeyboardDriver) or misfit(sensor) is not None:
        return None
    from drivers.usb.collector import EnrolledUsb  # what only a hub with such sensors needs

    return EnrolledUsb(UsbAddress.parse(sensor.address), found)


def _may_be_another(address: str) -> bool:
    """Whether another device may be there now, with the memory of whom it served: where the socket alone is
    known."""
    return is_usb(address) and UsbAddress.parse(address).serial is None


def _row(entry: Enrolled) -> store.EnrolledRow:
    sensor = entry.sensor
    assert entry.at is not None
    assert entry.by is not None
    assert entry.since is not None
    return store.EnrolledRow(
        sensor.address,
        sensor.driver,
        sensor.resident,
        sensor.label,
        None if sensor.user is None else str(sensor.user),
        sensor.bonding,
        sensor.passkey,
        entry.at,
        entry.by,
        entry.since,
        sensor.kit,
    )


def _forgotten(entry: Enrolled, by: str, after: Settings) -> NewEntry:
    assert entry.since is not None, "it was enrolled by command"
    return trail.sensor_forgotten(Moment.present(), entry.sensor, entry.since, by, after)


def _named(by: str) -> str:
    name = by.strip()
    if not name:
        raise EnrolmentError("say who does this: --by NAME")
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise EnrolmentError(f"--by: give a name of at most {_LONGEST_NAME} letters, in one line")
    return name
