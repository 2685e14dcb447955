"""The contract of a driver: one file, one class of sensor, one pure function.

A driver says by what way it is spoken to: `drivers.gatt.GattDriver` over Bluetooth, or
`drivers.serial_line.SerialDriver` over a serial line. A new sensor is one file beside this one that defines
`DRIVER`, its line in `drivers/catalogue.py` and its test. See `drivers/README.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """A class of sensor: what each of its payloads says, whatever way they come.

    `characteristics` has a decoder for each kind of payload, by its name; the first is the one meant where a
    recording names none. Those in `streaming` are sent again and again for as long as the sensor is worn: no
    single one of them is an observation. Each decoder is a pure function from the payload to what it says,
    and raises `DecodeError`, and nothing else, for a payload that is truncated, over-long or impossible.

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
    characteristics: Mapping[str, Callable[[bytes], Decoded]]
    streaming: frozenset[str] = frozenset()
    keeps_records: bool = False
    identified_as: str | None = None

    @property
    def numbers_packets(self) -> frozenset[str]:
        """The characteristics whose sequence number is a packet's, and soon comes again with another; of all
        others it is a record's, for ever."""
        return frozenset()

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
        record_number = None if characteristic in self.numbers_packets else sequence_number
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
