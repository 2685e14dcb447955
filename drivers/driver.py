"""The contract of a driver: one file, one class of sensor, one pure function.

A fourth sensor is one file beside this one that defines `DRIVER`, its line in `drivers/catalogue.py`
and its test. See `drivers/README.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from hub.errors import CareportError
from hub.readings import DeviceTime, Flag, Measurement, RawPayload, Reading, reading_id

_CLOCK_NOT_SET = Flag.CLOCK_NOT_SET  # named here, since Python 3.11 runs code each time a member is named


class DecodeError(CareportError):
    """A payload that cannot be what its characteristic promises; carries the payload."""

    def __init__(self, reason: str, payload: bytes) -> None:
        super().__init__(f"{reason} (payload {payload.hex() or 'empty'})")
        self.reason = reason
        self.payload = payload


class Decoded(NamedTuple):
    """What one payload says: the measurements, and what the sensor said about them."""

    measurements: tuple[Measurement, ...]
    flags: frozenset[Flag] = frozenset()
    device_time: DeviceTime | None = None
    sequence_number: int | None = None
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class Driver:
    """A class of sensor that speaks GATT.

    `service` and the keys of `characteristics` are 16-bit Bluetooth UUIDs as four hex digits in
    lower case ("1810", "2a35"); the first characteristic is the one meant where a recording
    names none. Those in `intermediate` tell of a measurement that is still going on: they can be
    decoded, and a collector does not subscribe to them. Those in `streaming` are sent again and again
    for as long as the sensor is worn: no single one of them is an observation. Each decoder is a pure
    function from the payload to what it says, and raises `DecodeError`, and nothing else, for a
    payload that is truncated, over-long or impossible.
    """

    name: str
    title: str
    service: str
    characteristics: Mapping[str, Callable[[bytes], Decoded]]
    intermediate: frozenset[str] = frozenset()
    streaming: frozenset[str] = frozenset()

    @property
    def subscribed(self) -> tuple[str, ...]:
        """The characteristics that a collector listens to."""
        return tuple(name for name in self.characteristics if name not in self.intermediate)

    def read(self, raw: RawPayload) -> Reading:
        """Decode a payload. A payload that cannot be decoded becomes a reading with a `problem`."""
        characteristic = raw.characteristic or next(iter(self.characteristics))
        decode = self.characteristics.get(characteristic)
        if decode is None:
            return problem_reading(raw, f"driver {self.name} has no characteristic {characteristic}")
        try:
            measurements, flags, device_time, sequence_number, user_id = decode(raw.payload)
        except DecodeError as error:
            return problem_reading(raw, error.reason)
        believable_time = None if _CLOCK_NOT_SET in flags else device_time
        return Reading(
            reading_id(raw, believable_time),
            raw,
            measurements,
            flags,
            device_time,
            sequence_number,
            user_id,
            streaming=characteristic in self.streaming,
        )


def problem_reading(raw: RawPayload, problem: str) -> Reading:
    """A reading that says only why its payload could not be read."""
    return Reading(id=reading_id(raw, None), raw=raw, measurements=(), problem=problem)
