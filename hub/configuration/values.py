"""How the configuration's tables and single values are written, and what is said of one that is not so."""

from __future__ import annotations

import re
from datetime import time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from drivers.usb.address import UsbAddress, is_usb, tells_apart
from drivers.usb.wedge import LONGEST, as_typed

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BOUND = re.compile(r"datetime\.timedelta\((?:(days=)|seconds=)?([0-9]+)\)")
"""A duration as pydantic writes it."""
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(MB|GB)")
_BYTES = {"MB": 10**6, "GB": 10**9}
_PRIVATE = ("password", "passkey", "residents", "label", "ladder")
"""Parts of keys whose values are of people, or secret."""
_TYPED_BY_DIFFERENT_KEYS = frozenset('"@#~\\|`')  # on American and on British keyboards


class Section(BaseModel):
    """A table of the file: unknown keys are errors, so that a misspelt one is not silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


ADDRESSES = (
    'give a Bluetooth address as "C4:F2:17:00:00:01", or one of USB as "USB:0403:6001:A9XK2P7Q" or'
    ' "USB:10C4:EA60@PLATFORM-XHCI-HCD.0-USB-0:1.4", as carehub devices scan shows them'
)
"""What to say of what is no address."""


def _address(value: str) -> str:
    if is_usb(value):
        try:
            address = UsbAddress.parse(value)
        except ValueError as error:
            raise ValueError(ADDRESSES) from error
        if address.serial is not None and not tells_apart(address.serial):
            raise ValueError(
                f"{address.serial} is a serial number that many devices say: give the address with the"
                " socket, as carehub devices scan shows it while it is plugged in"
            )
        return str(address)
    if not re.fullmatch(r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}", value):
        raise ValueError(ADDRESSES)
    return value.upper()


def _passkey(value: object) -> object:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{6}", text, re.ASCII):
        raise ValueError('give the six digits that the sensor shows, in quotes, as "012345"')
    return int(text)


def _wristband(value: object) -> object:
    """As `drivers.usb.wedge` gives what a reader types. What was written is personal data: never quoted."""
    code = as_typed(value) if isinstance(value, str) else ""
    if not code.isascii() or not code.isprintable() or not 0 < len(code) <= LONGEST:
        raise ValueError(
            f"give the code that is printed on it, in quotes: 1 to {LONGEST} plain letters, digits and signs"
        )
    if not _TYPED_BY_DIFFERENT_KEYS.isdisjoint(code):
        raise ValueError(
            "has a sign that American and British keyboards type with different keys, so that no reader is"
            " sure of it: use codes of letters and digits"
        )
    return code


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


def _as_written(bound: re.Match[str]) -> str:
    return f'"{bound[2]} {"d" if bound[1] else "s"}"'


def wrong(problem: object) -> str:
    """A line for one of pydantic's errors: the key, what is allowed, and what it is unless private: the line
    goes into the log, and into what is sent to whoever helps."""
    assert isinstance(problem, dict)
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
    message = _BOUND.sub(_as_written, problem["msg"].removeprefix("Value error, "))
    if problem["type"] == "extra_forbidden":
        return f"{key}: no such key; is it misspelt?"
    if problem["type"] == "missing":
        return f"{key}: missing, and has no default"
    private = any(word in key for word in _PRIVATE)
    hidden = private or isinstance(problem["input"], dict | list)
    shown = "" if hidden else f" (it is {problem['input']!r})"
    return f"{key or 'the file'}: {message}{shown}"


Duration = Annotated[timedelta, BeforeValidator(_duration), PlainSerializer(_duration_text)]
Size = Annotated[int, BeforeValidator(_size), PlainSerializer(lambda size: f"{size / 10**6:g} MB")]
"""Bytes."""
Address = Annotated[str, AfterValidator(_address)]
"""Of what is on Bluetooth, or on USB (`drivers.usb.address`): in capitals, each written in one way."""
Passkey = Annotated[int, BeforeValidator(_passkey), PlainSerializer(lambda _: "******")]
"""What a sensor asks for when it is bonded with (Bluetooth Core 5.4, vol 3 part H 2.3.5.3): 0 to 999999."""
Wristband = Annotated[str, BeforeValidator(_wristband), PlainSerializer(lambda _: "******")]
"""The code on a resident's wristband, in capitals: upper and lower case mean the same. It may be an NHS
number: it is shown nowhere."""
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
TopicLevel = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
"""Part of a topic and of a certificate's name (SITE.HUB): hence no dot, at which NATS hangs up besides."""
