"""How single values of the configuration are written, and what is said of one that is not so."""

from __future__ import annotations

import re
from datetime import time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(MB|GB)")
_BYTES = {"MB": 10**6, "GB": 10**9}


def _duration(value: object) -> object:
    if not isinstance(value, str):
        return value if isinstance(value, timedelta) else _bad_duration()
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        return _bad_duration()
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])


def _size(value: object) -> object:
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError('give a size with its unit, as "200 MB" or "2 GB"')
    return round(float(match[1]) * _BYTES[match[2]])


def _bad_duration() -> object:
    raise ValueError('give a duration with its unit, as "30 s", "15 min", "4 h" or "1 d"')


def _address(value: str) -> str:
    if not re.fullmatch(r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}", value):
        raise ValueError('give a Bluetooth address as "C4:F2:17:00:00:01"')
    return value.upper()


def _passkey(value: object) -> object:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{6}", text, re.ASCII):
        raise ValueError('give the six digits that the sensor shows, in quotes, as "012345"')
    return int(text)


def zone(value: str) -> str:
    """A time zone that there is. Raises `ValueError`."""
    try:
        ZoneInfo(value)
    except (KeyError, ValueError) as error:
        raise ValueError('give a time zone of the tz database, as "Europe/London"') from error
    return value


def local_time(value: time) -> time:
    """A time of day without a zone. Raises `ValueError`."""
    if value.tzinfo is not None:
        raise ValueError('give a local time without a zone, as "07:00"')
    return value


def _duration_text(value: timedelta) -> str:
    return f"{value.total_seconds():g} s"


Duration = Annotated[timedelta, BeforeValidator(_duration), PlainSerializer(_duration_text)]
Size = Annotated[int, BeforeValidator(_size), PlainSerializer(lambda size: f"{size / 10**6:g} MB")]
"""Bytes."""
Address = Annotated[str, AfterValidator(_address)]
Passkey = Annotated[int, BeforeValidator(_passkey), PlainSerializer(lambda _: "******")]
"""What a sensor asks for when it is bonded with (Bluetooth Core 5.4, vol 3 part H 2.3.5.3): 0 to 999999."""
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
TopicLevel = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
"""Part of a topic and of a certificate's name (SITE.HUB): hence no dot, at which NATS hangs up besides."""
