"""The link to a LifeScan OneTouch meter: its packets, and how they are cut out of what comes.

| byte | field |
|---|---|
| 0 | 02 |
| 1 | how long the packet is, all of it |
| 2 | link control: `DISCONNECT`, `ACKNOWLEDGE`, `EXPECTED`, `SENT`; the upper three bits are 0 |
| 3- | message, up to 34 bytes |
| last 3 | 03, and the CRC-16-CCITT (polynomial 1021, beginning with FFFF) of all before it, little-endian |

Each packet with a message is acknowledged by one without. `SENT` is the last bit of the number of the
packets with a message that its sender has sent, `EXPECTED` that of the number which it expects next; a
disconnect sets both to 0 on both sides.

Sources: glucometers-tech/glucometer-protocols (the framing, "shared binary protocol"); LifeScan's own
documents are not public any more, so that link control is as the programs have it that were written by them
and tried on meters: Daniel Thompson's (2011, with packets of a meter), Tidepool's and glucometerutils.
"""

from __future__ import annotations

from binascii import crc_hqx
from typing import NamedTuple

_STX, _ETX = 0x02, 0x03
_AROUND = 6  # bytes of a packet beside its message
_LENGTHS = range(_AROUND, _AROUND + 34 + 1)
_SILENCE = 0.5  # seconds: within a packet bytes follow one another in a millisecond

SENT, EXPECTED, ACKNOWLEDGE, DISCONNECT = 0x01, 0x02, 0x04, 0x08
_RESERVED = 0xE0


class Packet(NamedTuple):
    """Its link control, and its message."""

    control: int
    message: bytes = b""

    @property
    def octets(self) -> bytes:
        """As it is sent."""
        body = bytes((_STX, len(self.message) + _AROUND, self.control)) + self.message + bytes((_ETX,))
        return body + crc_hqx(body, 0xFFFF).to_bytes(2, "little")


class PacketCutter:
    """Cuts packets out of what comes. What is no packet with a right CRC is passed over, and memory is
    bounded: it holds one packet that is not yet whole. `packets` counts those, `passed_over` the other bytes.
    """

    def __init__(self) -> None:
        self.packets = 0
        self.passed_over = 0
        self._held = b""
        self._heard_at = 0.0

    def feed(self, octets: bytes, at: float) -> list[Packet]:
        """The packets that are whole now; `at` is in monotonic seconds. Raises nothing."""
        self._let_go(at)
        self._heard_at = at
        held = self._held + octets
        packets = []
        begun: int | None = None  # where a packet may begin that is not whole yet
        at_octet = after = 0
        while (at_octet := held.find(_STX, at_octet)) >= 0:
            end = _end(held, at_octet)
            if end is None or end > len(held):
                if end is not None and begun is None:
                    begun = at_octet
                at_octet += 1
            elif _is_whole(held[at_octet:end]):
                packets.append(Packet(held[at_octet + 2], held[at_octet + 3 : end - 3]))
                self.passed_over += at_octet - after
                # What seemed to begin before it was not a packet: none has another within.
                at_octet, after, begun = end, end, None
            else:
                at_octet += 1
        kept = len(held) if begun is None else begun
        self.passed_over += kept - after
        self.packets += len(packets)
        self._held = held[kept:]
        return packets

    def _let_go(self, at: float) -> None:
        """What was begun and not ended will not be ended any more after a silence."""
        if self._held and at - self._heard_at > _SILENCE:
            self.passed_over += len(self._held)
            self._held = b""


def _end(held: bytes, at: int) -> int | None:
    """Where the packet ends that begins here; None where none does."""
    if at + 1 >= len(held):
        return at + _LENGTHS[-1]
    if held[at + 1] not in _LENGTHS or (at + 2 < len(held) and held[at + 2] & _RESERVED):
        return None
    return at + held[at + 1]


def _is_whole(packet: bytes) -> bool:
    return packet[-3] == _ETX and crc_hqx(packet[:-2], 0xFFFF) == int.from_bytes(packet[-2:], "little")
