"""Nonin's serial data format 13, of a spot check: one packet when the oximeter is sure of its value, at the
latest 40 s after the finger is in; what it could not send, with its time, from its memory first.

| byte | field |
|---|---|
| 0-3 | 00 02 00 0D |
| 4-5 | length of what follows up to the checksum: 14 or more, big-endian |
| 6-13 | century, year, month, day, hour, minute, second, fraction, in BCD |
| 14-15 | status: `STATUS_BITS`, big-endian |
| 16-17 | pulse rate, 9 bits, big-endian; 511: none |
| 18 | reserved |
| 19 | SpO2 in bits 0 to 6; 127: none |
| ... | reserved, as long as the length says |
| last two | checksum: the sum of bytes 6 to here, modulo 256; 03 |

Sources: Nonin, "Onyx II Model 9560, OEM Specification and Technical Information", 6470-000-01 (2008), pages 4
to 7; MediPi's driver of the 9560 agrees, and knows a length of 23, with a serial number at the end. An
acknowledgement by the hub, which newer oximeters can be set to want, is in neither and is not sent.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from drivers.driver import Decoded, DecodeError
from drivers.nonin import oximetry
from drivers.payload import date_time
from drivers.quality import StatusBit, Verdict, verdict
from hub.readings import DeviceTime, Flag, Quality

_START = b"\x00\x02\x00\x0d"
_BEFORE, _AFTER = 6, 2  # bytes: start and length; checksum and end
_DATA = range(14, 65)  # bytes of data; the most is ours, that a damaged length is not waited for
_END = 0x03

STATUS_BITS = (
    StatusBit(0, Flag.BATTERY_LOW, Quality.GOOD),
    StatusBit(4, Flag.FROM_MEMORY, Quality.GOOD),
    StatusBit(8, Flag.MEASUREMENT_UNAVAILABLE, Quality.UNUSABLE),
    # "high quality SmartPoint measurement", missing: the algorithm was not sure of it within 40 s
    StatusBit(9, Flag.EARLY_ESTIMATE, Quality.QUESTIONABLE),
)
"""What the status says, after bit 9, which says that all is well, was turned round."""
_INVERTED = 1 << 9


@lru_cache(maxsize=256)
def _verdict(status: int) -> Verdict:
    return verdict(STATUS_BITS, status ^ _INVERTED)


def decode_spot(payload: bytes) -> Decoded:
    """Decode a packet, whole as it was sent. Raises `DecodeError`."""
    if not _START.startswith(payload[:4]):
        raise DecodeError("no spot check", payload)
    length = _length(payload)
    if length is None or length > len(payload):
        raise DecodeError(f"payload too short: {len(payload)} bytes", payload)
    if length == 0:
        raise DecodeError("a length that no spot check has", payload)
    if length < len(payload):
        raise DecodeError(f"payload too long: {len(payload)} bytes where it says {length}", payload)
    if not _is_right(payload):
        raise DecodeError("the checksum or the end is wrong", payload)
    time, clock_not_set = _time(payload[6:14])
    said = _verdict(payload[14] << 8 | payload[15])
    if clock_not_set:
        flags = said.flags | {Flag.CLOCK_NOT_SET}
        # A stored value of unknown age must not be scored as if it were of now.
        of_unknown_age = Flag.FROM_MEMORY in flags
        said = Verdict(flags, *(Quality.UNUSABLE if of_unknown_age else said.quality for _ in range(2)))
    pulse = (payload[16] & 1) << 8 | payload[17]
    return oximetry(payload[19] & 0x7F, pulse, said)._replace(device_time=time)


def whole_packets(held: bytes) -> tuple[list[bytes], int]:
    """The packets that are whole, with a right checksum, and where the last of them ends."""
    packets = []
    at = end = 0
    while (at := held.find(_START, at)) >= 0:
        length = _length(held[at : at + _BEFORE])
        packet = held[at : at + (length or 0)]
        if packet and len(packet) == length and _is_right(packet):
            packets.append(packet)
            at = end = at + length
        else:
            at += 1
    return packets, end


def setting_the_clock(local: datetime) -> bytes:
    """The command that sets the oximeter's clock, which it does not answer (page 4 of Nonin's document)."""
    fields = (local.year % 100, local.month, local.day, local.hour, local.minute, local.second)
    return b"\x02\x72\x06" + bytes(fields) + b"\x03"


def _length(begun: bytes) -> int | None:
    """How long the packet is that begins so: 0 where none can be, None where that is not told yet."""
    if len(begun) < _BEFORE:
        return None
    data = begun[4] << 8 | begun[5]
    return _BEFORE + data + _AFTER if data in _DATA else 0


def _is_right(packet: bytes) -> bool:
    return packet[-1] == _END and packet[-2] == sum(packet[_BEFORE:-_AFTER]) & 0xFF


def _time(octets: bytes) -> tuple[DeviceTime | None, bool]:
    """The oximeter's clock, and whether it is not set; the fraction of the second is dropped."""
    if any(octet >> 4 > 9 or octet & 0x0F > 9 for octet in octets):
        return None, True
    century, year, *rest = (10 * (octet >> 4) + (octet & 0x0F) for octet in octets[:7])
    return date_time((100 * century + year).to_bytes(2, "little") + bytes(rest))
