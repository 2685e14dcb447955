"""What the oximeters of Contec have stored: hours of saturation and pulse, as payloads of a minute each.

A payload is of our own making, since a sensor sends its memory as one run of samples (what it does not tell
of the beginning is 0):

| byte | field |
|---|---|
| 0-6 | when the recording began, as the sensor told: century, year in it, month, day, hour, minute, second |
| 7-9 | how many samples of the recording stand before these, big-endian |
| 10 | seconds from one sample to the next |
| 11- | saturation in %, pulse rate per minute (1 byte each), up to 60 times |

It is cut every 60 samples from the recording's beginning, so that the same memory makes the same payloads
whenever it is told. A minute without any number is left out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from statistics import median_low

from drivers.driver import Decoded, DecodeError
from drivers.ieee11073 import Number
from drivers.quality import PLAUSIBLE, measurements
from hub.readings import AbsentReason, DeviceTime, Flag, Quality, Vital, is_of_a_clock_that_runs

NO_TIME = bytes(7)
"""The beginning of a recording where the sensor does not tell it."""

_HEAD = struct.Struct(">7s3sB")
_SPACING = 1  # second: "Measurements are saved every second" (headrotor), as atbrask and OSCAR have it too
_SAMPLE = 2  # bytes
_SAMPLES = 60
_NO_PULSE = 0xFF

# Named here, since Python 3.11 runs code each time a member is named.
_SATURATION, _PULSE = Vital.OXYGEN_SATURATION, Vital.PULSE_RATE
_FROM_MEMORY, _CLOCK_NOT_SET = Flag.FROM_MEMORY, Flag.CLOCK_NOT_SET
_QUESTIONABLE_MEASUREMENT = Flag.QUESTIONABLE_MEASUREMENT


def blocks(began: bytes, samples: bytes) -> Iterator[bytes]:
    """The payloads of a whole recording: when it began (7 bytes), and saturation and pulse by turns."""
    size = _SAMPLES * _SAMPLE
    for at in range(0, len(samples), size):
        block = samples[at : at + size]
        if any(_numbers(block)):
            yield _HEAD.pack(began, (at // _SAMPLE).to_bytes(3), _SPACING) + block


def decode_stored(payload: bytes) -> Decoded:
    """Decode a minute of a recording: its median, at the time of its first sample. Raises `DecodeError`.

    The first, since nothing of it was measured before: where another had the sensor then, it is not taken for
    the next one's for what came last.

    Its sequence number is where it stands in the recording: told again, it is the same for ever. Where less
    than half of the samples have a number, that is QUESTIONABLE. Without a date that a clock gives which was
    set, its age is not known, and it is UNUSABLE; so are the first ten minutes after midnight and noon, which
    cannot be told from those of a clock that begins anew (`hub.readings.is_of_a_clock_that_runs`).
    """
    count, half = divmod(len(payload) - _HEAD.size, _SAMPLE)
    if half or not 0 < count <= _SAMPLES:
        raise DecodeError(f"no minute of a recording is {len(payload)} bytes long", payload)
    began, before, spacing = _HEAD.unpack_from(payload)
    number = int.from_bytes(before)
    if spacing != _SPACING or number % _SAMPLES:
        raise DecodeError("not cut every 60 samples", payload)
    saturations, pulses = _numbers(payload[_HEAD.size :])
    flags = {_FROM_MEMORY}
    quality = Quality.GOOD
    if 2 * len(saturations) < count:
        flags.add(_QUESTIONABLE_MEASUREMENT)
        quality = Quality.QUESTIONABLE
    time = _time(began, number * spacing)
    if time is None or not is_of_a_clock_that_runs(time):
        flags.add(_CLOCK_NOT_SET)
        quality = Quality.UNUSABLE  # a value of unknown age must not be scored as if it were of now
    judged, judged_flags = measurements(
        [(_SATURATION, _median(saturations), quality), (_PULSE, _median(pulses), quality)], frozenset(flags)
    )
    return Decoded(judged, judged_flags, time, number // _SAMPLES)


def _numbers(block: bytes) -> tuple[list[int], list[int]]:
    """The saturations and the pulses that are numbers: not those of a sample with one that is impossible, as
    are those that stand for none (0; 127 %)."""
    (lowest, highest), (slowest, fastest) = PLAUSIBLE[_SATURATION], PLAUSIBLE[_PULSE]
    both = [
        (saturation, pulse)
        for saturation, pulse in zip(block[::_SAMPLE], block[1::_SAMPLE], strict=True)
        if lowest <= saturation <= highest and slowest <= pulse <= fastest and pulse != _NO_PULSE
    ]
    return [saturation for saturation, _ in both], [pulse for _, pulse in both]


def _median(numbers: list[int]) -> Number:
    return float(median_low(numbers)) if numbers else AbsentReason.NOT_A_NUMBER


def _time(began: bytes, seconds: int) -> DeviceTime | None:
    """So many seconds after the beginning; None where no date, or none that there is, was told of that."""
    century, year, month, day, hour, minute, second = began
    try:
        first = datetime(century * 100 + year, month, day, hour, minute, second, tzinfo=UTC)
        last = first + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return None
    return DeviceTime(last.year, last.month, last.day, last.hour, last.minute, last.second)
