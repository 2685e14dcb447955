"""When was it measured? The sensor's clock against the hub's, as a pure rule.

Most sensors have a clock that nobody set; a cuff's memory holds readings of days ago. The rule:

- no sensor time, or the sensor says that its clock is not set: the time of receipt, "received";
- the sensor's clock agrees with the hub's (`sensor_clock.agrees_within`): the time of receipt, "agreed";
- the sensor's time is older by as much as people set clocks wrong (an hour: summer time not set; 12 hours:
  AM for PM; 24 hours: the wrong day), to within `agrees_within`: the time of receipt, "doubtful", unless
  the sensor itself says that the reading is from its memory;
- the sensor's time is older, but believable (`sensor_clock.believed_for`): the sensor's own time, since it
  is a reading from its memory, "sensor";
- the sensor numbers its records (a glucose meter), and its time is older still, but of a clock that somebody
  seems to have set: the sensor's own time, "sensor". At its first link a meter tells all that it has
  stored, a year and more: told as measured now, each would be a glucose that nobody has. No score has
  any of it, so no alert is lost by a meter whose clock is years behind;
- the sensor's time is ahead, or too old to be believed, or no date at all: the time of receipt, "doubtful".

Why an age of an hour is doubtful: it is either a reading from memory or a live one of a slow clock, and
nothing in it tells which. Taken for a memory, a live reading would be scored apart from what was measured
beside it, or come too late to be alerted: a lost alert. Taken for live, a memory raises an alert that is
about the past, and says that its time is doubtful: a marked alert, which costs a look. What is doubtful may
raise an alert and never ends one (`hub/alerts/life.py`). A clock that is slow by any other amount cannot be
told from a memory; so long as it is slow by less than `observation_sets.late` (24 h), its readings are
alerted, each scored at the time that its sensor said.

Where the hub's own clock cannot be believed (`ClockQuality` NOT_YET or STEPPED), a sensor's clock that does
not agree with it is right as likely as not, and nothing tells a live reading from a memory. Then any age is
doubtful, also one of which the sensor says that it is from its memory: two days of memory of a hub that is
two days ahead would come too late to be alerted. Once the clock is set, it is decided anew
(`hub/timekeeping/correction.py`).

A local time that exists twice, when the clocks go back in autumn, is the instant nearer to the receipt.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

from hub.clock import ClockQuality
from hub.readings import DeviceTime, Flag, Reading, is_of_a_clock_that_runs

_COMMON_ERRORS = (timedelta(hours=1), timedelta(hours=12), timedelta(hours=24))


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


def measured_at(
    reading: Reading, rule: ClockRule, hub_clock: ClockQuality = ClockQuality.SYNCHRONISED
) -> tuple[datetime, TimeQuality]:
    """The moment of measurement (aware, UTC) and how it is known.

    `hub_clock` is how far the clock could be believed that told when the reading was received.
    """
    received_at = reading.raw.received_at.astimezone(UTC)
    if reading.device_time is None or Flag.CLOCK_NOT_SET in reading.flags:
        return received_at, TimeQuality.RECEIVED
    sensor_time = _aware(reading.device_time, rule.zone, received_at)
    if sensor_time is None:
        return received_at, TimeQuality.DOUBTFUL
    age = received_at - sensor_time
    if abs(age) <= rule.agrees_within:
        return received_at, TimeQuality.AGREED
    if hub_clock is not ClockQuality.SYNCHRONISED:
        return received_at, TimeQuality.DOUBTFUL
    slow = any(abs(age - error) <= rule.agrees_within for error in _COMMON_ERRORS)
    if slow and Flag.FROM_MEMORY not in reading.flags:
        return received_at, TimeQuality.DOUBTFUL
    if timedelta(0) < age and (age <= rule.believed_for or _is_believed_at_any_age(reading)):
        return sensor_time, TimeQuality.SENSOR
    return received_at, TimeQuality.DOUBTFUL


def told_age(reading: Reading, rule: ClockRule) -> timedelta | None:
    """How long before its receipt a reading was measured, by the sensor's own clock alone; negative where
    that clock is ahead of the hub's. None where the sensor tells no time, or one of a clock that
    it says is not set."""
    if reading.device_time is None or Flag.CLOCK_NOT_SET in reading.flags:
        return None
    received_at = reading.raw.received_at.astimezone(UTC)
    sensor_time = _aware(reading.device_time, rule.zone, received_at)
    return None if sensor_time is None else received_at - sensor_time


def told_before(reading: Reading, moment: datetime, rule: ClockRule) -> bool:
    """Whether the sensor's own clock says that it measured before that moment.

    Asked where nothing must be taken for a person's that may be another's: a time is heard here that agrees
    with the hub's, or is doubtful for being an hour old, but not that of a clock which nobody set.
    """
    received_at = reading.raw.received_at.astimezone(UTC)
    if reading.device_time is None or Flag.CLOCK_NOT_SET in reading.flags:
        return False
    sensor_time = _aware(reading.device_time, rule.zone, received_at)
    if sensor_time is None or sensor_time >= moment:
        return False
    return received_at - sensor_time <= rule.believed_for or _is_believed_at_any_age(reading)


def _is_believed_at_any_age(reading: Reading) -> bool:
    """Whether it is a numbered record, with a time of a clock that somebody seems to have set."""
    time = reading.device_time
    return reading.sequence_number is not None and time is not None and is_of_a_clock_that_runs(time)


def _aware(time: DeviceTime, zone: tzinfo, received_at: datetime) -> datetime | None:
    """The sensor's time in UTC, or None where it is no date (a day or month "not known", 31 June)."""
    try:
        local = datetime(time.year, time.month, time.day, time.hour, time.minute, time.second, tzinfo=zone)
        either = (local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
        return min(either, key=lambda moment: abs(received_at - moment))
    except (ValueError, OverflowError):  # no such day; or the first or last of all, beyond them in UTC
        return None
