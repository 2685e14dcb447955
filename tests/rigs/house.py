"""A house to try the hub's middle in: two residents, their sensors' bytes, and a real database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from drivers.catalogue import driver
from drivers.stretch import payloads
from drivers.virtual import encoding
from hub.alerts.book import alert_of
from hub.alerts.life import Alert
from hub.assessment.deterioration import DeteriorationModel
from hub.assessment.rhythm import RhythmModel
from hub.attribution.rounds import Rounds
from hub.clock import Clock
from hub.configuration.file import Config, load
from hub.intake.amending import AmendingTeller
from hub.intake.following_the_clock import ClockFollower
from hub.intake.intake import Intake, Taken
from hub.intake.manual import observation
from hub.intake.streams import ClosedStretch
from hub.readings import (
    Breathing,
    Consciousness,
    DeviceTime,
    Door,
    Measurement,
    Origin,
    RawPayload,
    Reading,
    Vital,
    reading_id,
)
from hub.residents.register import Register
from hub.shadow.risks import Budget
from hub.store.audit import history
from hub.store.database import FILE_NAME, open_for_writing
from hub.store.encoding import event_text
from hub.store.numbers import Numbers
from hub.store.outbox import CannotBeToldError
from hub.store.queries import alerts
from hub.store.recent import Recent
from hub.store.rows import SELECT_ASSESSMENT, AssessmentRow, StoredReading, reading_by_number
from hub.store.transaction import Transaction
from hub.telling.teller import KeptReadings, assessment_of
from hub.uplink.cloudevents import Event, from_json, to_json
from hub.uplink.contract import AlertChange, Identity, assessment_data
from hub.uplink.fhir.understood import HeardAssessment
from hub.uplink.heard import HeardAlert, HeardReading, alert_heard, observation_heard, readings_heard
from tests.rigs.clocks import RightClock

ILL, WELL = "R-0412", "R-0077"
CUFF, OXIMETER, THERMOMETER, SHARED = (f"C4:F2:17:00:00:{last}" for last in ("01", "02", "03", "0F"))
WELL_OXIMETER = "C4:F2:17:00:00:12"
NAMES = ("Edith", "Quincey", "Rosewood Suite", "Mortimer Zed", "Attic Nine")
"""All that must not leave the home."""

_CONFIGURATION = """
[site]
id = "rose-house"
test_data = true
[hub]
id = "hub-1"
data_directory = "{directory}/data"
control_socket = "{directory}/control.sock"
[broker]
host = "127.0.0.1"
port = {port}
tls = false
reconnect_least = "50 ms"
reconnect_most = "200 ms"
[[residents]]
id = "R-0412"
name = "Edith Quincey"
room = "Rosewood Suite"
birth_year = 1938
[[residents]]
id = "R-0077"
name = "Mortimer Zed"
room = "Attic Nine"
[[sensors]]
address = "C4:F2:17:00:00:01"
driver = "blood_pressure"
resident = "R-0412"
label = "Edith's cuff"
[[sensors]]
address = "C4:F2:17:00:00:02"
driver = "pulse_oximeter"
resident = "R-0412"
[[sensors]]
address = "C4:F2:17:00:00:03"
driver = "thermometer"
resident = "R-0412"
[[sensors]]
address = "C4:F2:17:00:00:12"
driver = "pulse_oximeter"
resident = "R-0077"
[[sensors]]
address = "C4:F2:17:00:00:0F"
driver = "pulse_oximeter"
[bluetooth]
radio = "off"
[replay]
socket = "{directory}/replay.sock"
"""


def write_configuration(
    directory: Path,
    further: str = "",
    *,
    port: int = 1,
    model: str = '[model]\nmode = "off"\n[rhythm]\nmode = "off"\n',
    usb: str = '[usb]\nports = "off"\n',
) -> Path:
    """Write a hub.toml for this house; `further`, `model` and `usb` are further tables.

    Nobody listens at port 1, nor will: a port that is only free now may soon be another test's broker.
    """
    path = directory / "hub.toml"
    path.write_text(_CONFIGURATION.format(directory=directory, port=port) + model + usb + further)
    return path


def raw(device: str, name: str, payload: bytes, at: datetime, characteristic: str = "") -> RawPayload:
    """A payload as a sensor sent it."""
    return RawPayload(device, name, payload, at, characteristic, Origin.SENSOR)


def cuff(systolic: float, at: datetime, *, measured: datetime | None = None, pulse: float = 72) -> Reading:
    """A cuff's reading; `measured` is what the cuff's own clock (set to London) says, if it has one."""
    payload = bytearray(encoding.blood_pressure(systolic, 50, pulse=pulse))
    if measured is not None:
        local = measured.astimezone(ZoneInfo("Europe/London"))
        payload[0] |= 0x02  # Blood Pressure Service 3.1: the time stamp comes before the pulse
        payload[7:7] = local.year.to_bytes(2, "little") + bytes(local.timetuple()[1:6])
    return decoded(raw(CUFF, "blood_pressure", bytes(payload), at))


def oximeter(saturation: float, at: datetime, *, pulse: float = 72, device: str = OXIMETER) -> Reading:
    """A spot check."""
    return decoded(raw(device, "pulse_oximeter", encoding.spot_check(saturation, pulse), at))


def thermometer(celsius: float, at: datetime) -> Reading:
    """A temperature."""
    return decoded(raw(THERMOMETER, "thermometer", encoding.temperature(celsius), at))


def measured_by(
    name: str,
    at: datetime,
    *measurements: Measurement,
    measured: datetime | None = None,
    number: int | None = None,
    device: str = OXIMETER,
) -> Reading:
    """What a driver made of a payload that stands for these measurements, of any of R-0412's sensors.

    `measured` is what the sensor's own clock (set to London) says, if it has one; `number` the record's.
    """
    local = None if measured is None else measured.astimezone(ZoneInfo("Europe/London"))
    shown = None if local is None else DeviceTime(*local.timetuple()[:6])
    payload = RawPayload(device, name, f"{measurements} {shown} {number}".encode(), at)
    known_by = reading_id(payload, shown, sequence_number=number)
    return Reading(known_by, payload, measurements, device_time=shown, sequence_number=number)


def scale(kilograms: float, at: datetime, *, measured: datetime | None = None) -> Reading:
    """A weight."""
    return measured_by("weight_scale", at, Measurement(Vital.BODY_WEIGHT, kilograms), measured=measured)


def meter(
    glucose: float, at: datetime, *, measured: datetime | None = None, number: int | None = None
) -> Reading:
    """A glucose, in mmol/L."""
    said = Measurement(Vital.GLUCOSE, glucose)
    return measured_by("glucose", at, said, measured=measured, number=number)


def door(state: Door, at: datetime, *, device: str = OXIMETER) -> Reading:
    """A door and how warm it is there."""
    said = (Measurement(Vital.DOOR, state), Measurement(Vital.ROOM_TEMPERATURE, 19.5))
    return measured_by("bthome", at, *said, device=device)


def entry(
    at: datetime,
    *,
    consciousness: Consciousness | None = Consciousness.ALERT,
    breathing: Breathing | None = Breathing.AIR,
    rate: int | None = 16,
    by: str = "Nurse Nightingale",
) -> Reading:
    """What a carer saw."""
    return observation(by, at, consciousness=consciousness, breathing=breathing, respiration_rate=rate)


def decoded(payload: RawPayload) -> Reading:
    """The reading that the payload's driver makes of it."""
    return driver(payload.driver).read(payload)


class House:
    """An intake over a database of its own, and what has become of what it took."""

    def __init__(
        self,
        directory: Path,
        further: str = "",
        *,
        model: DeteriorationModel | None = None,
        rhythm: RhythmModel | None = None,
        budget: Budget | None = None,
        clock: Clock | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.config: Config = load(write_configuration(directory, further))
        self.identity = Identity(self.config.site.id, self.config.hub.id, self.config.site.test_data)
        self.path = self.config.hub.data_directory / FILE_NAME
        self.connection: sqlite3.Connection = open_for_writing(self.path)
        self.register = register = Register(
            self.config.residents, self.config.sensors, one_person=self.config.site.one_person
        )
        self.clock: Clock = clock or RightClock()
        self.follower = ClockFollower.of(self.config, self.identity, self.clock)
        self.rounds = Rounds(self.config.rounds.lasts)
        self.intake = Intake(
            self.config, self.identity, register, model, self.follower, self.rounds, rhythm, budget
        )
        self._recent, self._numbers = Recent(self.connection), Numbers.of(self.connection)
        self._teller = AmendingTeller(self.identity, self.follower.rule)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A transaction that is committed, or undone where the block raises."""
        transaction = Transaction(self.connection, self._recent, self._numbers)
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield transaction
            transaction.finish()
        except BaseException:
            self.connection.execute("ROLLBACK")
            transaction.undo_all()
            raise
        self.connection.execute("COMMIT")
        self._recent.settled()

    def take(self, reading: Reading, resident: str | None = None) -> Taken:
        """Take a reading in a transaction of its own; one of a stream is gathered, as the reception does, and
        taken with its stretch."""
        stamp = self.clock.stamp()
        if reading.streaming and resident is None:
            return self.take_all(self.intake.streams.add(reading, stamp))
        with self.transaction() as transaction:
            return self.intake.take(transaction, reading, stamp, resident)

    def end_streams(self) -> Taken:
        """Take what was gathered of streams, as when the hub stops."""
        return self.take_all(self.intake.streams.close())

    def take_all(self, stretches: Iterable[ClosedStretch]) -> Taken:
        """Take stretches, each in a transaction of its own; what became of the last."""
        taken = Taken()
        for closed in stretches:
            with self.transaction() as transaction:
                taken = self.intake.take_stretch(transaction, closed)
        return taken

    def events(self, kind: str = "") -> list[Event]:
        """What waits in the outbox, oldest first; of one kind ("alert.raised") if given."""
        rows = self.connection.execute(
            "SELECT channel, event, first, last FROM outbox WHERE ?1 IN ('', channel)"
            " ORDER BY sequence & (1 << 48) - 1",
            (kind.partition(".")[0],),
        )
        events = [
            self._teller.event(self.connection, channel, first, last)
            if kept is None
            else from_json(event_text(kept))
            for channel, kept, first, last in rows
        ]
        return [event for event in events if event.type.startswith(f"uk.careport.{kind}")]

    def told_alerts(self, change: AlertChange | None = None) -> list[HeardAlert]:
        """What is told of alerts, oldest first, as a subscriber hears it; of one change if given."""
        told = [alert_heard(from_json(to_json(event))) for event in self.events("alert")]
        return [alert for alert in told if change in (None, alert.change)]

    def told_observations(self) -> list[HeardAssessment]:
        """The observation sets that are told, oldest first, as a subscriber hears them."""
        return [
            observation_heard(from_json(to_json(event))).assessment for event in self.events("observation")
        ]

    def told_readings(self) -> list[HeardReading]:
        """The single readings that are told, oldest first, as a subscriber hears them."""
        return [
            reading
            for event in self.events("reading")
            for reading in readings_heard(from_json(to_json(event)))
        ]

    def alerts(self) -> list[Alert]:
        """All alerts, oldest first."""
        return [alert_of(row) for row in reversed(alerts(self.connection, resolved=True, most=1000))]

    def open_alerts(self) -> list[Alert]:
        """The alerts that are not resolved."""
        return [alert_of(row) for row in alerts(self.connection, resolved=False, most=1000)]

    def history(self, alert: Alert) -> list[tuple[str, dict[str, Any]]]:
        """What happened to an alert, with the details that there are."""
        return [
            (entry.what.removeprefix("alert "), dict(entry.detail))
            for entry in history(self.connection, alert.id)
        ]

    def assessments(self, resident: str = ILL) -> list[dict[str, Any]]:
        """What was assessed of a resident, in the order in which the hub came to it."""
        rows = self.connection.execute(
            f"{SELECT_ASSESSMENT} WHERE a.resident = ? ORDER BY a.sequence", (resident,)
        )
        wholes = [
            assessment_of(KeptReadings(self.connection, self.follower.rule), AssessmentRow.of(row))
            for row in rows
        ]
        return [assessment_data(whole.observations, whole.news2, whole.risk) for whole in wholes]

    def count(self, table: str) -> int:
        """The number of rows of a table."""
        (number,) = self.connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(number)

    def readings(self) -> list[StoredReading]:
        """The readings on the card, in the order in which they came there."""
        numbers = self.connection.execute("SELECT sequence FROM reading ORDER BY sequence").fetchall()
        found = [reading_by_number(self.connection, number) for (number,) in numbers]
        return [each for each in found if each is not None]

    def stretches(self) -> list[StoredReading]:
        """Of these, those that are stretches of streams."""
        return [each for each in self.readings() if each.placed.reading.stretch is not None]

    def samples(self) -> list[RawPayload]:
        """Every payload on the card, of a stretch each by itself."""
        return [sample for each in self.readings() for sample in payloads(each.placed.reading.raw)]

    def observed(self) -> int:
        """How many measurements observation sets may be formed of, of all residents."""
        (placed,) = zip(*self.connection.execute("SELECT sequence FROM reading"), strict=True)
        stored = [reading_by_number(self.connection, sequence) for sequence in placed]
        owned = [each.placed for each in stored if each is not None and each.placed.resident is not None]
        return sum(
            measurement.usable
            for each in owned
            for measurement in (each.reading.measurements if each.observed is None else each.observed)
        )

    def counts(self) -> dict[str, int]:
        """The number of rows of each table that a reading may reach."""
        tables = ("reading", "assessment", "alert", "audit", "outbox")
        return {table: self.count(table) for table in tables}


def untold(_connection: sqlite3.Connection, channel: str, first: int, _last: int) -> Event:
    """For an outbox whose rows refer to nothing."""
    raise CannotBeToldError(f"{channel} {first}: nothing is told here")
