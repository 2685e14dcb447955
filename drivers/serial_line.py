"""A class of sensor on a serial line: how the line is set, and what is said on it.

What is said is a `Conversation`: it takes the bytes that came and gives the payloads that are whole and the
bytes that shall be written. It opens nothing and waits for nothing, so that every exchange can be tested as
bytes in and bytes out; `drivers/usb/session.py` plays it on a real line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, Protocol

from drivers.bluetooth.device_information import DeviceInformation
from drivers.driver import Driver


def later(local: datetime, seconds: float) -> datetime:
    """The home's time so many seconds after it was `local`, also where its clocks were changed in between."""
    return (local.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(local.tzinfo)


@dataclass(frozen=True, slots=True)
class LineSettings:
    """How the bytes come: baud rate, and eight data bits with this parity (none, even, odd) and stop bits."""

    baud: int
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1


class Heard(NamedTuple):
    """What came of bytes, or of time: whole payloads, each with its characteristic, in the order of their
    arrival; what shall be written now; and what the sensor said of itself."""

    payloads: tuple[tuple[str, bytes], ...] = ()
    write: bytes = b""
    information: DeviceInformation | None = None


NOTHING_HEARD = Heard()


class Conversation(Protocol):
    """One talk with a sensor, from when its line was opened until that is closed.

    `at` is a monotonic clock in seconds. Nothing here raises, whatever comes; what is no frame is passed
    over, and memory is bounded. `frames` counts the whole frames heard so far, `passed_over` the bytes that
    were part of none: a line that is set wrongly has many of these and none of those.
    """

    @property
    def frames(self) -> int:
        """How many whole frames were heard."""
        ...

    @property
    def passed_over(self) -> int:
        """How many bytes belonged to no frame."""
        ...

    def begin(self, at: float, local: datetime | None) -> Heard:
        """The line is open. `local` is the home's time, aware, for the sensor's clock; None while it is not
        to be believed: then no clock is set."""
        ...

    def hear(self, octets: bytes, at: float) -> Heard:
        """These bytes came."""
        ...

    def wait(self, at: float) -> Heard:
        """Time went by: asked a few times a second, for what must be said again or was not answered."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialDriver(Driver):
    """A class of sensor on a serial line.

    `characteristics` names the kinds of its payloads in words of our own ("live", "stored"). `settings` is
    how the line is set, `converse` makes the conversation of one link.
    """

    settings: LineSettings
    converse: Callable[[], Conversation]
