"""What is measured: the words that every room of the house shares, and nothing else.

A `Reading` is what one sensor said at one moment (one indication of a cuff carries systolic,
diastolic, mean pressure and pulse). Each `Measurement` in it has one vital sign, in the one unit
that this module fixes for that vital; drivers convert before they construct one.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub.stretch import Stretch

_READING_NAMESPACE = uuid.UUID("5b0c4c52-4d5c-5b43-8a59-2f3a1d1f6c11").bytes
# As long as `sensor_clock.believed_for` is by default, and a day, since the sensor's zone is not known here.
_IDENTIFIES_WITHIN = timedelta(days=31)
_YEARS_OF_SENSORS = range(2010, 2100)  # Bluetooth Low Energy is of 2010
_MINUTES_OF_ITS_START = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Vital(StrEnum):
    """What is measured: a vital sign, named as FHIR's profiles name it, or one of `OF_THE_ROOM`."""

    RESPIRATION_RATE = "respiration_rate"
    OXYGEN_SATURATION = "oxygen_saturation"
    SUPPLEMENTAL_OXYGEN = "supplemental_oxygen"
    SYSTOLIC_PRESSURE = "systolic_pressure"
    DIASTOLIC_PRESSURE = "diastolic_pressure"
    MEAN_ARTERIAL_PRESSURE = "mean_arterial_pressure"
    PULSE_RATE = "pulse_rate"
    CONSCIOUSNESS = "consciousness"
    TEMPERATURE = "temperature"
    BODY_WEIGHT = "body_weight"
    GLUCOSE = "glucose"
    ROOM_TEMPERATURE = "room_temperature"
    DOOR = "door"
    MOTION = "motion"
    BUTTON = "button"

    @property
    def unit(self) -> str:
        """The UCUM code of this vital's values; empty for coded ones (consciousness, oxygen, a door)."""
        return _UNITS.get(self, "")


_UNITS = {
    Vital.RESPIRATION_RATE: "/min",
    Vital.OXYGEN_SATURATION: "%",
    Vital.SYSTOLIC_PRESSURE: "mm[Hg]",
    Vital.DIASTOLIC_PRESSURE: "mm[Hg]",
    Vital.MEAN_ARTERIAL_PRESSURE: "mm[Hg]",
    Vital.PULSE_RATE: "/min",
    Vital.TEMPERATURE: "Cel",
    Vital.BODY_WEIGHT: "kg",
    Vital.GLUCOSE: "mmol/L",
    Vital.ROOM_TEMPERATURE: "Cel",
}

OF_THE_ROOM = frozenset({Vital.ROOM_TEMPERATURE, Vital.DOOR, Vital.MOTION, Vital.BUTTON})
"""What is of the room and not of a body: it is kept and shown, and no score and no alert ever sees it."""
DRIVERS_OF_THE_ROOM = frozenset({"bthome"})  # also of the room is what they read and measures nothing

OF_NO_SCORE = frozenset({Vital.BODY_WEIGHT, Vital.GLUCOSE})
"""What is of a body and in no score: it is told with the observation set that it belongs to, and what NEWS2,
the model and the alerts know of a person is the same with it as without."""


class Consciousness(StrEnum):
    """ACVPU, as NEWS2 defines it (Royal College of Physicians 2017, chart 1)."""

    ALERT = "A"
    NEW_CONFUSION = "C"
    VOICE = "V"
    PAIN = "P"
    UNRESPONSIVE = "U"


class Breathing(StrEnum):
    """Whether the person breathes room air or is given oxygen."""

    AIR = "air"
    OXYGEN = "oxygen"


class Door(StrEnum):
    """Whether a door (or a window) is open."""

    OPEN = "open"
    CLOSED = "closed"


class Motion(StrEnum):
    """Whether somebody moves about in the room."""

    DETECTED = "detected"
    CLEAR = "clear"


class Button(StrEnum):
    """How a button was pressed."""

    PRESS = "press"
    DOUBLE_PRESS = "double press"
    TRIPLE_PRESS = "triple press"
    LONG_PRESS = "long press"
    HELD = "held"


Code = Consciousness | Breathing | Door | Motion | Button
"""The value of what is not a number."""

Value = float | Code
"""A measured value: a number in its vital's unit, or a code."""


def type_of_value(vital: Vital) -> type[float] | type[Code]:
    """The type that this vital's values have: a code for the coded ones, else a number."""
    return _CODES.get(vital, float)


_CODES: dict[Vital, type[Code]] = {
    Vital.CONSCIOUSNESS: Consciousness,
    Vital.SUPPLEMENTAL_OXYGEN: Breathing,
    Vital.DOOR: Door,
    Vital.MOTION: Motion,
    Vital.BUTTON: Button,
}


class AbsentReason(StrEnum):
    """Why there is no value. The names are FHIR R4's data-absent-reason codes."""

    NOT_A_NUMBER = "not-a-number"  # the sensor sent NaN: it measured and failed
    NEGATIVE_INFINITY = "negative-infinity"
    POSITIVE_INFINITY = "positive-infinity"
    ERROR = "error"  # NRes, a reserved special value, or a value that cannot be
    UNSUPPORTED = "unsupported"  # the sensor does not measure this


class Quality(StrEnum):
    """How far a value may be trusted, as the sensor's own status tells.

    GOOD and QUESTIONABLE values are scored, the latter marked wherever they show. UNUSABLE ones
    are kept and shown with their reason, but are never a number to any score (promise 4).
    """

    GOOD = "good"
    QUESTIONABLE = "questionable"
    UNUSABLE = "unusable"


class Flag(StrEnum):
    """What the sensor said about its own measurement."""

    BODY_MOVEMENT = "body movement"
    CUFF_TOO_LOOSE = "cuff too loose"
    IRREGULAR_PULSE = "irregular pulse"
    IMPROPER_POSITION = "improper measurement position"
    PULSE_ABOVE_RANGE = "pulse rate above the sensor's range"
    PULSE_BELOW_RANGE = "pulse rate below the sensor's range"
    MEASUREMENT_ONGOING = "measurement ongoing"
    EARLY_ESTIMATE = "early estimate"
    FROM_MEMORY = "from the sensor's memory"
    FOR_DEMONSTRATION = "demonstration data"
    FOR_TESTING = "test data"
    CALIBRATION_ONGOING = "calibration ongoing"
    MEASUREMENT_UNAVAILABLE = "measurement unavailable"
    QUESTIONABLE_MEASUREMENT = "questionable measurement"
    INVALID_MEASUREMENT = "invalid measurement"
    EXTENDED_DISPLAY_UPDATE = "extended display update"
    EQUIPMENT_MALFUNCTION = "equipment malfunction"
    SIGNAL_PROCESSING_IRREGULARITY = "signal processing irregularity"
    INADEQUATE_SIGNAL = "inadequate signal"
    POOR_SIGNAL = "poor signal"
    LOW_PERFUSION = "low perfusion"
    ERRATIC_SIGNAL = "erratic signal"
    NONPULSATILE_SIGNAL = "non-pulsatile signal"
    QUESTIONABLE_PULSE = "questionable pulse"
    SIGNAL_ANALYSIS_ONGOING = "signal analysis ongoing"
    SENSOR_INTERFERENCE = "sensor interference"
    SENSOR_UNCONNECTED = "sensor unconnected"
    SENSOR_DISPLACED = "sensor displaced"
    UNKNOWN_SENSOR = "unknown sensor"
    NO_SKIN_CONTACT = "no skin contact"
    CONTROL_SOLUTION = "control solution"
    KETONE = "a ketone, not glucose"
    PERHAPS_KETONE = "perhaps a ketone, not glucose"
    MEASUREMENT_UNSUCCESSFUL = "measurement unsuccessful"
    SAMPLE_INSUFFICIENT = "sample insufficient"
    STRIP_PROBLEM = "test strip problem"
    RESULT_TOO_HIGH = "above the sensor's range"
    RESULT_TOO_LOW = "below the sensor's range"
    TEMPERATURE_OUT_OF_RANGE = "too hot or too cold for the sensor"
    READ_INTERRUPTED = "measurement interrupted"
    BATTERY_LOW = "sensor's battery low"
    FASTING = "fasting"
    BEFORE_MEAL = "before a meal"
    AFTER_MEAL = "after a meal"
    CASUAL = "at no set time"
    BEDTIME = "at bedtime"
    CLOCK_NOT_SET = "sensor clock not set"
    IMPLAUSIBLE = "outside what is physically plausible"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One vital sign in its fixed unit, or the reason why there is none.

    Exactly one of `value` and `absent` is given. `site` is where on the body, in the sensor's
    own words, if it said so (a thermometer's "tympanum").
    """

    vital: Vital
    value: Value | None
    absent: AbsentReason | None = None
    quality: Quality = Quality.GOOD
    site: str | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.absent is None):
            raise ValueError(f"{self.vital}: give a value or the reason for its absence, not both or neither")
        if self.value is not None and not isinstance(self.value, type_of_value(self.vital)):
            raise ValueError(f"{self.vital}: {self.value!r} is not of this vital's type")

    @property
    def usable(self) -> bool:
        """True where a score may use the value."""
        return self.value is not None and self.quality is not Quality.UNUSABLE


@dataclass(frozen=True, slots=True)
class DeviceTime:
    """A sensor's own clock: local time with no zone, as Bluetooth's Date Time (2A08) carries it.

    It is no `datetime`, since a naive one would be too easily compared with an aware one.
    `day` or `month` may be 0 (not known), as the specification allows.
    """

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int

    @classmethod
    def of(cls, text: str) -> DeviceTime:
        """The time that was written by `str`. Raises `ValueError` where it was not."""
        date, _, time = text.partition("T")
        return cls(*(int(part) for part in (*date.split("-", 2), *time.split(":", 2))))

    def __str__(self) -> str:
        return (
            f"{self.year:04}-{self.month:02}-{self.day:02}T{self.hour:02}:{self.minute:02}:{self.second:02}"
        )


class Origin(StrEnum):
    """Where a reading came from. All but SENSOR and MANUAL are marked as test data on the wire."""

    SENSOR = "sensor"
    MANUAL = "manual"
    REPLAY = "replay"
    VIRTUAL = "virtual"


@dataclass(frozen=True, slots=True)
class RawPayload:
    """The bytes as a sensor sent them, before anyone believed them: what `carehub record` keeps.

    `device` is the Bluetooth address in capitals ("C4:F2:17:00:00:01"), `driver` the name of the
    driver that can read the payload, `characteristic` which of the driver's characteristics sent
    it (four hex digits in lower case; empty: the driver's first). `received_at` is aware.
    """

    device: str
    driver: str
    payload: bytes
    received_at: datetime
    characteristic: str = ""
    origin: Origin = Origin.SENSOR

    def __post_init__(self) -> None:
        if self.received_at.tzinfo is None:
            raise ValueError("received_at: a time without a zone is no time")


@dataclass(frozen=True, slots=True)
class Reading:
    """One thing a sensor or a person said at one moment, decoded.

    `user_id` is the sensor's own number for the person measured, where it keeps several apart.
    `problem` says in words why a payload could not be decoded; then there are no measurements,
    and the raw bytes are kept so that nothing is lost. `streaming` marks one of many that a sensor sends
    for as long as it is worn: alone it is no observation. `stretch` sums up many of them that are one reading
    (`hub/intake/streams.py`), `measurements` has then the median of each vital. `beat_intervals` are the
    times from beat to beat in seconds, oldest first, of a sensor that tells them: they are in the raw bytes,
    so the store does not keep them a second time and a reading from the store has none.
    """

    id: uuid.UUID
    raw: RawPayload
    measurements: tuple[Measurement, ...]
    flags: frozenset[Flag] = frozenset()
    device_time: DeviceTime | None = None
    sequence_number: int | None = None
    user_id: int | None = None
    problem: str | None = None
    streaming: bool = False
    beat_intervals: tuple[float, ...] = ()
    stretch: Stretch | None = None

    @property
    def says_nothing(self) -> bool:
        """Whether it was decoded, and neither measures anything nor says anything of a measurement."""
        return not self.measurements and not self.flags and self.problem is None

    @property
    def of_the_room(self) -> bool:
        """Whether it is about no person: all that it measured, or its sensor where that is nothing."""
        said = [each.vital for each in self.measurements]
        return OF_THE_ROOM.issuperset(said) if said else self.raw.driver in DRIVERS_OF_THE_ROOM


def reading_id(
    raw: RawPayload,
    device_time: DeviceTime | None,
    *,
    keeps_records: bool = False,
    sequence_number: int | None = None,
) -> uuid.UUID:
    """The identity of a reading: the same again if the same reading arrives again.

    A payload that carries the sensor's own time is the same reading however often and whenever it is sent
    (cuffs push their memory at each connection), whatever the hub's own clock says meanwhile, if that time
    identifies: within 31 days of the receipt, the zone left out of account, any time does; beyond them, one
    that a clock gives which runs. A time that cannot be, or that a clock gives which nobody set, is perhaps
    of one that stands still, and then equal payloads of two days are two measurements: it is told apart by
    the day (UTC) it was received. One without a time is told apart by the time it was received.

    A record that a sensor has stored comes again at each link, for months. So a numbered one
    (`sequence_number`) is known by its bytes alone; and so is one of a sensor that `keeps_records`
    (`drivers.driver.Driver`) and gives it a whole date, even of a clock that nobody set. Counted anew each
    day, it would be an observation that nobody made, and perhaps an alert; two measurements of the same
    several numbers in the same second of the same wrong day are next to impossible.

    A UUID of version 8 (RFC 9562, section 5.8), so that ids grow with time and an index of them at its end:
    48 bits of the moment that tells it apart, in milliseconds since 1970 (the sensor's local time as if it
    were UTC; the day; the time received; 0 for a numbered record without a date), then the first 74 bits of
    a SHA-256 of all that it is known by.
    """
    sensor_time = None if device_time is None else _as_if_utc(device_time)
    told_apart_by = ""
    if sequence_number is not None:
        moment = sensor_time or _EPOCH
    elif device_time is None:
        told_apart_by, moment = raw.received_at.isoformat(), raw.received_at
    elif sensor_time is not None and (keeps_records or _identifies(sensor_time, raw.received_at)):
        moment = sensor_time
    else:
        moment = raw.received_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        told_apart_by = moment.date().isoformat()
    name = f"{raw.device}|{raw.driver}|{raw.characteristic}|{raw.payload.hex()}|{told_apart_by}"
    digest = int.from_bytes(hashlib.sha256(_READING_NAMESPACE + name.encode()).digest()[:10])
    since_1970 = moment - _EPOCH
    seconds = since_1970.days * 86_400 + since_1970.seconds
    # No more than 48 bits: they reach to the year 10889.
    milliseconds = 0 if seconds < 0 else seconds * 1000 + since_1970.microseconds // 1000
    return uuid.UUID(
        int=milliseconds << 80 | 8 << 76 | digest >> 68 << 64 | 0b10 << 62 | digest >> 6 & (1 << 62) - 1
    )


def _as_if_utc(time: DeviceTime) -> datetime | None:
    """The sensor's time as if it were UTC; None where it is no whole date."""
    try:
        return datetime(time.year, time.month, time.day, time.hour, time.minute, time.second, 0, UTC)
    except ValueError:  # no such day, or one that is not known
        return None


def _identifies(as_if_utc: datetime, received_at: datetime) -> bool:
    """Whether a sensor's time tells its reading apart from every other."""
    return abs(received_at - as_if_utc) <= _IDENTIFIES_WITHIN or is_of_a_clock_that_runs(as_if_utc)


def is_of_a_clock_that_runs(time: datetime | DeviceTime) -> bool:
    """Whether a sensor's time looks like one of a clock that somebody has set."""
    # A clock that nobody set shows the first of January, or the first minutes after midnight or noon of the
    # day it was made, and some begin again each time they are switched on.
    unset = (time.month, time.day) == (1, 1) or (time.hour in {0, 12} and time.minute < _MINUTES_OF_ITS_START)
    return time.year in _YEARS_OF_SENSORS and not unset
