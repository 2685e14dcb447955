"""A stretch of a stream as one payload: up to a minute of payloads with their times, packed.

Each sample of a stream as a row of its own costs the card far more than it says. So the hub keeps a stretch
of them in one row (`hub/intake/streams.py`). Nothing is lost by it: `payloads` gives each one back, byte for
byte, with its time to a millisecond, and its driver reads it as on the day it came.

A packed stretch is told from a single payload by its characteristic, "2a5f/stretch", which no driver has.

| byte | field |
|---|---|
| 0 | 1: this form |
| 1- | zlib (RFC 1950), whose checksum also notices damage, of what follows |

Numbers are of seven bits a byte, the lowest first, the highest bit set where more follow: how many payloads
there are, less one; how many milliseconds lie between the first and the last; of each between those two, how
much later it came than if all were evenly spaced (2n, or -2n - 1 if it came earlier); how long each payload
is. Then all first bytes, all second bytes, and so on: what hardly changes stands together.

Bytes a stretch of 60 samples, with times that scatter by 12 ms, on average of 200 made up as sensors send
them (raw; row by row through zlib; as here): 2A5F with status and perfusion 720, 285, 202; 2A5F without 300,
197, 151; 2A37 with beat intervals 264, 296, 216; PC-60FW 720, 353, 272; seconds of a serial oximeter
(`second.py`, of 4 bytes) 394, 295, 253. Some 60 of it are times.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from hub.errors import CareportError
from hub.readings import RawPayload

MOST_SAMPLES = 300
MOST_BYTES = 16 * 1024
"""Of one stretch, and of its payloads together, but for what a last one has beyond it."""

_FORM = 1
_STRETCH = "/stretch"
_MOST_UNPACKED = 256 * 1024
_MOST_DIGITS = 5  # of a number: up to 2 ** 35
_MILLISECOND = timedelta(milliseconds=1)


class StretchError(CareportError):
    """Bytes that are no packed stretch: damaged, or of a form that is not known here."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"no stretch of a stream: {reason}")


def is_stretch(raw: RawPayload) -> bool:
    """Whether a payload is a packed stretch."""
    return raw.characteristic.endswith(_STRETCH)


def joined(payloads: Sequence[RawPayload]) -> RawPayload:
    """A stretch of these payloads of one sensor, oldest first; it was received when the last one was."""
    last = payloads[-1]
    first = payloads[0].received_at
    packed = pack([((each.received_at - first) // _MILLISECOND, each.payload) for each in payloads])
    return replace(last, payload=packed, characteristic=f"{last.characteristic}{_STRETCH}")


def payloads(raw: RawPayload) -> list[RawPayload]:
    """The payloads of a stretch, oldest first; of what is none, itself.

    Raises:
        StretchError: it is damaged.
    """
    if not is_stretch(raw):
        return [raw]
    samples = unpack(raw.payload)
    until, _ = samples[-1]
    characteristic = raw.characteristic.removesuffix(_STRETCH)
    return [
        replace(
            raw,
            payload=payload,
            received_at=raw.received_at - (until - after) * _MILLISECOND,
            characteristic=characteristic,
        )
        for after, payload in samples
    ]


def pack(samples: Sequence[tuple[int, bytes]]) -> bytes:
    """Pack payloads, each with the milliseconds that it came after the first, oldest first.

    Raises:
        ValueError: there are none, or they are not in order.
    """
    times = [after for after, _ in samples]
    if not times or times[0] or times != sorted(times):
        raise ValueError("a stretch begins with its first sample, and goes on in order")
    said = [payload for _, payload in samples]
    fields = bytearray(_number(len(said) - 1))
    if len(said) > 1:
        fields += _number(times[-1])
        for after, evenly in zip(times[1:-1], _even(times[-1], len(said)), strict=True):
            late = after - evenly
            fields += _number(2 * late if late >= 0 else -2 * late - 1)
    for payload in said:
        fields += _number(len(payload))
    for column in range(max(map(len, said))):
        fields += bytes([payload[column] for payload in said if len(payload) > column])
    return bytes([_FORM]) + zlib.compress(fields, 9)


def unpack(packed: bytes) -> list[tuple[int, bytes]]:
    """What `pack` was given: each payload, and the milliseconds that it came after the first.

    Raises:
        StretchError: it is damaged, or of another form.
    """
    if not packed or packed[0] != _FORM:
        raise StretchError("its form is not known")
    fields = _Fields(_inflated(packed[1:]))
    count = fields.number() + 1
    if count > len(fields.rest):  # each has a length, at the least
        raise StretchError("it is cut short")
    times = [0]
    if count > 1:
        until = fields.number()
        for evenly in _even(until, count):
            late = fields.number()
            times.append(evenly + (-(late + 1) // 2 if late % 2 else late // 2))
        times.append(until)
    lengths = [fields.number() for _ in range(count)]
    if times != sorted(times) or sum(lengths) != len(fields.rest):
        raise StretchError("what it says does not fit together")
    said = [bytearray() for _ in lengths]
    octets = iter(fields.rest)
    for column in range(max(lengths)):
        for payload, length in zip(said, lengths, strict=True):
            if length > column:
                payload.append(next(octets))
    return [(after, bytes(payload)) for after, payload in zip(times, said, strict=True)]


def _even(until: int, count: int) -> Iterator[int]:
    """When those between the first and the last would come if all were evenly spaced."""
    return (until * place // (count - 1) for place in range(1, count - 1))


def _number(number: int) -> bytes:
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def _inflated(compressed: bytes) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        fields = unpacking.decompress(compressed, _MOST_UNPACKED + 1)
    except zlib.error as error:
        raise StretchError("not as it was written") from error
    if len(fields) > _MOST_UNPACKED or not unpacking.eof or unpacking.unused_data:
        raise StretchError("its end is not where it was")
    return fields


class _Fields:
    """Reads numbers from bytes; `rest` is what was not read."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    @property
    def rest(self) -> bytes:
        return self._octets[self._at :]

    def number(self) -> int:
        number = 0
        for digit in range(_MOST_DIGITS):
            if self._at >= len(self._octets):
                raise StretchError("it is cut short")
            octet = self._octets[self._at]
            self._at += 1
            number |= (octet & 0x7F) << (7 * digit)
            if octet <= 0x7F:
                return number
        raise StretchError("it has a number that is too large")
