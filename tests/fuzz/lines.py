"""The serial drivers' lines: what speaks on each, and how many of its frames a stream can have at the most.

The sensors are those of `drivers/virtual`, which share nothing with the drivers. Where frames have a
checksum, `right` counts, written anew, those of a stream that are right, wherever they begin: a conversation
that has heard more believes what a checksum could have caught.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from drivers.virtual.contec import ClassicCms50, Cms50, Recording
from drivers.virtual.nonin import VirtualNonin
from drivers.virtual.onetouch import OneTouchMeter
from drivers.virtual.usb_scenario import Emulator

_NOON = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
_RECORDING = Recording(_NOON.replace(tzinfo=None), tuple((90 + n % 9, 60 + n % 70) for n in range(200)))


@dataclass(frozen=True, slots=True)
class Line:
    """A sensor on a driver's line. `lost_at_most`: how many of its frames may be lost after noise: one, but
    where a packet of 25 is known only when it is whole, or where without a checksum nothing is believed that
    comes faster than it should. `most_held` is in bytes."""

    emulator: Callable[[], Emulator]
    right: Callable[[bytes], int] | None = None
    lost_at_most: int = 1
    most_held: int = 16 * 1024


def _meter() -> OneTouchMeter:
    meter = OneTouchMeter()
    for number in range(120):
        meter.measure(40 + 3 * number, _NOON + timedelta(minutes=number))
    return meter


def _spot_checks() -> VirtualNonin:
    oximeter = VirtualNonin(13, settling=0.5)
    for number in range(60):
        oximeter.store(_NOON + timedelta(hours=number), 90 + number % 9, 60 + number)
    return oximeter


def _right_packets_of_a_meter(stream: bytes) -> int:
    """02, a length of 6 to 40, ..., 03, CRC-16-CCITT of all before it, little-endian."""
    count, at = 0, -1
    while (at := stream.find(2, at + 1)) >= 0:
        packet = stream[at : at + stream[at + 1]] if at + 1 < len(stream) else b""
        if 6 <= len(packet) == stream[at + 1] and packet[-3] == 3:
            count += crc_hqx(packet[:-2], 0xFFFF) == packet[-2] | packet[-1] << 8
    return count


def _right_frames_of_nonin(stream: bytes) -> int:
    """25 frames of five bytes, the fifth the sum of the others modulo 256; and packets of format 13."""
    in_a_row = [0] * (len(stream) + 5)
    count = 0
    for at in range(len(stream) - 5, -1, -1):
        if (stream[at] + stream[at + 1] + stream[at + 2] + stream[at + 3]) & 0xFF == stream[at + 4]:
            in_a_row[at] = in_a_row[at + 5] + 1
            count += 25 * (in_a_row[at] >= 25)
    at = -1
    while (at := stream.find(b"\x00\x02\x00\x0d", at + 1)) >= 0:
        length = int.from_bytes(stream[at + 4 : at + 6], "big")
        packet = stream[at : at + length + 8]
        if len(packet) == length + 8 and packet[-1] == 3:
            count += sum(packet[6:-2]) & 0xFF == packet[-2]
    return count


LINES: Mapping[str, tuple[Line, ...]] = {
    "onetouch_ultra_easy": (Line(_meter, _right_packets_of_a_meter, most_held=256 * 1024),),
    "contec_cms50": (Line(lambda: Cms50(recordings=[_RECORDING]), most_held=512 * 1024),),
    "contec_cms50_classic": (Line(lambda: ClassicCms50(recording=_RECORDING), most_held=512 * 1024),),
    "nonin_serial": (
        Line(lambda: VirtualNonin(2), _right_frames_of_nonin, lost_at_most=25),
        Line(lambda: VirtualNonin(7), _right_frames_of_nonin, lost_at_most=25),
        Line(_spot_checks, _right_frames_of_nonin),
    ),
    "nonin_df8": (Line(lambda: VirtualNonin(8), lost_at_most=6),),
}
"""By driver: each of the ways in which its sensors speak."""
