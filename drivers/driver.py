"""The contract of a driver: one file, one class of sensor, one pure function.

A fourth sensor is one file beside this one that defines `DRIVER`, its line in `drivers/catalogue.py`
and its test. See `drivers/README.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple, Protocol

from hub.errors import CareportError
from hub.readings import DeviceTime, Flag, Measurement, RawPayload, Reading, reading_id

_NO_DATE = DeviceTime(0, 0, 0, 0, 0, 0)
# Named here, since Python 3.11 runs code each time a member is named.
_CLOCK_NOT_SET, _FROM_MEMORY = Flag.CLOCK_NOT_SET, Flag.FROM_MEMORY


class DecodeError(CareportError):
    """A payload that cannot be what its characteristic promises; carries the payload."""

    def __init__(self, reason: str, payload: bytes) -> None:
        super().__init__(f"{reason} (payload {payload.hex() or 'empty'})")
        self.reason = reason
        self.payload = payload


class Decoded(NamedTuple):
    """What one payload says: the measurements, and what the sensor said about them.

    `sequence_number` is the number that a sensor gives to a record which it keeps: with it the same bytes are
    the same measurement for ever. Of an advertisement it is a packet's, which soon comes again with another.
    """

    measurements: tuple[Measurement, ...]
    flags: frozenset[Flag] = frozenset()
    device_time: DeviceTime | None = None
    sequence_number: int | None = None
    user_id: int | None = None
    beat_intervals: tuple[float, ...] = ()


class Bonding(Enum):
    """When a sensor is bonded with.

    FIRST: before its services are discovered, as the medical profiles have it; where a sensor that was never
    bonded refuses, the hub goes on without. WHEN_ASKED: only if the sensor refuses something without.
    NEVER: it cannot, or must not be asked.
    """

    FIRST = "first"
    WHEN_ASKED = "when asked"
    NEVER = "never"


class Framer(Protocol):
    """Cuts what a sensor sends on one link into whole payloads, where notifications are not payloads."""

    def feed(self, notification: bytes) -> Iterable[bytes]:
        """Take the next bytes, and give the payloads that are whole now. Raises nothing; what is no frame is
        passed over, and memory is bounded whatever comes."""
        ...


@dataclass(frozen=True, slots=True)
class Driver:
    """A class of sensor that speaks GATT, or advertises what it measures.

    `service` and the keys of `characteristics` are 16-bit Bluetooth UUIDs as four hex digits in
    lower case ("1810", "2a35"), or whole ones where they are a maker's own; the first characteristic is
    the one meant where a recording names none. Those in `intermediate` tell of a measurement that is still
    going on: they can be decoded, and a collector does not subscribe to them. Those in `streaming` are sent
    again and again for as long as the sensor is worn: no single one of them is an observation. Each decoder
    is a pure function from the payload to what it says, and raises `DecodeError`, and nothing else, for a
    payload that is truncated, over-long or impossible.

    How its sensors behave on a link is said by the rest, and played by `drivers/bluetooth/conversation.py`:

    - `advertised`: the characteristics that are no characteristics but service data in advertisements. A
      driver that has no others is never connected to.
    - `battery`: reads the battery, in percent, off what it advertises; raises `DecodeError`.
    - `bonding`: when it is bonded with.
    - `clock_first`: the sensor's clock is set before it is subscribed to, since it leaves soon after it has
      told all; else right after. Where it has no clock (2A08, 2A2B) that can be written, none is set.
    - `records`: the Record Access Control Point ("2a52") by which it is asked for what it has stored.
    - `greeting`: characteristics and what is written to them once the sensor is subscribed to, in this order.
    - `framer`: makes what cuts its notifications into payloads, one for each link and characteristic.
    - `alternatives`: groups of characteristics that tell the same in different ways, the preferred group
      first. Of them a link subscribes to the first group that the sensor has any of, and to no other, so that
      nothing is counted twice: `subscribed_of` says to what, and is what a session asks.
    - `keeps_records`: its sensors tell what they have stored at each link, several numbers in each: the same
      payload with the same time is the same measurement, even from a clock that nobody set
      (`hub.readings.reading_id`). Not where there is one number in each, or a clock that begins anew whenever
      it is switched on: there two measurements can be alike to the byte. Where the sensor numbers its records
      (`Decoded.sequence_number`), or says of one that it is from its memory (`Flag.FROM_MEMORY`), it need not
      be said.
    - `identified_as`: the driver whose payloads these are too, and mean the same. A record that was told
      before the sensor was enrolled anew, with the one in the place of the other, is then the same record.
    """

    name: str
    title: str
    service: str
    characteristics: Mapping[str, Callable[[bytes], Decoded]]
    intermediate: frozenset[str] = frozenset()
    streaming: frozenset[str] = frozenset()
    advertised: frozenset[str] = frozenset()
    battery: Callable[[bytes], int | None] | None = None
    bonding: Bonding = Bonding.WHEN_ASKED
    clock_first: bool = False
    records: str | None = None
    greeting: tuple[tuple[str, bytes], ...] = ()
    framer: Callable[[], Framer] | None = None
    alternatives: tuple[frozenset[str], ...] = ()
    keeps_records: bool = False
    identified_as: str | None = None

    @property
    def subscribed(self) -> tuple[str, ...]:
        """The characteristics that a collector listens to on a link."""
        return tuple(
            name
            for name in self.characteristics
            if name not in self.intermediate and name not in self.advertised
        )

    def subscribed_of(self, offered: Collection[str]) -> tuple[str, ...]:
        """What a collector listens to on a link with a sensor that has these characteristics.

        `offered` names them as the driver does; what the driver does not know is left out.
        """
        meant = next((group for group in self.alternatives if not group.isdisjoint(offered)), frozenset())
        superseded = frozenset[str]().union(*self.alternatives) - meant
        return tuple(name for name in self.subscribed if name in offered and name not in superseded)

    @property
    def only_streams(self) -> bool:
        """Whether it has time: it sends for as long as it is worn, and does not switch itself off."""
        return all(name in self.streaming for name in self.subscribed)

    def read(self, raw: RawPayload) -> Reading:
        """Decode a payload. A payload that cannot be decoded becomes a reading with a `problem`."""
        characteristic = raw.characteristic or next(iter(self.characteristics))
        decode = self.characteristics.get(characteristic)
        if decode is None:
            return problem_reading(raw, f"driver {self.name} has no characteristic {characteristic}")
        try:
            measurements, flags, device_time, sequence_number, user_id, beat_intervals = decode(raw.payload)
        except DecodeError as error:
            return problem_reading(raw, error.reason)
        record_number = None if characteristic in self.advertised else sequence_number
        of_a_record = self.keeps_records or record_number is not None or _FROM_MEMORY in flags
        told_by = device_time
        if _CLOCK_NOT_SET in flags:
            told_by = (device_time or _NO_DATE) if of_a_record else None
        identified = raw if self.identified_as is None else replace(raw, driver=self.identified_as)
        return Reading(
            reading_id(identified, told_by, keeps_records=of_a_record, sequence_number=record_number),
            raw,
            measurements,
            flags,
            device_time,
            sequence_number,
            user_id,
            streaming=characteristic in self.streaming,
            beat_intervals=beat_intervals,
        )


def problem_reading(raw: RawPayload, problem: str) -> Reading:
    """A reading that says only why its payload could not be read."""
    return Reading(id=reading_id(raw, None), raw=raw, measurements=(), problem=problem)
