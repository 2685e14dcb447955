"""When was it measured? The sensor's clock against the hub's, as a pure rule.

Most sensors have a clock that nobody set; a cuff's memory holds readings of days ago. The rule:

- no sensor time, or the sensor says that its clock is not set: the time of receipt, "received";
- the sensor's clock agrees with the hub's (`sensor_clock.agrees_within`): the time of receipt, "agreed";
- the sensor's time is older, but believable (`sensor_clock.believed_for`): the sensor's own time, since it
  is a reading from its memory, "sensor";
- the sensor's time is ahead, or too old to be believed, or no date at all: the time of receipt, "doubtful".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

from hub.readings import DeviceTime, Flag, Reading


class TimeQuality(StrEnum):
    """How the time of a measurement is known."""

    RECEIVED = "received"
    AGREED = "agreed"
    SENSOR = "sensor"
    DOUBTFUL = "doubtful"


@dataclass(frozen=True, slots=True)
class ClockRule:
    """How far a sensor's clock is believed, and the zone that sensors in this home are set to."""

    agrees_within: timedelta
    believed_for: timedelta
    zone: tzinfo


def measured_at(reading: Reading, rule: ClockRule) -> tuple[datetime, TimeQuality]:
    """The moment of measurement (aware, UTC) and how it is known."""
    received_at = reading.raw.received_at.astimezone(UTC)
    if reading.device_time is None or Flag.CLOCK_NOT_SET in reading.flags:
        return received_at, TimeQuality.RECEIVED
    sensor_time = _aware(reading.device_time, rule.zone)
    if sensor_time is None:
        return received_at, TimeQuality.DOUBTFUL
    age = received_at - sensor_time
    if abs(age) <= rule.agrees_within:
        return received_at, TimeQuality.AGREED
    if timedelta(0) < age <= rule.believed_for:
        return sensor_time, TimeQuality.SENSOR
    return received_at, TimeQuality.DOUBTFUL


def _aware(time: DeviceTime, zone: tzinfo) -> datetime | None:
    """The sensor's time in UTC, or None where it is no date (a day or month "not known", 31 June)."""
    try:
        local = datetime(time.year, time.month, time.day, time.hour, time.minute, time.second, tzinfo=zone)
        return local.astimezone(UTC)
    except (ValueError, OverflowError):  # no such day; or the first or last of all, beyond them in UTC
        return None
