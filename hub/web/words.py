"""How the page says things: times, vitals, values, bands. Pure but for the clock that `install` is given.

British English, 24 hours, local time of the home. One name for a thing on every page, and the RCP's own name
where it has one (National Early Warning Score 2, 2017). A number is shown rounded as the chart rounds it,
half up, so that nobody sees 92 % beside the points of 91 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hub.assessment.news2 import Band
from hub.clock import now
from hub.readings import AbsentReason, Breathing, Consciousness, Quality, Value, Vital, type_of_value

if TYPE_CHECKING:
    from jinja2 import Environment

NOT_KNOWN = "not known"
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_MINUTES_SHOWN_BELOW = 6  # hours: "5 h 20 min", then "6 h"
_DAYS_FROM = 48  # hours

_NAMES = {
    Vital.RESPIRATION_RATE: ("Respiration rate", "Breaths"),
    Vital.OXYGEN_SATURATION: ("Oxygen saturation", "SpO2"),
    Vital.SUPPLEMENTAL_OXYGEN: ("Air or oxygen", "Air or oxygen"),
    Vital.SYSTOLIC_PRESSURE: ("Systolic blood pressure", "Systolic"),
    Vital.DIASTOLIC_PRESSURE: ("Diastolic blood pressure", "Diastolic"),
    Vital.MEAN_ARTERIAL_PRESSURE: ("Mean blood pressure", "Mean"),
    Vital.PULSE_RATE: ("Pulse rate", "Pulse"),
    Vital.CONSCIOUSNESS: ("Consciousness", "Consciousness"),
    Vital.TEMPERATURE: ("Temperature", "Temperature"),
    Vital.BODY_WEIGHT: ("Weight", "Weight"),
    Vital.GLUCOSE: ("Blood glucose", "Glucose"),
    Vital.ROOM_TEMPERATURE: ("Room temperature", "Room"),
    Vital.DOOR: ("Door", "Door"),
    Vital.MOTION: ("Motion", "Motion"),
    Vital.BUTTON: ("Button", "Button"),
}
_UNITS = {
    Vital.RESPIRATION_RATE: "a minute",
    Vital.OXYGEN_SATURATION: "%",
    Vital.SYSTOLIC_PRESSURE: "mmHg",
    Vital.DIASTOLIC_PRESSURE: "mmHg",
    Vital.MEAN_ARTERIAL_PRESSURE: "mmHg",
    Vital.PULSE_RATE: "a minute",
    Vital.TEMPERATURE: "°C",
    Vital.BODY_WEIGHT: "kg",
    Vital.GLUCOSE: "mmol/L",
    Vital.ROOM_TEMPERATURE: "°C",
}
_TENTHS = {Vital.TEMPERATURE, Vital.BODY_WEIGHT, Vital.GLUCOSE, Vital.ROOM_TEMPERATURE}
_CODES: dict[str, str] = {
    Consciousness.ALERT: "Alert",
    Consciousness.NEW_CONFUSION: "New confusion",
    Consciousness.VOICE: "Responds to voice",
    Consciousness.PAIN: "Responds to pain",
    Consciousness.UNRESPONSIVE: "Unresponsive",
    Breathing.AIR: "On air",
    Breathing.OXYGEN: "On oxygen",
}
_ABSENT = {
    AbsentReason.NOT_A_NUMBER: "the sensor measured and found nothing",
    AbsentReason.NEGATIVE_INFINITY: "below what the sensor can measure",
    AbsentReason.POSITIVE_INFINITY: "above what the sensor can measure",
    AbsentReason.ERROR: "the sensor failed",
    AbsentReason.UNSUPPORTED: "the sensor does not measure this",
}
_QUALITIES = {
    Quality.GOOD: "",
    Quality.QUESTIONABLE: "in doubt: measure again",
    Quality.UNUSABLE: "cannot be used: measure again",
}


def vital_words(vital: Vital | str) -> str:
    """A vital's name: "Oxygen saturation". Raises `ValueError` where there is no such vital."""
    return _NAMES[Vital(vital)][0]


def short_vital_words(vital: Vital | str) -> str:
    """A vital's name where there is little room: "SpO2". Raises `ValueError` where there is no such vital."""
    return _NAMES[Vital(vital)][1]


def unit_words(vital: Vital | str) -> str:
    """A vital's unit as it is read out: "a minute"; empty for what has none."""
    return _UNITS.get(Vital(vital), "")


def number_words(value: float, vital: Vital | str) -> str:
    """A number without its unit, rounded as NEWS2's chart rounds it: "36.1" for 36.05 °C.

    Raises:
        ValueError: there is no such vital.
    """
    if not math.isfinite(value):
        return NOT_KNOWN
    step = Decimal("0.1") if Vital(vital) in _TENTHS else Decimal(1)
    return str(Decimal(repr(float(value))).quantize(step, ROUND_HALF_UP))


def value_words(value: Value | str | None, vital: Vital | str) -> str:
    """A value with its unit: "91 %", "26 a minute", "New confusion"; "not measured" for None.

    Text is taken for the code that a coded vital has ("C").

    Raises:
        ValueError: there is no such vital, or no such code of it.
    """
    vital = Vital(vital)
    if value is None:
        return "not measured"
    kind = type_of_value(vital)
    if issubclass(kind, StrEnum):
        code = kind(str(value))
        return _CODES.get(code, code.value.capitalize())
    number = float(value)
    if math.isinf(number):
        return f"{'above' if number > 0 else 'below'} what the sensor can measure"
    return f"{number_words(number, vital)} {_UNITS[vital]}" if not math.isnan(number) else NOT_KNOWN


def pressure_words(systolic: float | None, diastolic: float | None) -> str:
    """A blood pressure: "128/80 mmHg"; "128/? mmHg" where one of the two is not known."""
    if systolic is None and diastolic is None:
        return "not measured"
    upper = "?" if systolic is None else number_words(systolic, Vital.SYSTOLIC_PRESSURE)
    lower = "?" if diastolic is None else number_words(diastolic, Vital.DIASTOLIC_PRESSURE)
    return f"{upper}/{lower} mmHg"


def absent_words(reason: AbsentReason | str) -> str:
    """Why there is no value. Raises `ValueError` where there is no such reason."""
    return _ABSENT[AbsentReason(reason)]


def quality_words(quality: Quality | str) -> str:
    """How far a value may be trusted: empty where it may. Raises `ValueError` for what is no quality."""
    return _QUALITIES[Quality(quality)]


def band_words(band: Band | str, complete: bool = True) -> str:
    """A band of NEWS2, of a partial score with "at least": "at least medium". High is high either way."""
    band = Band(band)
    return band.words if complete or band is Band.HIGH else f"at least {band.words}"


def band_class(band: Band | str) -> str:
    """The band as a style has it: "single-red"."""
    return Band(band).value.replace("_", "-")


def score_words(total: int | None, band: Band | str | None, complete: bool = True) -> str:
    """A score to be read out: "NEWS2 at least 5, at least medium"; "NEWS2 not known" without one."""
    if total is None or band is None:
        return f"NEWS2 {NOT_KNOWN}"
    return f"NEWS2 {'' if complete else 'at least '}{total}, {band_words(band, complete)}"


def count_words(number: int, one: str, many: str | None = None) -> str:
    """How many: "no alerts", "1 alert", "41 messages"; `many` where an "s" does not do ("bodies")."""
    several = many if many is not None else f"{one}s"
    return f"1 {one}" if number == 1 else f"{number or 'no'} {several}"


def duration_words(span: timedelta) -> str:
    """How long: "less than a minute", "12 min", "2 h 10 min", "7 h", "3 days". `live.js` says it the same."""
    span = abs(span)
    if span < _MINUTE:
        return "less than a minute"
    hours, rest = divmod(span, _HOUR)
    minutes = rest // _MINUTE
    if not hours:
        return f"{minutes} min"
    if hours < _MINUTES_SHOWN_BELOW and minutes:
        return f"{hours} h {minutes} min"
    return f"{hours} h" if hours < _DAYS_FROM else f"{span // _DAY} days"


def ago_words(at: datetime | None, at_present: datetime) -> str:
    """How long ago: "just now", "12 min ago". A time to come is said to be one: some clock is wrong."""
    if at is None:
        return NOT_KNOWN
    span = at_present - at
    if span <= -_MINUTE:
        return f"in {duration_words(span)} by the hub's clock"
    return "just now" if span < _MINUTE else f"{duration_words(span)} ago"


def until_words(at: datetime | None, at_present: datetime) -> str:
    """When something is due: "in 40 min", "now", "2 h overdue"."""
    if at is None:
        return NOT_KNOWN
    span = at - at_present
    if abs(span) < _MINUTE:
        return "now"
    return f"in {duration_words(span)}" if span > timedelta(0) else f"{duration_words(span)} overdue"


def time_words(at: datetime | None, zone: ZoneInfo) -> str:
    """The time of day in the home: "14:03"."""
    return NOT_KNOWN if at is None else f"{at.astimezone(zone):%H:%M}"


def date_words(day: date | None, zone: ZoneInfo) -> str:
    """A day: "3 March 2026"; of a moment, the day that it was in the home."""
    if day is None:
        return NOT_KNOWN
    if isinstance(day, datetime):
        day = day.astimezone(zone).date()
    return f"{day.day} {day:%B %Y}"


def moment_words(at: datetime | None, at_present: datetime, zone: ZoneInfo) -> str:
    """A moment: "14:03" of today, "yesterday 14:03", "Tue 3 Mar, 14:03", with the year if it is another."""
    if at is None:
        return NOT_KNOWN
    there, today = at.astimezone(zone), at_present.astimezone(zone).date()
    clock = f"{there:%H:%M}"
    if there.date() == today:
        return clock
    if there.date() == today - _DAY:
        return f"yesterday {clock}"
    year = "" if there.year == today.year else f" {there.year}"
    return f"{there:%a} {there.day} {there:%b}{year}, {clock}"


def install(environment: Environment, zone: ZoneInfo, clock: Callable[[], datetime] = now) -> None:
    """Teach the templates all of these as filters, in the home's time zone (`site.timezone`).

    Of times: `at|ago`, `at|moment`, `at|clock_time`, `due|until`, `day|day`, `span|duration`. Of vitals:
    `vital|vital`, `vital|short_vital`, `vital|unit`, `value|value(vital)`, `value|number(vital)`,
    `systolic|pressure(diastolic)`, `reason|absent`, `quality|quality`. Of scores: `band|band(complete)`,
    `band|band_class`, `total|score_words(band, complete)`. Of counts: `number|number_of("alert")`. And
    `now()`, as the hub's clock has it.
    """
    environment.filters.update(
        {
            "ago": lambda at: ago_words(at, clock()),
            "until": lambda at: until_words(at, clock()),
            "moment": lambda at: moment_words(at, clock(), zone),
            "clock_time": lambda at: time_words(at, zone),
            "day": lambda day: date_words(day, zone),
            "duration": duration_words,
            "vital": vital_words,
            "short_vital": short_vital_words,
            "unit": unit_words,
            "value": value_words,
            "number": number_words,
            "pressure": pressure_words,
            "absent": absent_words,
            "quality": quality_words,
            "band": band_words,
            "band_class": band_class,
            "score_words": score_words,
            "number_of": count_words,
        }
    )
    environment.globals["now"] = clock
